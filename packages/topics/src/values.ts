// hot: runs per packet
/** The numbers of each Topic Filter: one stands in the filter's record itself, several in a set. */

import { none } from './records.js'

// The first place of a set: below `none`, and below any number.
const firstSet = -2

/** What stands in a record is a number, or the place of a set of several; or `none`. */
export class Values {
  /** By what stands in the record: numbers below those that mean something else there. */
  readonly #sets: Map<number, Set<number>> = new Map()
  readonly #free: number[] = []

  /** Adds a number. Returns what shall stand in the record; undefined when the number was there. */
  add(place: number, value: number): number | undefined {
    let set = this.#sets.get(place)
    if (set === undefined) {
      if (place === none) return value
      if (place === value) return undefined
      set = new Set([place])
      place = this.#free.pop() ?? firstSet - this.#sets.size
      this.#sets.set(place, set)
    }
    return set.size < set.add(value).size ? place : undefined
  }

  /** Takes a number away. Returns what shall stand in the record; undefined when the number was not there. */
  remove(place: number, value: number): number | undefined {
    const set = this.#sets.get(place)
    if (set === undefined) return place === value ? none : undefined
    if (!set.delete(value)) return undefined
    if (set.size > 1) return place
    this.#sets.delete(place)
    this.#free.push(place)
    if (this.#sets.size === 0) this.#free.length = 0
    return set.values().next().value
  }

  collect(place: number, into: number[]): void {
    if (place >= 0) into.push(place)
    else for (const value of this.#sets.get(place)!) into.push(value)
  }
}
