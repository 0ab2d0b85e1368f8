// hot: runs per packet
/** The incoming half of the client: subscriptions, the messages for them, and their acknowledgements. */

import {
  type ConnackProperties,
  encodedLength,
  type Input,
  MqttError,
  type PacketInput,
  protocolError,
  type QoS,
  type ReceivedPublish,
  type Subscribe,
  type Subscription as SubscriptionRequest,
} from '@tidewire/codec'
import { IncomingAliases, type PacketIds } from '@tidewire/session'
import { matches, parseShared } from '@tidewire/topics'
import { abortable } from './abortable.js'
import { Acknowledger } from './acknowledger.js'
import type { Connection } from './connection.js'
import { Message } from './message.js'
import type { IncomingRecord, Journal } from './store.js'
import { MessageStream, type StreamOptions } from './subscription.js'

export interface SubscribeOptions extends Omit<SubscriptionRequest, 'topicFilter' | 'qos'>, StreamOptions {
  /** The highest QoS that messages may come with. Default 0. */
  readonly qos?: QoS
  /** Gives the request up. */
  readonly signal?: AbortSignal
}

/** What was subscribed to. */
interface Entry {
  readonly stream: MessageStream
  readonly subscription: SubscriptionRequest
  /** The Subscription Identifier: streams of the same Topic Filter have the same. */
  readonly identifier: number
  /** The Topic Filter, without `$share`. */
  readonly filter: string
  isGranted: boolean
}

/** A SUBSCRIBE or UNSUBSCRIBE that has not been answered. */
interface Request {
  /** 0 while it has not been sent on this connection. */
  packetId: number
  readonly answer: 'suback' | 'unsuback'
  /** The packet as the server takes it. */
  packet(packetId: number): PacketInput
  resolve(reasonCode: number): void
  reject(error: Error): void
}

// Topics of which it is known which streams they are for.
const mostRoutes = 1_000

export class Subscriber {
  readonly #acknowledger: Acknowledger
  readonly #topicAliasMaximum: number
  readonly #nameOf: (reasonCode: number) => string
  #requests: Request[] = []
  readonly #entries: Set<Entry> = new Set()
  readonly #routes: Map<string, readonly Entry[]> = new Map()
  #connection: Connection | undefined
  #packetIds!: PacketIds
  #allowed: ConnackProperties = {}
  #aliases: IncomingAliases = new IncomingAliases(0)
  #lastIdentifier = 0
  /** Messages of a session that was there before this client, which wait to be subscribed to. */
  #unclaimed: Message[] | undefined
  /** Topic Filters that were given up. */
  #left: readonly string[] = []
  /** Why there is nothing to come any more. */
  #over: Error | undefined

