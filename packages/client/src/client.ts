/** The client: publishing and subscribing over one connection. */

import {
  type Connack,
  type ConnackProperties,
  MqttError,
  protocolError,
  ReasonCode,
  type Received,
  reasonName,
} from '@tidewire/codec'
import { PacketIds } from '@tidewire/session'
import { Connection, type ConnectionHandler } from './connection.js'
import type { ConnectOptions } from './options.js'
import { Publisher, type PublishOptions, type PublishResult } from './publisher.js'
import { type SubscribeOptions, Subscriber } from './subscriber.js'
import type { Subscription } from './subscription.js'

/** A connection to a server, and the session on it. */
export interface Client extends AsyncDisposable {
  /** The Client Identifier, given or assigned. */
  readonly clientId: string
  /** What the server said of itself in CONNACK. */
  readonly serverProperties: ConnackProperties
  /** Settles when the connection is over: with the reason, or with undefined after `close`. */
  readonly closed: Promise<Error | undefined>
  /**
   * Sends a message. Settles when it is sent at QoS 0, and when the server has acknowledged it at QoS 1 and 2. Rejects
   * with MqttError when the server refuses it or does not allow it, with TypeError for what is not a Topic Name, and
   * with the reason when the connection is lost before.
   */
  publish(topic: string, payload: string | Uint8Array, options?: PublishOptions): Promise<PublishResult>
  /** Asks for the messages of a Topic Filter. Rejects as `publish` does. */
  subscribe(topicFilter: string, options?: SubscribeOptions): Promise<Subscription>
  /** Says goodbye; the server discards the Will. Settles when the connection is gone. */
  close(): Promise<void>
}

const encoder = new TextEncoder()

// QoS 1 and 2 messages that may come before the first of them is acknowledged.
const defaultReceiveMaximum = 256

// What the Connect Return Codes of MQTT 3.1.1 (section 3.2.2.3) are called in MQTT 5.0.
const returnCodes: readonly number[] = [
  ReasonCode.Success,
  ReasonCode.UnsupportedProtocolVersion,
  ReasonCode.ClientIdentifierNotValid,
  ReasonCode.ServerUnavailable,
  ReasonCode.BadUserNameOrPassword,
  ReasonCode.NotAuthorized,
]

/** `connecting`: CONNECT is sent or will be; `open`: CONNACK has come; `closed`: the connection is over. */
type State = 'connecting' | 'open' | 'closed'

export class MqttClient implements Client, ConnectionHandler {
  readonly connection: Connection
  readonly closed: Promise<Error | undefined>
  clientId: string
  serverProperties: ConnackProperties = {}
  #state: State = 'connecting'
  readonly #options: ConnectOptions
  readonly #publisher: Publisher
  readonly #subscriber: Subscriber
  readonly #onConnected: () => void
  #onClosed!: (reason: Error | undefined) => void

