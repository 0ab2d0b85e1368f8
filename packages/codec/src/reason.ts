/** Reason Codes in packets. */

import type { Fields } from './fields.js'
import { type Given, hasProperties, none, type Properties } from './properties.js'
import { carries } from './reason-code.js'

/** A Reason Code that the packet type may carry; before MQTT 5.0 a return code. */
export function reason(fields: Fields, packetType: number, given: number | undefined): number {
  const code = fields.uint(1, given, 'reasonCode')
  if (!carries(packetType, code, fields.version)) {
    const number = packetType === 2 ? '2-8' : packetType === 9 || packetType === 11 ? '3-2' : '2-1'
    throw fields.fault(0x82, `Reason Code ${code}`, `3.${packetType}.${number}`)
  }
  return code
}

/** A Reason Code that may be left out: when it is 0 and no properties follow it. */
export function shortReason(fields: Fields, packetType: number, given: Partial<Reasoned>): number {
  const { reasonCode = 0, properties } = given
  const isThere = fields.version === 5 && fields.more(reasonCode !== 0 || hasProperties(properties))
  return isThere ? reason(fields, packetType, reasonCode) : 0
}

/** The properties behind it, which may be left out when there are none. */
export function shortProperties(fields: Fields, packetType: number, { properties }: Partial<Reasoned>): Properties {
  const areThere = fields.version === 5 && fields.more(hasProperties(properties))
  return areThere ? fields.propertiesOf(packetType, properties) : none
}

interface Reasoned {
  readonly reasonCode: number | undefined
  readonly properties: Given<Properties> | undefined
}
