/** Shared Subscriptions (section 4.8.2): each message goes to one session of a group. */

import type { QoS } from '@tidewire/codec'
import type { Client } from './hooks.js'
import type { Message } from './message.js'
import type { SharedStrategy } from './policy.js'
import type { Sharing, Subscriber, Subscription } from './subscription.js'

// Members that are compared for the least to do: enough to be nearly as good as all of them.
const sample = 16

export class Group implements Sharing {
  /** Its number in the router's tree. */
  number = -1
  /** `$share/{ShareName}/{filter}`: what its members have in common. */
  readonly topicFilter: string
  readonly #strategy: SharedStrategy
  readonly #members: Subscription[] = []
  #next = 0

  constructor(topicFilter: string, strategy: SharedStrategy) {
    this.topicFilter = topicFilter
    this.#strategy = strategy
  }

  get size(): number {
    return this.#members.length
  }

  add(subscription: Subscription): void {
    subscription.group = this
    subscription.number = this.#members.push(subscription) - 1
  }

  /** Puts a subscription in the place of another one. */
  replace(before: Subscription, subscription: Subscription): void {
    subscription.group = this
    this.#members[before.number] = subscription
  }

  remove({ number }: Subscription): void {
    const last = this.#members.pop()!
    if (number === this.#members.length) return
    if (this.#next === last.number) this.#next = number // whoever has them all keeps them
    last.number = number
    this.#members[number] = last
  }

  /**
   * The member that gets a message, other than `except`, with the right to receive it: one that can take it at once, or
   * for `ordered` the same one as before; else one that is connected; else, above QoS 0, one that is away but will be
   * back. Undefined when there is none. `known` holds the members who have the right, each in the place of its number,
   * and takes those that are asked about.
   */
  choose(
    message: Message,
    except: Subscriber | undefined,
    known: (Client | undefined)[] | undefined,
  ): Subscription | undefined {
    const members = this.#members
    const { length } = members
    if (length === 0) return undefined
    const first = this.#first(message)
    let fallback: Subscription | undefined
    let best: Subscription | undefined
    for (let i = 0, taking = 0; i < length && taking < sample; i++) {
      const member = members[(first + i) % length]!
      const { session } = member
      if (session === except) continue
      if (known?.[member.number] !== session.client) {
        if (!session.mayReceive(message)) continue
        if (known !== undefined) known[member.number] = session.client
      }
      const takes =
        this.#strategy === 'ordered' ? session.isConnected : session.canTake(leastOf(member.qos, message.qos))
      if (!takes) {
        fallback = better(fallback, member, message)
        continue
      }
      best = best === undefined || session.load < best.session.load ? member : best
      if (this.#strategy !== 'leastInFlight') break
      taking++
    }
    const chosen = best ?? fallback
    // The next in turn comes behind the one that is chosen; whoever has them all keeps them.
    if (chosen !== undefined) this.#next = this.#strategy === 'ordered' ? chosen.number : chosen.number + 1
    return chosen
  }

  /** Where to begin to look. */
  #first({ publisher }: Message): number {
    if (this.#strategy === 'sticky') return hash(publisher?.clientId ?? '') % this.#members.length
    return this.#next % this.#members.length
  }
}

/** Of those that cannot take a message at once, the one that has a connection. */
function better(one: Subscription | undefined, other: Subscription, { qos }: Message): Subscription | undefined {
  if (one?.session.isConnected === true) return one
  if (other.session.isConnected) return other
  return one ?? (leastOf(other.qos, qos) > 0 ? other : undefined)
}

function leastOf(one: QoS, other: QoS): QoS {
  return one < other ? one : other
}

function hash(text: string): number {
  let value = 0
  for (let i = 0; i < text.length; i++) value = (value * 31 + text.charCodeAt(i)) >>> 0
  return value
}
