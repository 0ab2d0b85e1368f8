/** Subscriptions (section 3.8): a Topic Filter that a session has asked for, and how its messages are to come. */

import type { QoS } from '@tidewire/codec'
import type { Client } from './hooks.js'
import type { Message } from './message.js'
import type { Overflow } from './policy.js'

/** What a subscription knows of its session. */
export interface Subscriber {
  readonly clientId: string
  /** Who it belongs to: another object for each connection. */
  readonly client: Client
  /** By Topic Filter, as the client gave it. */
  readonly subscriptions: Map<string, Subscription>
  /** Its number in the store, 0 when it is not there. */
  readonly record: number
  /** Whether what it has and gets is to be there after a restart. */
  readonly isDurable: boolean
  /** What their Topic Filters count for the limit `maxWildcardLevels`. */
  wildcardLevels: number
  /** Whether there is a connection. */
  readonly isConnected: boolean
  /** Messages that are under way to the client or wait for it. */
  readonly load: number
  /** Whether the client has the right to receive a message. */
  mayReceive(message: Message): boolean
  /** Whether a message would be sent at once. */
  canTake(qos: QoS): boolean
  /** Takes a message that it has the right to; `granted` is the QoS of the subscriptions that match. */
  deliver(
    message: Message,
    subscription: Subscription,
    granted: QoS,
    retain: boolean,
    subscriptionIdentifiers: readonly number[],
  ): void
}

/** What a subscription knows of the others that share it. */
export interface Sharing {
  choose(
    message: Message,
    except: Subscriber | undefined,
    known: (Client | undefined)[] | undefined,
  ): Subscription | undefined
  replace(before: Subscription, subscription: Subscription): void
  remove(subscription: Subscription): void
}

/** What the matching subscriptions of one session come to. */
export interface Receiver {
  readonly subscriber: Subscriber
  /** The first of the subscriptions. */
  readonly subscription: Subscription
  readonly qos: QoS
  readonly retainAsPublished: boolean
  readonly identifiers: readonly number[]
  /** Set when a subscription has No Local: what the others come to, for messages that the session publishes itself. */
  readonly forOwn: { readonly receiver: Receiver | undefined } | undefined
}

export interface SubscriptionOptions {
  readonly qos: QoS
  readonly noLocal?: boolean
  readonly retainAsPublished?: boolean
  /** Default 0: none. */
  readonly identifier?: number
  readonly overflow: Overflow
}

/** How many levels a Topic Filter has behind its first +, up to its last wildcard. */
export function wildcardLevels(topicFilter: string): number {
  const first = topicFilter.indexOf('+')
  if (first < 0) return 0
  return (
    topicFilter.slice(first, Math.max(topicFilter.lastIndexOf('+'), topicFilter.indexOf('#'))).split('/').length - 1
  )
}

export class Subscription {
  readonly session: Subscriber
  /** As the client gave it, with `$share/{ShareName}/`. */
  readonly topicFilter: string
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  /** 0 when the client gave none. */
  readonly identifier: number
  readonly overflow: Overflow
  /** Its number in the router's tree, or its place in the group. */
  number = -1
  /** Its number in the store, 0 when it is not there. */
  record = 0
  /** The others that share it. */
  group: Sharing | undefined = undefined
  /** What it comes to alone, once that was asked. */
  receiver: Receiver | undefined = undefined

  constructor(session: Subscriber, topicFilter: string, options: SubscriptionOptions) {
    this.session = session
    this.topicFilter = topicFilter
    this.qos = options.qos
    this.noLocal = options.noLocal ?? false
    this.retainAsPublished = options.retainAsPublished ?? false
    this.identifier = options.identifier ?? 0
    this.overflow = options.overflow
  }
}
