/** What every part of the broker works with: its limits, its clock, its counters and the questions to the application. */

import { encodedLength, type PublishProperties, ReasonCode } from '@tidewire/codec'
import { topicNameFault } from '@tidewire/topics'
import { type Clock, systemClock, Timer, Timers } from './clock.js'
import type {
  Action,
  Client,
  Goodbye,
  Hooks,
  Publication,
  Refusal,
  SubscriptionChange,
  SubscriptionRequest,
} from './hooks.js'
import { Metrics } from './metrics.js'
import { type BrokerOptions, checkOptions, completeLimits, type Limits, type Log } from './options.js'
import { Overload } from './overload.js'

const silent: Log = { info() {}, warn() {}, error() {} }
const notAuthorized: Refusal = { reasonCode: ReasonCode.NotAuthorized }
const notAuthenticated: Refusal = { reasonCode: ReasonCode.BadUserNameOrPassword }

export class Environment {
  readonly options: BrokerOptions
  readonly limits: Limits
  readonly log: Log
  readonly clock: Clock
  readonly timers: Timers
  readonly metrics: Metrics = new Metrics()
  readonly overload: Overload
  readonly #hooks: Hooks

  constructor(options: BrokerOptions) {
    checkOptions(options)
    this.options = options
    this.limits = completeLimits(options.limits)
    this.log = options.log ?? silent
    this.clock = options.clock ?? systemClock
    this.timers = new Timers(this.clock)
    this.overload = new Overload(this.clock, this.limits)
    this.#hooks = options
  }

