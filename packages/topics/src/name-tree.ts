/** Many Topic Names, asked with one Topic Filter: what retained messages need. */

// measured: XXX
const mostEntries = 256

/** A name of a tree, and its value as it is now. */
export interface NamedValue<T> {
  readonly name: string
  readonly value: T
}

/** A map from Topic Names to values. It takes valid names and filters only and never checks them. */
export class NameTree<T> {
  // In their order, level by level, so that what has a beginning in common stands together; no leaf but the first is empty.
  readonly #leaves: Entry<T>[][] = [[]]
  #size = 0
  // Where the last search ended: the place of a leaf, and that of an entry in it.
  #index = 0
  #at = 0

  /** The number of names. */
  get size(): number {
    return this.#size
  }

  /** The number of arrays that hold the names: of up to 256 each, and none of them empty unless all are. */
  get leaves(): number {
    return this.#leaves.length
  }

  get(name: string): T | undefined {
    return this.#find(name)?.value
  }

  set(name: string, value: T): void {
    const entry = this.#find(name)
    if (entry !== undefined) {
      entry.value = value
      return
    }
    const leaf = this.#leaf
    leaf.splice(this.#at, 0, { key: keyOf(name), name, value })
    if (leaf.length > mostEntries) this.#leaves.splice(this.#index + 1, 0, leaf.splice(mostEntries / 2))
    this.#size++
  }

  /** Takes a name away; returns false when it was not there. */
  delete(name: string): boolean {
    if (this.#find(name) === undefined) return false
    this.#leaf.splice(this.#at, 1)
    if (this.#leaf.length === 0 && this.leaves > 1) this.#leaves.splice(this.#index, 1)
    this.#size--
    return true
  }

  /**
   * Appends to `into` names that a Topic Filter matches, in their order. Looks at no more than `limit` names, from where
   * `cursor` stands, and returns the cursor with which the walk goes on; undefined at its end. The tree may change in
   * between: a name that stays is found once. Names that stand together and cannot match are passed over.
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
      if (next === '') into.push(entry)
      else this.#seek(next)
    }
  }

  get #leaf(): Entry<T>[] {
    return this.#leaves[this.#index]!
  }

  #find(name: string): Entry<T> | undefined {
    const key = keyOf(name)
    this.#seek(key)
    const entry = this.#leaf[this.#at]
    return entry?.key === key ? entry : undefined
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
