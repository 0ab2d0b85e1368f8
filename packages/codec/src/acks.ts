/** PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7): the steps that end a QoS 1 or QoS 2 delivery. */

import type { Input } from './input.js'
import { PacketType, type ProtocolVersion } from './packet-type.js'
import {
  propertiesLength,
  propertiesSize,
  type ReasonProperties,
  readProperties,
  writeProperties,
} from './properties.js'
import type { Reader } from './reader.js'
import { checkReason, readReason } from './reason.js'
import { checkPacketId, type Writer } from './writer.js'

interface Acknowledgement<T extends AckType> {
  readonly type: T
  readonly packetId: number
  /** Always 0, Success, before MQTT 5.0. */
  readonly reasonCode: number
  readonly properties: ReasonProperties
}

export type AckType = 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'
/** Ends QoS 1. */
export type Puback = Acknowledgement<'puback'>
/** QoS 2: received, part 1. */
export type Pubrec = Acknowledgement<'pubrec'>
/** QoS 2: released, part 2. */
export type Pubrel = Acknowledgement<'pubrel'>
/** QoS 2: complete, part 3. */
export type Pubcomp = Acknowledgement<'pubcomp'>

const ackTypes: Readonly<Record<AckType, number>> = {
  puback: PacketType.Puback,
  pubrec: PacketType.Pubrec,
  pubrel: PacketType.Pubrel,
  pubcomp: PacketType.Pubcomp,
}

const none: ReasonProperties = Object.freeze({})

export function readAck<T extends AckType>(reader: Reader, version: ProtocolVersion, type: T): Acknowledgement<T> {
  const packetId = reader.packetId()
  let reasonCode = 0
  let properties = none
  // A body of two bytes means Success and one of three no properties (section 3.4.2.1).
  if (version === 5 && reader.at < reader.end) {
    reasonCode = readReason(reader, ackTypes[type])
    if (reader.at < reader.end) properties = readProperties(reader, type)
  }
  return { type, packetId, reasonCode, properties }
}

export function ackLength(packet: Input<Acknowledgement<AckType>>, version: ProtocolVersion): number {
  checkPacketId(packet.packetId)
  if (version < 5) return 2
  const { reasonCode = 0 } = packet
  checkReason(ackTypes[packet.type], reasonCode)
  const properties = propertiesLength(packet.properties, packet.type)
  if (properties > 0) return 3 + propertiesSize(packet.properties, packet.type)
  return reasonCode === 0 ? 2 : 3
}

/** `length` is what `ackLength` returned: the shortest form is written. */
export function writeAck(writer: Writer, packet: Input<Acknowledgement<AckType>>, length: number): void {
  writer.uint16(packet.packetId)
  if (length > 2) writer.byte(packet.reasonCode ?? 0)
  if (length > 3) writeProperties(writer, packet.properties, packet.type)
}
