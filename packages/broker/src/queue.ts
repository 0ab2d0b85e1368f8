/** A first-in-first-out queue that knows how many bytes wait in it. */

interface Entry<T> {
  readonly item: T
  readonly size: number
  readonly key: string | undefined
}

export class Queue<T> {
  #entries: (Entry<T> | undefined)[] = []
  #head = 0
  #bytes = 0
  /** Items by key, as numbers that count from the first item ever taken in. */
  #byKey: Map<string, number> | undefined
  /** The number of the first of `#entries`. */
  #first = 0

  get length(): number {
    return this.#entries.length - this.#head
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The item that `shift` would return. */
  get head(): T | undefined {
    return this.length === 0 ? undefined : this.#entries[this.#head]!.item
  }

  /** Adds an item. With a key it is found by `replace`. */
  push(item: T, size: number, key?: string): void {
    if (key !== undefined) {
      this.#byKey ??= new Map()
      this.#byKey.set(key, this.#first + this.#entries.length)
    }
    this.#entries.push({ item, size, key })
    this.#bytes += size
  }

  /** The item with a key, the last of several. */
  find(key: string): T | undefined {
    const number = this.#byKey?.get(key)
    return number === undefined ? undefined : this.#entries[number - this.#first]?.item
  }

  /** Puts an item in the place of the one with its key; returns false when there is none. */
  replace(item: T, size: number, key: string): boolean {
    const number = this.#byKey?.get(key)
    if (number === undefined) return false
    const index = number - this.#first
    this.#bytes += size - this.#entries[index]!.size
    this.#entries[index] = { item, size, key }
    return true
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const index = this.#head++
    const { item, size, key } = this.#entries[index]!
    this.#forget(key, index)
    this.#bytes -= size
    this.#entries[index] = undefined
    // What has been taken is cut off when it is half of all: each item is moved once at most, on average.
    if (this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#first += this.#head
      this.#head = 0
    }
    return item
  }

  /** Takes out all that a test is true for, and returns how many that were. */
  purge(isUseless: (item: T) => boolean): number {
    const before = this.length
    const entries = this.#entries.slice(this.#head) as Entry<T>[]
    this.#entries = []
    this.#head = 0
    this.#bytes = 0
    this.#byKey = undefined
    for (const { item, size, key } of entries) if (!isUseless(item)) this.push(item, size, key)
    return before - this.length
  }

  /** Only if no later item has taken the key. */
  #forget(key: string | undefined, index: number): void {
    if (key !== undefined && this.#byKey!.get(key) === this.#first + index) this.#byKey!.delete(key)
  }
}
