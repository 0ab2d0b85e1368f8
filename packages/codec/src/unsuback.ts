/** UNSUBACK (section 3.11): what became of each Topic Filter of an UNSUBSCRIBE. */

import type { Input } from './input.js'
import { protocolError } from './mqtt-error.js'
import { PacketType, type ProtocolVersion } from './packet-type.js'
import { propertiesSize, type ReasonProperties, readProperties, writeProperties } from './properties.js'
import type { Reader } from './reader.js'
import { checkReason, readReason } from './reason.js'
import { checkPacketId, type Writer } from './writer.js'

export interface Unsuback {
  readonly type: 'unsuback'
  readonly packetId: number
  /** In the order of the Topic Filters; empty before MQTT 5.0, which brought them. */
  readonly reasonCodes: readonly number[]
  readonly properties: ReasonProperties
}

export function readUnsuback(reader: Reader, version: ProtocolVersion): Unsuback {
  const packetId = reader.packetId()
  const reasonCodes: number[] = []
  if (version < 5) return { type: 'unsuback', packetId, reasonCodes, properties: {} }
  const properties: ReasonProperties = readProperties(reader, 'unsuback')
  if (reader.at === reader.end) throw protocolError('no Reason Code', 'MQTT-3.11.3-2', reader.offset)
  while (reader.at < reader.end) reasonCodes.push(readReason(reader, PacketType.Unsuback))
  return { type: 'unsuback', packetId, reasonCodes, properties }
}

export function unsubackLength(packet: Input<Unsuback>, version: ProtocolVersion): number {
  const { reasonCodes } = packet
  checkPacketId(packet.packetId)
  if (version < 5) return 2
  if (reasonCodes.length === 0) throw new TypeError('reasonCodes may not be empty') // [MQTT-3.11.3-2]
  for (const code of reasonCodes) checkReason(PacketType.Unsuback, code)
  return 2 + propertiesSize(packet.properties, 'unsuback') + reasonCodes.length
}

export function writeUnsuback(writer: Writer, packet: Input<Unsuback>, version: ProtocolVersion): void {
  writer.uint16(packet.packetId)
  if (version < 5) return
  writeProperties(writer, packet.properties, 'unsuback')
  for (const code of packet.reasonCodes) writer.byte(code)
}
