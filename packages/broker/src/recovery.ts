/** The restart: what a store holds becomes sessions, subscriptions, messages that wait, and Wills again. */

import type { QoS } from '@tidewire/codec'
import type { InFlight } from '@tidewire/session'
import type { Core } from './core.js'
import type { Client } from './hooks.js'
import type { Journal } from './journal.js'
import { Message, publishAt } from './message.js'
import { type Delivery, Session } from './session.js'
import {
  type DeliveryRecord,
  decodeDelivery,
  decodeMessageHead,
  decodeReceived,
  decodeSession,
  decodeSubscription,
  decodeWill,
  type WillRecord,
} from './store/records.js'
import { type RecordKind, recordKinds, StoreError, type StoreVisitor } from './store/store.js'
import { Subscription } from './subscription.js'

interface Sent extends InFlight<Delivery> {
  readonly order: number
}

/** What is found of a session. */
interface Found {
  readonly session: Session
  /** The date when its connection ended; 0 for one that had it to the end. */
  readonly endedAt: number
  readonly inFlight: Sent[]
  readonly received: Map<number, number>
  will: WillRecord | undefined
}

/**
 * Takes what the store of a new broker holds. Rejects with a StoreError when it cannot be read, or is not what a broker has
 * written.
 */
export async function recover(core: Core, journal: Journal): Promise<void> {
  const recovery = new Recovery(core, journal)
  await journal.store.load(recovery)
  recovery.finish()
}

