/** What every part of the broker works with: its limits, its clock, its counters and the questions to the application. */

import { type Clock, systemClock, Timers } from './clock.js'
import type { Action, Client, Hooks } from './hooks.js'
import { Metrics } from './metrics.js'
import { type BrokerOptions, checkOptions, completeLimits, type Limits, type Log } from './options.js'

const silent: Log = { info() {}, warn() {}, error() {} }

export class Environment {
  readonly limits: Limits
  readonly log: Log
  readonly clock: Clock
  readonly timers: Timers
  readonly metrics: Metrics = new Metrics()
  readonly #hooks: Hooks

  constructor(options: BrokerOptions) {
    checkOptions(options)
    this.limits = completeLimits(options.limits)
    this.log = options.log ?? silent
    this.clock = options.clock ?? systemClock
    this.timers = new Timers(this.clock)
    this.#hooks = options
  }

  /** Whether a client may connect; a hook that fails refuses. */
  authenticate(client: Client, password: Uint8Array | undefined): boolean | Promise<boolean> {
    const { authenticate } = this.#hooks
    if (authenticate === undefined) return true
    const check = (answer: unknown): boolean => {
      if (typeof answer === 'boolean') return answer
      throw new TypeError('authenticate must return true or false')
    }
    try {
      const answer: unknown = authenticate(client, password)
      if (!isPromise(answer)) return check(answer)
      return Promise.resolve(answer)
        .then(check)
        .catch((error) => this.#hookFailed('authenticate', error))
    } catch (error) {
      return this.#hookFailed('authenticate', error)
    }
  }

  /** Whether a client may act on a topic; a hook that fails refuses. */
  authorize(client: Client, action: Action, topic: string): boolean {
    const { authorize } = this.#hooks
    // Topics that begin with $ are the Server's own (section 4.7.2).
    if (authorize === undefined) return action !== 'publish' || !topic.startsWith('$')
    try {
      const allowed: unknown = authorize(client, action, topic)
      if (typeof allowed === 'boolean') return allowed
      throw new TypeError('authorize must return true or false, at once')
    } catch (error) {
      return this.#hookFailed('authorize', error)
    }
  }

  #hookFailed(hook: string, error: unknown): false {
    this.log.error(
      `the hook ${hook} failed, access is refused: ${error instanceof Error ? error.stack : String(error)}`,
    )
    return false
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function'
}
