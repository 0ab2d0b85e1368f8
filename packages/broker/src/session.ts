// hot: runs per packet
/** Sessions (section 4.1): what the broker remembers of a client, connected or not, and the one door to it. */

import { type QoS, ReasonCode } from '@tidewire/codec'
import { type Awaited, type InFlight, Receiver, Sender, type Step } from '@tidewire/session'
import type { Timer } from './clock.js'
import type { Environment } from './environment.js'
import type { Client, Publication } from './hooks.js'
import type { Message } from './message.js'
import type { DropReason } from './metrics.js'
import { Queue } from './queue.js'
import { encodeDelivery, encodeReceived } from './store/records.js'
import { recordKinds } from './store/store.js'
import type { Subscriber, Subscription } from './subscription.js'

/** A message as it goes to one session. */
export interface Delivery {
  readonly message: Message
  readonly qos: QoS
  readonly retain: boolean
  readonly subscriptionIdentifiers: readonly number[]
  /** The subscription that it came by, the first of several. */
  readonly subscription: Subscription
  /** The message as it came, where a hook has changed it for this session. */
  readonly original: Message
  /** Its number in the store, 0 when it is not there. */
  record: number
  /** Whether it is known there that the client has it and will not be sent it again. */
  isReleased?: boolean
}

/** A Will Message. Its Message Expiry Interval counts from when it is published (section 3.1.3.2.4). */
export interface StoredWill extends Publication {
  /** Seconds that it waits after the connection is lost. */
  readonly delayInterval: number
}

/** What a session asks of the connection that it has. */
export interface Link {
  /** A number that grows from connection to connection. */
  readonly sequence: number
  /** Whether so much waits for the network that nothing more should be added. */
  readonly congested: boolean
  /** Whether the client takes a packet of its size. */
  takes(message: Message, qos: QoS, subscriptionIdentifiers: readonly number[]): boolean
  /** Sends a PUBLISH; `packetId` is 0 for QoS 0. */
  publish(
    message: Message,
    qos: QoS,
    retain: boolean,
    subscriptionIdentifiers: readonly number[],
    dup: boolean,
    packetId: number,
  ): void
  pubrel(packetId: number): void
  /** Ends the connection for a reason. */
  disconnect(reasonCode: number): void
}

// Retained messages sent before others have their turn.
const sliceLength = 500
// Topics of waiting messages whose right is remembered.
const mostTopics = 64
// What it counts to have looked for them in vain for a while.
const searchCost = 25

/** Retained messages for a new subscription, found as they are asked for; undefined when some were looked at in vain. */
export interface Replay {
  readonly topicFilter: string
  readonly messages: Iterator<Delivery | undefined, undefined>
}

export class Session implements Subscriber {
  readonly clientId: string
  readonly subscriptions: Map<string, Subscription> = new Map()
  wildcardLevels = 0
  readonly receiver: Receiver = new Receiver()
  readonly sender: Sender<Delivery> = new Sender()
  link: Link | undefined = undefined
  /** Who it belongs to. */
  client: Client
  /** Seconds that it outlives its connection; Infinity for ever. */
  expiryInterval = 0
  will: StoredWill | undefined = undefined
  /** Its number in the store, 0 when it is not there. */
  record = 0
  /** The numbers of its Will there. */
  storedWill: { readonly record: number; readonly message: number } | undefined = undefined
  /** Ends the session, set while no connection is there. */
  expiryTimer: Timer | undefined = undefined
  /** Publishes the Will, set while no connection is there. */
  willTimer: Timer | undefined = undefined
  readonly #environment: Environment
  /** Messages of QoS 1 and 2 that wait for a connection, or for quota on it. */
  readonly #queue: Queue<Delivery> = new Queue()
  /** Topics of them that may be received, as far as was asked. */
  #allowed: { readonly epoch: number; readonly client: Client; readonly topics: Set<string> } | undefined = undefined
  /** When the first of them expires. */
  #firstExpiry = Number.POSITIVE_INFINITY
  /** Retained messages that new subscriptions still have to get. */
  readonly #replays: Replay[] = []
  #sliceIsDue = false
  /** Memory of the messages above QoS 0 that are under way. */
  #inFlightBytes = 0
  /** The connection that is to end for its slowness. */
  #condemned: Link | undefined = undefined
  /** Messages of QoS 0 in the queue: only those of a connection that is slow. */
  #waitingQoS0 = 0
  /** The numbers in the store of QoS 2 messages that the client has not released, by Packet Identifier. */
  #received: Map<number, number> | undefined = undefined
  readonly #isTrusted: boolean

