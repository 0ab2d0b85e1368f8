// hot: runs per packet
/** Application Messages: what a PUBLISH or a Will carries. */

import {
  decodeFrame,
  encode,
  type ProtocolVersion,
  type PublishProperties,
  type QoS,
  type ReceivedPublish,
} from '@tidewire/codec'
import type { Clock } from './clock.js'
import type { Client, Publication } from './hooks.js'
import { copyBytes, Pool, type Readable, viewOf } from './memory.js'

/** Bytes of a packet from which on its payload is not copied for each receiver. */
export const largeMessage = 4096

// Bytes of a message's objects, beside its content.
const overhead = 300

/**
 * A message on its way through the broker. It is the packet that it came in, read where it lies and sent on without being
 * made anew where that can be. Who keeps it for longer than the turn in which it came calls `keep`.
 */
export class Message implements Readable {
  readonly topic: string
  readonly qos: QoS
  readonly retain: boolean
  /** The time of the broker's clock from which it is of no use; Infinity for never. */
  readonly expiresAt: number
  /** Who published it; undefined for the broker and the application. */
  readonly publisher: Client | undefined
  /** The packet that it came in. */
  bytes: Uint8Array
  start: number
  end: number
  /** Where the Topic Name begins, with its length. */
  topicAt: number
  topicEnd: number
  payloadAt: number
  view: DataView | undefined
  /** Where the Message Expiry Interval lies, 0 for nowhere: in the packet that it came in it is put in anew each time. */
  expiryAt: number
  /** Its number in the store, 0 as long as it has none. */
  stored = 0
  private readonly isOf5: boolean
  /** `borrowed`, the bytes are used for something else after this turn; `pooled`, it stays for now; `own`, for long. */
  private memory: 'borrowed' | 'pooled' | 'own'
  /** The packet has no Topic Alias. `isOwn` says that its bytes are not used for something else. */
  constructor(
    packet: ReceivedPublish,
    topic: string,
    qos: QoS,
    expiresAt: number,
    publisher: Client | undefined,
    isOwn: boolean,
  ) {
    this.topic = topic
    this.qos = qos
    this.retain = packet.retain
    this.expiresAt = expiresAt
    this.publisher = publisher
    this.bytes = packet.bytes
    this.start = packet.start
    this.end = packet.end
    this.topicAt = packet.topicStart - 2
    this.topicEnd = packet.topicEnd
    this.payloadAt = packet.payloadStart
    this.isOf5 = packet.version === 5
    this.memory = isOwn ? 'pooled' : 'borrowed'
    this.view = isOwn ? undefined : viewOf(packet.bytes)
    this.expiryAt = expiresAt === Number.POSITIVE_INFINITY ? 0 : packet.indexOf('messageExpiryInterval')
  }

  /** A message that came in no packet. Throws TypeError or RangeError for what cannot be sent. */
  static of(publication: Publication, now: number, publisher: Client | undefined): Message {
    const { topic, payload, qos, retain, properties } = publication
    const bytes = encode({ type: 'publish', topic, payload, qos, retain, packetId: 1, properties })
    const packet = publishAt(bytes, 0, bytes.length, 5)
    return new Message(packet, topic, qos, expiryOf(properties, now), publisher, true)
  }

  private get packet(): ReceivedPublish {
    return publishAt(this.bytes, this.start, this.end, this.isOf5 ? 5 : 4)
  }

  get payload(): Uint8Array {
    const { bytes, payloadAt, end } = this
    return new Uint8Array(bytes.buffer, bytes.byteOffset + payloadAt, end - payloadAt)
  }

  /** In the order received; the Message Expiry Interval is the one that was left then. */
  get properties(): PublishProperties {
    return this.packet.properties
  }

  /** The message as hooks and the application have it, with nothing else of the broker. */
  publication(): Publication {
    const { topic, payload, qos, retain, properties } = this
    return { topic, payload, qos, retain, properties }
  }

  /** The version of the packet that it came in. */
  get version(): ProtocolVersion {
    return this.isOf5 ? 5 : 4
  }

  /** Bytes of the packet that it came in. */
  get length(): number {
    return this.end - this.start
  }

  /** The memory it takes in bytes, as far as it can be told. */
  get size(): number {
    return overhead + this.length + this.topic.length
  }

  /** Moves it to memory that is not used for something else, if it is not there yet. */
  keep(): this {
    if (this.memory === 'borrowed') {
      this.moveTo(forNow)
      this.memory = 'pooled'
    }
    return this
  }

  /** Moves it to memory where it may stay for long: it would hold that of many others. */
  settle(): this {
    if (this.memory === 'own') return this
    this.moveTo(forLong)
    this.memory = 'own'
    return this
  }

  private moveTo(pool: Pool): void {
    const { length } = this
    const memory = pool.memoryFor(length)
    const start = pool.used - length
    copyBytes(this, this.start, this.end, memory, start)
    const shift = start - this.start
    this.bytes = memory.bytes
    this.view = memory.view
    this.start += shift
    this.end += shift
    this.topicAt += shift
    this.topicEnd += shift
    this.payloadAt += shift
    if (this.expiryAt > 0) this.expiryAt += shift
  }

  /** What is left of the Message Expiry Interval, in whole seconds [MQTT-3.3.2-6]. */
  secondsLeft(clock: Clock): number {
    return Math.max(0, Math.ceil((this.expiresAt - clock.now()) / 1000))
  }

  /** The same message, as a hook wants it for one client. */
  with({ payload, properties }: Pick<Publication, 'payload' | 'properties'>): Message {
    const { topic, qos, retain } = this
    const { packet } = Message.of({ topic, payload, qos, retain, properties }, 0, this.publisher)
    return new Message(packet, topic, qos, this.expiresAt, this.publisher, true)
  }

  isExpired(now: number): boolean {
    return now >= this.expiresAt
  }

  /** Where the properties begin, with their length; where the payload does for a message that has none. */
  get propertiesAt(): number {
    return this.isOf5 ? this.topicEnd + (this.qos > 0 ? 2 : 0) : this.payloadAt
  }

  /** Whether the packet that it came in is the one that goes to a receiver, but for the bytes that are put in anew. */
  isFor(version: ProtocolVersion, qos: QoS): boolean {
    return (version === 5) === this.isOf5 && qos > 0 === this.qos > 0 && !(version === 5 && this.isDatedElsewhere)
  }

  /** Whether it expires, and its packet does not say so. */
  private get isDatedElsewhere(): boolean {
    return this.expiresAt !== Number.POSITIVE_INFINITY && this.expiryAt === 0
  }
}

// measured: QoS 1, 50 to 50: with memory of its own for each message a third of the time went to the garbage collector.
// A message that stays for long holds no more than a few times its own size.
const forNow = new Pool(8 * 1024)
const forLong = new Pool(1024)

/** The time from which a message is of no use. */
export function expiryOf({ messageExpiryInterval }: PublishProperties, now: number): number {
  return messageExpiryInterval === undefined ? Number.POSITIVE_INFINITY : now + messageExpiryInterval * 1000
}

/** The PUBLISH that lies in some bytes. */
export function publishAt(bytes: Uint8Array, start: number, end: number, version: ProtocolVersion): ReceivedPublish {
  let body = start + 1
  while (bytes[body++]! > 0x7f);
  return decodeFrame({ bytes, start, body, end }, version) as ReceivedPublish
}
