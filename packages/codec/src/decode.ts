/** From bytes to packets, one by one or as a stream. */

import { describe, flagsOf } from './description.js'
import { Framer } from './framer.js'
import { malformed } from './mqtt-error.js'
import type { Received } from './packet.js'
import { knownVersion, type ProtocolVersion } from './packet-type.js'
import { ReceivedPublish } from './publish.js'
import { Reader } from './reader.js'
import type { Relaxations } from './relaxations.js'

export interface DecodeOptions {
  /** The version that is spoken; a CONNECT tells its own. Default 5. */
  readonly protocolVersion?: ProtocolVersion | undefined
  /** Bytes of a whole packet above which it is refused (0x95). Default: what the protocol can express, 268,435,460. */
  readonly maxPacketSize?: number | undefined
  /** Rules not to be enforced. Default: none. */
  readonly relaxed?: Relaxations | undefined
  /**
   * Check topic and properties of a PUBLISH when they are first asked for, not before: for those who forward packets
   * and look at few of them. Default false.
   */
  readonly lazy?: boolean | undefined
}

/**
 * Decodes the packet at the beginning of some bytes, or returns undefined when they hold only a part of it. Views in
 * the packet point into the bytes. Throws MqttError.
 */
export function decode(bytes: Uint8Array, options?: DecodeOptions): Received | undefined {
  return new Decoder(options).push(bytes).next().value
}

/** The packets of a stream that comes in chunks: `for (const packet of decoder.push(chunk))`. */
export class Decoder implements IterableIterator<Received, undefined> {
  /** The version that is spoken; set by a CONNECT that passes. */
  protocolVersion: ProtocolVersion
  readonly #framer: Framer
  readonly #relaxed: Relaxations | undefined
  readonly #lazy: boolean
  #error: unknown

  constructor({ protocolVersion = 5, maxPacketSize, relaxed, lazy = false }: DecodeOptions = {}) {
    this.protocolVersion = knownVersion(protocolVersion)
    this.#framer = new Framer(maxPacketSize)
    this.#relaxed = relaxed
    this.#lazy = lazy
  }

  /** Gives the next chunk; the caller must not overwrite it while packets that came from it are in use. */
  push(chunk: Uint8Array): this {
    this.#framer.push(chunk)
    return this
  }

  /**
   * The next whole packet. Throws MqttError at the first that breaks the standard, after those before it, and again
   * whenever it is called from then on.
   */
  next(): IteratorResult<Received, undefined> {
    if (this.#error !== undefined) throw this.#error
    try {
      if (!this.#framer.next()) return { done: true, value: undefined }
      const packet = decodeFrame(this.#framer, this.protocolVersion, this.#relaxed)
      if (packet.type === 'connect') this.protocolVersion = packet.protocolVersion
      if (packet.type === 'publish' && !this.#lazy) packet.check()
      return { done: false, value: packet }
    } catch (error) {
      this.#error = error
      throw error
    }
  }

  [Symbol.iterator](): this {
    return this
  }
}

const strict: Relaxations = {}

/**
 * Decodes the packet that a `Framer` stands at, or that is known to lie somewhere in the same way. A PUBLISH is not checked beyond its layout: `ReceivedPublish.check` does
 * the rest. Throws MqttError.
 */
export function decodeFrame(
  { bytes, start, body, end }: Pick<Framer, 'bytes' | 'start' | 'body' | 'end'>,
  version: ProtocolVersion,
  relaxed: Relaxations = strict,
): Received {
  const flags = bytes[start]! & 0x0f
  const type = bytes[start]! >> 4
  const reader = new Reader(bytes, start, body, end, knownVersion(version), relaxed)
  if (type === 3) return new ReceivedPublish(reader)
  const reserved = flagsOf(type)
  // MQTT 3.1 calls flags "not used", and sends PUBREL, SUBSCRIBE and UNSUBSCRIBE again with DUP.
  const mayDiffer = version === 3 && (relaxed.unusedFlags === true || (reserved === 2 && flags === 0x0a))
  if (flags !== reserved && !mayDiffer) {
    throw reader.fault(0x81, 'flags', reserved > 0 || type > 13 ? `3.${type}.1-1` : '2.1.3-1')
  }
  const packet = describe(reader, type, {})
  if (reader.more()) throw malformed('too long', '2.1.4', reader.at - start)
  return packet as Received
}
