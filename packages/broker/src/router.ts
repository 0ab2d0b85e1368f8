// hot: runs per packet
/** Who gets a message: the Topic Filters of all sessions, asked with a Topic Name. */

import type { QoS } from '@tidewire/codec'
import { FilterTree, parseShared } from '@tidewire/topics'
import type { Environment } from './environment.js'
import type { Message } from './message.js'
import { Group } from './shared.js'
import type { Match, Subscriber, Subscription } from './subscription.js'

export class Router {
  readonly #environment: Environment
  readonly #filters: FilterTree = new FilterTree()
  /** The tree holds numbers; this is what they stand for. */
  readonly #targets: (Subscription | Group | undefined)[] = []
  readonly #freeNumbers: number[] = []
  /** By `$share/{ShareName}/{filter}`. */
  readonly #groups: Map<string, Group> = new Map()
  readonly #matched: number[] = []
  #round = 0
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

  /** Adds a subscription; one of the same session and Topic Filter is replaced [MQTT-3.8.4-3]. Returns whether it was. */
  subscribe(subscription: Subscription): boolean {
    const { session, topicFilter } = subscription
    const before = session.subscriptions.get(topicFilter)
    session.subscriptions.set(topicFilter, subscription)
    const shared = parseShared(topicFilter)
    if (before !== undefined) {
      subscription.number = before.number
      if (before.group !== undefined) before.group.replace(before, subscription)
      else this.#targets[before.number] = subscription
      return true
    }
    this.#size++
    if (shared === undefined) {
      subscription.number = this.#add(topicFilter, subscription)
    } else {
      this.#sharedSize++
      this.#group(topicFilter, shared.shareName, shared.filter).add(subscription)
    }
    return false
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
    this.#size--
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

  /**
   * Gives a message to every session with a matching subscription: once each, with the highest QoS of those that match
   * [MQTT-3.3.4-2] and all their Subscription Identifiers [MQTT-3.3.4-4], or if the option says so once for each of them
   * [MQTT-3.3.4-5]; and to one member of each matching group. Returns how many copies they are.
   */
  route(message: Message): number {
    const matched = this.#matched
    matched.length = 0
    if (this.#filters.match(message.topic, matched) === 0) return 0
    this.#round++
    const matches: Match[] = []
    for (const number of matched) {
      const target = this.#targets[number]!
      if (target instanceof Group) this.#choose(target, message, matches)
      else this.#collect(target, message, matches)
    }
    for (const { subscription, qos, retain, identifiers } of matches) {
      subscription.session.deliver(message, subscription, qos, retain, identifiers)
    }
    return matches.length
  }

  #choose(group: Group, message: Message, matches: Match[]): void {
    const subscription = group.choose(message)
    if (subscription === undefined) this.#environment.metrics.dropped.noMember++
    else matches.push(this.#match(subscription, message))
  }

  #collect(subscription: Subscription, message: Message, matches: Match[]): void {
    const { session, qos } = subscription
    if (subscription.noLocal && session.clientId === message.publisher) return // [MQTT-3.8.3-3]
    const { match } = session
    if (match?.round !== this.#round || this.#environment.options.overlapping === 'each') {
      session.match = this.#match(subscription, message)
      matches.push(session.match)
      return
    }
    if (qos > match.qos) match.qos = qos
    match.retain ||= retainOf(subscription, message)
    if (subscription.identifier > 0) match.identifiers.push(subscription.identifier)
  }

  #match(subscription: Subscription, message: Message): Match {
    const qos: QoS = subscription.qos
    const identifiers = subscription.identifier > 0 ? [subscription.identifier] : []
    return { subscription, round: this.#round, qos, retain: retainOf(subscription, message), identifiers }
  }
}

function retainOf({ retainAsPublished }: Subscription, { retain }: Message): boolean {
  return retain && retainAsPublished // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
}
