// hot: runs per packet
/** Many Topic Filters, asked with one Topic Name. */

import { hashOf, levels, multi, plus, readLevels, slash, wildcardAt } from './levels.js'
import { aLiteral, aMulti, aPlus, Prefixes, theLastPlus } from './prefixes.js'
import { none, Records } from './records.js'
import { encodeAll, encoded, type Topic } from './utf8.js'
import { Values } from './values.js'

/**
 * A set of pairs of a Topic Filter and a whole number from 0 to 2,147,483,647, such as the index of a subscription. It
 * takes valid names and filters only and never checks them; the filter of a Shared Subscription goes in without its
 * `$share/{ShareName}/`. They are strings, or bytes of UTF-8 from `start` to `end`, which count for bytes only. Every method
 * throws RangeError for a string of more than 65,535 bytes.
 */
export class FilterTree {
  readonly #values: Values = new Values()
  readonly #exact: Records = new Records()
  // measured: in one table with the others, a match of 100,000 mixed filters takes a sixth longer.
  readonly #wild: Records = new Records()
  readonly #prefixes: Prefixes = new Prefixes()
  /** Prefixes that `match` has not looked at yet, in three numbers each. */
  readonly #pending: number[] = []
  #size = 0

  /** The number of pairs. */
  get size(): number {
    return this.#size
  }

  /** The memory in bytes that the filters take, and one number of each; what several take comes on top. */
  get byteLength(): number {
    return this.#exact.byteLength + this.#wild.byteLength + this.#prefixes.table.slots.byteLength
  }

  /** Adds a pair; returns false when it was there. Throws RangeError for another number. */
  add(filter: Topic, value: number, start: number = 0, end: number = filter.length): boolean {
    return this.#change(filter, value, start, end, 1)
  }

  /** Takes a pair away and frees what only it needed; returns false when it was not there. Throws RangeError for another number. */
  remove(filter: Topic, value: number, start: number = 0, end: number = filter.length): boolean {
    return this.#change(filter, value, start, end, -1)
  }

  #change(filter: Topic, value: number, start: number, end: number, by: 1 | -1): boolean {
    if (typeof filter === 'string') return this.#change(encoded, value, 0, encodeAll(filter), by)
    if (value !== (value & 0x7fffffff)) throw new RangeError('no whole number below 2^31')
    const count = readLevels(filter, start, end)
    let at = count
    while (at > 0 && wildcardAt(filter, end, at - 3) === 0) at -= 3
    const records = at > 0 ? this.#wild : this.#exact
    const hash = levels[count]!
    let record = records.find(hash, filter, start, end, 0, 0)
    if (record === 0) {
      if (by < 0) return false
      record = records.add(hash, filter, start, end)
      this.#prefixes.change(filter, end, at, 1)
    }
    const before = records.words[record]!
    const after = by < 0 ? this.#values.remove(before, value) : this.#values.add(before, value)
    if (after === undefined) return false
    records.words[record] = after
    if (after === none) {
      records.remove(hash, record)
      this.#prefixes.change(filter, end, at, -1)
    }
    this.#size += by
    return true
  }

  /**
   * Appends to `into` the numbers of all filters that match a valid Topic Name, in no order, once for each filter.
   * Returns how many they are. Filters without wildcards take one probe of a hash table, whatever they are; the others one
   * for each of their prefixes, up to the last wildcard, that the name has too.
   */
  match(name: Topic, into: number[], start: number = 0, end: number = name.length): number {
    if (typeof name === 'string') return this.match(encoded, into, 0, encodeAll(name))
    const before = into.length
    const count = readLevels(name, start, end)
    this.#collect(this.#exact, levels[count]!, name, start, end, 0, 0, into)
    const wild = this.#wild
    const { singles } = wild
    const pending = this.#pending
    let open = push(pending, 0, 0, 0, 0)
    while (open > 0) {
      open -= 3
      const at = pending[open]!
      // How many levels of the prefix are +, and the exclusive or of what that changes in its hash.
      const depth = pending[open + 1]!
      const change = pending[open + 2]!
      let follows = this.#prefixes.get(levels[at]! ^ change)
      // A wildcard in the first level does not match a $ [MQTT-4.7.2-1].
      if (at === 0 && name[start] === 0x24) follows &= aLiteral
      if ((follows & aMulti) !== 0) {
        const hash = levels[at]! ^ change ^ hashOf(multi, at)
        if (at === 0) this.#collect(wild, hash, name, start, start, 0, multi, into)
        else this.#collect(wild, hash, name, start, levels[at + 2]! - 1, depth, slash, into)
      }
      if (at === count) continue
      if ((follows & aLiteral) !== 0) open = push(pending, open, at + 3, depth, change)
      if ((follows & (aPlus | theLastPlus)) === 0) continue
      const changed = change ^ levels[at + 1]! ^ hashOf(plus, at)
      singles[depth] = levels[at + 2]!
      if ((follows & theLastPlus) !== 0)
        this.#collect(wild, levels[count]! ^ changed, name, start, end, depth + 1, 0, into)
      if ((follows & aPlus) !== 0) open = push(pending, open, at + 3, depth + 1, changed)
    }
    return into.length - before
  }

  #collect(
    records: Records,
    hash: number,
    name: Uint8Array,
    start: number,
    end: number,
    singles: number,
    tail: number,
    into: number[],
  ): void {
    const record = records.find(hash, name, start, end, singles, tail)
    if (record !== 0) this.#values.collect(records.words[record]!, into)
  }
}

function push(pending: number[], open: number, at: number, depth: number, change: number): number {
  pending[open] = at
  pending[open + 1] = depth
  pending[open + 2] = change
  return open + 3
}
