/** Many Topic Names, asked with one Topic Filter: what retained messages need. */

// Enough that few leaves are opened, and few enough that making room in one is a short copy.
const mostEntries = 256

// V8 hashes longer strings by their length alone: in a Map, all of as many characters are one list.
const longestHashed = 16_383

/** A name of a tree, and the value that it had when it was found. */
export interface NamedValue<T> {
  readonly name: string
  readonly value: T
}

/** A map from Topic Names to values. It takes valid names and filters only and never checks them. */
export class NameTree<T> {
  // In their order, level by level, so that what has a beginning in common stands together. No leaf but the only one is
  // empty, and two neighbours have more entries than half of what one may.
  readonly #leaves: Entry<T>[][] = [[]]
  /** The entries of names that are not too long. */
  readonly #entries: Map<string, Entry<T>> = new Map()
  #size = 0
  // Where the last search ended: the place of a leaf, and that of an entry in it.
  #index = 0
  #at = 0

  /** The number of names. */
  get size(): number {
    return this.#size
  }

  /** The number of arrays of up to 256 names, by which tests see that memory is given back: no more than a 64th of `size`, and one. */
  get leaves(): number {
    return this.#leaves.length
  }

  get(name: string): T | undefined {
    return this.#find(name)?.value
  }

  set(name: string, value: T): void {
    let entry = this.#find(name)
    if (entry !== undefined) {
      entry.value = value
      return
    }
    entry = { key: keyOf(name), name, value }
    if (name.length <= longestHashed) this.#entries.set(name, entry)
    this.#size++
    this.#seek(entry.key)
    const leaf = this.#leaf
    leaf.splice(this.#at, 0, entry)
    if (leaf.length > mostEntries) this.#leaves.splice(this.#index + 1, 0, leaf.splice(mostEntries / 2))
  }

  /** Takes a name away; returns false when it was not there. */
  delete(name: string): boolean {
    const entry = this.#find(name)
    if (entry === undefined) return false
    this.#entries.delete(name)
    this.#size--
    this.#seek(entry.key)
    this.#leaf.splice(this.#at, 1)
    this.#join(this.#index)
    this.#join(this.#index - 1)
    return true
  }

  #find(name: string): Entry<T> | undefined {
    if (name.length <= longestHashed) return this.#entries.get(name)
    this.#seek(keyOf(name))
    const entry = this.#leaf[this.#at]
    return entry?.name === name ? entry : undefined
  }

  /** Makes one leaf of this one and the next when they are small, or one is empty. */
  #join(index: number): void {
    const leaf = this.#leaves[index]
    const next = this.#leaves[index + 1]
    if (leaf === undefined || next === undefined) return
    if (leaf.length + next.length > mostEntries / 2 && leaf.length * next.length > 0) return
    this.#leaves.splice(index, 2, leaf.concat(next))
  }

  /**
   * Appends to `into` names that a Topic Filter matches, in their order. Looks at no more than `limit` names, from where
   * `cursor` stands, and returns the cursor with which the walk goes on; undefined at its end. The tree may change in
   * between: a name that stays is found once. Names that stand together and cannot match are passed over. `limit` is
   * 1 or more: with less the walk comes no further.
   */
  walk(filter: string, into: NamedValue<T>[], limit: number, cursor: string = ''): string | undefined {
    const levels = filter.split('/')
    this.#seek(cursor)
    for (;;) {
      const entry = this.#leaf[this.#at]
      if (entry === undefined) {
        this.#at = 0
        if (++this.#index === this.leaves) return undefined
        continue
      }
      if (limit-- <= 0) return entry.key
      const next = follow(levels, entry.key)
      if (next === undefined) return undefined
      this.#at++
      if (next === '') into.push({ name: entry.name, value: entry.value })
      else this.#seek(next)
    }
  }

  get #leaf(): Entry<T>[] {
    return this.#leaves[this.#index]!
  }

  /** Finds the first entry that does not stand before a key, or where it would stand. */
  #seek(key: string): void {
    this.#index = count(this.#leaves, 1, (leaf) => leaf[0]!.key <= key) - 1
    this.#at = count(this.#leaf, 0, (entry) => entry.key < key)
  }
}

interface Entry<T> extends NamedValue<T> {
  /** The name with U+0000 for /, which puts what is below it right behind it. */
  readonly key: string
  value: T
}

function keyOf(name: string): string {
  return name.replaceAll('/', '\0')
}

/** How many items stand at the front, of which the first `low` do anyway and the others if something is true of them. */
function count<Item>(items: readonly Item[], low: number, isFront: (item: Item) => boolean): number {
  let high = items.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (isFront(items[middle]!)) low = middle + 1
    else high = middle
  }
  return low
}

/** Returns '' when a filter matches a key; else before what no further match stands; undefined when there is none. */
function follow(levels: readonly string[], key: string): string | undefined {
  if (key[0] === '$' && (levels[0] === '+' || levels[0] === '#')) return '%' // behind all that begin with $ [MQTT-4.7.2-1]
  let start = 0
  let passed = -1 // where the last level ends for which a + stands
  for (const level of levels) {
    if (level === '#') return ''
    if (start > key.length) return `${key}\0${level === '+' ? '' : level}`
    let end = key.indexOf('\0', start)
    if (end < 0) end = key.length
    if (level === '+') passed = end
    else {
      const own = key.slice(start, end)
      if (own < level) return key.slice(0, start) + level
      if (own > level) {
        start = 0
        break
      }
    }
    start = end + 1
  }
  if (start > key.length) return ''
  return passed < 0 ? undefined : `${key.slice(0, passed)}\u0001`
}