  /** `isTrusted` for the application itself, which may receive everything. */
  constructor(client: Client, environment: Environment, isTrusted = false) {
    this.clientId = client.clientId
    this.client = client
    this.#environment = environment
    this.#isTrusted = isTrusted
  }

  get isConnected(): boolean {
    return this.link !== undefined
  }

  get isDurable(): boolean {
    return this.record !== 0 && this.expiryInterval > 0
  }

  canTake(qos: QoS): boolean {
    const { link } = this
    return link !== undefined && !link.congested && (qos === 0 || (this.#queue.length === 0 && this.#maySend))
  }

  /** Whether another message above QoS 0 may be under way. */
  get #maySend(): boolean {
    return this.sender.ready && this.#inFlightBytes < this.#environment.limits.maxInFlightBytes
  }

  /** PUBACK has come. */
  puback(packetId: number): Step {
    const delivery = this.sender.get(packetId)
    return this.#settled(this.sender.puback(packetId), delivery)
  }

  /** PUBREC has come. */
  pubrec(packetId: number, reasonCode: number): Step {
    const delivery = this.sender.get(packetId)
    const step = this.#settled(this.sender.pubrec(packetId, reasonCode), delivery)
    if (step === 'release' && delivery!.record !== 0 && delivery!.isReleased !== true) {
      delivery!.isReleased = true
      this.#write(delivery!, packetId, 'pubcomp')
    }
    return step
  }

  /** PUBCOMP has come. */
  pubcomp(packetId: number): Step {
    const delivery = this.sender.get(packetId)
    return this.#settled(this.sender.pubcomp(packetId), delivery)
  }

  #settled(step: Step, delivery: Delivery | undefined): Step {
    if (step !== 'settled') return step
    this.#inFlightBytes -= delivery!.message.size
    if (delivery!.record !== 0) this.#erase(delivery!)
    return step
  }

