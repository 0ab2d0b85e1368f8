/** Subscriptions of the application itself, without a socket. */

import { type QoS, ReasonCode } from '@tidewire/codec'
import { topicFilterFault } from '@tidewire/topics'
import type { Core } from './core.js'
import type { Publication } from './hooks.js'
import type { Message } from './message.js'
import { checkOverflow } from './options.js'
import type { Overflow } from './policy.js'
import { type Link, Session } from './session.js'
import { Subscription } from './subscription.js'

export interface LocalOptions {
  /** The highest QoS that messages come with. Default 2. */
  readonly qos?: QoS
  /** Send the retained messages first. Default true. */
  readonly retained?: boolean
  /** Messages that are held ready; further ones wait in the queue, within its limits. Default 64. */
  readonly highWaterMark?: number
  /** What becomes of messages that are not taken in time. Default as the broker's. */
  readonly overflow?: Overflow
  /** Ends the subscription. */
  readonly signal?: AbortSignal
}

interface Waiting {
  readonly publication: Publication
  readonly packetId: number
}

const applicationClient = {
  clientId: '',
  userName: undefined,
  protocolVersion: 5,
  remoteAddress: undefined,
  remotePort: undefined,
  listener: 'application',
} as const

const ended: IteratorReturnResult<undefined> = { done: true, value: undefined }

/**
 * The messages of a Topic Filter: `for await (const { topic, payload } of broker.subscribe('a/#'))`. A message of QoS 1 or
 * 2 counts as acknowledged when the next one is asked for, and no more are under way than the high-water mark: who takes
 * them slowly is a slow subscriber like any other. Ends with the loop, with `return`, the signal, or the broker.
 */
export class LocalSubscription implements AsyncIterableIterator<Publication, undefined>, Link {
  readonly sequence = 0
  readonly #core: Core
  readonly #session: Session
  readonly #highWaterMark: number
  readonly #ready: Waiting[] = []
  /** Packet Identifiers of what has been taken since a message was last asked for: more than one when several wait. */
  #unacknowledged: number[] = []
  #takers: ((result: IteratorResult<Publication, undefined>) => void)[] = []
  #isOpen = true
  readonly #signal: AbortSignal | undefined
  readonly #abort = (): void => this.end()

  /** Throws TypeError for what is no Topic Filter, and RangeError for options out of range. */
  constructor(core: Core, topicFilter: string, options: LocalOptions) {
    const { qos = 2, retained = true, highWaterMark = 64, signal } = options
    const { limits, options: defaults } = core.environment
    const fault = topicFilterFault(topicFilter, limits.maxTopicLevels)
    if (fault !== undefined) throw new TypeError(`not a Topic Filter: ${topicFilter}: ${fault.message}`)
    if (qos !== 0 && qos !== 1 && qos !== 2) throw new RangeError(`qos must be 0, 1 or 2, not ${qos}`)
    if (!Number.isInteger(highWaterMark) || highWaterMark < 1 || highWaterMark > 0xffff) {
      throw new RangeError(`highWaterMark must be 1 to 65535, not ${highWaterMark}`)
    }
    checkOverflow(options.overflow)
    if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError('signal must be an AbortSignal')
    this.#core = core
    this.#highWaterMark = highWaterMark
    this.#session = new Session(applicationClient, core.environment, true)
    this.#session.link = this
    this.#session.resume(highWaterMark)
    const overflow = options.overflow ?? defaults.overflow ?? 'dropNewest'
    const subscription = new Subscription(this.#session, topicFilter, { qos, retainAsPublished: true, overflow })
    this.#signal = signal
    if (signal?.aborted === true) {
      this.#isOpen = false
      return
    }
    signal?.addEventListener('abort', this.#abort)
    core.locals.add(this)
    core.router.subscribe(subscription)
    if (retained && subscription.group === undefined)
      this.#session.replay({ topicFilter, messages: core.retained.match(subscription) })
  }

  get congested(): boolean {
    return this.#ready.length >= this.#highWaterMark
  }

  takes(): boolean {
    return true
  }

  publish(
    message: Message,
    qos: QoS,
    retain: boolean,
    _subscriptionIdentifiers: readonly number[],
    _dup: boolean,
    packetId: number,
  ): void {
    const publication = { ...message.settle().publication(), qos, retain }
    const taker = this.#takers.shift()
    if (taker === undefined) {
      this.#ready.push({ publication, packetId })
      return
    }
    this.#unacknowledged.push(packetId)
    taker({ done: false, value: publication })
  }

  pubrel(packetId: number): void {
    this.#session.pubcomp(packetId)
  }

  disconnect(): void {
    this.end()
  }

  next(): Promise<IteratorResult<Publication, undefined>> {
    this.#acknowledge()
    const next = this.#ready.shift()
    if (next !== undefined) {
      this.#unacknowledged.push(next.packetId)
      // What waited comes up behind it.
      if (this.#ready.length * 2 <= this.#highWaterMark) this.#session.pump()
      return Promise.resolve({ done: false, value: next.publication })
    }
    if (!this.#isOpen) return Promise.resolve(ended)
    return new Promise((resolve) => {
      this.#takers.push(resolve)
      this.#session.pump()
    })
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#acknowledge()
    this.#ready.length = 0
    this.end()
    return Promise.resolve(ended)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #acknowledge(): void {
    for (const packetId of this.#unacknowledged) this.#settle(packetId)
    this.#unacknowledged = []
  }

  #settle(packetId: number): void {
    const session = this.#session
    if (packetId === 0 || session.puback(packetId) === 'settled') return
    session.pubrec(packetId, ReasonCode.Success)
    session.pubcomp(packetId)
  }

  /** Takes no more messages; those that are held ready can still be taken. */
  end(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#session.link = undefined
    this.#core.locals.delete(this)
    for (const { packetId } of this.#ready) this.#settle(packetId) // no other member of a group gets them too
    this.#core.forget(this.#session)
    for (const taker of this.#takers) taker(ended)
    this.#takers = []
  }
}
