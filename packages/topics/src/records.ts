// hot: runs per packet
/** Topic Filters as packed bytes in one typed array, found with one probe of a hash table. */

import { HashTable } from './hash-table.js'
import { levelEnd, multi, plus, slash } from './levels.js'

// What stands for the values of a filter that has none.
export const none = -1

// The words of an array without records.
const least = 16

/**
 * A record is the index of its first word, which stands for the filter's values. The bytes of the filter follow, and
 * U+0000. New records come behind the others; when there is no room, or too much, those that are left move together and
 * get new numbers. 0 is no record.
 */
export class Records {
  words: Int32Array = new Int32Array(least)
  #bytes: Uint8Array = new Uint8Array(this.words.buffer)
  readonly #table: HashTable = new HashTable()
  /** Where in a name those levels begin for which a filter is to have +. */
  readonly singles: number[] = []
  #used = 1
  /** Words of records that have gone. */
  #dead = 0

  get byteLength(): number {
    return this.words.byteLength + this.#table.slots.byteLength
  }

  /**
   * Returns the record with a hash that is these bytes, but that a + stands for each level that begins where the first
   * `singles` of `singles` say, and that `tail` comes behind: 0 for nothing, `slash` for /#, `multi` for #. Or returns 0.
   */
  find(hash: number, bytes: Uint8Array, start: number, end: number, singles: number, tail: number): number {
    const { slots } = this.#table
    const mask = slots.length - 1
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const record = slots[at + 1]!
      if (record === 0 || (slots[at] === hash && this.#is(record, bytes, start, end, singles, tail))) return record
    }
  }

  #is(record: number, bytes: Uint8Array, start: number, end: number, singles: number, tail: number): boolean {
    const own = this.#bytes
    let at = record * 4 + 4
    for (let i = 0; ; i++) {
      const stop = i < singles ? this.singles[i]! : end
      for (; start < stop; at++, start++) if (own[at] !== bytes[start]) return false
      if (i === singles) return own[at] === tail && (tail !== slash || own[at + 1] === multi)
      if (own[at++] !== plus) return false
      start = levelEnd(bytes, start, end)
    }
  }

  /** Adds a record without values for a filter that is not there. */
  add(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const size = (end - start + 8) >> 2
    this.#fit(size)
    const record = this.#used
    this.#table.add(hash, record)
    this.words[record] = none
    for (let at = record * 4 + 4; start < end; at++, start++) this.#bytes[at] = bytes[start]!
    this.#used += size
    return record
  }

  remove(hash: number, record: number): void {
    const { slots } = this.#table
    let at = this.#table.find(hash)
    while (slots[at + 1] !== record) at = (at + 2) & (slots.length - 1)
    this.#table.removeAt(at)
    this.#dead += this.#size(record)
    this.#fit(0)
  }

  #size(record: number): number {
    let at = record * 4 + 4
    while (this.#bytes[at] !== 0) at++
    return (at + 4 - record * 4) >> 2
  }

  /** Makes room for so many words, and gives back what is too much. Records may move. */
  #fit(more: number): void {
    const { words } = this
    const used = this.#used
    const live = used - this.#dead + more
    if (used + more <= words.length && live * 2 + least > words.length) return
    const moves = this.#dead * 8 > used
    const needed = (moves ? live : used + more) - 1
    // measured: growing by an eighth, a million filters take 54 bytes each instead of 58, and 5 % more time to come
    const next = new Int32Array(needed + (needed >> 2) + least)
    if (moves) {
      this.#used = 1
      this.#dead = 0
      const { slots } = this.#table
      for (let i = 1; i < slots.length; i += 2) {
        let from = slots[i]!
        if (from === 0) continue
        slots[i] = this.#used
        for (const end = from + this.#size(from); from < end; from++) next[this.#used++] = words[from]!
      }
    } else next.set(words.subarray(0, used))
    this.words = next
    this.#bytes = new Uint8Array(next.buffer)
  }
}
