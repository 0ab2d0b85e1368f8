// hot: runs per packet
/** Memory for what is about to be sent, lent to connections only while something waits in it. */

import { Memory } from './memory.js'

// measured: 1 to 1,000: with 16 KiB for each connection the caches of the processor hold none of it, +20 %
const smallSize = 2 * 1024
/** Bytes of the largest slab. */
export const slabSize: number = 16 * 1024
// In all so many bytes are kept for later.
const mostKept = 8 * 1024 * 1024

export class Slabs {
  readonly #small: Memory[] = []
  readonly #large: Memory[] = []

  /** A slab with room for so many bytes, at most `slabSize`; a large one for who has filled a small one. */
  take(length: number, isMore: boolean): Memory {
    if (length > smallSize || isMore) return this.#large.pop() ?? new Memory(slabSize)
    return this.#small.pop() ?? new Memory(smallSize)
  }

  /** Gives one back to which nobody refers any more. */
  give(slab: Memory): void {
    const { length } = slab.bytes
    const free = length === smallSize ? this.#small : this.#large
    if (free.length * length < mostKept) free.push(slab)
  }
}
