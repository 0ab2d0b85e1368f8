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
const disconnectType = 14
const authType = 15

/** Handles the packet that a framer stands at. A promise means that the next packet must wait for it. Throws MqttError. */
export function dispatch(connection: Connection, framer: Framer): void | Promise<void> {
  const type = framer.bytes[framer.start]! >> 4
  if (connection.state !== 'open' || type === connectType) checkOrder(connection, type)
  const { controlCharacters = false } = connection.core.environment.options
  const packet = decodeFrame(framer, connection.version, controlCharacters ? moreRelaxed : relaxed)
  switch (packet.type) {
    case 'publish':
      return handlePublish(connection, packet)
    case 'puback':
      return handlePuback(connection, packet)
    case 'pubrec':
      return handlePubrec(connection, packet)
    case 'pubrel':
      return handlePubrel(connection, packet)
    case 'pubcomp':
      return handlePubcomp(connection, packet)
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
