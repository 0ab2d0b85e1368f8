/** Reason Codes within packets: which packet may carry which, checked on the way in and on the way out. */

import { protocolError } from './mqtt-error.js'
import { PacketType } from './packet-type.js'
import type { Reader } from './reader.js'
import { mayCarry } from './reason-code.js'

// The statements that bind a packet to its own Reason Codes.
const statements: Readonly<Record<number, string>> = {
  [PacketType.Connack]: 'MQTT-3.2.2-8',
  [PacketType.Puback]: 'MQTT-3.4.2-1',
  [PacketType.Pubrec]: 'MQTT-3.5.2-1',
  [PacketType.Pubrel]: 'MQTT-3.6.2-1',
  [PacketType.Pubcomp]: 'MQTT-3.7.2-1',
  [PacketType.Suback]: 'MQTT-3.9.3-2',
  [PacketType.Unsuback]: 'MQTT-3.11.3-2',
  [PacketType.Disconnect]: 'MQTT-3.14.2-1',
  [PacketType.Auth]: 'MQTT-3.15.2-1',
}

/** Reads a Reason Code that the packet type may carry. */
export function readReason(reader: Reader, packetType: number): number {
  const { offset } = reader
  const reasonCode = reader.byte()
  if (!mayCarry(packetType, reasonCode)) {
    throw protocolError(`Reason Code ${reasonCode} is not one of this packet`, statements[packetType], offset)
  }
  return reasonCode
}

/** Throws RangeError for a Reason Code that the packet type may not carry. */
export function checkReason(packetType: number, reasonCode: number): void {
  if (!mayCarry(packetType, reasonCode)) throw new RangeError(`reasonCode ${reasonCode} is not one of this packet`)
}
