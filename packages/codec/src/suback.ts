/** SUBACK (section 3.9): what became of each Topic Filter of a SUBSCRIBE. */

import type { Input } from './input.js'
import { protocolError } from './mqtt-error.js'
import { PacketType, type ProtocolVersion } from './packet-type.js'
import { propertiesSize, type ReasonProperties, readProperties, writeProperties } from './properties.js'
import type { Reader } from './reader.js'
import { checkReason, readReason } from './reason.js'
import { checkPacketId, type Writer } from './writer.js'

export interface Suback {
  readonly type: 'suback'
  readonly packetId: number
  /** The granted QoS or a failure, in the order of the Topic Filters; before MQTT 5.0 the only failure is 0x80. */
  readonly reasonCodes: readonly number[]
  readonly properties: ReasonProperties
}

export function readSuback(reader: Reader, version: ProtocolVersion): Suback {
  const packetId = reader.packetId()
  const properties: ReasonProperties = version === 5 ? readProperties(reader, 'suback') : {}
  if (reader.at === reader.end) throw protocolError('no Reason Code', 'MQTT-3.8.4-6', reader.offset)
  const reasonCodes: number[] = []
  while (reader.at < reader.end) {
    const code = readReason(reader, PacketType.Suback)
    if (version < 5 && code > 2 && code !== 0x80) {
      throw protocolError(`return code ${code} is reserved`, '3.1.1 MQTT-3.9.3-2', reader.offset - 1)
    }
    reasonCodes.push(code)
  }
  return { type: 'suback', packetId, reasonCodes, properties }
}

export function subackLength(packet: Input<Suback>, version: ProtocolVersion): number {
  const { reasonCodes } = packet
  checkPacketId(packet.packetId)
  if (reasonCodes.length === 0) throw new TypeError('reasonCodes may not be empty') // [MQTT-3.8.4-6]
  for (const code of reasonCodes) {
    checkReason(PacketType.Suback, code)
    if (version < 5 && code > 2 && code !== 0x80) throw new RangeError(`reason code ${code} needs MQTT 5.0`)
  }
  return reasonCodes.length + (version === 5 ? 2 + propertiesSize(packet.properties, 'suback') : 2)
}

export function writeSuback(writer: Writer, packet: Input<Suback>, version: ProtocolVersion): void {
  writer.uint16(packet.packetId)
  if (version === 5) writeProperties(writer, packet.properties, 'suback')
  for (const code of packet.reasonCodes) writer.byte(code)
}
