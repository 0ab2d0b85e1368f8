// hot: runs per packet
/** Cuts a stream of bytes, in chunks of any size, into whole packets (section 2.1). */

import { MqttError, malformed } from './mqtt-error.js'
import { ReasonCode } from './reason-code.js'
import { varintMax } from './varint.js'

const empty = new Uint8Array(0)

/**
 * A cursor over the packets of a stream: `push` a chunk, then call `next` until it returns false. After true, a packet
 * lies in `bytes` from `start` to `end`, with its body from `body`. A packet that lies whole in a chunk is not copied:
 * it is valid until the caller overwrites the chunk. A packet split between chunks is gathered in memory of its own,
 * which grows with the bytes received and is not used again.
 */
export class Framer {
  /** Bytes, fixed header included, above which a packet is refused as soon as its length is known. */
  maxPacketSize: number
  bytes: Uint8Array = empty
  start = 0
  body = 0
  end = 0
  #chunk: Uint8Array = empty
  #at = 0
  #chunkEnd = 0
  /** The beginning of a packet whose end has not come yet. */
  #partial: Uint8Array = empty
  #partialLength = 0

  constructor(maxPacketSize: number = varintMax + 5) {
    this.maxPacketSize = maxPacketSize
  }

  /** Bytes kept of a packet whose end has not come yet. */
  get pending(): number {
    return this.#partialLength
  }

  /** Gives the next bytes of the stream, by default the whole chunk. */
  push(chunk: Uint8Array, start = 0, end: number = chunk.length): void {
    const rest = this.#chunkEnd - this.#at
    if (rest > 0) {
      const joined = new Uint8Array(rest + end - start)
      joined.set(this.#chunk.subarray(this.#at, this.#chunkEnd))
      joined.set(chunk.subarray(start, end), rest)
      chunk = joined
      start = 0
      end = joined.length
    }
    this.#chunk = chunk
    this.#at = start
    this.#chunkEnd = end
  }

  /** Takes a copy of what `next` has not returned yet, so that the caller may overwrite the chunk. */
  hold(): void {
    this.#chunk = this.#chunk.slice(this.#at, this.#chunkEnd)
    this.#chunkEnd -= this.#at
    this.#at = 0
  }

  /** Moves on to the next whole packet; false when more bytes are needed. Throws MqttError, and again if called again. */
  next(): boolean {
    if (this.#partialLength > 0) return this.#complete()
    const start = this.#at
    const chunkEnd = this.#chunkEnd
    const size = this.#measure(this.#chunk, start, chunkEnd)
    if (size === 0 || start + size > chunkEnd) {
      if (start < chunkEnd) this.#gather(size, chunkEnd - start)
      this.#chunk = empty // not to pin its memory
      this.#at = 0
      this.#chunkEnd = 0
      return false
    }
    this.bytes = this.#chunk
    this.start = start
    this.end = start + size
    this.#at = start + size
    return true
  }

  /** The size of the packet at `start`, 0 while its fixed header is not whole; sets `body`. */
  #measure(bytes: Uint8Array, start: number, end: number): number {
    let length = 0
    let at = start + 1
    for (let shift = 0; at < end; shift += 7) {
      const byte = bytes[at++]!
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        if (byte === 0 && shift > 0)
          throw malformed('the Remaining Length is longer than it need be', 'MQTT-1.5.5-1', 1)
        const size = at - start + length
        if (size > this.maxPacketSize) {
          const message = `a packet of ${size} bytes, ${this.maxPacketSize} are allowed`
          throw new MqttError(ReasonCode.PacketTooLarge, message, 'MQTT-3.2.2-15', 1)
        }
        this.body = at
        return size
      }
      if (shift === 21) throw malformed('the Remaining Length takes more than four bytes', '1.5.5', 1)
    }
    return 0
  }

  /** Adds bytes of the chunk to the partial packet, whose whole size is 0 when unknown. */
  #gather(size: number, length: number): void {
    const have = this.#partialLength
    const need = have + length
    if (need > this.#partial.length) {
      // Twice what has come, but never more than the packet takes: a large length alone reserves nothing.
      const room = size === 0 ? 8 : Math.min(size, Math.max(2 * need, 256))
      const grown = new Uint8Array(room)
      grown.set(this.#partial.subarray(0, have))
      this.#partial = grown
    }
    this.#partial.set(this.#chunk.subarray(this.#at, this.#at + length), have)
    this.#partialLength = need
    this.#at += length
  }

  /** Goes on with the packet that the chunks before have begun. */
  #complete(): boolean {
    let size = this.#measure(this.#partial, 0, this.#partialLength)
    while (size === 0 && this.#at < this.#chunkEnd) {
      this.#gather(0, 1)
      size = this.#measure(this.#partial, 0, this.#partialLength)
    }
    if (size === 0) return false
    this.#gather(size, Math.min(size - this.#partialLength, this.#chunkEnd - this.#at))
    if (this.#partialLength < size) return false
    this.bytes = this.#partial
    this.start = 0
    this.end = size
    this.#partial = empty
    this.#partialLength = 0
    return true
  }
}
