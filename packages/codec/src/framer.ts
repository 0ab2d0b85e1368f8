// hot: runs per packet
/** Cuts a stream of bytes, in chunks of any size, into whole packets (section 2.1). */

import { MqttError, malformed } from './mqtt-error.js'
import { byteArray, whole } from './range.js'
import { varintFault, varintMax } from './varint.js'

const empty = /* @__PURE__ */ new Uint8Array()

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
  /** Packets that are still to come lie here, from one index to the other. */
  #chunk: Uint8Array = empty
  #at = 0
  #until = 0
  /** Whether the chunk is memory of our own, in which more can be put behind what is there. */
  #isOwn = false
  /** The beginning of a packet whose end has not come yet. */
  #partial: Uint8Array = empty
  #partialLength = 0

  /** Throws RangeError for a size that no packet can have. */
  constructor(maxPacketSize: number = varintMax + 5) {
    this.maxPacketSize = whole(maxPacketSize, 'maxPacketSize', varintMax + 5, 2)
  }

  /**
   * Gives the next bytes of the stream. Packets that `next` has not returned yet are copied, and come before them: with
   * no bytes it frees the chunk before, so that the caller may overwrite it. Throws TypeError for what is no Uint8Array.
   */
  push(chunk: Uint8Array): void {
    byteArray(chunk, 'chunk')
    if (this.#at < this.#until) return this.#append(chunk)
    this.#take(chunk, chunk.length, false)
  }

  /** Puts bytes behind those that are not read yet. */
  #append(chunk: Uint8Array): void {
    const length = this.#until - this.#at
    if (!this.#isOwn || this.#chunk.length - this.#until < chunk.length) {
      // Twice what is needed once it goes on, or each chunk would be copied again with each of the next.
      const grown = new Uint8Array((length + chunk.length) * (this.#isOwn ? 2 : 1))
      grown.set(this.#chunk.subarray(this.#at, this.#until))
      this.#take(grown, length, true)
    }
    this.#chunk.set(chunk, this.#until)
    this.#until += chunk.length
  }

  #take(chunk: Uint8Array, length: number, isOwn: boolean): void {
    this.#chunk = chunk
    this.#at = 0
    this.#until = length
    this.#isOwn = isOwn
  }

  /** Moves on to the next whole packet; false when more bytes are needed. Throws MqttError, and again if called again. */
  next(): boolean {
    const isThere = this.#partialLength > 0 ? this.#complete() : this.#find()
    if (isThere) return true
    // Not to hold their memory while nothing comes.
    this.bytes = empty
    this.#take(empty, 0, false)
    return false
  }

  #find(): boolean {
    const chunk = this.#chunk
    const start = this.#at
    const end = start + this.#measure(chunk, start, this.#until)
    if (end === start || end > this.#until) {
      this.#gather(end - start, this.#until - start)
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
      if (byte === 0 && shift > 0) throw malformed(varintFault, '1.5.5-1', 1)
      if (byte > 0x7f && shift === 21) throw malformed(varintFault, '1.5.5', 1)
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
    while (size === 0 && this.#at < this.#until) {
      this.#gather(0, 1)
      size = this.#measure(this.#partial, 0, this.#partialLength)
    }
    this.#gather(size, Math.min(Math.max(size - this.#partialLength, 0), this.#until - this.#at))
    if (size === 0 || this.#partialLength < size) return false
    this.bytes = this.#partial
    this.start = 0
    this.end = size
    this.#partial = empty
    this.#partialLength = 0
    return true
  }
}
