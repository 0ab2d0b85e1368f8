/** The incoming half of the client: subscriptions, the messages for them, and their acknowledgements. */

import {
  type ConnackProperties,
  MqttError,
  protocolError,
  type QoS,
  ReasonCode,
  type ReceivedPublish,
  reasonName,
  type Subscription as SubscriptionRequest,
} from '@tidewire/codec'
import { type PacketIds, Receiver } from '@tidewire/session'
import { matches, parseShared, topicFilterFault } from '@tidewire/topics'
import { Acknowledger } from './acknowledger.js'
import type { Connection } from './connection.js'
import { Message } from './message.js'
import { MessageStream, type Subscription } from './subscription.js'

export interface SubscribeOptions extends Omit<SubscriptionRequest, 'topicFilter' | 'qos'> {
  /** The highest QoS that messages may come with. Default 0. */
  readonly qos?: QoS
  /** QoS 0 messages that may wait to be asked for; later ones are dropped. Default 1,000. */
  readonly buffer?: number
}

/** A SUBSCRIBE or UNSUBSCRIBE that has not been answered. */
interface Request {
  readonly answer: 'suback' | 'unsuback'
  resolve(reasonCodes: readonly number[]): void
  reject(error: Error): void
}

const maxTopicLevels = 0xffff // the server has its own limit
const defaultBuffer = 1_000

export class Subscriber {
  readonly #connection: Connection
  readonly #packetIds: PacketIds
  readonly #receiver: Receiver
  readonly #acknowledger: Acknowledger
  readonly #requests: Map<number, Request> = new Map()
  readonly #streams: Set<MessageStream> = new Set()
  #lastIdentifier = 0
  #allowed: ConnackProperties = {}

