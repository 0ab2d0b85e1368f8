// hot: runs per packet
/** PUBLISH (section 3.3): an Application Message on its way. */

import { packetId } from './acks.js'
import type { Input } from './input.js'
import type { Output } from './output.js'
import type { QoS } from './packet-type.js'
import { type Properties, properties } from './properties.js'
import { type Reader, view } from './reader.js'
import { hasWildcard, isPlainTopic } from './topic.js'
import { readAscii } from './utf8.js'

export interface PublishProperties
  extends Pick<
    Properties,
    | 'payloadFormatIndicator'
    | 'messageExpiryInterval'
    | 'topicAlias'
    | 'responseTopic'
    | 'correlationData'
    | 'userProperty'
    | 'contentType'
  > {
  /** Those of all subscriptions that the message came for; only a Server may send them. */
  readonly subscriptionIdentifier?: readonly number[]
}

export interface Publish {
  readonly type: 'publish'
  /** Empty only beside a `topicAlias`. */
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  /** True on a second attempt to deliver. */
  readonly dup: boolean
  /** 1 to 65,535 for QoS 1 and 2; absent for QoS 0 [MQTT-2.2.1-2]. */
  readonly packetId?: number | undefined
  readonly properties: PublishProperties
}

/**
 * A PUBLISH received, read in place: it knows where each field lies in the packet's bytes, and makes strings and views
 * when they are asked for. It is valid as long as its bytes are not overwritten.
 */
export class ReceivedPublish implements Publish {
  readonly type = 'publish'
  private readonly reader: Reader
  private plain: boolean | undefined = undefined
  private known: PublishProperties | undefined = undefined
  /** Where the fields lie in `bytes`: the topic, the Property Length (as `payloadStart` before MQTT 5.0), the payload. */
  readonly topicStart: number
  readonly topicEnd: number
  readonly propertiesStart: number
  readonly payloadStart: number
  /** 0 for QoS 0. */
  private readonly id: number

  /**
   * Finds the fields of a packet of which the first byte has been read. What the fields hold is checked by `check`, or
   * one by one when they are asked for. Throws MqttError when they do not fit in the packet.
   */
  constructor(reader: Reader) {
    this.reader = reader
    if (this.qos > 2) throw reader.fault(0x81, 'QoS 3', '3.3.1-4')
    if (this.dup && this.qos === 0) throw reader.fault(0x81, 'DUP with QoS 0', '3.3.1-2')
    this.topicStart = reader.take(reader.uint(2))
    this.topicEnd = reader.at
    this.id = this.qos > 0 ? packetId(reader) : 0
    this.propertiesStart = reader.at
    if (reader.version === 5) reader.take(reader.varint())
    this.payloadStart = reader.at
  }

  /** The bytes that hold the packet, from `start` to `end`. */
  get bytes(): Uint8Array {
    return this.reader.bytes
  }

  get start(): number {
    return this.reader.start
  }

  get end(): number {
    return this.reader.end
  }

  private get flags(): number {
    return this.bytes[this.start]!
  }

  get qos(): QoS {
    return ((this.flags >> 1) & 3) as QoS
  }

  get retain(): boolean {
    return (this.flags & 1) > 0
  }

  get dup(): boolean {
    return (this.flags & 8) > 0
  }

  get packetId(): number | undefined {
    return this.id || undefined
  }

  /** Throws MqttError for what may not be in a Topic Name (sections 1.5.4 and 4.7). */
  get topic(): string {
    const { reader } = this
    if (this.isPlain()) return readAscii(reader.bytes, this.topicStart, this.topicEnd)
    reader.at = this.topicStart - 2
    const topic = reader.string()
    if (hasWildcard(topic)) throw reader.fault(0x81, 'wildcard', '3.3.2-2')
    return topic
  }

  /** A view of the packet, not a copy. */
  get payload(): Uint8Array {
    return view(this.bytes, this.payloadStart, this.end)
  }

  /** Throws MqttError for properties that break section 3.3.2.3. */
  get properties(): PublishProperties {
    this.reader.at = this.propertiesStart
    this.known ??= properties(this.reader, 3, undefined) as PublishProperties
    return this.known
  }

  /** Throws MqttError when the topic or a property breaks the standard; then every field may be read without fear. */
  check(): this {
    const { reader, topicStart, topicEnd } = this
    if (!this.isPlain()) this.topic
    if (this.payloadStart > this.propertiesStart + 1) this.properties
    if (topicStart === topicEnd && this.properties.topicAlias === undefined) {
      throw reader.version < 5 ? reader.fault(0x81, 'empty', '4.7.3-1') : reader.fault(0x82, 'no Topic Name', '3.3.2.1')
    }
    return this
  }

  /** Whether the topic needs no further check; looked at once. */
  private isPlain(): boolean {
    this.plain ??= isPlainTopic(this.reader.bytes, this.topicStart, this.topicEnd)
    return this.plain
  }
}

/** Writes all of the packet but its Remaining Length and its payload. */
export function writePublish(output: Output, packet: Input<Publish>): void {
  const { topic, qos = 0, dup = false, retain = false, packetId: id } = packet
  if (![0, 1, 2].includes(qos)) throw new RangeError(`qos must be 0, 1 or 2, not ${qos}`)
  if (dup && qos === 0) throw output.fault(0x81, 'DUP with QoS 0', '3.3.1-2')
  if (hasWildcard(topic)) throw output.fault(0x81, 'wildcard', '3.3.2-2')
  if (topic === '' && (output.version < 5 || packet.properties?.topicAlias === undefined)) {
    throw output.fault(0x82, 'no Topic Name', '3.3.2.1')
  }
  output.uint(1, 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0))
  output.string(topic)
  if (qos > 0) packetId(output, id)
  properties(output, 3, packet.properties)
}
