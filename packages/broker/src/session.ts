// hot: runs per packet
/** Sessions (section 4.1): what the broker remembers of a client, connected or not, and the one door to it. */

import type { ProtocolVersion, QoS } from '@tidewire/codec'
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
  /** The call of `route` that of the router that it belongs to. */
  readonly round: number
  qos: QoS
  retain: boolean
  readonly identifiers: number[]
}

/** A Will Message, and how long it waits after the connection is lost. */
export interface StoredWill {
  readonly message: Message
  /** Seconds. */
  readonly delayInterval: number
}

/** What a session asks of the connection that it has. */
export interface Link {
  readonly version: ProtocolVersion
  readonly client: Client
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

export class Session {
  readonly clientId: string
  readonly subscriptions: Map<string, Subscription> = new Map()
  readonly receiver: Receiver = new Receiver()
  readonly sender: Sender<Delivery> = new Sender()
  /** Messages of QoS 1 and 2 that wait for a connection, or for quota on it. */
  readonly queue: Queue<Delivery> = new Queue()
  link: Link | undefined = undefined
  /** Who it belongs to; the latest who connected. */
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
    if (!this.#environment.authorize(this.client, 'receive', message.topic)) return this.#drop('notAuthorized')
    if (qos === 0) {
      if (link!.congested) return this.#drop('slowConnection')
      return this.#transmit(link!, { message, qos, retain, subscriptionIdentifiers })
    }
    const delivery = { message, qos, retain, subscriptionIdentifiers }
    if (link !== undefined && !link.congested && this.queue.length === 0 && this.sender.ready) {
      return this.#transmit(link, delivery)
    }
    const { maxQueuedMessages, maxQueuedBytes } = this.#environment.limits
    if (this.queue.length >= maxQueuedMessages || this.queue.bytes + message.size > maxQueuedBytes) {
      return this.#drop('queueFull')
    }
    this.queue.push(delivery, message.size)
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
    while (!link.congested) {
      const again = this.sender.next()
      if (again === undefined) break
      const { packetId, message: delivery, awaits } = again
      if (awaits === 'pubcomp') link.pubrel(packetId)
      else link.publish(this.#frame(link, delivery), delivery.qos, delivery.retain, true, packetId) // [MQTT-3.3.1-1]
    }
    while (!link.congested && this.queue.length > 0 && this.sender.ready) this.#transmit(link, this.queue.shift()!)
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

  #frame(link: Link, { message, qos, subscriptionIdentifiers }: Delivery): Frame {
    return message.frame(link.version, qos, this.#environment.clock.now(), subscriptionIdentifiers)
  }

  #drop(reason: DropReason): void {
    this.#environment.metrics.dropped[reason]++
  }
}
