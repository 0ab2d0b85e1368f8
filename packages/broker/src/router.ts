// hot: runs per packet
/** Who gets a message: the Topic Filters of all sessions, asked with a Topic Name. */

import { FilterTree } from '@tidewire/topics'
import type { Message } from './message.js'
import type { Match, Session, Subscription } from './session.js'

export class Router {
  readonly #filters: FilterTree = new FilterTree()
  /** The tree holds numbers; these are the subscriptions they stand for. */
  readonly #subscriptions: (Subscription | undefined)[] = []
  readonly #numbers: Map<Subscription, number> = new Map()
  readonly #freeNumbers: number[] = []
  readonly #matched: number[] = []
  #round = 0

  /** Adds a subscription; one of the same session and Topic Filter is replaced [MQTT-3.8.4-3]. Returns whether it was. */
  subscribe(subscription: Subscription): boolean {
    const { session, topicFilter } = subscription
    const before = session.subscriptions.get(topicFilter)
    session.subscriptions.set(topicFilter, subscription)
    if (before !== undefined) {
      const number = this.#numbers.get(before)!
      this.#numbers.delete(before)
      this.#numbers.set(subscription, number)
      this.#subscriptions[number] = subscription
      return true
    }
    const number = this.#freeNumbers.pop() ?? this.#subscriptions.length
    this.#subscriptions[number] = subscription
    this.#numbers.set(subscription, number)
    this.#filters.add(topicFilter, number)
    return false
  }

  /** Takes a subscription away; returns false when the session had none of this Topic Filter. */
  unsubscribe(session: Session, topicFilter: string): boolean {
    const subscription = session.subscriptions.get(topicFilter)
    if (subscription === undefined) return false
    session.subscriptions.delete(topicFilter)
    const number = this.#numbers.get(subscription)!
    this.#numbers.delete(subscription)
    this.#subscriptions[number] = undefined
    this.#freeNumbers.push(number)
    this.#filters.remove(topicFilter, number)
    return true
  }

  unsubscribeAll(session: Session): void {
    for (const topicFilter of session.subscriptions.keys()) this.unsubscribe(session, topicFilter)
  }

  /**
   * Gives a message to every session with a matching subscription, once each: with the highest QoS of those that match
   * [MQTT-3.3.4-2] and all their Subscription Identifiers [MQTT-3.3.4-4]. Returns how many sessions they are.
   */
  route(message: Message): number {
    const matched = this.#matched
    matched.length = 0
    if (this.#filters.match(message.topic, matched) === 0) return 0
    this.#round++
    const matches: Match[] = []
    for (const number of matched) this.#collect(this.#subscriptions[number]!, message, matches)
    for (const { session, qos, retain, identifiers } of matches) {
      session.deliver(message, qos, retain, identifiers)
    }
    return matches.length
  }

  #collect(subscription: Subscription, message: Message, matches: Match[]): void {
    const { session, qos, identifier } = subscription
    if (subscription.noLocal && session.clientId === message.publisher) return // [MQTT-3.8.3-3]
    const retain = message.retain && subscription.retainAsPublished // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
    let { match } = session
    if (match?.round !== this.#round) {
      match = { session, round: this.#round, qos, retain, identifiers: [] }
      session.match = match
      matches.push(match)
    } else {
      if (qos > match.qos) match.qos = qos
      match.retain ||= retain
    }
    if (identifier > 0) match.identifiers.push(identifier)
  }
}
