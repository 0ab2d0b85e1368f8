// hot: runs per packet
/** Memory for what is about to be sent, lent to connections only while something waits in it. */

// Bytes of a slab; in all so many are kept for later.
export const slabSize: number = 16 * 1024
const mostKept = 1024

export class Slabs {
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(slabSize)
  }

  /** Gives one back to which nobody refers any more. */
  give(slab: Buffer): void {
    if (this.#free.length < mostKept) this.#free.push(slab)
  }
}
