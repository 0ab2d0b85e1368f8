/** SUBSCRIBE (section 3.8): Topic Filters that a Client wants messages for. */

import type { Input } from './input.js'
import { malformed, protocolError } from './mqtt-error.js'
import type { ProtocolVersion, QoS } from './packet-type.js'
import { type Properties, propertiesSize, readProperties, writeProperties } from './properties.js'
import type { Reader } from './reader.js'
import { isShared, topicFilterFault } from './topic.js'
import { checkInteger, checkPacketId, stringLength, type Writer } from './writer.js'

/** A Topic Filter and its Subscription Options (section 3.8.3.1). All but `qos` are of MQTT 5.0. */
export interface Subscription {
  readonly topicFilter: string
  /** The highest QoS that messages may come with. */
  readonly qos: QoS
  /** Not the messages that this Client publishes itself. */
  readonly noLocal?: boolean
  /** Keep the RETAIN flag as it was published. */
  readonly retainAsPublished?: boolean
  /** Retained messages: 0 send them, 1 send them for a new subscription only, 2 do not send them. */
  readonly retainHandling?: 0 | 1 | 2
}

export interface SubscribeProperties extends Pick<Properties, 'userProperty'> {
  readonly subscriptionIdentifier?: number
}

export interface Subscribe {
  readonly type: 'subscribe'
  readonly packetId: number
  /** At least one. */
  readonly subscriptions: readonly Subscription[]
  readonly properties: SubscribeProperties
}

export function readSubscribe(reader: Reader, version: ProtocolVersion): Subscribe {
  const packetId = reader.packetId()
  const properties = (version === 5 ? readProperties(reader, 'subscribe') : {}) as SubscribeProperties
  if (reader.at === reader.end) throw protocolError('no Topic Filter', 'MQTT-3.8.3-2', reader.offset)
  const subscriptions: Subscription[] = []
  while (reader.at < reader.end) subscriptions.push(readSubscription(reader, version))
  return { type: 'subscribe', packetId, subscriptions, properties }
}

function readSubscription(reader: Reader, version: ProtocolVersion): Subscription {
  const topicFilter = readTopicFilter(reader, version)
  const { offset } = reader
  const options = reader.byte()
  const qos = options & 3
  if (options > (version === 5 ? 0x3f : 3)) {
    throw malformed('a reserved bit of the Subscription Options is set', 'MQTT-3.8.3-5', offset)
  }
  if (qos === 3) throw protocolError('a Maximum QoS of 3', '3.8.3.1', offset)
  if (version < 5) return { topicFilter, qos: qos as QoS }
  const retainHandling = options >> 4
  if (retainHandling === 3) throw protocolError('a Retain Handling of 3', '3.8.3.1', offset)
  const noLocal = (options & 4) !== 0
  if (noLocal && isShared(topicFilter, version)) {
    throw protocolError('No Local on a Shared Subscription', 'MQTT-3.8.3-4', offset)
  }
  return {
    topicFilter,
    qos: qos as QoS,
    noLocal,
    retainAsPublished: (options & 8) !== 0,
    retainHandling: retainHandling as 0 | 1 | 2,
  }
}

/** Reads a Topic Filter and checks its form (sections 4.7 and 4.8.2). */
export function readTopicFilter(reader: Reader, version: ProtocolVersion): string {
  const { offset } = reader
  const filter = reader.string()
  const fault = topicFilterFault(filter, version)
  if (fault !== undefined) throw malformed(fault[0], fault[1], offset)
  return filter
}

/** Bytes of a Topic Filter with its prefix. Throws TypeError for one of wrong form. */
export function topicFilterLength(filter: string, version: ProtocolVersion): number {
  const fault = topicFilterFault(filter, version)
  if (fault !== undefined) throw new TypeError(`${fault[0]}: ${JSON.stringify(filter)}`)
  return stringLength(filter)
}

export function subscribeLength(packet: Input<Subscribe>, version: ProtocolVersion): number {
  const { subscriptions } = packet
  checkPacketId(packet.packetId)
  if (subscriptions.length === 0) throw new TypeError('subscriptions may not be empty') // [MQTT-3.8.3-2]
  let length = version === 5 ? 2 + propertiesSize(packet.properties, 'subscribe') : 2
  for (const { topicFilter, qos, noLocal, retainHandling = 0 } of subscriptions) {
    checkInteger('qos', qos, 0, 2)
    checkInteger('retainHandling', retainHandling, 0, 2)
    if (noLocal === true && isShared(topicFilter, version)) {
      throw new TypeError('noLocal may not be set on a Shared Subscription') // [MQTT-3.8.3-4]
    }
    length += topicFilterLength(topicFilter, version) + 1
  }
  return length
}

export function writeSubscribe(writer: Writer, packet: Input<Subscribe>, version: ProtocolVersion): void {
  writer.uint16(packet.packetId)
  if (version === 5) writeProperties(writer, packet.properties, 'subscribe')
  for (const { topicFilter, qos, noLocal, retainAsPublished, retainHandling = 0 } of packet.subscriptions) {
    writer.string(topicFilter)
    const options = (noLocal === true ? 4 : 0) | (retainAsPublished === true ? 8 : 0) | (retainHandling << 4)
    writer.byte(version === 5 ? qos | options : qos)
  }
}
