// hot: runs per packet
/** PUBLISH (section 3.3): an Application Message on its way. */

import { packetId } from './acks.js'
import type { Input } from './input.js'
import { knownString } from './known-strings.js'
import { malformed, protocolError } from './mqtt-error.js'
import { notAllowed, Output } from './output.js'
import type { ProtocolVersion, QoS } from './packet-type.js'
import { type Given, hasProperties, type Properties } from './properties.js'
import { skipProperty } from './property.js'
import { byteArray } from './range.js'
import { type Reader, view } from './reader.js'
import { hasWildcard } from './topic.js'
import { copy, writeAscii, writeUtf8 } from './utf8.js'
import { insertLength } from './varint.js'

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
  /** Where the fields lie in `bytes`. */
  readonly topicStart: number
  readonly topicEnd: number
  readonly payloadStart: number
  /** What has been read of them. */
  private name: string | undefined = undefined
  private known: PublishProperties | undefined = undefined

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
    if (this.qos > 0) packetId(reader)
    if (reader.version === 5) reader.take(reader.varint())
    this.payloadStart = reader.at
  }

  /** The version that it was sent in. */
  get version(): ProtocolVersion {
    return this.reader.version
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

  get qos(): QoS {
    return ((this.bytes[this.start]! >> 1) & 3) as QoS
  }

  get retain(): boolean {
    return (this.bytes[this.start]! & 1) > 0
  }

  get dup(): boolean {
    return (this.bytes[this.start]! & 8) > 0
  }

  get packetId(): number | undefined {
    const { bytes, topicEnd } = this
    return this.qos > 0 ? (bytes[topicEnd]! << 8) | bytes[topicEnd + 1]! : undefined
  }

  /** Where the Property Length lies; before MQTT 5.0 as `payloadStart`. */
  get propertiesStart(): number {
    return this.qos > 0 ? this.topicEnd + 2 : this.topicEnd
  }

  /** Throws MqttError for what may not be in a Topic Name (sections 1.5.4 and 4.7). */
  get topic(): string {
    this.name ??= knownString(this.bytes, this.topicStart, this.topicEnd) ?? this.readTopic()
    return this.name
  }

  /** A view of the packet, not a copy. */
  get payload(): Uint8Array {
    return view(this.bytes, this.payloadStart, this.end)
  }

  /** Throws MqttError for properties that break section 3.3.2.3. */
  get properties(): PublishProperties {
    this.reader.at = this.propertiesStart
    this.known ??= this.reader.propertiesOf(3) as PublishProperties
    return this.known
  }

  /** Where in `bytes` the value of a property begins, the first of several; 0 when there is none. Throws MqttError. */
  indexOf(name: keyof PublishProperties): number {
    const { reader } = this
    reader.at = this.propertiesStart
    if (reader.version === 5) reader.varint()
    while (reader.at < this.payloadStart) {
      const { at } = reader
      if (skipProperty(reader, 3) === name) return at + 1
    }
    return 0
  }

  /** Throws MqttError when the topic or a property breaks the standard; then every field may be read without fear. */
  check(): this {
    const { reader } = this
    if (this.payloadStart > this.propertiesStart + 1) this.properties
    if (this.topic === '' && this.properties.topicAlias === undefined) {
      const offset = this.topicStart - this.start
      throw reader.version < 5
        ? malformed('empty', '4.7.3-1', offset)
        : protocolError('no Topic Name', '3.3.2.1', offset)
    }
    return this
  }

  /**
   * Copies the packet to another place, where it lives on when these bytes are overwritten. Returns it as it lies there.
   * Throws RangeError when it has no room.
   */
  copyTo(bytes: Uint8Array, at = 0): ReceivedPublish {
    bytes.set(this.bytes.subarray(this.start, this.end), at)
    return new ReceivedPublish(this.reader.movedTo(bytes, at, this.topicStart - 2))
  }

  /**
   * Writes the properties in their order [MQTT-3.3.2-18]: those given in the place of its own, the others at the end.
   * @internal
   */
  copyProperties(output: Output, given: Given<PublishProperties> = {}): void {
    const { reader } = this
    const { end } = reader
    let rest: Given<Properties> = given
    reader.at = this.propertiesStart
    if (reader.version === 5) reader.varint()
    reader.end = this.payloadStart
    try {
      while (reader.more()) {
        const { at } = reader
        const name = skipProperty(reader, 3)
        if (name in rest) {
          const { [name]: value, ...others } = rest
          output.properties(3, { [name]: value })
          rest = others
        } else if (name !== 'topicAlias' && !(name in given)) {
          output.at = copy(reader.bytes, at, reader.at, output.bytes, output.at)
        }
      }
    } finally {
      reader.end = end
    }
    output.properties(3, rest)
  }

  private readTopic(): string {
    const { reader } = this
    reader.at = this.topicStart - 2
    return reader.topicName(undefined, '3.3.2-2')
  }
}

