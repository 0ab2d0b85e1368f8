// hot: runs per packet
/** Who gets a message: the Topic Filters of all sessions, asked with a Topic Name. */

import type { QoS } from '@tidewire/codec'
import { FilterTree, parseShared } from '@tidewire/topics'
import { Timer } from './clock.js'
import type { Environment } from './environment.js'
import type { Client } from './hooks.js'
import { largeMessage, type Message } from './message.js'
import { newRoute, type Route, Routes, remembers } from './route.js'
import { Group } from './shared.js'
import { encodeSubscription } from './store/records.js'
import { recordKinds } from './store/store.js'
import { type Receiver, type Subscriber, type Subscription, wildcardLevels } from './subscription.js'

// Milliseconds for which routes may hold those who have left, with all that waited for them.
const longestStale = 1_000
// Receivers in all routes together: each topic has a list of its own.
const mostReceivers = 500_000

export class Router {
  readonly #environment: Environment
  readonly #filters: FilterTree = new FilterTree()
  /** The tree holds numbers; this is what they stand for. */
  readonly #targets: (Subscription | Group | undefined)[] = []
  readonly #freeNumbers: number[] = []
  /** By `$share/{ShareName}/{filter}`. */
  readonly #groups: Map<string, Group> = new Map()
  readonly #matched: number[] = []
  /** Topics that came before, for the packets of clients. */
  readonly routes: Routes<Group> = new Routes()
  /** Grows with every change of the subscriptions. */
  #generation = 0
  /** Lets go of routes, set when the subscriptions have changed. */
  readonly #clearing: Timer = new Timer(() => this.#clear())
  /** Receivers that routes were filled with since they were let go of. */
  #receivers = 0
  #size = 0
  #sharedSize = 0

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** Subscriptions, shared ones included. */
  get size(): number {
    return this.#size
  }

  get sharedSize(): number {
    return this.#sharedSize
  }

  /** Groups of Shared Subscriptions. */
  get groups(): ReadonlyMap<string, unknown> {
    return this.#groups
  }

  #changed(): void {
    this.#generation++
    if (!this.#clearing.pending) this.#environment.timers.set(this.#clearing, longestStale)
  }

