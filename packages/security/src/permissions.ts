// hot: runs per packet
/** What one client may do, decided once for each topic. */

import type { Action } from './client.js'
import { bitOf, type Explanation } from './rules.js'

/** What decides, the slow way. */
export interface Decider {
  explain(action: Action | 'retain', topic: string): Explanation
}

// Of a client that uses more topics than that, all are forgotten, and decided again.
const mostTopics = 512
const known = 4

/** Belongs to an epoch of the rules: when that is over, another one is made. */
export class Permissions {
  readonly epoch: number
  readonly #decider: Decider
  /** By topic: bits of what is allowed, and above them bits of what is known. */
  readonly #topics: Map<string, number> = new Map()

  constructor(decider: Decider, epoch: number) {
    this.#decider = decider
    this.epoch = epoch
  }

  /** Whether the client may; the topic is a Topic Filter for `subscribe`, and a Topic Name otherwise. */
  allows(action: Action | 'retain', topic: string): boolean {
    const bit = bitOf[action]
    // A filter without wildcards has the same text as a name: asked once in a subscription, it is not worth a place.
    if (action === 'subscribe') return this.#decider.explain(action, topic).allowed
    const bits = this.#topics.get(topic) ?? 0
    if ((bits & (bit << known)) !== 0) return (bits & bit) !== 0
    const { allowed } = this.#decider.explain(action, topic)
    if (this.#topics.size >= mostTopics) this.#topics.clear()
    this.#topics.set(topic, bits | (bit << known) | (allowed ? bit : 0))
    return allowed
  }

  explain(action: Action | 'retain', topic: string): Explanation {
    return this.#decider.explain(action, topic)
  }
}
