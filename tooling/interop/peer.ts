/** A client of others as scenarios use it: a library, or a program. */

import { createHash } from 'node:crypto'
import type { ProtocolVersion, QoS } from '@tidewire/codec'

/** Text stands for Binary Data, and for payloads. */
export interface Properties {
  readonly messageExpiryInterval?: number
  readonly contentType?: string
  readonly responseTopic?: string
  readonly correlationData?: string
  readonly userProperties?: readonly (readonly [string, string])[]
  readonly topicAlias?: number
}

export interface Publication {
  readonly topic: string
  readonly payload: string
  readonly qos?: QoS
  readonly retain?: boolean
  readonly properties?: Properties
}

/** A message as the client reports it; a payload above 4 KiB as `digest` has it. */
export interface Received extends Required<Omit<Publication, 'properties'>> {
  readonly dup: boolean
  readonly properties: Omit<Properties, 'topicAlias'> & { readonly subscriptionIdentifier?: number | readonly number[] }
}

export interface SubscriberOptions {
  readonly clientId?: string
  /** Seconds that the session outlives the connection, before MQTT 5.0 as long as the broker likes. Default: none. */
  readonly sessionExpiry?: number
  /** Default 2. */
  readonly qos?: QoS
  readonly will?: Publication & { readonly delay?: number }
  readonly retainAsPublished?: boolean
  readonly retainHandling?: 0 | 1 | 2
  readonly subscriptionIdentifier?: number
  /** Connect again after the connection is lost. */
  readonly reconnect?: boolean
  /** Let the broker use Topic Aliases. */
  readonly aliases?: boolean
  /** In a process of its own, which can be frozen and killed. */
  readonly alone?: boolean
}

export interface Subscriber {
  /** Undefined where the client does not tell. */
  readonly sessionPresent: boolean | undefined
  /** As in SUBACK. */
  readonly granted: readonly number[]
  /** Rejects when the client has ended. */
  next(): Promise<Received>
  /** Ends the connection with DISCONNECT. */
  close(): Promise<void>
  /** Only of one that is alone. */
  freeze(): void
  thaw(): void
  /** Ends the process in the midst of what it does. Only of one that is alone. */
  kill(): void
}

export interface PublisherOptions {
  /** With a session that is kept, and messages that are sent again on a new connection. */
  readonly reconnect?: boolean
  /** With Topic Aliases where a topic comes again. */
  readonly aliases?: boolean
}

/** What not every client can do. */
export type Ability =
  | 'sessions across connections of a publisher'
  | 'Retain Handling'
  | 'incoming Topic Aliases'
  | 'leaving without Will'
  | 'telling that a message is too large'
  | 'several topics in one connection'

export interface Ports {
  readonly port: number
  readonly webSocketPort: number
}

/** Takes what ends a process. */
export type OnEnd = (end: () => Promise<void>) => void

export interface Peer {
  readonly name: string
  readonly version: ProtocolVersion
  readonly transport: 'tcp' | 'websockets'
  /** With the reason. */
  readonly cannot: Readonly<Partial<Record<Ability, string>>>
  /** Connects and subscribes; rejects when either is refused. */
  subscribe(at: Ports, filters: readonly string[], options: SubscriberOptions, onEnd: OnEnd): Promise<Subscriber>
  /** Connects, publishes, and says goodbye when all is acknowledged; rejects when it is not. */
  publish(at: Ports, messages: readonly Publication[], options: PublisherOptions, onEnd: OnEnd): Promise<void>
  /** Asks a question, and returns the payload of the answer. */
  request(at: Ports, question: Publication, responseTopic: string, onEnd: OnEnd): Promise<string>
}

const longest = 4096

export function digest(payload: Uint8Array | string): string {
  const bytes = Buffer.from(payload as string)
  return bytes.length <= longest
    ? bytes.toString()
    : `${bytes.length} bytes, ${createHash('sha256').update(bytes).digest('hex')}`
}

/** What has come and nobody has taken yet. */
export class Inbox<T> {
  readonly #items: T[] = []
  readonly #waiting: PromiseWithResolvers<T>[] = []
  #error: Error | undefined

  push(item: T): void {
    const first = this.#waiting.shift()
    if (first === undefined) this.#items.push(item)
    else first.resolve(item)
  }

  fail(error: Error): void {
    this.#error = error
    for (const each of this.#waiting.splice(0)) each.reject(error)
  }

  next(): Promise<T> {
    const first = this.#items.shift()
    if (first !== undefined) return Promise.resolve(first)
    if (this.#error !== undefined) return Promise.reject(this.#error)
    const deferred = withResolvers<T>()
    this.#waiting.push(deferred)
    return deferred.promise
  }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((...both) => {
    ;[resolve, reject] = both
  })
  return { promise, resolve, reject }
}
