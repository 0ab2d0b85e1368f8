/** When grants end, so that what was worked out from them can be forgotten then. */

// Timers of the system count 2^31 milliseconds at most.
const longest = 2 ** 31 - 1
const second = 1000

export class Expiries {
  /** Milliseconds since 1970, in whole seconds: as many as there are seconds in which a grant ends. */
  readonly #ends: Set<number> = new Set()
  readonly #ended: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(ended: () => void) {
    this.#ended = ended
  }

  /** Tells when a grant ends; that is the end of its second. */
  add(at: number): number {
    const end = Math.ceil(at / second) * second
    if (end <= Date.now() || this.#ends.has(end)) return end
    this.#ends.add(end)
    this.#wait()
    return end
  }

  #wait(): void {
    clearTimeout(this.#timer)
    if (this.#ends.size === 0) return
    let next = Number.POSITIVE_INFINITY
    for (const end of this.#ends) next = Math.min(next, end)
    this.#timer = setTimeout(this.#check, Math.min(longest, Math.max(1, next - Date.now())))
    this.#timer.unref()
  }

  readonly #check = (): void => {
    const now = Date.now()
    const before = this.#ends.size
    for (const end of this.#ends) if (end <= now) this.#ends.delete(end)
    if (this.#ends.size < before) this.#ended()
    this.#wait()
  }
}
