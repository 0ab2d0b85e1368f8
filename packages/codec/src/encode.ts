/** From packets to bytes: the switch over the packet types. */

import { ackLength, writeAck } from './acks.js'
import { authLength, writeAuth } from './auth.js'
import { connackLength, writeConnack } from './connack.js'
import { connectLength, writeConnect } from './connect.js'
import { disconnectLength, writeDisconnect } from './disconnect.js'
import type { PacketInput } from './packet.js'
import type { ProtocolVersion } from './packet-type.js'
import { publishFlags, publishLength, writePublish } from './publish.js'
import { subackLength, writeSuback } from './suback.js'
import { subscribeLength, writeSubscribe } from './subscribe.js'
import { unsubackLength, writeUnsuback } from './unsuback.js'
import { unsubscribeLength, writeUnsubscribe } from './unsubscribe.js'
import { varintLength, varintMax } from './varint.js'
import { Writer } from './writer.js'

/**
 * Encodes a packet into bytes of its own. The version counts for all but CONNECT, which names its own; properties are
 * left out before MQTT 5.0. Throws TypeError or RangeError for a packet that the standard does not allow.
 */
export function encode(packet: PacketInput, version: ProtocolVersion = 5): Uint8Array {
  const length = bodyLength(packet, version)
  const bytes = new Uint8Array(1 + varintLength(length) + length)
  write(packet, version, length, bytes, 0)
  return bytes
}

/**
 * Encodes a packet into the caller's bytes from the index `at`. Returns the index behind it, or -1, with nothing
 * written, when there is no room. Throws as `encode` does.
 */
export function encodeInto(packet: PacketInput, target: Uint8Array, at = 0, version: ProtocolVersion = 5): number {
  const length = bodyLength(packet, version)
  if (at + 1 + varintLength(length) + length > target.length) return -1
  return write(packet, version, length, target, at)
}

/** The number of bytes that a packet takes. Throws as `encode` does. */
export function encodedLength(packet: PacketInput, version: ProtocolVersion = 5): number {
  const length = bodyLength(packet, version)
  return 1 + varintLength(length) + length
}

function bodyLength(packet: PacketInput, version: ProtocolVersion): number {
  const length = measure(packet, version)
  if (length > varintMax) throw new RangeError(`a packet may take ${varintMax} bytes behind its fixed header at most`)
  return length
}

function measure(packet: PacketInput, version: ProtocolVersion): number {
  switch (packet.type) {
    case 'publish':
      return publishLength(packet, version)
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return ackLength(packet, version)
    case 'connect':
      return connectLength(packet)
    case 'connack':
      return connackLength(packet, version)
    case 'subscribe':
      return subscribeLength(packet, version)
    case 'suback':
      return subackLength(packet, version)
    case 'unsubscribe':
      return unsubscribeLength(packet, version)
    case 'unsuback':
      return unsubackLength(packet, version)
    case 'pingreq':
    case 'pingresp':
      return 0
    case 'disconnect':
      return disconnectLength(packet, version)
    case 'auth':
      return authLength(packet, version)
    default:
      throw new TypeError(`no packet is called ${JSON.stringify((packet as { type?: unknown }).type)}`)
  }
}

// Packet type and, where they are fixed, flags (section 2.1.3).
const firstBytes: Readonly<Record<PacketInput['type'], number>> = {
  connect: 0x10,
  connack: 0x20,
  publish: 0x30,
  puback: 0x40,
  pubrec: 0x50,
  pubrel: 0x62,
  pubcomp: 0x70,
  subscribe: 0x82,
  suback: 0x90,
  unsubscribe: 0xa2,
  unsuback: 0xb0,
  pingreq: 0xc0,
  pingresp: 0xd0,
  disconnect: 0xe0,
  auth: 0xf0,
}

function write(packet: PacketInput, version: ProtocolVersion, length: number, target: Uint8Array, at: number): number {
  const writer = new Writer(target, at)
  writer.byte(firstBytes[packet.type] | (packet.type === 'publish' ? publishFlags(packet) : 0))
  writer.varint(length)
  switch (packet.type) {
    case 'publish':
      writePublish(writer, packet, version)
      break
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      writeAck(writer, packet, length)
      break
    case 'connect':
      writeConnect(writer, packet)
      break
    case 'connack':
      writeConnack(writer, packet, version)
      break
    case 'subscribe':
      writeSubscribe(writer, packet, version)
      break
    case 'suback':
      writeSuback(writer, packet, version)
      break
    case 'unsubscribe':
      writeUnsubscribe(writer, packet, version)
      break
    case 'unsuback':
      writeUnsuback(writer, packet, version)
      break
    case 'disconnect':
      writeDisconnect(writer, packet, length)
      break
    case 'auth':
      writeAuth(writer, packet, length)
      break
  }
  return writer.at
}