  #clear(): void {
    this.routes.clear()
    this.#receivers = 0
  }

  /** Adds a subscription; one of the same session and Topic Filter is replaced [MQTT-3.8.4-3]. Returns whether it was. */
  subscribe(subscription: Subscription): boolean {
    const { session, topicFilter } = subscription
    const before = session.subscriptions.get(topicFilter)
    session.subscriptions.set(topicFilter, subscription)
    if (session.isDurable) this.#write(subscription, before?.record ?? 0)
    this.#changed()
    const shared = parseShared(topicFilter)
    if (before !== undefined) {
      subscription.number = before.number
      if (before.group !== undefined) before.group.replace(before, subscription)
      else this.#targets[before.number] = subscription
      return true
    }
    this.#size++
    session.wildcardLevels += wildcardLevels(topicFilter)
    if (shared === undefined) {
      subscription.number = this.#add(topicFilter, subscription)
    } else {
      this.#sharedSize++
      this.#group(topicFilter, shared.shareName, shared.filter).add(subscription)
    }
    return false
  }

  /** Writes a subscription down, in the place of another one if it has a number. */
  #write(subscription: Subscription, before: number): void {
    if (subscription.record !== 0) return // it comes from there
    const { journal } = this.#environment
    const written = encodeSubscription({ ...subscription, session: subscription.session.record })
    subscription.record = before
    if (before === 0) subscription.record = journal!.add(recordKinds.subscription, 0, written)
    else journal!.replace(before, 0, written)
  }

  #group(topicFilter: string, shareName: string, filter: string): Group {
    let group = this.#groups.get(topicFilter)
    if (group === undefined) {
      group = new Group(topicFilter, this.#environment.sharedStrategy(shareName, filter))
      group.number = this.#add(filter, group)
      this.#groups.set(topicFilter, group)
    }
    return group
  }

  #add(filter: string, target: Subscription | Group): number {
    const number = this.#freeNumbers.pop() ?? this.#targets.length
    this.#targets[number] = target
    this.#filters.add(filter, number)
    return number
  }

  #remove(filter: string, number: number): void {
    this.#targets[number] = undefined
    this.#freeNumbers.push(number)
    this.#filters.remove(filter, number)
  }

  /** Takes a subscription away; returns false when the session had none of this Topic Filter. */
  unsubscribe(session: Subscriber, topicFilter: string): boolean {
    const subscription = session.subscriptions.get(topicFilter)
    if (subscription === undefined) return false
    session.subscriptions.delete(topicFilter)
    if (subscription.record !== 0) this.#environment.journal!.remove(subscription.record)
    this.#changed()
    this.#size--
    session.wildcardLevels -= wildcardLevels(topicFilter)
    const group = this.#groups.get(topicFilter)
    if (group === undefined) {
      this.#remove(topicFilter, subscription.number)
      return true
    }
    this.#sharedSize--
    group.remove(subscription)
    if (group.size > 0) return true
    this.#groups.delete(topicFilter)
    this.#remove(parseShared(topicFilter)!.filter, group.number)
    return true
  }

  unsubscribeAll(session: Subscriber): void {
    for (const topicFilter of session.subscriptions.keys()) this.unsubscribe(session, topicFilter)
  }

  /** The route of a Topic Name that is valid. */
  routeOf(topic: string): Route<Group> {
    return newRoute(topic)
  }

  /**
   * Gives a message to every session with a matching subscription: once each, with the highest QoS of those that match
   * [MQTT-3.3.4-2] and all their Subscription Identifiers [MQTT-3.3.4-4], or if the option says so once for each of them
   * [MQTT-3.3.4-5]; and to one member of each matching group. Returns how many copies they are.
   */
  route(message: Message, route: Route<Group>): number {
    if (route.generation !== this.#generation) this.#fill(route)
    const { receivers, groups } = route
    if (receivers.length + groups.length === 0) return 0
    if (message.length > largeMessage) message.keep() // its payload is not copied any more
    const { readers, members } = remembers(route, this.#environment.epoch) ? route : unknown
    let copies = groups.length
    for (let i = 0; i < receivers.length; i++) {
      let receiver = receivers[i]!
      if (receiver.forOwn !== undefined && receiver.subscriber.clientId === message.publisher?.clientId) {
        const own = receiver.forOwn.receiver // [MQTT-3.8.3-3]
        if (own === undefined) continue
        receiver = own
      }
      copies++
      const { subscriber } = receiver
      if (readers?.[i] !== subscriber.client && !this.#admit(receiver, message, readers, i)) continue
      // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
      const retain = message.retain && receiver.retainAsPublished
      subscriber.deliver(message, receiver.subscription, receiver.qos, retain, receiver.identifiers)
    }
    for (let i = 0; i < groups.length; i++) this.#toMember(groups[i]!, message, members?.[i])
    return copies
  }

  /** Asks whether a receiver has the right to a message, and remembers that it has. */
  #admit(
    { subscriber, qos }: Receiver,
    message: Message,
    readers: (Client | undefined)[] | undefined,
    at: number,
  ): boolean {
    if (qos === 0 && !subscriber.isConnected) return false // it would not get it
    if (!subscriber.mayReceive(message)) {
      this.#environment.metrics.dropped.notAuthorized++
      return false
    }
    if (readers !== undefined) readers[at] = subscriber.client
    return true
  }

  #toMember(group: Group, message: Message, known: (Client | undefined)[] | undefined): void {
    const subscription = group.choose(message, undefined, known)
    if (subscription === undefined) {
      this.#environment.metrics.dropped.noMember++
      return
    }
    const { qos, retainAsPublished, identifier } = subscription
    const identifiers = identifier > 0 ? [identifier] : none
    subscription.session.deliver(message, subscription, qos, message.retain && retainAsPublished, identifiers)
  }

  #fill(route: Route<Group>): void {
    const matched = this.#matched
    matched.length = 0
    if (this.#filters.match(route.topic, matched) === 0) {
      route.receivers = nobody
      route.groups = nobody
      route.generation = this.#generation
      return
    }
    const groups: Group[] = []
    const bySession = new Map<Subscriber, Subscription[]>()
    const receivers: Receiver[] = []
    for (const number of matched) {
      const target = this.#targets[number]!
      if (target instanceof Group) groups.push(target)
      else if (this.#environment.options.overlapping === 'each') receivers.push(alone(target))
      else {
        const others = bySession.get(target.session)
        if (others === undefined) bySession.set(target.session, [target])
        else others.push(target)
      }
    }
    for (const subscriptions of bySession.values()) {
      receivers.push(subscriptions.length === 1 ? alone(subscriptions[0]!) : receiverOf(subscriptions))
    }
    this.#receivers += receivers.length + groups.length
    if (this.#receivers > mostReceivers) this.#clear()
    route.receivers = receivers
    route.groups = groups
    route.readers = []
    route.members = groups.map(() => [])
    route.generation = this.#generation
  }
}

/** Where rights are asked about each time. */
const unknown = { readers: undefined, members: undefined }
const none: readonly number[] = []
const nobody: readonly never[] = []

/** What one subscription comes to: made once, for all routes. */
function alone(subscription: Subscription): Receiver {
  subscription.receiver ??= receiverOf([subscription])
  return subscription.receiver
}

/** What the subscriptions of one session come to. */
function receiverOf(subscriptions: readonly Subscription[]): Receiver {
  const subscription = subscriptions[0]!
  const others = subscriptions.filter(({ noLocal }) => !noLocal)
  const isSame = others.length === subscriptions.length
  return {
    subscriber: subscription.session,
    subscription,
    qos: subscriptions.reduce<number>((most, { qos }) => Math.max(most, qos), 0) as QoS,
    retainAsPublished: subscriptions.some(({ retainAsPublished }) => retainAsPublished),
    identifiers: subscriptions.map(({ identifier }) => identifier).filter((identifier) => identifier > 0),
    forOwn: isSame ? undefined : { receiver: others.length === 0 ? undefined : receiverOf(others) },
  }
}
