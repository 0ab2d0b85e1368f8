/** From bytes to packets: the switch over the packet types, and the stream of packets. */

import { readAck } from './acks.js'
import { readAuth } from './auth.js'
import { readConnack } from './connack.js'
import { readConnect } from './connect.js'
import { readDisconnect } from './disconnect.js'
import { Framer } from './framer.js'
import { malformed } from './mqtt-error.js'
import type { Packet } from './packet.js'
import { PacketType, type ProtocolVersion } from './packet-type.js'
import { ReceivedPublish } from './publish.js'
import { Reader } from './reader.js'
import { type Relaxations, strict } from './relaxations.js'
import { readSuback } from './suback.js'
import { readSubscribe } from './subscribe.js'
import { readUnsuback } from './unsuback.js'
import { readUnsubscribe } from './unsubscribe.js'

export interface DecodeOptions {
  /** The version that is spoken; a CONNECT tells its own. Default 5. */
  readonly protocolVersion?: ProtocolVersion
  /** Bytes of a whole packet above which it is refused (0x95). Default: what the protocol can express, 268,435,460. */
  readonly maxPacketSize?: number
  /** Rules not to be enforced. Default: none. */
  readonly relaxed?: Relaxations
  /**
   * Check topic and properties of a PUBLISH when they are first asked for, not before: for those who forward packets
   * and look at few of them. Default false.
   */
  readonly lazy?: boolean
}

/**
 * Decodes the packet at the beginning of some bytes, or returns undefined when they hold only a part of it. Views in
 * the packet point into the bytes. Throws MqttError.
 */
export function decode(bytes: Uint8Array, options?: DecodeOptions): Packet | undefined {
  return new Decoder(options).push(bytes).next().value
}

/** The packets of a stream that comes in chunks: `for (const packet of decoder.push(chunk))`. */
export class Decoder implements IterableIterator<Packet, undefined> {
  /** The version that is spoken; set by a CONNECT that passes. */
  protocolVersion: ProtocolVersion
  readonly #framer: Framer
  readonly #relaxed: Relaxations
  readonly #lazy: boolean

  constructor(options: DecodeOptions = {}) {
    this.protocolVersion = options.protocolVersion ?? 5
    this.#framer = new Framer(options.maxPacketSize)
    this.#relaxed = options.relaxed ?? strict
    this.#lazy = options.lazy ?? false
  }

  /** Bytes kept of a packet whose end has not come yet. */
  get pending(): number {
    return this.#framer.pending
  }

  /** Gives the next chunk; the caller must not overwrite it while packets that came from it are in use. */
  push(chunk: Uint8Array): this {
    this.#framer.push(chunk)
    return this
  }

  /** The next whole packet. Throws MqttError at the first that breaks the standard, after those before it. */
  next(): IteratorResult<Packet, undefined> {
    const framer = this.#framer
    if (!framer.next()) return { done: true, value: undefined }
    const { bytes, start, body, end } = framer
    const packet = decodeFrame(bytes, start, body, end, this.protocolVersion, this.#relaxed)
    if (packet.type === 'connect') this.protocolVersion = packet.protocolVersion
    else if (packet.type === 'publish' && !this.#lazy) (packet as ReceivedPublish).check()
    return { done: false, value: packet }
  }

  [Symbol.iterator](): this {
    return this
  }
}

/**
 * Decodes the packet that lies in `bytes` from `start` to `end`, with its body from `body`: what a `Framer` has found.
 * A PUBLISH is not checked beyond its layout; `ReceivedPublish.check` does the rest. Throws MqttError.
 */
export function decodeFrame(
  bytes: Uint8Array,
  start: number,
  body: number,
  end: number,
  version: ProtocolVersion,
  relaxed: Relaxations = strict,
): Packet {
  const type = bytes[start]! >> 4
  if (type === PacketType.Publish) return new ReceivedPublish(bytes, start, body, end, version, relaxed)
  checkFlags(bytes[start]! & 0x0f, type, version, relaxed)
  const reader = new Reader(bytes, start, body, end, relaxed)
  const packet = readBody(reader, type, version)
  if (reader.at < end) throw malformed('bytes are left over at the end of the packet', '2.1.4', reader.offset)
  return packet
}

function checkFlags(flags: number, type: number, version: ProtocolVersion, relaxed: Relaxations): void {
  const reserved =
    type === PacketType.Pubrel || type === PacketType.Subscribe || type === PacketType.Unsubscribe ? 2 : 0
  if (flags === reserved) return
  if (version === 3 && relaxed.unusedFlags === true) return
  // MQTT 3.1 resends these with DUP.
  if (version === 3 && reserved === 2 && flags === 0x0a) return
  throw malformed(
    'reserved flags of the fixed header are not as they must be',
    flagStatements[type] ?? 'MQTT-2.1.3-1',
    0,
  )
}

const flagStatements: Readonly<Record<number, string>> = {
  [PacketType.Pubrel]: 'MQTT-3.6.1-1',
  [PacketType.Subscribe]: 'MQTT-3.8.1-1',
  [PacketType.Unsubscribe]: 'MQTT-3.10.1-1',
  [PacketType.Disconnect]: 'MQTT-3.14.1-1',
  [PacketType.Auth]: 'MQTT-3.15.1-1',
}

function readBody(reader: Reader, type: number, version: ProtocolVersion): Packet {
  switch (type) {
    case PacketType.Connect:
      return readConnect(reader)
    case PacketType.Connack:
      return readConnack(reader, version)
    case PacketType.Puback:
      return readAck(reader, version, 'puback')
    case PacketType.Pubrec:
      return readAck(reader, version, 'pubrec')
    case PacketType.Pubrel:
      return readAck(reader, version, 'pubrel')
    case PacketType.Pubcomp:
      return readAck(reader, version, 'pubcomp')
    case PacketType.Subscribe:
      return readSubscribe(reader, version)
    case PacketType.Suback:
      return readSuback(reader, version)
    case PacketType.Unsubscribe:
      return readUnsubscribe(reader, version)
    case PacketType.Unsuback:
      return readUnsuback(reader, version)
    case PacketType.Pingreq:
      return { type: 'pingreq' }
    case PacketType.Pingresp:
      return { type: 'pingresp' }
    case PacketType.Disconnect:
      return readDisconnect(reader, version)
    case PacketType.Auth:
      return readAuth(reader, version)
    default:
      throw malformed('packet type 0 is reserved', '2.1.2', 0)
  }
}