  constructor(
    receiveMaximum: number,
    topicAliasMaximum: number,
    journal: Journal | undefined,
    nameOf: (code: number) => string,
  ) {
    this.#topicAliasMaximum = topicAliasMaximum
    this.#nameOf = nameOf
    this.#acknowledger = new Acknowledger(receiveMaximum, journal, (type, packetId, reasonCode) =>
      this.#connection?.send({ type, packetId, reasonCode }),
    )
  }

  /** Takes up what a client before has left. */
  restore(records: readonly IncomingRecord[]): void {
    this.#acknowledger.restore(records.map(({ key }) => -key))
  }

  /** The server has taken the session up again, or knows of none. */
  begin(
    connection: Connection,
    packetIds: PacketIds,
    allowed: ConnackProperties,
    isResumed: boolean,
    isFirst: boolean,
  ): void {
    this.#connection = connection
    this.#packetIds = packetIds
    this.#allowed = allowed
    this.#aliases = new IncomingAliases(this.#topicAliasMaximum)
    this.#acknowledger.begin(isResumed)
    this.#unclaimed = isResumed ? (this.#unclaimed ?? (isFirst ? [] : undefined)) : undefined
    for (const entry of isResumed ? [] : this.#entries) {
      if (!entry.isGranted) continue
      entry.isGranted = false
      this.#subscribe(entry).catch((error) => {
        this.#entries.delete(entry)
        this.#routes.clear()
        entry.stream.finish(error)
      })
    }
    for (const request of [...this.#requests]) if (request.packetId === 0) this.#send(request)
  }

  /** The connection is lost: requests are made again on the next. */
  suspend(): void {
    for (const request of this.#requests) {
      this.#packetIds.free(request.packetId)
      request.packetId = 0
    }
    this.#connection = undefined
  }

  async subscribe(topicFilter: string, options: SubscribeOptions): Promise<MessageStream> {
    const { qos = 0, buffer, overflow, manualAck, signal, ...rest } = options
    signal?.throwIfAborted()
    if (this.#over !== undefined) throw this.#over
    const subscription = { topicFilter, qos, ...rest }
    // Throws for what is not a Topic Filter, and the like.
    encodedLength({ type: 'subscribe', packetId: 1, subscriptions: [subscription] })
    const stream: MessageStream = new MessageStream(topicFilter, { ...options }, () => this.#unsubscribe(entry))
    const same = [...this.#entries].find((other) => other.stream.topicFilter === topicFilter)
    const entry: Entry = {
      stream,
      subscription,
      identifier: same?.identifier ?? ++this.#lastIdentifier,
      filter: parseShared(topicFilter)?.filter ?? topicFilter,
      isGranted: false,
    }
    // Messages may come before the SUBACK (section 3.8.4).
    this.#entries.add(entry)
    this.#routes.clear()
    try {
      await this.#subscribe(entry, signal)
      return stream
    } catch (error) {
      stream.finish(undefined)
      stream.discard()
      if (error === signal?.reason) this.#unsubscribe(entry).catch(() => {}) // nobody is there to be told
      this.#entries.delete(entry)
      this.#routes.clear()
      throw error
    }
  }

  async #subscribe(entry: Entry, signal?: AbortSignal): Promise<void> {
    const { subscription, identifier, stream } = entry
    const { topicFilter } = subscription
    const granted = await this.#request(
      'suback',
      (packetId) => {
        this.#checkAllowed(entry.filter, entry.filter !== topicFilter)
        const packet: Input<Subscribe> = { type: 'subscribe', packetId, subscriptions: [subscription] }
        return this.#takesIdentifiers ? { ...packet, properties: { subscriptionIdentifier: identifier } } : packet
      },
      signal,
    )
    if (granted >= 0x80) throw new MqttError(granted, `the server refused ${topicFilter}: ${this.#nameOf(granted)}`)
    stream.qos = granted as QoS
    entry.isGranted = true
    const waited = this.#unclaimed ?? []
    if (waited.length === 0) return
    this.#unclaimed = waited.filter((message) => !matches(entry.filter, message.topic))
    for (const message of waited) if (matches(entry.filter, message.topic)) stream.push(message)
  }

  get #takesIdentifiers(): boolean {
    return this.#connection!.version === 5 && this.#allowed.subscriptionIdentifierAvailable !== false
  }

  #checkAllowed(filter: string, isShared: boolean): void {
    const { wildcardSubscriptionAvailable, sharedSubscriptionAvailable } = this.#allowed
    if (isShared && sharedSubscriptionAvailable === false) {
      throw new MqttError(0x9e, 'the server has no Shared Subscriptions')
    }
    if (wildcardSubscriptionAvailable === false && /[+#]/.test(filter)) {
      throw new MqttError(0xa2, 'the server takes no wildcards')
    }
  }

  async #unsubscribe(entry: Entry): Promise<void> {
    const { topicFilter } = entry.stream
    this.#entries.delete(entry)
    this.#routes.clear()
    if (this.#unclaimed !== undefined)
      this.#left = [...this.#left.filter((filter) => filter !== entry.filter), entry.filter]
    // Another stream of the same Topic Filter shares its subscription. Without a connection it goes with the next one.
    if (this.#over !== undefined || [...this.#entries].some(({ stream }) => stream.topicFilter === topicFilter)) return
    await this.#request('unsuback', (packetId) => ({ type: 'unsubscribe', packetId, topicFilters: [topicFilter] }))
  }

  #request(answer: Request['answer'], packet: Request['packet'], signal?: AbortSignal): Promise<number> {
    let request: Request
    const outcome = new Promise<number>((resolve, reject) => {
      request = { packetId: 0, answer, packet, resolve, reject }
      this.#requests.push(request)
      this.#send(request)
    })
    // One that was sent is kept until it is answered, for its identifier is in use.
    return abortable(outcome, signal).catch((error) => {
      if (request.packetId === 0) this.#remove(request)
      throw error
    })
  }

  #remove(request: Request): void {
    this.#requests = this.#requests.filter((other) => other !== request)
  }

  #send(request: Request): void {
    const connection = this.#connection
    if (connection === undefined) return
    const packetId = this.#packetIds.take()
    try {
      if (packetId === 0) throw new RangeError('all Packet Identifiers are in use')
      connection.send(request.packet(packetId))
      request.packetId = packetId
    } catch (error) {
      this.#packetIds.free(packetId)
      this.#remove(request)
      request.reject(error as Error)
    }
  }

  /** SUBACK or UNSUBACK. */
  answered(answer: Request['answer'], packetId: number, [reasonCode, more]: readonly number[]): void {
    const request = this.#requests.find((each) => each.packetId === packetId)
    if (request?.answer !== answer) throw protocolError(`${answer.toUpperCase()} to no request`, '2.2.1-6')
    // UNSUBACK has no Reason Codes before MQTT 5.0.
    const isBare = answer === 'unsuback' && this.#connection!.version < 5
    if (more !== undefined || (reasonCode === undefined && !isBare)) {
      throw protocolError('not a Reason Code for each Topic Filter', answer === 'suback' ? '3.8.4-6' : '3.11.3-1')
    }
    this.#remove(request)
    this.#packetIds.free(packetId)
    request.resolve(reasonCode ?? 0)
  }

  /** PUBLISH. */
  deliver(packet: ReceivedPublish): void {
    const topic = this.#aliases.resolve(packet.topic, packet.version === 5 ? packet.properties.topicAlias : undefined)
    if (typeof topic !== 'string') throw new MqttError(topic.reasonCode, topic.message, topic.statement)
    const entries = this.#entriesFor(topic, packet)
    if (packet.qos === 0) {
      for (const { stream } of entries) stream.push(new Message(topic, packet, undefined))
      return
    }
    const delivery = this.#acknowledger.add(packet)
    if (delivery === undefined) return
    delivery.pending = Math.max(entries.length, 1)
    for (const { stream } of entries) stream.push(new Message(topic, packet, delivery))
    if (entries.length > 0) return
    const message = new Message(topic, packet, delivery)
    const wasLeft = this.#left.some((filter) => matches(filter, topic))
    // A message that nobody waits for is acknowledged all the same [MQTT-4.5.0-2].
    if (this.#unclaimed === undefined || wasLeft) message.ack()
    else this.#unclaimed.push(message)
  }

  /**
   * The streams that a message is for. A server may send it once for each of overlapping subscriptions (section 3.3.4):
   * only the identifiers tell for which one it came.
   */
  #entriesFor(topic: string, packet: ReceivedPublish): readonly Entry[] {
    let entries = this.#routes.get(topic)
    if (entries === undefined) {
      entries = [...this.#entries].filter(({ filter }) => matches(filter, topic))
      if (this.#routes.size >= mostRoutes) this.#routes.clear()
      this.#routes.set(topic, entries)
    }
    if (entries.length < 2) return entries
    const { subscriptionIdentifier } = packet.properties
    const named = entries.filter(({ identifier }) => subscriptionIdentifier?.includes(identifier))
    return named.length > 0 ? named : entries
  }

  pubrel(packetId: number): void {
    const isKnown = this.#acknowledger.release(packetId)
    const reasonCode = isKnown || this.#connection!.version < 5 ? 0 : 0x92
    this.#connection!.send({ type: 'pubcomp', packetId, reasonCode }) // [MQTT-4.3.3-11]
  }

  /** The client is closed: loops end, with the reason unless it was asked for, and requests fail. */
  end(reason: Error | undefined, error: Error): void {
    this.#over = error
    for (const { reject } of this.#requests) reject(error)
    for (const { stream } of this.#entries) stream.finish(reason)
    this.#entries.clear()
  }
}
