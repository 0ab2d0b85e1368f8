/** Work of which no more than so much is done at once, and no more than so much waits. */

export class Turns {
  readonly #most: number
  readonly #mostWaiting: number
  readonly #waiting: (() => void)[] = []
  #running = 0
  /** How often there was no room even to wait. */
  refused = 0

  constructor(most: number, mostWaiting: number) {
    this.#most = most
    this.#mostWaiting = mostWaiting
  }

  /** Does the work when it is its turn; undefined when too much waits already. */
  async take<T>(work: () => T | Promise<T>): Promise<T | undefined> {
    if (this.#running < this.#most) this.#running++
    else if (this.#waiting.length < this.#mostWaiting) await new Promise<void>((go) => this.#waiting.push(go))
    else return void this.refused++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next() // its turn goes over to the next
    }
  }
}