class Recovery implements StoreVisitor {
  readonly #core: Core
  readonly #journal: Journal
  readonly #messages: Map<number, Message> = new Map()
  readonly #publishers: Map<string, Client> = new Map()
  readonly #sessions: Map<number, Found> = new Map()
  readonly #subscriptions: Map<number, Subscription> = new Map()
  readonly #retained: { readonly record: number; readonly message: Message }[] = []
  /** Records of sessions that are not there. */
  readonly #orphans: number[] = []
  /** In the place of a message that the client has: of that no more than the identifier is kept. */
  readonly #released: Message = Message.of(
    { topic: 'released', payload: new Uint8Array(0), qos: 2, retain: false, properties: {} },
    0,
    undefined,
  )

  constructor(core: Core, journal: Journal) {
    this.#core = core
    this.#journal = journal
  }

  message(number: number, bytes: Uint8Array, start: number, end: number): void {
    const { publisher, expiresAt, version, packetAt } = decodeMessageHead(bytes, start, end)
    const packet = publishAt(bytes, packetAt, end, version)
    const time = expiresAt === Number.POSITIVE_INFINITY ? expiresAt : this.#journal.timeOf(expiresAt)
    const message = new Message(packet, packet.topic, packet.qos, time, this.#same(publisher), false).settle()
    message.stored = number
    this.#messages.set(number, message)
  }

  /** One object for all messages of a publisher. */
  #same(client: Client | undefined): Client | undefined {
    if (client === undefined) return undefined
    const { clientId, userName, protocolVersion, remoteAddress, remotePort, listener } = client
    // With the lengths, so that no two clients have the same, whatever is in their names.
    const lengths = `${clientId.length} ${userName?.length} ${remoteAddress?.length}`
    const key = `${lengths} ${protocolVersion} ${remotePort} ${clientId}${userName}${remoteAddress}${listener}`
    const known = this.#publishers.get(key)
    if (known === undefined) this.#publishers.set(key, client)
    return known ?? client
  }

  record(kind: RecordKind, number: number, message: number, bytes: Uint8Array, start: number, end: number): void {
    switch (kind) {
      case recordKinds.session: {
        const { client, expiryInterval, endedAt } = decodeSession(bytes, start, end)
        const session = new Session(client, this.#core.environment)
        session.record = number
        session.expiryInterval = expiryInterval
        const found = { session, endedAt, inFlight: [], received: new Map(), will: undefined }
        this.#sessions.set(number, found)
        return
      }
      case recordKinds.subscription: {
        const record = decodeSubscription(bytes, start, end)
        const found = this.#found(record.session, number)
        if (found === undefined) return
        const subscription = new Subscription(found.session, record.topicFilter, record)
        subscription.record = number
        this.#subscriptions.set(number, subscription)
        return
      }
      case recordKinds.delivery: {
        const record = decodeDelivery(bytes, start, end)
        const found = this.#found(record.session, number)
        if (found !== undefined) this.#delivery(found, record, number, message)
        return
      }
      case recordKinds.received: {
        const { session, packetId } = decodeReceived(bytes, start, end)
        this.#found(session, number)?.received.set(packetId, number)
        return
      }
      case recordKinds.retained:
        this.#retained.push({ record: number, message: this.#message(message) })
        return
      case recordKinds.will: {
        const will = decodeWill(bytes, start, end)
        const found = this.#found(will.session, number)
        if (found === undefined) return
        const { topic, payload, qos, retain, properties } = this.#message(message)
        const { delayInterval } = will
        found.will = will
        found.session.will = { topic, payload: payload.slice(), qos, retain, properties, delayInterval }
        found.session.storedWill = { record: number, message }
        return
      }
      case recordKinds.delayed:
        return // of a later version
      default:
        throw new StoreError('format', `there is no record of the kind ${String(kind)} in this version`)
    }
  }

  #found(session: number, record: number): Found | undefined {
    const found = this.#sessions.get(session)
    if (found === undefined) this.#orphans.push(record)
    return found
  }

  #message(number: number): Message {
    const message = this.#messages.get(number)
    if (message === undefined) throw new StoreError('damaged', `a record has the message ${number}, which is not there`)
    return message
  }

  #delivery({ session, inFlight }: Found, record: DeliveryRecord, number: number, of: number): void {
    const { qos, retain, subscriptionIdentifiers, packetId, awaits, order } = record
    const isReleased = packetId !== 0 && awaits === 'pubcomp'
    const message = isReleased ? this.#released : this.#message(of)
    const subscription = this.#subscriptions.get(record.subscription) ?? this.#gone(session, qos)
    const delivery: Delivery = {
      message,
      qos,
      retain,
      subscriptionIdentifiers,
      subscription,
      original: message,
      record: number,
      isReleased,
    }
    if (packetId === 0) session.wait(delivery)
    else inFlight.push({ packetId, message: delivery, awaits, order })
    this.#journal.sawOrder(order)
  }

  /** In the place of a subscription that is not there any more. */
  #gone(session: Session, qos: QoS): Subscription {
    return new Subscription(session, '', { qos, overflow: this.#core.environment.options.overflow ?? 'dropNewest' })
  }

  /** Puts all in its place. What was to happen while the broker was away happens now. */
  finish(): void {
    const { sessions, router, retained } = this.#core
    for (const number of this.#orphans) this.#journal.remove(number)
    for (const { message, record } of this.#retained) retained.restore(message, record)
    for (const { session, inFlight, received } of this.#sessions.values()) {
      sessions.restore(session)
      if (inFlight.length + received.size === 0) continue
      inFlight.sort((a, b) => a.order - b.order)
      session.restore(inFlight, received)
    }
    for (const subscription of this.#subscriptions.values()) router.subscribe(subscription)
    for (const found of this.#sessions.values()) this.#goOn(found)
  }

  /** Lets a session's time go on: from when its connection ended, or else from now, when it is known to have ended. */
  #goOn({ session, endedAt, will }: Found): void {
    const { sessions, wills, environment } = this.#core
    if (endedAt === 0) {
      wills.arm(session)
      sessions.release(session)
      return
    }
    const { date } = this.#journal
    const left = endedAt + session.expiryInterval * 1000 - date
    if (left > 0) {
      if (will !== undefined) wills.fireIn(session, Math.max(0, will.dueAt - date))
      sessions.expireIn(session, left)
      return
    }
    environment.metrics.sessionsExpired++
    sessions.end(session)
  }
}
