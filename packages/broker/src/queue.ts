// hot: runs per packet
/** A first-in-first-out queue that knows how many bytes wait in it. */

const none: never[] = []
const leastCapacity = 8

export class Queue<T> {
  /** A ring: an item lies where the lowest bits of its number say. Numbers count all items that ever came in. */
  #items: (T | undefined)[] = none
  #sizes: number[] = none
  /** The numbers of the first item and of the next to come. */
  #first = 0
  #next = 0
  #bytes = 0
  /** The numbers of items that have keys, the last one of each key, and the keys of the numbers. */
  #byKey: Map<string, number> | undefined
  #keys: Map<number, string> | undefined

  get length(): number {
    return this.#next - this.#first
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The item that `shift` would return. */
  get head(): T | undefined {
    return this.length === 0 ? undefined : this.#items[this.#first & (this.#items.length - 1)]
  }

  /** Adds an item. With a key it is found by `replace`. */
  push(item: T, size: number, key?: string): void {
    if (this.length === this.#items.length) this.#grow()
    const number = this.#next++
    const place = number & (this.#items.length - 1)
    this.#items[place] = item
    this.#sizes[place] = size
    this.#bytes += size
    if (key === undefined) return
    this.#byKey ??= new Map()
    this.#keys ??= new Map()
    this.#byKey.set(key, number)
    this.#keys.set(number, key)
  }

  /** The item with a key, the last of several. */
  find(key: string): T | undefined {
    const number = this.#byKey?.get(key)
    return number === undefined ? undefined : this.#items[number & (this.#items.length - 1)]
  }

  /** Puts an item in the place of the one with its key; returns false when there is none. */
  replace(item: T, size: number, key: string): boolean {
    const number = this.#byKey?.get(key)
    if (number === undefined) return false
    const place = number & (this.#items.length - 1)
    this.#bytes += size - this.#sizes[place]!
    this.#items[place] = item
    this.#sizes[place] = size
    return true
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const number = this.#first++
    const place = number & (this.#items.length - 1)
    const item = this.#items[place]
    this.#items[place] = undefined
    this.#bytes -= this.#sizes[place]!
    if (this.#keys !== undefined) this.#forget(number)
    if (this.length === 0) this.#items = none // what is idle holds no memory
    return item
  }

  /** Takes out all that a test is true for, and returns how many that were. */
  purge(isUseless: (item: T) => boolean): number {
    const before = this.length
    const kept = new Queue<T>()
    for (let number = this.#first; number < this.#next; number++) {
      const place = number & (this.#items.length - 1)
      const item = this.#items[place]!
      if (!isUseless(item)) kept.push(item, this.#sizes[place]!, this.#keys?.get(number))
    }
    this.#items = kept.#items
    this.#sizes = kept.#sizes
    this.#first = kept.#first
    this.#next = kept.#next
    this.#bytes = kept.#bytes
    this.#byKey = kept.#byKey
    this.#keys = kept.#keys
    return before - this.length
  }

  #grow(): void {
    const capacity = Math.max(leastCapacity, this.#items.length * 2)
    const items: (T | undefined)[] = new Array(capacity).fill(undefined)
    const sizes: number[] = new Array(capacity).fill(0)
    for (let number = this.#first; number < this.#next; number++) {
      const place = number & (this.#items.length - 1)
      items[number & (capacity - 1)] = this.#items[place]
      sizes[number & (capacity - 1)] = this.#sizes[place]!
    }
    this.#items = items
    this.#sizes = sizes
  }

  #forget(number: number): void {
    const key = this.#keys!.get(number)
    if (key === undefined) return
    this.#keys!.delete(number)
    if (this.#byKey!.get(key) === number) this.#byKey!.delete(key) // unless a later item has taken it
  }
}
