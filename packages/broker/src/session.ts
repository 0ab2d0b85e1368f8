// hot: runs per packet
/** Sessions (section 4.1): what the broker remembers of a client, connected or not, and the one door to it. */

import type { ProtocolVersion, PublishProperties, QoS } from '@tidewire/codec'
import { Receiver, Sender } from '@tidewire/session'
import type { Timer } from './clock.js'
import type { Environment } from './environment.js'
import type { Client } from './hooks.js'
import type { Frame, Message } from './message.js'
import type { DropReason } from './metrics.js'
import { Queue } from './queue.js'

/** A Topic Filter that a session has subscribed to. */
export interface Subscription {
  readonly session: Session
  readonly topicFilter: string
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  /** 0 when the client gave none. */
  readonly identifier: number
}

/** A message as it goes to one session. */
export interface Delivery {
  readonly message: Message
  readonly qos: QoS
  readonly retain: boolean
  readonly subscriptionIdentifiers: readonly number[]
}

/** What the matching subscriptions of one session come to. */
export interface Match {
  readonly session: Session
  /** The call of `Router.route` that it belongs to. */
  readonly round: number
  qos: QoS
  retain: boolean
  readonly identifiers: number[]
}

/** A Will Message. Its Message Expiry Interval counts from when it is published (section 3.1.3.2.4). */
export interface StoredWill {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly properties: PublishProperties
  /** Seconds that it waits after the connection is lost. */
  readonly delayInterval: number
}

/** What a session asks of the connection that it has. */
export interface Link {
  /** A number that grows from connection to connection. */
  readonly sequence: number
  readonly version: ProtocolVersion
  /** Whether so much waits for the network that nothing more should be added. */
  readonly congested: boolean
  /** Bytes that the client takes in one packet. */
  readonly maxPacketSize: number
  /** Sends a PUBLISH; `packetId` counts above QoS 0. */
  publish(frame: Frame, qos: QoS, retain: boolean, dup: boolean, packetId: number): void
  pubrel(packetId: number): void
  /** Ends the connection for a reason. */
  disconnect(reasonCode: number): void
}

// Retained messages sent before others have their turn.
const sliceLength = 500

export class Session {
  readonly clientId: string
  readonly subscriptions: Map<string, Subscription> = new Map()
  readonly receiver: Receiver = new Receiver()
  readonly sender: Sender<Delivery> = new Sender()
  link: Link | undefined = undefined
  /** Who it belongs to. */
  client: Client
  /** Seconds that it outlives its connection; Infinity for ever. */
  expiryInterval = 0
  will: StoredWill | undefined = undefined
  /** Ends the session, set while no connection is there. */
  expiryTimer: Timer | undefined = undefined
  /** Publishes the Will, set while no connection is there. */
  willTimer: Timer | undefined = undefined
  /** What the router found for this session when it last found something. */
  match: Match | undefined = undefined
  readonly #environment: Environment
  /** Messages of QoS 1 and 2 that wait for a connection, or for quota on it. */
  readonly #queue: Queue<Delivery> = new Queue()
  /** When the first of them expires. */
  #firstExpiry = Number.POSITIVE_INFINITY
  /** Retained messages that new subscriptions still have to get. */
  readonly #replays: Iterator<Delivery, undefined>[] = []
  #sliceIsDue = false

  constructor(client: Client, environment: Environment) {
    this.clientId = client.clientId
    this.client = client
    this.#environment = environment
  }

