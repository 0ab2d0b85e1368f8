/** CONNACK (section 3.2): the Server's answer to CONNECT. */

import type { Input } from './input.js'
import { malformed, protocolError } from './mqtt-error.js'
import { PacketType, type ProtocolVersion } from './packet-type.js'
import { type Properties, propertiesSize, readProperties, writeProperties } from './properties.js'
import type { Reader } from './reader.js'
import { checkReason, readReason } from './reason.js'
import { checkInteger, type Writer } from './writer.js'

export type ConnackProperties = Pick<
  Properties,
  | 'sessionExpiryInterval'
  | 'receiveMaximum'
  | 'maximumQoS'
  | 'retainAvailable'
  | 'maximumPacketSize'
  | 'assignedClientIdentifier'
  | 'topicAliasMaximum'
  | 'reasonString'
  | 'userProperty'
  | 'wildcardSubscriptionAvailable'
  | 'subscriptionIdentifierAvailable'
  | 'sharedSubscriptionAvailable'
  | 'serverKeepAlive'
  | 'responseInformation'
  | 'serverReference'
  | 'authenticationMethod'
  | 'authenticationData'
>

export interface Connack {
  readonly type: 'connack'
  readonly sessionPresent: boolean
  /** A Reason Code; before MQTT 5.0 a Connect Return Code, 0 to 5. */
  readonly reasonCode: number
  readonly properties: ConnackProperties
}

export function readConnack(reader: Reader, version: ProtocolVersion): Connack {
  const flags = reader.byte()
  // MQTT 3.1 has no Session Present and calls the byte "not used".
  if (flags > (version === 3 ? 0 : 1) && reader.relaxed.unusedFlags !== true) {
    throw malformed('a reserved Connect Acknowledge Flag is set', 'MQTT-3.2.2-1', reader.offset - 1)
  }
  const sessionPresent = version > 3 && (flags & 1) === 1
  const reasonCode = version === 5 ? readReason(reader, PacketType.Connack) : readReturnCode(reader)
  if (sessionPresent && reasonCode !== 0) {
    throw protocolError('Session Present with a refusal', 'MQTT-3.2.2-6', reader.offset - 1)
  }
  const properties: ConnackProperties = version === 5 ? readProperties(reader, 'connack') : {}
  return { type: 'connack', sessionPresent, reasonCode, properties }
}

function readReturnCode(reader: Reader): number {
  const code = reader.byte()
  if (code > 5) throw protocolError(`Connect Return Code ${code} is reserved`, '3.1.1 3.2.2.3', reader.offset - 1)
  return code
}

export function connackLength(packet: Input<Connack>, version: ProtocolVersion): number {
  const { reasonCode = 0 } = packet
  if (packet.sessionPresent === true && reasonCode !== 0) {
    throw new TypeError('sessionPresent may not be set with a refusal') // [MQTT-3.2.2-6]
  }
  if (version < 5) {
    checkInteger('reasonCode', reasonCode, 0, 5)
    return 2
  }
  checkReason(PacketType.Connack, reasonCode)
  return 2 + propertiesSize(packet.properties, 'connack')
}

export function writeConnack(writer: Writer, packet: Input<Connack>, version: ProtocolVersion): void {
  writer.byte(packet.sessionPresent === true && version > 3 ? 1 : 0)
  writer.byte(packet.reasonCode ?? 0)
  if (version === 5) writeProperties(writer, packet.properties, 'connack')
}
