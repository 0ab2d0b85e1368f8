/** What every part of the broker works with: its limits, its clock, its counters and the questions to the application. */

import { inspect } from 'node:util'
import { encodedLength, type PublishProperties, ReasonCode } from '@tidewire/codec'
import { topicNameFault } from '@tidewire/topics'
import { type Clock, systemClock, Timer, Timers } from './clock.js'
import type {
  Action,
  Authorizer,
  Client,
  Goodbye,
  Grant,
  Hooks,
  Publication,
  Refusal,
  SubscriptionChange,
  SubscriptionRequest,
} from './hooks.js'
import { Journal } from './journal.js'
import { Metrics } from './metrics.js'
import {
  type BrokerOptions,
  checkNames,
  checkOptions,
  checkOverflow,
  completeLimits,
  type Limits,
  type Log,
} from './options.js'
import { Overload } from './overload.js'
import { type SharedStrategy, sharedStrategies } from './policy.js'

// Characters of a message in the log: what clients send may not fill it.
const longestLine = 500

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
  /** Set when there is a store. */
  readonly journal: Journal | undefined
  readonly #hooks: Hooks
  readonly #authorizer: Authorizer | undefined
  /** Whether the hook authorize has answered by a promise. */
  #isSlowToAuthorize = false

  constructor(options: BrokerOptions) {
    checkOptions(options)
    this.options = options
    this.limits = completeLimits(options.limits)
    this.log = this.#guarded(options.log ?? silent)
    this.clock = options.clock ?? systemClock
    this.timers = new Timers(this.clock)
    this.overload = new Overload(this.clock, this.limits, this.metrics)
    this.journal = options.store && new Journal(options.store, this.clock, this.log)
    this.metrics.store = options.store
    this.#hooks = options
    this.#authorizer = authorizerOf(options)
  }

  /** A log of which what goes wrong in it is only counted. */
  #guarded(log: Log): Log {
    const write = (level: keyof Log, message: string): void => {
      try {
        log[level](message.length > longestLine ? `${message.slice(0, longestLine)}...` : message)
      } catch {
        this.metrics.hooksFailed++
      }
    }
    return {
      info: (message) => write('info', message),
      warn: (message) => write('warn', message),
      error: (message) => write('error', message),
    }
  }

  /** Whether a client may connect, and as whom, or why not. */
  authenticate(client: Client, password: Uint8Array | undefined): Refusal | Grant | Promise<Refusal | Grant> {
    if (this.#hooks.authenticate === undefined) return {}
    const no = client.userName === undefined ? notAuthorized : notAuthenticated
    const read = (answer: unknown): Refusal | Grant => {
      if (answer === true) return {}
      if (answer === false) return no
      return isRefusal(answer) ? refusalOf(answer) : grantOf(answer)
    }
    return this.#answer<Refusal | Grant>('authenticate', () => this.#hooks.authenticate!(client, password), read, no)
  }

  /** What answers of `authorize` are remembered by; NaN, which is never the same, when they are not. */
  get epoch(): number {
    return this.#authorizer === undefined ? 0 : this.#authorizer.epoch
  }

  /** Whether a client may publish or subscribe. */
  authorize(client: Client, action: Action, topic: string): boolean | Promise<boolean> {
    // Topics that begin with $ are the Server's own (section 4.7.2).
    if (this.#authorizer === undefined) return action !== 'publish' || !topic.startsWith('$')
    // measured: asked for each message: without a function made for it 120 ns less
    try {
      const answer: unknown = this.#authorizer.authorize(client, action, topic)
      if (answer === true || answer === false) return answer
      return this.#answer('authorize', () => answer, booleanOf, false)
    } catch (error) {
      return this.#failed('authorize', error, false)
    }
  }

  /** Whether there is a right to have messages retained, beside that to publish them. */
  get checksRetain(): boolean {
    return this.#authorizer?.checksRetain === true
  }

  /** Whether a client may publish a message. */
  mayPublish(client: Client, { topic, retain }: Pick<Publication, 'topic' | 'retain'>): boolean | Promise<boolean> {
    const allowed = this.authorize(client, 'publish', topic)
    if (!retain || !this.checksRetain) return allowed
    return when(allowed, (answer) => answer && this.authorize(client, 'retain', topic))
  }

  /** Whether a client may be sent a message of a topic. */
  mayReceive(client: Client, topic: string): boolean {
    if (this.#authorizer === undefined) return true
    try {
      const answer: unknown = this.#authorizer.authorize(client, 'receive', topic)
      if (answer === true || answer === false) return answer
      return this.#answerNow('authorize', () => answer, booleanOf, false)
    } catch (error) {
      return this.#failed('authorize', error, false)
    }
  }

  /** Whether a client may publish what it has published before; a hook that does not answer at once is not waited for. */
  mayStillPublish(client: Client, publication: Pick<Publication, 'topic' | 'retain'>): boolean {
    if (this.#isSlowToAuthorize) return true
    const allowed = this.mayPublish(client, publication)
    if (typeof allowed === 'boolean') return allowed
    this.#isSlowToAuthorize = true // it would be asked for each message, and never heard
    return true
  }

  /** What a message becomes: another one, a refusal, or false when it is to be dropped. */
  onPublish(client: Client, publication: Publication): Published | Promise<Published> {
    const read = (answer: unknown): Published => {
      if (answer === undefined || answer === true) return publication
      if (answer === false) return false
      if (isRefusal(answer)) return refusalOf(answer)
      if (typeof answer !== 'object' || answer === null) throw wrongKind(answer)
      return copyOf(changed(publication, answer), this.limits)
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
      return changeOf(answer)
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
      if (typeof answer !== 'object' || answer === null || isRefusal(answer)) throw wrongKind(answer)
      return copyOf(changed(publication, answer), this.limits)
    }
    return this.#answerNow('onDeliver', () => this.#hooks.onDeliver!(client, publication), read, false)
  }

  onConnect(client: Client, sessionPresent: boolean): void {
    this.#tell('onConnect', () => this.#hooks.onConnect?.(client, sessionPresent))
  }

  onDisconnect(client: Client, goodbye: Goodbye): void {
    this.#tell('onDisconnect', () => this.#hooks.onDisconnect?.(client, goodbye))
  }

  /** How a group of Shared Subscriptions chooses. */
  sharedStrategy(shareName: string, topicFilter: string): SharedStrategy {
    const { sharedStrategy = 'roundRobin' } = this.options
    if (typeof sharedStrategy !== 'function') return sharedStrategy
    return this.#answerNow('sharedStrategy', () => sharedStrategy(shareName, topicFilter), strategyOf, 'roundRobin')
  }

  /** What a client gets that asks for Response Information. */
  responseInformation(client: Client): string | undefined {
    const { responseInformation } = this.options
    if (responseInformation === undefined) return undefined
    const read = (answer: unknown): string | undefined =>
      answer === undefined ? undefined : textOf(answer, 'the Response Information')
    return this.#answerNow('responseInformation', () => responseInformation(client), read, undefined)
  }

  /** Asks a hook, and gives `no` when that goes wrong. */
  #answer<T>(hook: string, ask: () => unknown, read: (answer: unknown) => T, no: T): T | Promise<T> {
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

  /** The same, of a hook that must answer at once. */
  #answerNow<T>(hook: string, ask: () => unknown, read: (answer: unknown) => T, no: T): T {
    try {
      const answer = ask()
      if (!isPromise(answer)) return read(answer)
      answer.then(undefined, (error) => this.#failed(hook, error, no))
      throw new TypeError('it must answer at once')
    } catch (error) {
      return this.#failed(hook, error, no)
    }
  }

  /** Calls a hook that is asked nothing. */
  #tell(hook: string, call: () => unknown): void {
    try {
      const answer = call()
      if (isPromise(answer)) answer.then(undefined, (error) => this.#failed(hook, error, undefined))
    } catch (error) {
      this.#failed(hook, error, undefined)
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

  /** Something of the application went wrong. */
  failed(what: string, error: unknown): void {
    this.metrics.hooksFailed++
    this.log.error(`${what} failed: ${inspect(error)}`)
  }

  #failed<T>(hook: string, error: unknown, no: T): T {
    this.failed(`the hook ${hook}`, error)
    return no
  }
}

/** The hook `authorize`; as a function it may answer otherwise each time. */
function authorizerOf(hooks: Hooks): Authorizer | undefined {
  const { authorize } = hooks
  if (typeof authorize !== 'function') return authorize
  return { epoch: Number.NaN, authorize: (client, action, topic) => authorize.call(hooks, client, action, topic) }
}

/** A message with what a hook has changed of it. */
function changed(before: Publication, answer: Partial<Publication>): Publication {
  const { topic = before.topic, payload = before.payload, qos = before.qos, retain = before.retain } = answer
  const { properties = before.properties } = answer
  return { topic, payload, qos, retain, properties }
}

/**
 * A copy of a message that the application has made, without the properties that belong to one connection. Throws
 * TypeError or RangeError for one that cannot be sent.
 */
export function copyOf(publication: Publication, { maxTopicLevels }: Limits): Publication {
  const { topic, payload, qos, retain } = publication
  const { topicAlias: _, subscriptionIdentifier: __, ...properties } = publication.properties
  const fault = topicNameFault(topic, maxTopicLevels)
  if (fault !== undefined) throw new TypeError(`not a Topic Name: ${inspect(topic)}: ${fault.message}`)
  if (typeof retain !== 'boolean') throw new TypeError(`retain must be true or false, not ${inspect(retain)}`)
  encodedLength({ type: 'publish', topic, payload, qos, packetId: 1, retain, properties })
  const { userProperty, correlationData } = properties
  return {
    topic,
    payload: new Uint8Array(payload),
    qos,
    retain,
    properties: {
      ...properties,
      ...(userProperty !== undefined && { userProperty: userProperty.map(([name, value]) => [name, value] as const) }),
      ...(correlationData !== undefined && { correlationData: new Uint8Array(correlationData) }),
    },
  }
}

export type Published = Publication | Refusal | false
export type Subscribed = SubscriptionChange | Refusal
export type Delivered = { readonly payload: Uint8Array; readonly properties: PublishProperties } | false | undefined

function booleanOf(answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer
  throw wrongKind(answer)
}

function strategyOf(answer: unknown): SharedStrategy {
  const known = sharedStrategies.find((name) => name === answer)
  if (known === undefined) throw wrongKind(answer)
  return known
}

function changeOf(answer: SubscriptionChange): SubscriptionChange {
  const { qos, overflow } = answer
  if (qos !== undefined && qos !== 0 && qos !== 1 && qos !== 2) throw wrongKind(answer)
  checkOverflow(overflow)
  return { ...(qos !== undefined && { qos }), ...(overflow !== undefined && { overflow }) }
}

/** Text that can be a property. Throws TypeError or RangeError for what cannot. */
function textOf(text: unknown, what: string): string {
  if (typeof text !== 'string') throw new TypeError(`${what} must be a string, not ${inspect(text)}`)
  encodedLength({ type: 'connack', properties: { reasonString: text } })
  return text
}

/** A refusal that can be told. Throws TypeError or RangeError for one that cannot. */
export function refusalOf(answer: unknown): Refusal {
  if (!isRefusal(answer)) throw wrongKind(answer)
  const { reasonCode, reasonString } = answer
  if (reasonString !== undefined) textOf(reasonString, 'a reasonString')
  if (!Number.isInteger(reasonCode) || reasonCode < 0x80 || reasonCode > 0xff) {
    throw new RangeError(`a refusal needs a Reason Code from 128 to 255, not ${reasonCode}`)
  }
  return answer
}

/** A grant that says something. Throws TypeError or RangeError for what is none, such as a record of another kind. */
function grantOf(answer: unknown): Grant {
  if (typeof answer !== 'object' || answer === null || Object.keys(answer).length === 0) throw wrongKind(answer)
  checkNames(answer, ['userName', 'expiresAt'])
  checkGrant(answer)
  return answer
}

/** Throws TypeError or RangeError for a grant that cannot be. */
export function checkGrant({ userName, expiresAt }: Grant): void {
  if (userName !== undefined && typeof userName !== 'string') {
    throw new TypeError(`userName must be a string, not ${inspect(userName)}`)
  }
  if (expiresAt !== undefined && !Number.isFinite(expiresAt)) {
    throw new RangeError(`expiresAt must be milliseconds since 1970, not ${inspect(expiresAt)}`)
  }
}

/** Whether an answer is a refusal. */
export function isRefusal(answer: unknown): answer is Refusal {
  return typeof answer === 'object' && answer !== null && 'reasonCode' in answer
}

function wrongKind(answer: unknown): TypeError {
  return new TypeError(`it may not answer ${inspect(answer)}`)
}

/** Goes on with an answer, at once or when it is there. */
export function when<T, R>(answer: T | PromiseLike<T>, next: (answer: T) => R | Promise<R>): R | Promise<R> {
  return isPromise(answer) ? Promise.resolve(answer).then(next) : next(answer)
}

export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | undefined)?.then === 'function'
}
