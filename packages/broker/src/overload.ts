/** Overload: how late the event loop runs, and what the broker leaves alone then. */

import type { Clock } from './clock.js'
import type { Metrics } from './metrics.js'
import type { Limits } from './options.js'

/** `normal`; `refusing`: no new connections; `shedding`: no messages of QoS 0 either. */
export type Load = 'normal' | 'refusing' | 'shedding'

const tick = 100
// What is left of a delay after a tick without one: about a second of caution after it.
const decay = 0.8

export class Overload {
  readonly #clock: Clock
  readonly #limits: Limits
  readonly #metrics: Metrics
  #last = 0
  /** How late the last tick was. */
  #delay = 0
  #stop: (() => void) | undefined

  constructor(clock: Clock, limits: Limits, metrics: Metrics) {
    this.#clock = clock
    this.#limits = limits
    this.#metrics = metrics
  }

  /** Begins to watch. */
  start(): void {
    this.#last = this.#clock.now()
    this.#stop ??= this.#clock.every(tick, () => {
      const now = this.#clock.now()
      const delay = now - this.#last - tick
      // Late once is no overload: a large collection of garbage, a laptop that slept.
      this.#metrics.lag = Math.max(Math.min(delay, this.#delay), this.lag * decay)
      this.#delay = delay
      this.#last = now
    })
  }

  stop(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  /** Milliseconds that the event loop was late lately, at least twice in turn. */
  get lag(): number {
    return this.#metrics.lag
  }

  get load(): Load {
    if (this.lag < this.#limits.lagToRefuse) return 'normal'
    return this.lag < this.#limits.lagToShed ? 'refusing' : 'shedding'
  }
}
