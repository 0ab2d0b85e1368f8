// hot: runs per packet
/** A list that is taken from at its beginning. */

// measured: shift of an array of 900 entries, about what comes in one chunk, 60 ns; of this 8
export class Queue<T> {
  #items: (T | undefined)[] = []
  /** Where the first one is; what stood before it is gone. */
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  get first(): T | undefined {
    return this.#items[this.#head]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (this.#head === this.#items.length) return undefined
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length || this.#head > 1024) this.all()
    return item
  }

  /** All that there are, to be looked at or taken out of. */
  all(): T[] {
    this.#items.splice(0, this.#head)
    this.#head = 0
    return this.#items as T[]
  }
}
