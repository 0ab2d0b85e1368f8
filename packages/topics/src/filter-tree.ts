// hot: runs per packet
/** Many Topic Filters, asked with one Topic Name. */

import { levelEnd, levels, multi, plus, readLevels } from './levels.js'
import { none, Records } from './records.js'
import { encode, encoded, type Topic } from './utf8.js'
import { Values } from './values.js'

/** Filters with their wildcards in the same places. */
interface Shape {
  /** Where `levels` has the hashes of the levels that are +. */
  readonly singles: readonly number[]
  /** By the hashes of all other levels. */
  readonly records: Records
}

/**
 * A set of pairs of a Topic Filter and a whole number from 0 to 2,147,483,647, such as the index of a subscription. It
 * takes valid names and filters only and never checks them; the filter of a Shared Subscription goes in without its
 * `$share/{ShareName}/`. They are strings, or bytes of UTF-8 from `start` to `end`.
 */
export class FilterTree {
  readonly #values: Values = new Values()
  /** By twice the number of their levels, less one for those with #; and by their +. */
  readonly #shapes: Map<number, Map<string, Shape>> = new Map()
  #size = 0

  /** The number of pairs. */
  get size(): number {
    return this.#size
  }

  /** The memory in bytes that the filters take, and one number of each; what several take comes on top. */
  get byteLength(): number {
    let sum = 0
    for (const shapes of this.#shapes.values()) for (const { records } of shapes.values()) sum += records.byteLength
    return sum
  }

  /** Adds a pair; returns false when it was there. Throws RangeError for another number. */
  add(filter: Topic, value: number, start: number = 0, end: number = filter.length): boolean {
    return this.#change(filter, value, start, end, 1)
  }

  /** Takes a pair away and frees what only it needed; returns false when it was not there. */
  remove(filter: Topic, value: number, start: number = 0, end: number = filter.length): boolean {
    return this.#change(filter, value, start, end, -1)
  }

  #change(filter: Topic, value: number, start: number, end: number, by: 1 | -1): boolean {
    if (typeof filter === 'string') return this.#change(encoded, value, 0, encode(filter), by)
    if (value !== (value & 0x7fffffff)) throw new RangeError('no whole number below 2^31')
    const count = readLevels(filter, start, end)
    const kind = filter[end - 1] === multi ? count - 1 : count
    const singles: number[] = []
    let hash = levels[kind & -2]!
    for (let at = 1, level = start; level < end; at += 2) {
      if (filter[level] === plus) {
        singles.push(at)
        hash ^= levels[at]!
      }
      level = levelEnd(filter, level, end) + 1
    }
    const key = singles.join()
    const shapes = this.#shapes.get(kind) ?? new Map<string, Shape>()
    const shape = shapes.get(key) ?? { singles, records: new Records() }
    const { records } = shape
    let record = records.find(hash, filter, start, end, false)
    if (record === 0) {
      if (by < 0) return false
      this.#shapes.set(kind, shapes.set(key, shape))
      record = records.add(hash, filter, start, end)
    }
    const before = records.words[record]!
    const after = by < 0 ? this.#values.remove(before, value) : this.#values.add(before, value)
    if (after === undefined) return false
    records.words[record] = after
    if (after === none && records.release(hash, record) === 0) shapes.delete(key)
    if (shapes.size === 0) this.#shapes.delete(kind)
    this.#size += by
    return true
  }

  /**
   * Appends to `into` the numbers of all filters that match a valid Topic Name, in no order, once for each filter.
   * Returns how many they are. Takes as long as there are matches and shapes of filters, which are where they have
   * wildcards: of as many levels as the name, or of no more and with #.
   */
  match(name: Topic, into: number[], start: number = 0, end: number = name.length): number {
    if (typeof name === 'string') return this.match(encoded, into, 0, encode(name))
    const before = into.length
    const count = readLevels(name, start, end)
    for (const [kind, shapes] of this.#shapes) {
      if (kind % 2 === 0 ? kind !== count : kind > count + 1) continue
      for (const { singles, records } of shapes.values()) {
        // A wildcard in the first level does not match a $ [MQTT-4.7.2-1].
        if (name[start] === 0x24 && (singles[0] === 1 || kind === 1)) continue
        let hash = levels[kind & -2]!
        for (let i = 0; i < singles.length; i++) hash ^= levels[singles[i]!]!
        const record = records.find(hash, name, start, end, true)
        if (record !== 0) this.#values.collect(records.words[record]!, into)
      }
    }
    return into.length - before
  }
}