/**
 * A PUBLISH received that is sent on: what is left out is as in `from`, and copied without being read. What belongs to
 * one connection is not taken from it: DUP, Packet Identifier and Topic Alias.
 */
export interface Forward extends Partial<Omit<Publish, 'type' | 'properties'>> {
  readonly type: 'publish'
  /** What `check` would check is not checked again. */
  readonly from: ReceivedPublish
  /** Those named here come in place of those of `from`; with undefined they are left out. */
  readonly properties?: Given<PublishProperties>
}

/** A PUBLISH to be encoded. */
export type PublishInput = Input<Publish> | Forward

/** Writes all of the packet but its payload. Returns the index behind it: beyond the end of the target it is void. */
export function writePublish(
  packet: PublishInput,
  version: ProtocolVersion,
  payloadLength: number,
  target: Uint8Array,
  at: number,
): number {
  const { from, topic, properties } = packet as Partial<Forward>
  const { qos = from?.qos ?? 0, retain = from?.retain ?? false, dup = false, packetId: id = 0 } = packet
  if (qos !== 0 && qos !== 1 && qos !== 2) throw new RangeError(`qos must be 0, 1 or 2, not ${qos}`)
  if (dup && qos === 0) throw notAllowed(0x81, 'DUP with QoS 0', '3.3.1-2')
  target[at] = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
  let end =
    topic === undefined && from !== undefined
      ? copy(from.bytes, from.topicStart - 2, from.topicEnd, target, at + 2)
      : writeTopicName(topic!, target, at + 2)
  if (end === at + 4 && (version < 5 || properties?.topicAlias === undefined)) {
    throw notAllowed(0x82, 'no Topic Name', '3.3.2.1')
  }
  if (qos > 0) {
    if (id === 0 || (id & 0xffff) !== id) throw new RangeError(`packetId must be 1 to 65535, not ${id}`)
    target[end++] = id >> 8
    target[end++] = id
  }
  if (version === 5 && (from !== undefined || hasProperties(properties))) {
    const output = new Output(target, end + 1, version)
    if (from === undefined) output.properties(3, properties)
    else from.copyProperties(output, properties)
    end = insertLength(target, end, output.at, 0)
  } else if (version === 5) {
    target[end++] = 0 // no properties [MQTT-2.2.2-1]
  }
  return insertLength(target, at + 1, end, payloadLength)
}

function writeTopicName(topic: string, target: Uint8Array, at: number): number {
  const end = writeAscii(topic, true, target, at)
  if (end > 0) return end
  if (hasWildcard(topic)) throw notAllowed(0x81, 'wildcard', '3.3.2-2')
  return writeUtf8(topic, target, at)
}

/** Throws TypeError when it is not bytes. */
export function payloadOf(packet: PublishInput): Uint8Array {
  return byteArray(packet.payload ?? (packet as Forward).from?.payload, 'payload')
}
