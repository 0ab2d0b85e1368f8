// hot: runs per packet
/** PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7): the rest of QoS 1 and 2, in both directions. */

import { protocolError, ReasonCode } from '@tidewire/codec'
import type { Step } from '@tidewire/session'
import type { Connection } from '../connection.js'

const pubcomp = 0x70

export function handlePuback(connection: Connection, packetId: number, reasonCode: number): void {
  settle(connection, connection.session!.puback(packetId), reasonCode)
}

export function handlePubrec(connection: Connection, packetId: number, reasonCode: number): void {
  const step = connection.session!.pubrec(packetId, reasonCode)
  if (step === 'release') return connection.pubrel(packetId) // [MQTT-4.3.3-4]
  // There is nothing to release, and the client should know (section 3.6.2.1).
  const unknown = connection.version === 5 ? ReasonCode.PacketIdentifierNotFound : ReasonCode.Success
  if (step === 'unknown') return connection.send({ type: 'pubrel', packetId, reasonCode: unknown })
  settle(connection, step, reasonCode)
}

export function handlePubcomp(connection: Connection, packetId: number): void {
  settle(connection, connection.session!.pubcomp(packetId), ReasonCode.Success)
}

export function handlePubrel(connection: Connection, packetId: number): void {
  const session = connection.session!
  const known = session.receiver.pubrel(packetId)
  if (known) session.released(packetId)
  // Answered also when unknown, or the client would never be done [MQTT-4.3.3-11].
  if (known || connection.version < 5) return connection.acknowledge(pubcomp, packetId)
  connection.send({ type: 'pubcomp', packetId, reasonCode: ReasonCode.PacketIdentifierNotFound })
}

/** A message to this client is done, or the client mixed its acknowledgements up. */
function settle(connection: Connection, step: Step, reasonCode: number): void {
  if (step === 'violation') throw protocolError('an acknowledgement of another step of the protocol', '4.3.3')
  if (step === 'settled' && reasonCode >= 0x80) connection.core.environment.metrics.dropped.refused++
  connection.session!.pump()
}
