// hot: runs per packet
/** Application Messages: what a PUBLISH or a Will carries, and the packets in which it goes out. */

import { encode, encodedLength, type ProtocolVersion, type PublishProperties, type QoS } from '@tidewire/codec'

// Bytes of a message's objects, beside its content.
const overhead = 300

/** A message on its way through the broker. It never changes, and holds no memory of a connection. */
export class Message {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  /** What is passed on to subscribers, in the order received, but the Message Expiry Interval that was left then. */
  readonly properties: PublishProperties
  /** The time of the broker's clock from which it is of no use; Infinity for never. */
  readonly expiresAt: number
  /** The Client Identifier of the publisher; undefined for the broker itself. */
  readonly publisher: string | undefined
  /** The memory it takes in bytes, as far as it can be told. */
  readonly size: number
  #frames: (Frame | undefined)[] = []

  constructor(
    topic: string,
    payload: Uint8Array,
    qos: QoS,
    retain: boolean,
    { topicAlias: _, ...properties }: PublishProperties,
    now: number,
    publisher: string | undefined,
    expiresAt: number = now + (properties.messageExpiryInterval ?? Number.POSITIVE_INFINITY) * 1000,
  ) {
    this.topic = topic
    this.payload = payload
    this.qos = qos
    this.retain = retain
    this.properties = properties
    this.expiresAt = expiresAt
    this.publisher = publisher
    this.size = overhead + encodedLength({ type: 'publish', topic, payload, properties })
  }

  /** The same message, as a hook wants it for one client. */
  with({
    payload = this.payload,
    properties = this.properties,
  }: Partial<Pick<Message, 'payload' | 'properties'>>): Message {
    return new Message(this.topic, payload, this.qos, this.retain, properties, 0, this.publisher, this.expiresAt)
  }

  isExpired(now: number): boolean {
    return now >= this.expiresAt
  }

  /**
   * The packet for subscribers of a version, at QoS 0 or above it, made once for all of them. It has no flags and its
   * Packet Identifier is to be put in; see `Frame`.
   */
  frame(version: ProtocolVersion, qos: QoS, now: number, subscriptionIdentifiers: readonly number[]): Frame {
    if (version < 5) return this.#cached(qos === 0 ? 0 : 1, version, qos, this.properties)
    if (this.expiresAt !== Number.POSITIVE_INFINITY || subscriptionIdentifiers.length > 0) {
      return new Frame(this, version, qos, this.#propertiesFor(now, subscriptionIdentifiers))
    }
    return this.#cached(qos === 0 ? 2 : 3, version, qos, this.properties)
  }

  #cached(layout: number, version: ProtocolVersion, qos: QoS, properties: PublishProperties): Frame {
    let frame = this.#frames[layout]
    if (frame === undefined) {
      frame = new Frame(this, version, qos, properties)
      this.#frames[layout] = frame
    }
    return frame
  }

  #propertiesFor(now: number, subscriptionIdentifiers: readonly number[]): PublishProperties {
    return {
      ...this.properties,
      // What is left of it [MQTT-3.3.2-6], in whole seconds.
      ...(this.expiresAt !== Number.POSITIVE_INFINITY && {
        messageExpiryInterval: Math.max(0, Math.ceil((this.expiresAt - now) / 1000)),
      }),
      ...(subscriptionIdentifiers.length > 0 && { subscriptionIdentifier: subscriptionIdentifiers }),
    }
  }
}

/** A PUBLISH made for many receivers: the bytes are shared, flags and Packet Identifier are their own. */
export class Frame {
  readonly #bytes: Uint8Array
  /** Where the Packet Identifier lies. */
  readonly #idAt: number

  constructor(message: Message, version: ProtocolVersion, qos: QoS, properties: PublishProperties) {
    const { topic, payload } = message
    // Any QoS above 0 and any identifier do: they are put in by `bytes`.
    this.#bytes =
      qos === 0
        ? encode({ type: 'publish', topic, payload, properties }, version)
        : encode({ type: 'publish', topic, payload, properties, qos: 1, packetId: 1 }, version)
    let body = 1
    while (this.#bytes[body++]! > 0x7f);
    this.#idAt = body + 2 + ((this.#bytes[body]! << 8) | this.#bytes[body + 1]!)
  }

  get length(): number {
    return this.#bytes.length
  }

  /** The packet for one receiver. `packetId` is left out of account for QoS 0. */
  bytes(qos: QoS, retain: boolean, dup: boolean, packetId: number): Uint8Array {
    const flags = (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
    if (qos === 0 && this.#bytes[0] === (0x30 | flags)) return this.#bytes
    const bytes = this.#bytes.slice()
    bytes[0] = 0x30 | flags
    if (qos > 0) {
      bytes[this.#idAt] = packetId >> 8
      bytes[this.#idAt + 1] = packetId & 0xff
    }
    return bytes
  }
}
