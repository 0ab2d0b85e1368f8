/** How many connections there may be, and how many may come in a second. */

import type { Limits } from '../options.js'

/** How fast something happens: a bucket of tokens, filled within a second. */
export class Rate {
  #tokens: number = Number.POSITIVE_INFINITY
  #at = 0

  /** Whether it may happen once more. */
  take(perSecond: number, now: number): boolean {
    this.#tokens = Math.min(perSecond, this.#tokens + ((now - this.#at) / 1000) * perSecond)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  /** Whether the bucket is full again, and may be forgotten. */
  isIdle(now: number): boolean {
    return now - this.#at >= 1000
  }
}

interface Visitor {
  connections: number
  readonly rate: Rate
}

const leastSweep = 1024

/** The connections of a broker, at all its listeners. */
export class Admission {
  connections = 0
  readonly #visitors: Map<string, Visitor> = new Map()
  #sweepAt = leastSweep

  /** Takes one more connection of an address, or says why not. */
  enter(address: string, limits: Limits, now: number): 'addressFull' | 'addressRate' | undefined {
    const visitor = this.#visitors.get(address) ?? { connections: 0, rate: new Rate() }
    if (visitor.connections >= limits.maxConnectionsPerAddress) return 'addressFull'
    if (!visitor.rate.take(limits.maxConnectionRatePerAddress, now)) return 'addressRate'
    visitor.connections++
    this.#visitors.set(address, visitor)
    if (this.#visitors.size >= this.#sweepAt) this.#sweep(now)
    return undefined
  }

  /** Addresses of which something is known. */
  get remembered(): number {
    return this.#visitors.size
  }

  leave(address: string): void {
    this.#visitors.get(address)!.connections--
  }

  // Who is gone is remembered for a second, and longer while there are few.
  #sweep(now: number): void {
    for (const [address, { connections, rate }] of this.#visitors) {
      if (connections === 0 && rate.isIdle(now)) this.#visitors.delete(address)
    }
    this.#sweepAt = Math.max(leastSweep, 2 * this.#visitors.size)
  }
}
