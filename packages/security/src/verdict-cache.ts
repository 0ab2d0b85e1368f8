/** What was found out about a password a short while ago, kept without the password. */

import { createHmac, randomBytes } from 'node:crypto'

/** Keys are MACs under a key of this process: what leaks from memory can be tried nowhere else. */
export class VerdictCache<T> {
  readonly #key: Buffer = randomBytes(32)
  readonly #kept: Map<string, { readonly value: T; readonly until: number }> = new Map()
  readonly #milliseconds: number
  readonly #most: number
  readonly #now: () => number

  /** Keeps at most so many, each for so long. */
  constructor(milliseconds: number, most: number, now: () => number) {
    this.#milliseconds = milliseconds
    this.#most = most
    this.#now = now
  }

  /** The key for a user with a password; `also` is what else the verdict depends on. */
  key(userName: string, password: Uint8Array, also: string): string {
    const mac = createHmac('sha256', this.#key)
    for (const part of [Buffer.from(userName), password, Buffer.from(also)]) {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(part.length)
      mac.update(length).update(part)
    }
    return mac.digest('base64')
  }

  get(key: string): T | undefined {
    const found = this.#kept.get(key)
    return found !== undefined && found.until > this.#now() ? found.value : undefined
  }

  /** Keeps a value, for less long than usual if it says so. */
  set(key: string, value: T, milliseconds: number = this.#milliseconds): void {
    if (milliseconds <= 0) return
    this.#kept.delete(key)
    this.#kept.set(key, { value, until: this.#now() + milliseconds })
    if (this.#kept.size > this.#most) this.#kept.delete(this.#kept.keys().next().value!) // the oldest
  }
}
