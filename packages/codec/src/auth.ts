/** AUTH (section 3.15): a step of enhanced authentication, of MQTT 5.0 only. */

import type { Input } from './input.js'
import { malformed, protocolError } from './mqtt-error.js'
import { PacketType, type ProtocolVersion } from './packet-type.js'
import { type Properties, propertiesLength, propertiesSize, readProperties, writeProperties } from './properties.js'
import type { Reader } from './reader.js'
import { checkReason, readReason } from './reason.js'
import type { Writer } from './writer.js'

export type AuthProperties = Pick<
  Properties,
  'authenticationMethod' | 'authenticationData' | 'reasonString' | 'userProperty'
>

export interface Auth {
  readonly type: 'auth'
  readonly reasonCode: number
  readonly properties: AuthProperties
}

export function readAuth(reader: Reader, version: ProtocolVersion): Auth {
  if (version < 5) throw malformed('packet type 15 is reserved before MQTT 5.0', '3.1.1 MQTT-2.2.2-2', 0)
  let reasonCode = 0
  let properties: AuthProperties = {}
  // An empty body means Success without properties (section 3.15.2.1).
  if (reader.at < reader.end) {
    reasonCode = readReason(reader, PacketType.Auth)
    properties = readProperties(reader, 'auth')
    if (properties.authenticationMethod === undefined) {
      throw protocolError('no Authentication Method', '3.15.2.2.2', reader.offset)
    }
  }
  return { type: 'auth', reasonCode, properties }
}

export function authLength(packet: Input<Auth>, version: ProtocolVersion): number {
  if (version < 5) throw new TypeError('AUTH needs MQTT 5.0')
  const { reasonCode = 0 } = packet
  checkReason(PacketType.Auth, reasonCode)
  if (reasonCode === 0 && propertiesLength(packet.properties, 'auth') === 0) return 0
  if (packet.properties?.authenticationMethod === undefined) throw new TypeError('AUTH needs an authenticationMethod')
  return 1 + propertiesSize(packet.properties, 'auth')
}

/** `length` is what `authLength` returned: the shortest form is written. */
export function writeAuth(writer: Writer, packet: Input<Auth>, length: number): void {
  if (length === 0) return
  writer.byte(packet.reasonCode ?? 0)
  writeProperties(writer, packet.properties, 'auth')
}