  constructor(connection: Connection, packetIds: PacketIds, receiveMaximum: number) {
    this.#connection = connection
    this.#packetIds = packetIds
    this.#receiver = new Receiver(receiveMaximum)
    this.#acknowledger = new Acknowledger((packetId, qos) => {
      if (qos === 1) this.#receiver.puback()
      else this.#receiver.pubrec(packetId, ReasonCode.Success)
      this.#connection.send({ type: qos === 1 ? 'puback' : 'pubrec', packetId })
    })
  }

  /** The server has said what it allows. */
  connected(allowed: ConnackProperties): void {
    this.#allowed = allowed
  }

  async subscribe(topicFilter: string, options: SubscribeOptions): Promise<Subscription> {
    if (typeof topicFilter !== 'string') throw new TypeError('a Topic Filter must be a string')
    const { qos = 0, buffer = defaultBuffer, ...rest } = options
    const fault = topicFilterFault(topicFilter, maxTopicLevels)
    if (fault !== undefined) throw new TypeError(`not a Topic Filter: ${fault.message}`)
    this.#checkAllowed(topicFilter)
    const identifier = this.#identifierFor(topicFilter)
    const stream = new MessageStream(topicFilter, qos, identifier, buffer, () => this.#unsubscribe(stream))
    // Messages may come before the SUBACK (section 3.8.4).
    this.#streams.add(stream)
    try {
      const [granted] = await this.#request('suback', (packetId) => {
        const properties = identifier === undefined ? {} : { subscriptionIdentifier: identifier }
        this.#connection.send({
          type: 'subscribe',
          packetId,
          subscriptions: [{ topicFilter, qos, ...rest }],
          properties,
        })
      })
      if (granted === undefined || granted >= 0x80) {
        const reasonCode = granted ?? ReasonCode.UnspecifiedError
        throw new MqttError(reasonCode, `the server refused ${topicFilter}: ${reasonName(reasonCode)}`)
      }
      stream.qos = granted as QoS
      return stream
    } catch (error) {
      this.#streams.delete(stream)
      stream.finish(undefined)
      stream.discard()
      throw error
    }
  }

  /** Streams of the same Topic Filter share one subscription at the server, and so its identifier. */
  #identifierFor(topicFilter: string): number | undefined {
    const { subscriptionIdentifierAvailable = true } = this.#allowed
    if (this.#connection.version < 5 || !subscriptionIdentifierAvailable) return undefined
    const same = [...this.#streams].find((stream) => stream.topicFilter === topicFilter)
    return same?.identifier ?? ++this.#lastIdentifier
  }

  #checkAllowed(topicFilter: string): void {
    const { wildcardSubscriptionAvailable = true, sharedSubscriptionAvailable = true } = this.#allowed
    const shared = parseShared(topicFilter)
    if (shared !== undefined && !sharedSubscriptionAvailable) {
      throw new MqttError(ReasonCode.SharedSubscriptionsNotSupported, 'the server has no Shared Subscriptions')
    }
    if (!wildcardSubscriptionAvailable && /[+#]/.test(shared?.filter ?? topicFilter)) {
      throw new MqttError(ReasonCode.WildcardSubscriptionsNotSupported, 'the server takes no wildcards')
    }
  }

  async #unsubscribe(stream: MessageStream): Promise<void> {
    this.#streams.delete(stream)
    const { topicFilter } = stream
    // Another stream of the same Topic Filter shares its subscription.
    if ([...this.#streams].some((other) => other.topicFilter === topicFilter) || !this.#connection.isOpen) return
    await this.#request('unsuback', (packetId) => {
      this.#connection.send({ type: 'unsubscribe', packetId, topicFilters: [topicFilter] })
    })
  }

  #request(answer: Request['answer'], send: (packetId: number) => void): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      const packetId = this.#packetIds.take()
      if (packetId === 0) throw new RangeError('all Packet Identifiers are in use')
      try {
        send(packetId)
        this.#requests.set(packetId, { answer, resolve, reject })
      } catch (error) {
        this.#packetIds.free(packetId)
        throw error
      }
    })
  }

  /** SUBACK or UNSUBACK. */
  answered(answer: Request['answer'], packetId: number, reasonCodes: readonly number[]): void {
    const request = this.#requests.get(packetId)
    if (request?.answer !== answer) throw protocolError(`${answer.toUpperCase()} to no request`, '2.2.1-6')
    this.#requests.delete(packetId)
    this.#packetIds.free(packetId)
    request.resolve(reasonCodes)
  }

  /** PUBLISH. */
  deliver(packet: ReceivedPublish): void {
    const { topic, qos, packetId = 0, properties } = packet
    if (properties.topicAlias !== undefined) {
      throw new MqttError(ReasonCode.TopicAliasInvalid, 'a Topic Alias where none is allowed', '3.3.2-11')
    }
    if (qos > 0) {
      const arrival = this.#receiver.publish(packetId, qos as 1 | 2)
      if (arrival === 'exceeded') {
        throw new MqttError(ReasonCode.ReceiveMaximumExceeded, 'more messages than the Receive Maximum', '3.3.4-9')
      }
      if (arrival === 'pending') return
      if (arrival === 'duplicate') return this.#connection.send({ type: 'pubrec', packetId }) // [MQTT-4.3.3-10]
    }
    // A message that stays would keep the whole chunk that it came in.
    const { correlationData } = properties
    const kept =
      correlationData === undefined ? properties : { ...properties, correlationData: correlationData.slice() }
    this.#hand(new Message(topic, packet.payload.slice(), qos, packet.retain, kept), packetId)
  }

  #hand(message: Message, packetId: number): void {
    const streams = this.#streamsFor(message)
    if (message.qos === 0) {
      for (const stream of streams) stream.push(message, undefined)
      return
    }
    // A message that nobody waits for is acknowledged all the same [MQTT-4.5.0-2].
    const entry = this.#acknowledger.add(packetId, message.qos, streams.length)
    for (const stream of streams) stream.push(message, () => this.#acknowledger.done(entry))
  }

  /**
   * The streams that a message is for. A server may send it once for each of overlapping subscriptions (section 3.3.4):
   * only the identifiers tell for which one it came.
   */
  #streamsFor({ topic, properties }: Message): MessageStream[] {
    const streams = [...this.#streams]
    const identifiers = properties.subscriptionIdentifier ?? []
    const named = streams.filter(({ identifier }) => identifier !== undefined && identifiers.includes(identifier))
    if (named.length > 0) return named
    return streams.filter(({ topicFilter }) => matches(parseShared(topicFilter)?.filter ?? topicFilter, topic))
  }

  pubrel(packetId: number): void {
    const known = this.#receiver.pubrel(packetId)
    const reasonCode = known || this.#connection.version < 5 ? ReasonCode.Success : ReasonCode.PacketIdentifierNotFound
    this.#connection.send({ type: 'pubcomp', packetId, reasonCode }) // [MQTT-4.3.3-11]
  }

  /** The connection is over: loops end, with the reason unless it was asked for, and requests fail. */
  closed(reason: Error | undefined, error: Error): void {
    for (const { reject } of this.#requests.values()) reject(error)
    this.#requests.clear()
    for (const stream of this.#streams) stream.finish(reason)
    this.#streams.clear()
  }
}