  /** `onConnected` is called when CONNACK has come; `closed` tells when there will be none. */
  constructor(options: ConnectOptions, onConnected: () => void) {
    const { protocolVersion = 5, clientId = '', properties = {} } = options
    this.#options = options
    this.#onConnected = onConnected
    // Only an MQTT 5.0 server tells the identifier that it assigned.
    this.clientId = clientId === '' && protocolVersion < 5 ? randomClientId() : clientId
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve
    })
    const packetIds = new PacketIds() // shared [MQTT-2.2.1-3]
    const receiveMaximum = protocolVersion === 5 ? (properties.receiveMaximum ?? defaultReceiveMaximum) : 0xffff
    this.connection = new Connection(protocolVersion, properties.maximumPacketSize, this)
    this.#publisher = new Publisher(this.connection, packetIds)
    this.#subscriber = new Subscriber(this.connection, packetIds, receiveMaximum)
    this.#sendConnect({ ...properties, receiveMaximum })
  }

  #sendConnect(properties: NonNullable<ConnectOptions['properties']>): void {
    const { protocolVersion = 5, keepAlive = 60, userName, password, will } = this.#options
    this.connection.send({
      type: 'connect',
      protocolVersion,
      clientId: this.clientId,
      keepAlive,
      userName,
      password: password === undefined ? undefined : bytesOf(password),
      will: will && {
        topic: will.topic,
        payload: bytesOf(will.payload),
        qos: will.qos ?? 0,
        retain: will.retain ?? false,
        properties: will.properties ?? {},
      },
      properties,
    })
  }

  packet(packet: Received): void {
    if (this.#state === 'connecting') {
      if (packet.type === 'connack') return this.#connack(packet)
      throw protocolError('the first packet is not CONNACK', '3.2.0-1')
    }
    switch (packet.type) {
      case 'publish':
        return this.#subscriber.deliver(packet)
      case 'puback':
        return this.#publisher.puback(packet.packetId, packet.reasonCode)
      case 'pubrec':
        return this.#publisher.pubrec(packet.packetId, packet.reasonCode)
      case 'pubrel':
        return this.#subscriber.pubrel(packet.packetId)
      case 'pubcomp':
        return this.#publisher.pubcomp(packet.packetId)
      case 'suback':
        return this.#subscriber.answered('suback', packet.packetId, packet.reasonCodes)
      case 'unsuback':
        return this.#subscriber.answered('unsuback', packet.packetId, packet.reasonCodes)
      case 'pingresp':
        return
      case 'disconnect': {
        const { reasonCode, properties } = packet
        const message = `the server closed the connection: ${properties.reasonString ?? reasonName(reasonCode)}`
        return this.connection.cut(new MqttError(reasonCode, message))
      }
      default:
        throw protocolError(`${packet.type.toUpperCase()} from a Server`, '4.13.1')
    }
  }

  #connack({ reasonCode, sessionPresent, properties }: Connack): void {
    const { protocolVersion = 5, keepAlive = 60 } = this.#options
    if (reasonCode !== 0) {
      const code = protocolVersion === 5 ? reasonCode : returnCodes[reasonCode]!
      const message = `the server refused the connection: ${properties.reasonString ?? reasonName(code)}`
      return this.connection.cut(new MqttError(code, message))
    }
    if (sessionPresent) throw protocolError('Session Present after Clean Start', '3.2.2-4')
    this.#state = 'open'
    this.serverProperties = properties
    this.clientId = properties.assignedClientIdentifier ?? this.clientId
    this.#publisher.connected(properties)
    this.#subscriber.connected(properties)
    this.connection.keepAlive(properties.serverKeepAlive ?? keepAlive) // [MQTT-3.2.2-21]
    this.#onConnected()
  }

  async publish(topic: string, payload: string | Uint8Array, options: PublishOptions = {}): Promise<PublishResult> {
    this.#checkOpen()
    return this.#publisher.publish(topic, bytesOf(payload), options)
  }

  async subscribe(topicFilter: string, options: SubscribeOptions = {}): Promise<Subscription> {
    this.#checkOpen()
    return this.#subscriber.subscribe(topicFilter, options)
  }

  #checkOpen(): void {
    if (this.connection.over !== undefined) throw this.connection.over
  }

  async close(): Promise<void> {
    this.connection.close()
    await this.closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The connection is over. */
  closedBecause(reason: Error | undefined): void {
    this.#state = 'closed'
    this.#publisher.closed(this.connection.over!)
    this.#subscriber.closed(reason, this.connection.over!)
    this.#onClosed(reason)
  }
}

function bytesOf(payload: string | Uint8Array): Uint8Array {
  if (typeof payload === 'string') return encoder.encode(payload)
  if (payload instanceof Uint8Array) return payload
  throw new TypeError('a payload or password must be a string or a Uint8Array')
}

/** That nobody guesses, in the 23 characters that MQTT 3.1 allows. */
function randomClientId(): string {
  const random = crypto.getRandomValues(new Uint32Array(2))
  return `tidewire-${Array.from(random, (part) => part.toString(36).padStart(7, '0')).join('')}`
}
