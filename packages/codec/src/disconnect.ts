/** DISCONNECT (section 3.14): the last packet of a Network Connection; before MQTT 5.0 from the Client only. */

import type { Input } from './input.js'
import { PacketType, type ProtocolVersion } from './packet-type.js'
import { type Properties, propertiesLength, propertiesSize, readProperties, writeProperties } from './properties.js'
import type { Reader } from './reader.js'
import { checkReason, readReason } from './reason.js'
import type { Writer } from './writer.js'

export type DisconnectProperties = Pick<
  Properties,
  'sessionExpiryInterval' | 'reasonString' | 'userProperty' | 'serverReference'
>

export interface Disconnect {
  readonly type: 'disconnect'
  /** Always 0, Normal disconnection, before MQTT 5.0. */
  readonly reasonCode: number
  readonly properties: DisconnectProperties
}

export function readDisconnect(reader: Reader, version: ProtocolVersion): Disconnect {
  let reasonCode = 0
  let properties: DisconnectProperties = {}
  // An empty body means Normal disconnection, one of one byte no properties (section 3.14.2.1).
  if (version === 5 && reader.at < reader.end) {
    reasonCode = readReason(reader, PacketType.Disconnect)
    if (reader.at < reader.end) properties = readProperties(reader, 'disconnect')
  }
  return { type: 'disconnect', reasonCode, properties }
}

export function disconnectLength(packet: Input<Disconnect>, version: ProtocolVersion): number {
  if (version < 5) return 0
  const { reasonCode = 0 } = packet
  checkReason(PacketType.Disconnect, reasonCode)
  if (propertiesLength(packet.properties, 'disconnect') > 0) return 1 + propertiesSize(packet.properties, 'disconnect')
  return reasonCode === 0 ? 0 : 1
}

/** `length` is what `disconnectLength` returned: the shortest form is written. */
export function writeDisconnect(writer: Writer, packet: Input<Disconnect>, length: number): void {
  if (length > 0) writer.byte(packet.reasonCode ?? 0)
  if (length > 1) writeProperties(writer, packet.properties, 'disconnect')
}
