// hot: runs per packet
/** From a whole packet to its handler. */

import { decodeFrame, type Framer, protocolError, type Relaxations } from '@tidewire/codec'
import type { Connection } from './connection.js'
import { handlePuback, handlePubcomp, handlePubrec, handlePubrel } from './handlers/acks.js'
import { handleAuth } from './handlers/auth.js'
import { handleConnect } from './handlers/connect.js'
import { handleDisconnect } from './handlers/disconnect.js'
import { handlePublish } from './handlers/publish.js'
import { handleSubscribe } from './handlers/subscribe.js'
import { handleUnsubscribe } from './handlers/unsubscribe.js'

// Clients of MQTT 3.1 with longer or no Client Identifiers are common, and it does not define unused flags.
const relaxed: Relaxations = { clientIdLength: true, unusedFlags: true }
const moreRelaxed: Relaxations = { ...relaxed, controlCharacters: true }

const connectType = 1
const publishType = 3
const pubackType = 4
const pubrecType = 5
const pubrelType = 6
const subscribeType = 8
const disconnectType = 14
const authType = 15

/** Handles the packet that a framer stands at. A promise means that the next packet must wait for it. Throws MqttError. */
export function dispatch(connection: Connection, framer: Framer): void | Promise<void> {
  const type = framer.bytes[framer.start]! >> 4
  if (connection.state !== 'open' || type === connectType) checkOrder(connection, type)
  const { bytes, start, body, end } = framer
  if (end - body === 2 && type > publishType && type < subscribeType) {
    const packetId = (bytes[body]! << 8) | bytes[body + 1]!
    const isPubrel = type === pubrelType
    // measured: most acknowledgements are Success in their shortest form: 10 ns in place of 60
    if (packetId > 0 && (bytes[start]! & 0x0f) === (isPubrel ? 2 : 0))
      return acknowledged(connection, type, packetId, 0)
  }
  const { controlCharacters = false } = connection.core.environment.options
  const packet = decodeFrame(framer, connection.version, controlCharacters ? moreRelaxed : relaxed)
  switch (packet.type) {
    case 'publish':
      return handlePublish(connection, packet)
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return acknowledged(connection, type, packet.packetId, packet.reasonCode)
    case 'pingreq':
      return connection.send({ type: 'pingresp' }) // [MQTT-3.12.4-1]
    case 'subscribe':
      return handleSubscribe(connection, packet)
    case 'unsubscribe':
      return handleUnsubscribe(connection, packet)
    case 'disconnect':
      return handleDisconnect(connection, packet)
    case 'connect':
      return handleConnect(connection, packet)
    case 'auth':
      return handleAuth(connection, packet)
    default:
      throw protocolError(`${packet.type.toUpperCase()} from a Client`, '4.13.1-1')
  }
}

function acknowledged(connection: Connection, type: number, packetId: number, reasonCode: number): void {
  if (type === pubackType) return handlePuback(connection, packetId, reasonCode)
  if (type === pubrecType) return handlePubrec(connection, packetId, reasonCode)
  if (type === pubrelType) return handlePubrel(connection, packetId)
  handlePubcomp(connection, packetId)
}

/** Throws for a packet that may not come now. */
function checkOrder({ state }: Connection, type: number): void {
  if (type === connectType) {
    if (state === 'connecting') return
    throw protocolError('a second CONNECT', '3.1.0-2')
  }
  if (state === 'connecting') throw protocolError('the first packet is not CONNECT', '3.1.0-1')
  // Only while an exchange of enhanced authentication goes on is something read then.
  if (type !== authType && type !== disconnectType) throw protocolError('a packet before CONNACK', '3.1.2-30')
}