  /** A QoS 2 message of the client is accepted: it is to be known until it is released. */
  accepted(packetId: number): void {
    if (!this.isDurable) return
    const record = this.#environment.journal!.add(
      recordKinds.received,
      0,
      encodeReceived({ session: this.record, packetId }),
    )
    this.#received ??= new Map()
    this.#received.set(packetId, record)
  }

  /** The client has released it. */
  released(packetId: number): void {
    const record = this.#received?.get(packetId)
    if (record === undefined) return
    this.#received!.delete(packetId)
    this.#environment.journal!.remove(record)
  }

  /** Writes a message down: it waits, or is under way by a Packet Identifier. */
  #write(delivery: Delivery, packetId: number, awaits: Awaited): void {
    const { message, qos, retain, subscriptionIdentifiers, record } = delivery
    const journal = this.#environment.journal!
    const number = awaits === 'pubcomp' ? 0 : journal.numberOf(message)
    // measured: with a spread in it this took more than all the rest of a message, 8 of 20 us
    const written = encodeDelivery({
      session: this.record,
      subscription: delivery.subscription.record,
      qos,
      retain,
      subscriptionIdentifiers,
      packetId,
      awaits,
      order: packetId === 0 ? 0 : journal.nextOrder,
    })
    if (record === 0) delivery.record = journal.add(recordKinds.delivery, number, written)
    else journal.replace(record, number, written)
  }

  #erase(delivery: Delivery): void {
    if (delivery.record === 0) return
    this.#environment.journal!.remove(delivery.record)
    delivery.record = 0
  }

  /** Takes what the store has kept of it: what is under way, and what was received and not released. */
  restore(inFlight: readonly InFlight<Delivery>[], received: ReadonlyMap<number, number>): void {
    this.sender.restore(inFlight)
    for (const { message } of inFlight) this.#inFlightBytes += message.message.size
    if (received.size === 0) return
    this.receiver.restore(received.keys())
    this.#received = new Map(received)
  }

  get load(): number {
    return this.sender.size + this.#queue.length
  }

  /** All messages come through here, live and retained ones, Wills and those of the broker. */
  deliver(
    message: Message,
    subscription: Subscription,
    granted: QoS,
    retain: boolean,
    subscriptionIdentifiers: readonly number[],
  ): void {
    const { link } = this
    const qos = granted < message.qos ? granted : message.qos // [MQTT-3.8.4-8]
    if (qos === 0 && link === undefined) return
    if (qos === 0 && this.#environment.overload.load === 'shedding') return this.#drop('overload')
    if (link !== undefined && (qos === 0 ? !link.congested && this.#waitingQoS0 === 0 : this.canTake(qos))) {
      this.#transmit(link, message, subscription, qos, retain, subscriptionIdentifiers, 0)
      return
    }
    if (qos === 0 && subscription.overflow === 'dropNewest') return this.#drop('slowConnection')
    const kept = message.settle()
    this.#enqueue({ message: kept, qos, retain, subscriptionIdentifiers, subscription, original: kept, record: 0 })
  }

  #enqueue(delivery: Delivery): void {
    const { message, qos } = delivery
    const { overflow } = delivery.subscription
    const key = overflow === 'keepLatest' ? message.topic : undefined
    if (key !== undefined && this.#replace(delivery, key)) return this.#drop('replaced')
    if (this.#isFull(message) && this.#environment.clock.now() >= this.#firstExpiry) this.#purge()
    if (overflow === 'dropOldest') this.#makeRoom(message)
    if (this.#isFull(message)) {
      this.#drop('queueFull')
      if (overflow === 'disconnect') this.#disconnectLater()
      return
    }
    if (qos === 0) this.#waitingQoS0++
    else if (this.isDurable) this.#write(delivery, 0, 'puback')
    this.wait(delivery)
  }

  /** Lets a message wait, whatever the limits say: one that the store has kept has been accepted before. */
  wait(delivery: Delivery): void {
    const { message, subscription } = delivery
    this.#queue.push(delivery, message.size, subscription.overflow === 'keepLatest' ? message.topic : undefined)
    this.#firstExpiry = Math.min(this.#firstExpiry, message.expiresAt)
  }

  /** Drops the oldest until a message fits; none for one that never does. */
  #makeRoom(message: Message): void {
    if (message.size > this.#environment.limits.maxQueuedBytes) return
    while (this.#isFull(message)) {
      this.#erase(this.#shift())
      this.#drop('queueFull')
    }
  }

  /** Not at once: while a message is given to many, none of them may go away, and its own messages to the others. */
  #disconnectLater(): void {
    const { link } = this
    if (link === undefined || link === this.#condemned) return
    this.#condemned = link
    this.#environment.clock.defer(() => link.disconnect(ReasonCode.QuotaExceeded))
  }

  /** Lets a message wait in the place of the last one of its topic, of the same kind of QoS. */
  #replace(delivery: Delivery, key: string): boolean {
    const { size } = delivery.message
    const before = this.#queue.find(key)
    if (before === undefined || (before.qos === 0) !== (delivery.qos === 0)) return false
    if (this.#queue.bytes - before.message.size + size > this.#environment.limits.maxQueuedBytes) return false
    this.#firstExpiry = Math.min(this.#firstExpiry, delivery.message.expiresAt)
    delivery.record = before.record
    if (delivery.record !== 0) this.#write(delivery, 0, 'puback')
    return this.#queue.replace(delivery, size, key)
  }

  #shift(): Delivery {
    const delivery = this.#queue.shift()!
    if (delivery.qos === 0) this.#waitingQoS0--
    return delivery
  }

  #isFull({ size }: Message): boolean {
    const { maxQueuedMessages, maxQueuedBytes } = this.#environment.limits
    // A connected client is only slow: its messages are limited by their bytes.
    const isAway = this.link === undefined
    return (isAway && this.#queue.length >= maxQueuedMessages) || this.#queue.bytes + size > maxQueuedBytes
  }

  /** The connection is gone: what came by a Shared Subscription and was not sent goes to other members if it can. */
  detached(): void {
    for (const { message: delivery } of this.sender.snapshot()) settle(delivery)
    if (this.#queue.length === 0) return
    this.#queue.purge((delivery) => {
      settle(delivery)
      if (delivery.qos === 0) this.#drop('slowConnection')
      if (delivery.qos > 0 && !this.#passOn(delivery, true)) return false
      this.#erase(delivery)
      return true
    })
    this.#waitingQoS0 = 0
  }

  /**
   * The session ends: messages of Shared Subscriptions that nobody has acknowledged go to other members, but not those of
   * QoS 2 that were sent [MQTT-4.8.2-5].
   */
  ended(): void {
    for (const { message: delivery, awaits } of this.sender.snapshot()) {
      if (awaits === 'puback') this.#passOn(delivery, false)
      this.#erase(delivery)
    }
    this.#queue.purge((delivery) => {
      this.#passOn(delivery, false)
      this.#erase(delivery)
      return true
    })
    for (const packetId of this.#received?.keys() ?? []) this.released(packetId)
  }

  /** Gives a message to another member of its group, if there is one; `atOnce` for one that is connected. */
  #passOn({ original: message, subscription }: Delivery, atOnce: boolean): boolean {
    const other = subscription.group?.choose(message, this, undefined)
    if (other === undefined || (atOnce && !other.session.isConnected)) return false
    const identifiers = other.identifier > 0 ? [other.identifier] : []
    other.session.deliver(message, other, other.qos, message.retain && other.retainAsPublished, identifiers)
    return true
  }

  /** Takes what has expired out of the queue [MQTT-3.3.2-5]. */
  #purge(): void {
    const now = this.#environment.clock.now()
    this.#firstExpiry = Number.POSITIVE_INFINITY
    this.#environment.metrics.dropped.expired += this.#queue.purge((delivery) => {
      const { message, qos } = delivery
      if (message.isExpired(now)) {
        if (qos === 0) this.#waitingQoS0--
        this.#erase(delivery)
        return true
      }
      this.#firstExpiry = Math.min(this.#firstExpiry, message.expiresAt)
      return false
    })
  }

  /** Takes the retained messages for a new subscription, of which it asks for no more than the connection bears. */
  replay(replay: Replay): void {
    // Asked for again and again while none is sent, the last ones count.
    if (this.#replays.length >= this.#environment.limits.maxFiltersPerPacket) {
      const before = this.#replays.findIndex(({ topicFilter }) => topicFilter === replay.topicFilter)
      if (before >= 0) this.#replays.splice(before, 1)
    }
    this.#replays.push(replay)
    this.pump()
  }

  /** Sends again what was in flight when the last connection ended, then what waits. */
  resume(receiveMaximum: number): void {
    this.sender.resume(receiveMaximum)
    this.pump()
  }

  /** Sends of what waits as much as the connection and its quota take. */
  pump(): void {
    const { link } = this
    if (link === undefined) return
    this.#sendAgain(link)
    for (let head = this.#queue.head; head !== undefined && !link.congested; head = this.#queue.head) {
      if (head.qos > 0 && !this.#maySend) break
      this.#shift()
      // The right may have gone while the message waited.
      const { message, subscription, qos, retain, subscriptionIdentifiers, record } = head
      const mayReceive = this.#mayStillReceive(message)
      if (!mayReceive) this.#drop('notAuthorized')
      if (!mayReceive || !this.#transmit(link, message, subscription, qos, retain, subscriptionIdentifiers, record)) {
        this.#erase(head)
      }
    }
    if (this.#queue.length === 0) this.#allowed = undefined
    this.#sendSlice(link)
  }

  /** Whether a message that waited may be received. Of many that wait most have few topics. */
  #mayStillReceive(message: Message): boolean {
    const { epoch } = this.#environment
    if (Number.isNaN(epoch)) return this.mayReceive(message)
    if (this.#allowed?.epoch !== epoch || this.#allowed.client !== this.client) {
      this.#allowed = { epoch, client: this.client, topics: new Set() }
    }
    const { topics } = this.#allowed
    if (topics.has(message.topic)) return true
    const mayReceive = this.mayReceive(message)
    if (topics.size >= mostTopics) topics.clear()
    if (mayReceive) topics.add(message.topic)
    return mayReceive
  }

  #sendAgain(link: Link): void {
    while (!link.congested) {
      const entry = this.sender.next()
      if (entry === undefined) return
      const { packetId, message: delivery, awaits } = entry
      if (awaits === 'pubcomp') {
        link.pubrel(packetId)
        continue
      }
      const { message, qos, retain, subscriptionIdentifiers } = delivery
      if (!this.mayReceive(message)) this.#abandon(link, packetId, 'notAuthorized')
      else if (!link.takes(message, qos, subscriptionIdentifiers)) this.#abandon(link, packetId, 'tooLarge')
      else link.publish(message, qos, retain, subscriptionIdentifiers, true, packetId) // [MQTT-3.3.1-1]
    }
  }

  /** Ends what is in flight and may not be sent again. Of QoS 2 the client may know the identifier: it is released. */
  #abandon(link: Link, packetId: number, reason: DropReason): void {
    this.#drop(reason)
    if (this.puback(packetId) === 'settled') return
    this.pubrec(packetId, 0)
    link.pubrel(packetId)
  }

  #sendSlice(link: Link): void {
    for (let sent = 0; this.#replays.length > 0 && !link.congested && this.#queue.length === 0; sent++) {
      if (sent >= sliceLength) return this.#sendSliceLater()
      const { value, done } = this.#replays[0]!.messages.next()
      if (done === true) this.#replays.shift()
      else if (value === undefined) sent += searchCost
      else if (!this.mayReceive(value.message)) this.#drop('notAuthorized')
      else this.deliver(value.message, value.subscription, value.qos, value.retain, value.subscriptionIdentifiers)
    }
  }

  #sendSliceLater(): void {
    if (this.#sliceIsDue) return
    this.#sliceIsDue = true
    this.#environment.clock.defer(() => {
      this.#sliceIsDue = false
      this.pump()
    })
  }

  /** Returns whether it was sent. `record` is the number that it has in the store, or 0. */
  #transmit(
    link: Link,
    original: Message,
    subscription: Subscription,
    qos: QoS,
    retain: boolean,
    subscriptionIdentifiers: readonly number[],
    record: number,
  ): boolean {
    const message = this.#delivered(original)
    if (message === undefined) return false
    // Too large for this client: as if it had been sent and acknowledged [MQTT-3.1.2-25].
    if (!link.takes(message, qos, subscriptionIdentifiers)) {
      this.#drop('tooLarge')
      return false
    }
    let packetId = 0
    if (qos > 0) {
      const delivery = { message: message.keep(), qos, retain, subscriptionIdentifiers, subscription, original, record }
      packetId = this.sender.send(delivery, qos as 1 | 2)
      if (record !== 0 || this.isDurable) this.#write(delivery, packetId, qos === 1 ? 'puback' : 'pubrec')
      this.#inFlightBytes += message.size
    }
    link.publish(message, qos, retain, subscriptionIdentifiers, false, packetId)
    this.#environment.metrics.messagesSent++
    this.#environment.metrics.payloadBytesSent += message.end - message.payloadAt
    return true
  }

  /** The message as it goes to this client; undefined when it does not. */
  #delivered(message: Message): Message | undefined {
    const environment = this.#environment
    // [MQTT-3.3.2-5]
    if (message.expiresAt !== Number.POSITIVE_INFINITY && message.isExpired(environment.clock.now())) {
      this.#drop('expired')
      return undefined
    }
    if (!environment.hasOnDeliver || this.#isTrusted) return message
    const changed = environment.onDeliver(this.client, message.keep().publication())
    if (changed !== false) return changed === undefined ? message : message.with(changed)
    this.#drop('hook')
    return undefined
  }

  mayReceive({ topic }: Message): boolean {
    return this.#isTrusted || this.#environment.mayReceive(this.client, topic)
  }

  #drop(reason: DropReason): void {
    this.#environment.metrics.dropped[reason]++
  }
}

function settle({ message, original }: Delivery): void {
  message.settle()
  original.settle()
}
