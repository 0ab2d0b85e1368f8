/** All packets but PUBLISH, each described once for reading and writing, by packet type. */

import { acknowledgement } from './acks.js'
import { auth } from './auth.js'
import { connack } from './connack.js'
import { connect } from './connect.js'
import { disconnect } from './disconnect.js'
import type { Fields } from './fields.js'
import type { Packet, PacketInput } from './packet.js'
import { carries } from './reason-code.js'
import { suback, unsuback } from './suback.js'
import { subscribe } from './subscribe.js'
import { unsubscribe } from './unsubscribe.js'

type Description = (fields: Fields, given: never, packetType: number) => Packet

// In the order of the packet types, of which the first is 1 (section 2.1.2).
const descriptions: Readonly<Record<Packet['type'], Description>> = {
  connect,
  connack,
  publish: reserved,
  puback: acknowledgement,
  pubrec: acknowledgement,
  pubrel: acknowledgement,
  pubcomp: acknowledgement,
  subscribe,
  suback,
  unsubscribe,
  unsuback,
  pingreq: ping,
  pingresp: ping,
  disconnect,
  auth,
}

const types = /* @__PURE__ */ Object.keys(descriptions) as Packet['type'][]

/** Reads or writes the body of any packet but PUBLISH. Throws MqttError for what breaks the standard. */
export function describe(fields: Fields, packetType: number, given: Partial<PacketInput>): Packet {
  const type = types[packetType - 1]
  return (type === undefined ? reserved : descriptions[type])(fields, given as never, packetType)
}

function ping(_fields: Fields, _given: never, packetType: number): Packet {
  return { type: packetType === 12 ? 'pingreq' : 'pingresp' }
}

function reserved(fields: Fields): never {
  throw fields.fault(0x81, 'packet type 0', '2.1.2')
}

/** The number of a packet type. Throws TypeError for a name that none has. */
export function packetTypeOf(type: Packet['type']): number {
  const index = types.indexOf(type)
  if (index < 0) throw new TypeError(`no packet is called ${type}`)
  return index + 1
}

/** The flags that a packet of the type must have (section 2.1.3). */
export function flagsOf(packetType: number): number {
  return packetType === 6 || packetType === 8 || packetType === 10 ? 2 : 0
}

/** Whether a packet of the type may carry the Reason Code in MQTT 5.0 (table 2-6). */
export function mayCarry(type: Packet['type'], reasonCode: number): boolean {
  return carries(packetTypeOf(type), reasonCode, 5)
}
