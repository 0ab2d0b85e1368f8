// hot: runs per packet
/** PUBLISH (section 3.3): an Application Message on its way. */

import type { Input } from './input.js'
import { malformed, protocolError } from './mqtt-error.js'
import type { ProtocolVersion, QoS } from './packet-type.js'
import { type Properties, propertiesSize, readProperties, writeProperties } from './properties.js'
import { Reader, view } from './reader.js'
import type { Relaxations } from './relaxations.js'
import { hasWildcard } from './topic.js'
import { isPrintableAscii, readUtf8, utf8Fault } from './utf8.js'
import { checkInteger, checkPacketId, stringLength, type Writer } from './writer.js'

export type PublishProperties = Pick<
  Properties,
  | 'payloadFormatIndicator'
  | 'messageExpiryInterval'
  | 'topicAlias'
  | 'responseTopic'
  | 'correlationData'
  | 'userProperty'
  | 'subscriptionIdentifier'
  | 'contentType'
>

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
 * A PUBLISH received, read in place: it holds the packet's bytes and where each field lies in them, and makes strings
 * and views when they are asked for. It is valid as long as its bytes are not overwritten.
 */
export class ReceivedPublish implements Publish {
  readonly type = 'publish'
  readonly bytes: Uint8Array
  /** Index of the first byte of the packet. */
  readonly start: number
  /** Index behind the last byte. */
  readonly end: number
  readonly version: ProtocolVersion
  readonly topicStart: number
  readonly topicEnd: number
  /** 0 for QoS 0. */
  readonly id: number
  /** Index of the Property Length; equal to `payloadStart` before MQTT 5.0. */
  readonly propertiesStart: number
  readonly payloadStart: number
  readonly relaxed: Relaxations

  /**
   * Finds the fields of the whole packet that lies from `start` to `end`, with its body from `body`. Throws MqttError
   * when they do not fit in it. What the fields hold is checked by `check()` or, one by one, as they are asked for.
   */
  constructor(
    bytes: Uint8Array,
    start: number,
    body: number,
    end: number,
    version: ProtocolVersion,
    relaxed: Relaxations,
  ) {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.version = version
    this.relaxed = relaxed
    const flags = bytes[start]! & 0x0f
    const qos = (flags >> 1) & 3
    if (qos === 3) throw malformed('both QoS bits are set', 'MQTT-3.3.1-4', 0)
    if (qos === 0 && flags >= 8) throw malformed('DUP is set with QoS 0', 'MQTT-3.3.1-2', 0)
    let at = body + 2
    const topicEnd = at + ((bytes[body]! << 8) | bytes[body + 1]!)
    if (at > end || topicEnd > end)
      throw malformed('the Topic Name runs past the end of the packet', '3.3.2.1', body - start)
    this.topicStart = at
    this.topicEnd = topicEnd
    at = topicEnd
    let id = 0
    if (qos > 0) {
      id = (bytes[at]! << 8) | bytes[at + 1]!
      at += 2
      if (at > end) throw malformed('the Packet Identifier is missing', '3.3.2.2', topicEnd - start)
      if (id === 0) throw protocolError('the Packet Identifier is 0', 'MQTT-2.2.1-3', topicEnd - start)
    }
    this.id = id
    this.propertiesStart = at
    if (version === 5) {
      const reader = new Reader(bytes, start, at, end, relaxed)
      const length = reader.varint()
      at = reader.at + length
      if (at > end) throw malformed('the Property Length runs past the end of the packet', '2.2.2.1', reader.offset)
    }
    this.payloadStart = at
  }

  get qos(): QoS {
    return ((this.bytes[this.start]! >> 1) & 3) as QoS
  }

  get retain(): boolean {
    return (this.bytes[this.start]! & 1) !== 0
  }

  get dup(): boolean {
    return (this.bytes[this.start]! & 8) !== 0
  }

  get packetId(): number | undefined {
    return this.id === 0 ? undefined : this.id
  }

  /** Throws MqttError for what may not be in a Topic Name (sections 1.5.4 and 4.7). */
  get topic(): string {
    const { bytes, topicStart: start, topicEnd: end } = this
    const ascii = this.#checkTopic()
    return readUtf8(bytes, start, end, ascii)
  }

  /** A view of the packet, not a copy. */
  get payload(): Uint8Array {
    return view(this.bytes, this.payloadStart, this.end)
  }

  /** Throws MqttError for properties that break section 3.3.2.3. */
  get properties(): PublishProperties {
    return this.#properties()
  }

  /** Throws MqttError when the topic or a property breaks the standard; then every field may be read without fear. */
  check(): this {
    this.#checkTopic()
    if (this.topicStart === this.topicEnd || this.payloadStart - this.propertiesStart > 1) {
      const { topicAlias } = this.#properties()
      if (this.topicStart === this.topicEnd && topicAlias === undefined) {
        if (this.version < 5) throw malformed('the Topic Name is empty', 'MQTT-4.7.3-1', this.topicStart - this.start)
        throw protocolError('neither a Topic Name nor a Topic Alias', '3.3.2.1', this.topicStart - this.start)
      }
    }
    return this
  }

  #properties(): PublishProperties {
    if (this.version < 5) return {}
    return readProperties(
      new Reader(this.bytes, this.start, this.propertiesStart, this.payloadStart, this.relaxed),
      'publish',
    ) as PublishProperties
  }

  #checkTopic(): boolean {
    const { bytes, topicStart: start, topicEnd: end } = this
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!
      if (byte === 0x23 || byte === 0x2b) {
        throw malformed('the Topic Name holds a wildcard', 'MQTT-3.3.2-2', i - this.start)
      }
    }
    if (isPrintableAscii(bytes, start, end)) return true
    const fault = utf8Fault(bytes, start, end, this.start, this.relaxed.controlCharacters === true)
    if (fault !== undefined) throw fault
    return false
  }
}

/** Bytes of the body. Throws TypeError or RangeError for a packet that may not be sent. */
export function publishLength(packet: Input<Publish>, version: ProtocolVersion): number {
  const { topic, qos, properties } = packet
  if (hasWildcard(topic)) throw new TypeError('topic may not hold a wildcard')
  if (topic === '' && (version < 5 || properties?.topicAlias === undefined)) {
    throw new TypeError('topic may not be empty without a topicAlias')
  }
  let length = stringLength(topic) + packet.payload.length
  if (qos !== undefined && qos > 0) {
    checkInteger('qos', qos, 0, 2)
    checkPacketId(packet.packetId)
    length += 2
  } else if (packet.dup === true) {
    throw new TypeError('dup may not be set with QoS 0') // [MQTT-3.3.1-2]
  }
  return version < 5 ? length : length + propertiesSize(properties, 'publish')
}

export function publishFlags(packet: Input<Publish>): number {
  return (packet.dup === true ? 8 : 0) | ((packet.qos ?? 0) << 1) | (packet.retain === true ? 1 : 0)
}

export function writePublish(writer: Writer, packet: Input<Publish>, version: ProtocolVersion): void {
  writer.string(packet.topic)
  if (packet.qos !== undefined && packet.qos > 0) writer.uint16(packet.packetId!)
  if (version === 5) writeProperties(writer, packet.properties, 'publish')
  writer.raw(packet.payload)
}
