/** Retained messages (section 3.3.1.3): the last of each topic, for those who subscribe later. */

import { type NamedValue, NameTree } from '@tidewire/topics'
import { Timer } from './clock.js'
import type { Environment } from './environment.js'
import type { Message } from './message.js'
import type { Delivery } from './session.js'
import type { Written } from './store/records.js'
import { recordKinds } from './store/store.js'
import type { Subscription } from './subscription.js'

interface Kept {
  readonly message: Message
  /** The memory it takes in bytes, with its place in the tree. */
  readonly size: number
  /** Removes it when it has expired. */
  readonly timer: Timer | undefined
  /** When it was known that its publisher has the right to publish it. */
  epoch: number
  /** Whether it has been removed or replaced. */
  isGone: boolean
  /** Grows with each message that is kept. */
  readonly number: number
  /** Its number in the store, 0 when it is not there. */
  record: number
}

const nothing: Written = { bytes: new Uint8Array(0), end: 0 }

// Topic Names that are looked at in one walk.
const slice = 64

// Bytes that a topic takes in the tree, beside those of its text.
const entrySize = 150

function sizeOf(message: Message): number {
  return message.size + entrySize + 2 * message.topic.length
}

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
   * that [MQTT-3.3.1-6]. Returns false when there is no memory for it, and all stays as it was. `epoch` is that of the
   * publisher's right, NaN when it is not known.
   */
  store(message: Message, epoch: number): boolean {
    const { topic } = message
    if (message.payload.length === 0) {
      this.#remove(topic)
      return true
    }
    message.settle()
    const size = sizeOf(message)
    const before = this.#kept.get(topic)
    if (this.#bytes - (before?.size ?? 0) + size > this.#environment.limits.maxRetainedBytes) return false
    if (before !== undefined) this.#release(before)
    this.#keep(message, epoch, this.#write(message, before))
    return true
  }

  #keep(message: Message, epoch: number, record: number): void {
    const { topic } = message
    const size = sizeOf(message)
    const timer = message.expiresAt === Number.POSITIVE_INFINITY ? undefined : new Timer(() => this.#remove(topic))
    if (timer !== undefined) this.#environment.timers.set(timer, message.expiresAt - this.#environment.clock.now())
    this.#kept.set(topic, { message, size, timer, epoch, isGone: false, number: ++this.#last, record })
    this.#bytes += size
  }

  /** Takes a message that was there before the broker began. */
  restore(message: Message, record: number): void {
    const { clock, journal } = this.#environment
    if (message.isExpired(clock.now())) return journal!.remove(record)
    this.#keep(message, Number.NaN, record)
  }

  /** Writes a message down, in the place of the one before. What the broker tells of itself is told anew when it starts. */
  #write(message: Message, before: Kept | undefined): number {
    const { journal } = this.#environment
    if (journal === undefined || message.topic.startsWith('$SYS/')) return 0
    const number = journal.numberOf(message)
    const record = before?.record ?? 0
    if (record === 0) return journal.add(recordKinds.retained, number, nothing)
    journal.replace(record, number, nothing)
    return record
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
    this.#kept.delete(topic)
    if (kept.record !== 0) this.#environment.journal!.remove(kept.record)
    this.#release(kept)
  }

  /** Gives back the memory of what is removed or replaced. */
  #release(kept: Kept): void {
    if (kept.timer !== undefined) this.#environment.timers.cancel(kept.timer)
    kept.isGone = true
    this.#bytes -= kept.size
  }

  /**
   * The retained messages that a new subscription matches [MQTT-3.3.1-9], found as they are asked for; undefined in between,
   * for each piece of the tree that was looked at.
   */
  match(subscription: Subscription): Generator<Delivery | undefined, undefined> {
    return this.#match(subscription, this.#last)
  }

  /** `last` is the last message that was there before the subscription. */
  *#match(subscription: Subscription, last: number): Generator<Delivery | undefined, undefined> {
    const { session, topicFilter, qos, noLocal, identifier } = subscription
    const subscriptionIdentifiers = identifier > 0 ? [identifier] : []
    let cursor: string | undefined = ''
    while (cursor !== undefined) {
      const found: NamedValue<Kept>[] = []
      cursor = this.#kept.walk(topicFilter, found, slice, cursor)
      yield undefined
      for (const { value } of found) {
        if (!session.subscriptions.has(topicFilter)) return // unsubscribed meanwhile
        const { message, isGone, number } = value
        // What has come since was sent by itself, only that of QoS 0 may have been dropped.
        if (number > last && qos > 0 && message.qos > 0) continue
        const { publisher } = message
        if (isGone || (noLocal && publisher?.clientId === session.clientId)) continue
        // The right to publish may have gone since, and what was published by it goes with it.
        const { epoch } = this.#environment
        if (publisher !== undefined && value.epoch !== epoch) {
          if (!this.#environment.mayStillPublish(publisher, message)) {
            this.#environment.metrics.dropped.notAuthorized++
            continue
          }
          value.epoch = epoch
        }
        yield { message, qos, retain: true, subscriptionIdentifiers, subscription, original: message, record: 0 }
      }
    }
  }
}