  /**
   * Takes a message for the client. All messages come through here, live and retained ones, Wills and those of the
   * broker, so that the right to receive is asked for each of them. `granted` is the QoS of the subscription.
   */
  deliver(message: Message, granted: QoS, retain: boolean, subscriptionIdentifiers: readonly number[]): void {
    const { link } = this
    const qos = granted < message.qos ? granted : message.qos // [MQTT-3.8.4-8]
    if (qos === 0 && link === undefined) return
    if (!this.#mayReceive(message)) return this.#drop('notAuthorized')
    const delivery = { message, qos, retain, subscriptionIdentifiers }
    if (qos === 0) {
      if (link!.congested) return this.#drop('slowConnection')
      return this.#transmit(link!, delivery)
    }
    if (link !== undefined && !link.congested && this.#queue.length === 0 && this.sender.ready) {
      return this.#transmit(link, delivery)
    }
    this.#enqueue(delivery)
  }

  #enqueue(delivery: Delivery): void {
    const { message } = delivery
    if (this.#isFull(message) && this.#environment.clock.now() >= this.#firstExpiry) this.#purge()
    if (this.#isFull(message)) return this.#drop('queueFull')
    this.#queue.push(delivery, message.size)
    this.#firstExpiry = Math.min(this.#firstExpiry, message.expiresAt)
  }

  #isFull({ size }: Message): boolean {
    const { maxQueuedMessages, maxQueuedBytes } = this.#environment.limits
    // A connected client is only slow: its messages are limited by their bytes.
    const isAway = this.link === undefined
    return (isAway && this.#queue.length >= maxQueuedMessages) || this.#queue.bytes + size > maxQueuedBytes
  }

  /** Takes what has expired out of the queue [MQTT-3.3.2-5]. */
  #purge(): void {
    const now = this.#environment.clock.now()
    this.#firstExpiry = Number.POSITIVE_INFINITY
    this.#environment.metrics.dropped.expired += this.#queue.purge(({ message }) => {
      if (message.isExpired(now)) return true
      this.#firstExpiry = Math.min(this.#firstExpiry, message.expiresAt)
      return false
    })
  }

  /** Takes the retained messages for a new subscription, of which it asks for no more than the connection bears. */
  replay(retained: Iterator<Delivery, undefined>): void {
    this.#replays.push(retained)
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
    while (!link.congested && this.#queue.length > 0 && this.sender.ready) {
      const delivery = this.#queue.shift()!
      // The right may have gone while the message waited.
      if (this.#mayReceive(delivery.message)) this.#transmit(link, delivery)
      else this.#drop('notAuthorized')
    }
    this.#sendSlice(link)
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
      const frame = this.#frame(link, delivery)
      if (!this.#mayReceive(delivery.message)) this.#abandon(link, packetId, 'notAuthorized')
      else if (frame.length > link.maxPacketSize) this.#abandon(link, packetId, 'tooLarge')
      else link.publish(frame, delivery.qos, delivery.retain, true, packetId) // [MQTT-3.3.1-1]
    }
  }

  /** Ends what is in flight and may not be sent again. Of QoS 2 the client may know the identifier: it is released. */
  #abandon(link: Link, packetId: number, reason: DropReason): void {
    this.#drop(reason)
    if (this.sender.puback(packetId) === 'settled') return
    this.sender.pubrec(packetId, 0)
    link.pubrel(packetId)
  }

  #sendSlice(link: Link): void {
    for (let sent = 0; this.#replays.length > 0 && !link.congested && this.#queue.length === 0; sent++) {
      if (sent === sliceLength) return this.#sendSliceLater()
      const { value, done } = this.#replays[0]!.next()
      if (done === true) this.#replays.shift()
      else this.deliver(value.message, value.qos, value.retain, value.subscriptionIdentifiers)
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

  #transmit(link: Link, delivery: Delivery): void {
    const { message, qos, retain } = delivery
    if (message.isExpired(this.#environment.clock.now())) return this.#drop('expired') // [MQTT-3.3.2-5]
    const frame = this.#frame(link, delivery)
    // Too large for this client: as if it had been sent and acknowledged [MQTT-3.1.2-25].
    if (frame.length > link.maxPacketSize) return this.#drop('tooLarge')
    const packetId = qos === 0 ? 0 : this.sender.send(delivery, qos)
    link.publish(frame, qos, retain, false, packetId)
    this.#environment.metrics.messagesSent++
  }

  #mayReceive({ topic }: Message): boolean {
    return this.#environment.authorize(this.client, 'receive', topic)
  }

  #frame(link: Link, { message, qos, subscriptionIdentifiers }: Delivery): Frame {
    return message.frame(link.version, qos, this.#environment.clock.now(), subscriptionIdentifiers)
  }

  #drop(reason: DropReason): void {
    this.#environment.metrics.dropped[reason]++
  }
}
