/** Retained messages (section 3.3.1.3): the last of each topic, for those who subscribe later. */

import { NameTree } from '@tidewire/topics'
import { Timer } from './clock.js'
import type { Environment } from './environment.js'
import type { Message } from './message.js'
import type { Delivery } from './session.js'
import type { Subscription } from './subscription.js'

interface Kept {
  readonly message: Message
  /** The memory it takes in bytes, with its place in the tree. */
  readonly size: number
  /** Removes it when it has expired. */
  readonly timer: Timer | undefined
  /** Grows with each message that is kept. */
  readonly number: number
}

// Bytes that a level of a topic may take in the tree.
const levelSize = 256

export class Retained {
  readonly #kept: NameTree<Kept> = new NameTree()
  readonly #environment: Environment
  #bytes = 0
  /** The number of the last message. */
  #last = 0

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /**
   * Keeps a message that was published with RETAIN in place of the one before [MQTT-3.3.1-5]; an empty one only removes
   * that [MQTT-3.3.1-6]. Returns false when there is no memory for it, and all stays as it was.
   */
  store(message: Message): boolean {
    const { topic } = message
    if (message.payload.length === 0) {
      this.#remove(topic)
      return true
    }
    message.settle()
    const size = message.size + levelSize * topic.split('/').length
    const before = this.#kept.get(topic)
    if (this.#bytes - (before?.size ?? 0) + size > this.#environment.limits.maxRetainedBytes) return false
    // It keeps its place in the tree: who goes through it comes by once.
    if (before !== undefined) this.#release(before)
    const timer = message.expiresAt === Number.POSITIVE_INFINITY ? undefined : new Timer(() => this.#remove(topic))
    if (timer !== undefined) this.#environment.timers.set(timer, message.expiresAt - this.#environment.clock.now())
    this.#kept.set(topic, { message, size, timer, number: ++this.#last })
    this.#bytes += size
    return true
  }

  get size(): number {
    return this.#kept.size
  }

  /** The memory of all, as far as it can be told. */
  get bytes(): number {
    return this.#bytes
  }

  #remove(topic: string): void {
    const kept = this.#kept.get(topic)
    if (kept === undefined) return
    this.#release(kept)
    this.#kept.delete(topic)
  }

  #release({ timer, size }: Kept): void {
    if (timer !== undefined) this.#environment.timers.cancel(timer)
    this.#bytes -= size
  }

  /** The retained messages that a new subscription matches [MQTT-3.3.1-9], found as they are asked for. */
  match(subscription: Subscription): Generator<Delivery, undefined> {
    return this.#match(subscription, this.#last)
  }

  /** `last` is the last message that was there before the subscription. */
  *#match(subscription: Subscription, last: number): Generator<Delivery, undefined> {
    const { session, topicFilter, qos, noLocal, identifier } = subscription
    const subscriptionIdentifiers = identifier > 0 ? [identifier] : []
    for (const [, { message, number }] of this.#kept.match(topicFilter)) {
      if (!session.subscriptions.has(topicFilter)) return // unsubscribed meanwhile
      // What has come since was sent by itself, only that of QoS 0 may have been dropped.
      if (number > last && qos > 0 && message.qos > 0) continue
      const { publisher } = message
      if (noLocal && publisher?.clientId === session.clientId) continue
      // The right to publish may have gone since, and what was published by it goes with it.
      if (publisher !== undefined && !this.#environment.mayStillPublish(publisher, message.topic)) {
        this.#environment.metrics.dropped.notAuthorized++
        continue
      }
      yield { message, qos, retain: true, subscriptionIdentifiers, subscription, original: message }
    }
  }
}