  /** Whether a client may connect: undefined, or why not. */
  authenticate(client: Client, password: Uint8Array | undefined): Refusal | undefined | Promise<Refusal | undefined> {
    if (this.#hooks.authenticate === undefined) return undefined
    const no = client.userName === undefined ? notAuthorized : notAuthenticated
    const read = (answer: unknown): Refusal | undefined => {
      if (answer === true) return undefined
      return answer === false ? no : refusalOf(answer)
    }
    return this.#answer('authenticate', () => this.#hooks.authenticate!(client, password), read, no)
  }

  /** Whether a client may publish or subscribe. */
  authorize(client: Client, action: Action, topic: string): boolean | Promise<boolean> {
    // Topics that begin with $ are the Server's own (section 4.7.2).
    if (this.#hooks.authorize === undefined) return action !== 'publish' || !topic.startsWith('$')
    return this.#answer('authorize', () => this.#hooks.authorize!(client, action, topic), booleanOf, false)
  }

  /** Whether a client may be sent a message of a topic. */
  mayReceive(client: Client, topic: string): boolean {
    const allowed = this.authorize(client, 'receive', topic)
    if (typeof allowed === 'boolean') return allowed
    this.log.error('the hook authorize must answer at once for receive: access is refused')
    return false
  }

  /** What a message becomes: another one, a refusal, or false when it is to be dropped. */
  onPublish(client: Client, publication: Publication): Published | Promise<Published> {
    const read = (answer: unknown): Published => {
      if (answer === undefined || answer === true) return publication
      if (answer === false) return false
      if (isRefusal(answer)) return refusalOf(answer)
      if (typeof answer !== 'object' || answer === null) throw wrongKind(answer)
      return checked(publication, answer, this.limits)
    }
    return this.#answer('onPublish', () => this.#hooks.onPublish!(client, publication), read, notAuthorized)
  }

  /** What a subscription becomes: a change of it, or a refusal. */
  onSubscribe(client: Client, request: SubscriptionRequest): Subscribed | Promise<Subscribed> {
    if (this.#hooks.onSubscribe === undefined) return {}
    const read = (answer: unknown): Subscribed => {
      if (answer === undefined || answer === true) return {}
      if (answer === false) return notAuthorized
      if (isRefusal(answer)) return refusalOf(answer)
      if (typeof answer !== 'object' || answer === null) throw wrongKind(answer)
      return answer
    }
    return this.#answer('onSubscribe', () => this.#hooks.onSubscribe!(client, request), read, notAuthorized)
  }

  /** Whether there is something to ask with `onDeliver`. */
  get hasOnDeliver(): boolean {
    return this.#hooks.onDeliver !== undefined
  }

  /** Whether there is something to ask with `onPublish`. */
  get hasOnPublish(): boolean {
    return this.#hooks.onPublish !== undefined
  }

  /** What a message becomes for one client: undefined when it stays, false when it is not sent. */
  onDeliver(client: Client, publication: Publication): Delivered {
    const read = (answer: unknown): Delivered => {
      if (answer === undefined || answer === true) return undefined
      if (answer === false) return false
      if (typeof answer !== 'object' || answer === null || isPromise(answer)) throw wrongKind(answer)
      return checked(publication, answer, this.limits)
    }
    try {
      return read(this.#hooks.onDeliver!(client, publication))
    } catch (error) {
      return this.#failed('onDeliver', error, false)
    }
  }

  onConnect(client: Client, sessionPresent: boolean): void {
    try {
      this.#hooks.onConnect?.(client, sessionPresent)
    } catch (error) {
      this.#failed('onConnect', error, undefined)
    }
  }

  onDisconnect(client: Client, goodbye: Goodbye): void {
    try {
      this.#hooks.onDisconnect?.(client, goodbye)
    } catch (error) {
      this.#failed('onDisconnect', error, undefined)
    }
  }

  /** Asks a hook, and gives `no` when that goes wrong. */
  #answer<T>(hook: keyof Hooks, ask: () => unknown, read: (answer: unknown) => T, no: T): T | Promise<T> {
    try {
      const answer = ask()
      return isPromise(answer)
        ? this.inTime(answer, hook)
            .then(read)
            .catch((error) => this.#failed(hook, error, no))
        : read(answer)
    } catch (error) {
      return this.#failed(hook, error, no)
    }
  }

  /** Rejects when something of the application takes longer than the limit. */
  inTime<T>(promise: PromiseLike<T>, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = new Timer(() => reject(new Error(`${what} took longer than ${this.limits.hookTimeout} ms`)))
      this.timers.set(late, this.limits.hookTimeout)
      promise.then(
        (value) => {
          this.timers.cancel(late)
          resolve(value)
        },
        (error) => {
          this.timers.cancel(late)
          reject(error)
        },
      )
    })
  }

  #failed<T>(hook: string, error: unknown, no: T): T {
    this.metrics.hooksFailed++
    this.log.error(`the hook ${hook} failed: ${error instanceof Error ? error.stack : String(error)}`)
    return no
  }
}

/** A message that a hook has made. Throws for one that cannot be sent. */
function checked(before: Publication, answer: Partial<Publication>, { maxTopicLevels }: Limits): Publication {
  const { topic = before.topic, payload = before.payload, qos = before.qos, retain = before.retain } = answer
  const { properties = before.properties } = answer
  const fault = topicNameFault(topic, maxTopicLevels)
  if (fault !== undefined) throw new TypeError(`the topic: ${fault.message}`)
  encodedLength({ type: 'publish', topic, payload, qos, packetId: 1, retain, properties })
  return { topic, payload, qos, retain, properties }
}

export type Published = Publication | Refusal | false
export type Subscribed = SubscriptionChange | Refusal
export type Delivered = { readonly payload: Uint8Array; readonly properties: PublishProperties } | false | undefined

function booleanOf(answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer
  throw wrongKind(answer)
}

function refusalOf(answer: unknown): Refusal {
  if (!isRefusal(answer)) throw wrongKind(answer)
  const { reasonCode } = answer
  if (!Number.isInteger(reasonCode) || reasonCode < 0x80 || reasonCode > 0xff) {
    throw new RangeError(`a refusal needs a Reason Code from 128 to 255, not ${reasonCode}`)
  }
  return answer
}

/** Whether an answer is a refusal. */
export function isRefusal(answer: unknown): answer is Refusal {
  return typeof answer === 'object' && answer !== null && 'reasonCode' in answer
}

function wrongKind(answer: unknown): TypeError {
  return new TypeError(`it may not answer ${String(answer)}`)
}

/** Goes on with an answer, at once or when it is there. */
export function when<T, R>(answer: T | PromiseLike<T>, next: (answer: T) => R | Promise<R>): R | Promise<R> {
  return isPromise(answer) ? Promise.resolve(answer).then(next) : next(answer)
}

export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | undefined)?.then === 'function'
}
