/** A first-in-first-out queue that knows how many bytes wait in it. */

export class Queue<T> {
  #items: (T | undefined)[] = []
  #sizes: number[] = []
  #head = 0
  #bytes = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  get bytes(): number {
    return this.#bytes
  }

  push(item: T, size: number): void {
    this.#items.push(item)
    this.#sizes.push(size)
    this.#bytes += size
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#head]
    this.#bytes -= this.#sizes[this.#head]!
    this.#items[this.#head++] = undefined
    // What has been taken is cut off when it is half of all: each item is moved once at most, on average.
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#sizes = this.#sizes.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** Takes out what is of no use any more, and returns how many that were. */
  purge(isUseless: (item: T) => boolean): number {
    const before = this.length
    const kept: T[] = []
    const sizes: number[] = []
    this.#bytes = 0
    for (let i = this.#head; i < this.#items.length; i++) {
      if (isUseless(this.#items[i]!)) continue
      kept.push(this.#items[i]!)
      sizes.push(this.#sizes[i]!)
      this.#bytes += this.#sizes[i]!
    }
    this.#items = kept
    this.#sizes = sizes
    this.#head = 0
    return before - kept.length
  }
}
