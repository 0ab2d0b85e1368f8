// hot: runs per packet
/** What Topic Filters with wildcards begin with, level by level: a tree of which a Topic Name has a few branches. */

import { HashTable } from './hash-table.js'
import { levels, multi, plus, wildcardAt } from './levels.js'

// What may follow a prefix. Once set for a filter it stays, until none that begins so is left.
export const aLiteral = 1
export const aPlus = 2
export const aMulti = 4
/** A + behind which no wildcard comes. */
export const theLastPlus = 8

// One filter: for more than 2^27 of them there is no memory.
const one = 16

/**
 * The prefixes of each filter that end before a wildcard, or before a level in front of one. Those with the same hash count
 * as one: a name is then looked for where no filter is, and not found.
 */
export class Prefixes {
  /** The number of filters that begin so, times 16, and what may follow. */
  readonly table: HashTable = new HashTable()

  /** What may follow the prefix with this hash; 0 when no filter begins so. */
  get(hash: number): number {
    return this.table.slots[this.table.find(hash) + 1]!
  }

  /** Adds a filter that `levels` holds, with its last wildcard before the place `last` there; or takes it away. */
  change(filter: Uint8Array, end: number, last: number, by: 1 | -1): void {
    let follows = 0
    for (let at = last - 3; at >= 0; at -= 3) {
      const byte = wildcardAt(filter, end, at)
      if (byte === multi) follows = aMulti
      else if (byte === plus) follows = follows === 0 ? theLastPlus : aPlus
      else if (follows !== 0) follows = aLiteral
      if (follows !== 0) this.#change(levels[at]!, follows, by)
    }
  }

  #change(hash: number, follows: number, by: 1 | -1): void {
    const { table } = this
    const at = table.find(hash)
    const state = table.slots[at + 1]! + by * one
    if (state < one) table.removeAt(at)
    else if (state < 2 * one && by > 0) table.add(hash, state | follows)
    else table.slots[at + 1] = state | follows
  }
}
