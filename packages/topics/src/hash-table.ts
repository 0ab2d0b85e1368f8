// hot: runs per packet
/** A hash table of whole numbers in one typed array. */

// The words of a table without entries.
const least = 16

/** Numbers other than 0, each with 32 bits of a hash, in open addressing. Several may have the same hash. */
export class HashTable {
  /** Hashes and numbers by turns; the number is 0 where nothing stands. */
  slots: Int32Array = new Int32Array(least)
  #count = 0

  /** The place in `slots` of the first entry with a hash, or where it would stand: the number follows it. */
  find(hash: number): number {
    const { slots } = this
    const mask = slots.length - 1
    let at = (hash << 1) & mask
    while (slots[at + 1] !== 0 && slots[at] !== hash) at = (at + 2) & mask
    return at
  }

  add(hash: number, number: number): void {
    if (++this.#count * 8 > this.slots.length * 3) this.#resize(this.slots.length * 2)
    this.#put(hash, number)
  }

  /** Takes away what stands at a place. */
  removeAt(at: number): void {
    const { slots } = this
    const mask = slots.length - 1
    slots[at + 1] = 0
    // What stands behind is put in again: it must not be cut off from where a search for it begins.
    for (at = (at + 2) & mask; slots[at + 1] !== 0; at = (at + 2) & mask) {
      const number = slots[at + 1]!
      slots[at + 1] = 0
      this.#put(slots[at]!, number)
    }
    if (--this.#count * 32 < slots.length * 3 && slots.length > least) this.#resize(slots.length / 2)
  }

  #put(hash: number, number: number): void {
    const { slots } = this
    const mask = slots.length - 1
    let at = (hash << 1) & mask
    while (slots[at + 1] !== 0) at = (at + 2) & mask
    slots[at] = hash
    slots[at + 1] = number
  }

  #resize(length: number): void {
    const { slots } = this
    this.slots = new Int32Array(length)
    for (let at = 0; at < slots.length; at += 2) if (slots[at + 1] !== 0) this.#put(slots[at]!, slots[at + 1]!)
  }
}
