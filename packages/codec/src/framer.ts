// hot: runs per packet
/** Cuts a stream of bytes, in chunks of any size, into whole packets (section 2.1). */

import { MqttError, malformed } from './mqtt-error.js'
import { byteArray } from './range.js'
import { tooLong } from './reader.js'
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
  /** The beginning of a packet whose end has not come yet. */
  #partial: Uint8Array = empty
  #partialLength = 0

  constructor(maxPacketSize: number = varintMax + 5) {
    this.maxPacketSize = maxPacketSize
  }

  /**
   * Gives the next bytes of the stream. Packets that `next` has not returned yet are copied, and come before them: with
   * no bytes it frees the chunk before, so that the caller may overwrite it. Throws TypeError for what is no Uint8Array.
   */
  push(chunk: Uint8Array): void {
    byteArray(chunk, 'chunk')
    if (this.#at < this.#chunk.length) {
      const rest = this.#chunk.subarray(this.#at)
      this.#chunk = new Uint8Array(rest.length + chunk.length)
      this.#chunk.set(rest)
      this.#chunk.set(chunk, rest.length)
    } else {
      this.#chunk = chunk
    }
    this.#at = 0
  }

  /** Moves on to the next whole packet; false when more bytes are needed. Throws MqttError, and again if called again. */
  next(): boolean {
    if (this.#partialLength > 0) return this.#complete()
    const chunk = this.#chunk
    const start = this.#at
    const end = start + this.#measure(chunk, start, chunk.length)
    if (end === start || end > chunk.length) {
      this.#gather(end - start, chunk.length - start)
      this.#chunk = empty // not to pin its memory
      this.#at = 0
      return false
    }
    this.bytes = chunk
    this.start = start
    this.end = end
    this.#at = end
    return true
  }

  /** The size of the packet at `start`, 0 while its fixed header is not whole; sets `body`. */
  #measure(bytes: Uint8Array, start: number, end: number): number {
    let length = 0
    let at = start + 1
    for (let shift = 0; at < end; shift += 7) {
      const byte = bytes[at++]!
      length |= (byte & 0x7f) << shift
      if ((byte === 0 && shift > 0) || (byte > 0x7f && shift === 21)) throw malformed(tooLong, '1.5.5-1', 1)
      if (byte > 0x7f) continue
      const size = at - start + length
      if (size > this.maxPacketSize) throw new MqttError(0x95, `a packet of ${size} bytes`, '3.2.2-15', 1)
      this.body = at
      return size
    }
    return 0
  }

  /** Adds bytes of the chunk to the partial packet, whose whole size is 0 when unknown. */
  #gather(size: number, length: number): void {
    const have = this.#partialLength
    const need = have + length
    if (need > this.#partial.length) {
      // Twice what has come, but never more than the packet takes: a large length alone reserves nothing.
      const grown = new Uint8Array(Math.min(size || 5, Math.max(2 * need, 256)))
      grown.set(this.#partial)
      this.#partial = grown
    }
    this.#partial.set(this.#chunk.subarray(this.#at, this.#at + length), have)
    this.#partialLength = need
    this.#at += length
  }

  /** Goes on with the packet that the chunks before have begun. */
  #complete(): boolean {
    let size = this.#measure(this.#partial, 0, this.#partialLength)
    while (size === 0 && this.#at < this.#chunk.length) {
      this.#gather(0, 1)
      size = this.#measure(this.#partial, 0, this.#partialLength)
    }
    this.#gather(size, Math.min(Math.max(size - this.#partialLength, 0), this.#chunk.length - this.#at))
    if (size === 0 || this.#partialLength < size) return false
    this.bytes = this.#partial
    this.start = 0
    this.end = size
    this.#partial = empty
    this.#partialLength = 0
    return true
  }
}
