// hot: runs per packet
/** Application Messages: what a PUBLISH or a Will carries, and the packets in which it goes out. */

import {
  decode,
  encode,
  type Given,
  type ProtocolVersion,
  type PublishProperties,
  type QoS,
  type ReceivedPublish,
} from '@tidewire/codec'
import type { Publication } from './hooks.js'

/** Bytes of a packet from which on its payload is not copied for each receiver. */
export const largeMessage = 4096

// Bytes of a message's objects, beside its content.
const overhead = 300

/** A PUBLISH that is made for many receivers: the bytes are shared, first byte and Packet Identifier are their own. */
export interface Frame {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** Where the Packet Identifier lies; 0 for QoS 0. */
  readonly packetIdAt: number
  /** Where the payload begins. */
  readonly payloadAt: number
}

/**
 * A message on its way through the broker. It is the packet that it came in, read where it lies and sent on without being
 * made anew where that can be. Who keeps it for longer than the turn in which it came calls `keep`.
 */
export class Message implements Publication {
  readonly topic: string
  readonly qos: QoS
  readonly retain: boolean
  /** The time of the broker's clock from which it is of no use; Infinity for never. */
  readonly expiresAt: number
  /** The Client Identifier of the publisher; undefined for the broker itself. */
  readonly publisher: string | undefined
  private packet: ReceivedPublish
  private isKept: boolean
  /** The packets for QoS 0 and above it, before MQTT 5.0 and from it on. */
  private frames: (Frame | undefined)[] = []

  /**
   * The packet has no Topic Alias. `isKept` says that its bytes are not used for something else.
   */
  constructor(
    packet: ReceivedPublish,
    topic: string,
    qos: QoS,
    expiresAt: number,
    publisher: string | undefined,
    isKept: boolean,
  ) {
    this.topic = topic
    this.qos = qos
    this.retain = packet.retain
    this.expiresAt = expiresAt
    this.publisher = publisher
    this.packet = packet
    this.isKept = isKept
  }

  /** A message that came in no packet. Throws TypeError or RangeError for what cannot be sent. */
  static of(publication: Publication, now: number, publisher: string | undefined): Message {
    const { topic, payload, qos, retain, properties } = publication
    const bytes = encode({ type: 'publish', topic, payload, qos, retain, packetId: 1, properties })
    const packet = decode(bytes, { lazy: true }) as ReceivedPublish
    return new Message(packet, topic, qos, expiryOf(properties, now), publisher, true)
  }

  get payload(): Uint8Array {
    return this.packet.payload
  }

  /** In the order received; the Message Expiry Interval is the one that was left then. */
  get properties(): PublishProperties {
    return this.packet.properties
  }

  /** Bytes of the packet that it came in. */
  get length(): number {
    return this.packet.end - this.packet.start
  }

  /** The memory it takes in bytes, as far as it can be told. */
  get size(): number {
    return overhead + this.length
  }

  /** Moves it to memory of its own, if it is not there yet. */
  keep(): this {
    if (this.isKept) return this
    this.packet = this.packet.copyTo(Buffer.allocUnsafe(this.length))
    this.isKept = true
    this.frames = []
    return this
  }

  /** The same message, as a hook wants it for one client. */
  with({ payload, properties }: Pick<Publication, 'payload' | 'properties'>): Message {
    const { topic, qos, retain } = this
    const changed = Message.of({ topic, payload, qos, retain, properties }, 0, this.publisher)
    return new Message(changed.packet, topic, qos, this.expiresAt, this.publisher, true)
  }

  isExpired(now: number): boolean {
    return now >= this.expiresAt
  }

  /** Whether the packets of MQTT 5.0 are the same for all subscribers without Subscription Identifiers. */
  private get isLasting(): boolean {
    return this.expiresAt === Number.POSITIVE_INFINITY
  }

  /** The packet for subscribers of a version, at QoS 0 or above it, made once for all of them where that can be. */
  frame(version: ProtocolVersion, qos: QoS, now: number, subscriptionIdentifiers: readonly number[]): Frame {
    if (version === 5 && (!this.isLasting || subscriptionIdentifiers.length > 0)) {
      return frameOf(this.encode(5, qos, this.given(now, subscriptionIdentifiers)))
    }
    const layout = (version === 5 ? 2 : 0) + (qos > 0 ? 1 : 0)
    let frame = this.frames[layout]
    if (frame === undefined) {
      frame = this.make(version, qos)
      this.frames[layout] = frame
    }
    return frame
  }

  /** The packet for one subscriber, with a Topic Alias in place of the Topic Name or, while it is not known, beside it. */
  aliased(qos: QoS, now: number, subscriptionIdentifiers: readonly number[], alias: number, isKnown: boolean): Frame {
    const given = { ...this.given(now, subscriptionIdentifiers), topicAlias: alias }
    return frameOf(this.encode(5, qos, given, isKnown ? '' : undefined))
  }

  private make(version: ProtocolVersion, qos: QoS): Frame {
    const { packet } = this
    const isSame = (packet.version === 5) === (version === 5) && packet.qos > 0 === qos > 0
    return frameOf(isSame ? packet : this.encode(version, qos, {}))
  }

  /** The properties that differ from those received. */
  private given(now: number, subscriptionIdentifiers: readonly number[]): Given<PublishProperties> {
    const given: { -readonly [K in keyof PublishProperties]: PublishProperties[K] } = {}
    // What is left of it [MQTT-3.3.2-6], in whole seconds.
    if (!this.isLasting) given.messageExpiryInterval = Math.max(0, Math.ceil((this.expiresAt - now) / 1000))
    if (subscriptionIdentifiers.length > 0) given.subscriptionIdentifier = subscriptionIdentifiers
    return given
  }

  private encode(
    version: ProtocolVersion,
    qos: QoS,
    properties: Given<PublishProperties>,
    topic?: string,
  ): ReceivedPublish {
    const { packet: from } = this
    const packetId = qos > 0 ? 1 : undefined // any will do: it is put in when the packet is sent
    const named = topic === undefined ? {} : { topic }
    const bytes = encode({ type: 'publish', from, qos, packetId, properties, ...named }, version)
    return decode(bytes, { protocolVersion: version, lazy: true }) as ReceivedPublish
  }
}

/** The time from which a message is of no use. */
export function expiryOf({ messageExpiryInterval }: PublishProperties, now: number): number {
  return messageExpiryInterval === undefined ? Number.POSITIVE_INFINITY : now + messageExpiryInterval * 1000
}

function frameOf({ bytes, start, end, qos, topicEnd, payloadStart }: ReceivedPublish): Frame {
  return { bytes, start, end, packetIdAt: qos > 0 ? topicEnd : 0, payloadAt: payloadStart }
}
