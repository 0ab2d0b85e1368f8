/** PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7): the steps that end a QoS 1 or QoS 2 delivery. */

import type { Fields } from './fields.js'
import type { Input } from './input.js'
import type { ReasonProperties } from './properties.js'
import { shortProperties, shortReason } from './reason.js'

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

/** The description of all four, which are packet types 4 to 7. */
export function acknowledgement(
  fields: Fields,
  given: Partial<Input<Acknowledgement<AckType>>>,
  packetType: number,
): Acknowledgement<AckType> {
  const type = (['puback', 'pubrec', 'pubrel', 'pubcomp'] as const)[packetType - 4]!
  return {
    type,
    packetId: packetId(fields, given.packetId),
    reasonCode: shortReason(fields, packetType, given),
    properties: shortProperties(fields, packetType, given),
  }
}

/** A Packet Identifier, which may not be 0. */
export function packetId(fields: Fields, given = 0): number {
  const id = fields.uint(2, given, 'packetId')
  if (id === 0) throw fields.fault(0x82, 'Packet Identifier 0', '2.2.1-3')
  return id
}
