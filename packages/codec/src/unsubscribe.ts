/** UNSUBSCRIBE (section 3.10): Topic Filters that a Client no longer wants. */

import type { Input } from './input.js'
import { protocolError } from './mqtt-error.js'
import type { ProtocolVersion } from './packet-type.js'
import { type Properties, propertiesSize, readProperties, writeProperties } from './properties.js'
import type { Reader } from './reader.js'
import { readTopicFilter, topicFilterLength } from './subscribe.js'
import { checkPacketId, type Writer } from './writer.js'

export type UnsubscribeProperties = Pick<Properties, 'userProperty'>

export interface Unsubscribe {
  readonly type: 'unsubscribe'
  readonly packetId: number
  /** At least one. */
  readonly topicFilters: readonly string[]
  readonly properties: UnsubscribeProperties
}

export function readUnsubscribe(reader: Reader, version: ProtocolVersion): Unsubscribe {
  const packetId = reader.packetId()
  const properties: UnsubscribeProperties = version === 5 ? readProperties(reader, 'unsubscribe') : {}
  if (reader.at === reader.end) throw protocolError('no Topic Filter', 'MQTT-3.10.3-2', reader.offset)
  const topicFilters: string[] = []
  while (reader.at < reader.end) topicFilters.push(readTopicFilter(reader, version))
  return { type: 'unsubscribe', packetId, topicFilters, properties }
}

export function unsubscribeLength(packet: Input<Unsubscribe>, version: ProtocolVersion): number {
  const { topicFilters } = packet
  checkPacketId(packet.packetId)
  if (topicFilters.length === 0) throw new TypeError('topicFilters may not be empty') // [MQTT-3.10.3-2]
  let length = version === 5 ? 2 + propertiesSize(packet.properties, 'unsubscribe') : 2
  for (const filter of topicFilters) length += topicFilterLength(filter, version)
  return length
}

export function writeUnsubscribe(writer: Writer, packet: Input<Unsubscribe>, version: ProtocolVersion): void {
  writer.uint16(packet.packetId)
  if (version === 5) writeProperties(writer, packet.properties, 'unsubscribe')
  for (const filter of packet.topicFilters) writer.string(filter)
}
