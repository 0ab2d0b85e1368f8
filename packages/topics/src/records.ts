// hot: runs per packet
/** Topic Filters as packed bytes in one typed array, found with one probe of a hash table. */

import { levelEnd, multi, plus, slash } from './levels.js'

// What stands for the values of a filter that has none.
export const none = -1

// The words of an array without records, and of a hash table without entries.
const least = 16

/**
 * A record is the index of its first word, which stands for the filter's values. The bytes of the filter follow, and
 * U+0000. New records come behind the others; when there is no room, or too much, those that are left move together and
 * get new numbers. 0 is no record.
 */
export class Records {
  words: Int32Array = new Int32Array(least)
  #bytes: Uint8Array = new Uint8Array(this.words.buffer)
  /** Hashes and records by turns, in open addressing. */
  #slots: Int32Array = new Int32Array(least)
  #count = 0
  #used = 1
  /** Words of records that have gone. */
  #dead = 0

  get byteLength(): number {
    return (this.words.length + this.#slots.length) * 4
  }

  /** Returns the record with a hash that is this filter, or that matches this name; or 0. */
  find(hash: number, bytes: Uint8Array, start: number, end: number, isName: boolean): number {
    const slots = this.#slots
    const mask = slots.length - 1
    for (let at = (hash * 2) & mask; ; at = (at + 2) & mask) {
      const record = slots[at + 1]!
      if (record === 0 || (slots[at] === hash && this.#is(record, bytes, start, end, isName))) return record
    }
  }

  #is(record: number, bytes: Uint8Array, start: number, end: number, isName: boolean): boolean {
    const own = this.#bytes
    let at = record * 4 + 4
    for (; own[at] !== 0; at++, start++) {
      if (start < end && own[at] === bytes[start]) continue
      if (!isName) return false
      // `a/#` matches `a` too (section 4.7.1.2).
      if (own[at] === multi || (start === end && own[at] === slash && own[at + 1] === multi)) return true
      if (own[at] !== plus) return false
      start = levelEnd(bytes, start, end) - 1
    }
    return start === end
  }

  /** Adds a record without values for a filter that is not there. */
  add(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const size = (end - start + 8) >> 2
    this.#count++
    this.#fit(size)
    const record = this.#used
    this.#put(hash, record)
    this.words[record] = none
    for (let at = record * 4 + 4; start < end; at++, start++) this.#bytes[at] = bytes[start]!
    this.#used += size
    return record
  }

  /** Removes a record. Returns how many are left. */
  release(hash: number, record: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    let at = this.#slot(hash, record)
    slots[at + 1] = 0
    // What stands behind is put in again: it must not be cut off from where a search for it begins.
    for (at = (at + 2) & mask; slots[at + 1] !== 0; at = (at + 2) & mask) {
      const next = slots[at + 1]!
      slots[at + 1] = 0
      this.#put(slots[at]!, next)
    }
    this.#count--
    this.#dead += this.#size(record)
    this.#fit(0)
    return this.#count
  }

  #size(record: number): number {
    let at = record * 4 + 4
    while (this.#bytes[at] !== 0) at++
    return (at + 4 - record * 4) >> 2
  }

  #put(hash: number, record: number): void {
    const at = this.#slot(hash, 0)
    this.#slots[at] = hash
    this.#slots[at + 1] = record
  }

  /** The slot of a record that is there, or with 0 the one that a new record takes. */
  #slot(hash: number, record: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    let at = (hash * 2) & mask
    while (slots[at + 1] !== record) at = (at + 2) & mask
    return at
  }

  /** Makes room for so many words, and gives back what is too much. Records may move. */
  #fit(more: number): void {
    const { words } = this
    const slots = this.#slots
    const used = this.#used
    const live = used - this.#dead + more
    const isCrowded = this.#count * 8 > slots.length * 3
    if (!isCrowded && used + more <= words.length && live * 2 + least > words.length) return
    const moves = this.#dead * 8 > used
    const needed = (moves ? live : used + more) - 1
    // measured: growing by a quarter XXX
    const next = new Int32Array(needed + (needed >> 2) + least)
    if (moves) this.#used = 1
    else next.set(words.subarray(0, used))
    if (moves || isCrowded) {
      let length = least
      while (this.#count * 8 > length * 3) length *= 2
      this.#slots = new Int32Array(length)
      for (let i = 0; i < slots.length; i += 2) {
        let from = slots[i + 1]!
        if (from === 0) continue
        this.#put(slots[i]!, moves ? this.#used : from)
        for (const end = moves ? from + this.#size(from) : 0; from < end; from++) next[this.#used++] = words[from]!
      }
    }
    if (moves) this.#dead = 0
    this.words = next
    this.#bytes = new Uint8Array(next.buffer)
  }
}
