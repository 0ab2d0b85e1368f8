/** Reason Codes in packets. */

import type { Fields } from './fields.js'
import { hasProperties, type Properties, properties } from './properties.js'
import { carries } from './reason-code.js'

/** A Reason Code that the packet type may carry; before MQTT 5.0 a return code. */
export function reason(fields: Fields, packetType: number, given = 0): number {
  const code = fields.uint(1, given, 'reasonCode')
  if (!carries(packetType, code, fields.version)) {
    const number = packetType === 2 ? '2-8' : packetType === 9 || packetType === 11 ? '3-2' : '2-1'
    throw fields.fault(0x82, `Reason Code ${code}`, `3.${packetType}.${number}`)
  }
  return code
}

/** A Reason Code and properties that are left out where they can be: when it is 0, and when there are none. */
export function shortReason<T extends { readonly reasonCode: number; readonly properties: Properties }>(
  fields: Fields,
  packetType: number,
  { reasonCode = 0, properties: given }: Partial<T>,
): { reasonCode: number; properties: Properties } {
  const hasMore = hasProperties(given)
  const isNew = fields.version === 5
  return {
    reasonCode: isNew && fields.more(reasonCode > 0 || hasMore) ? reason(fields, packetType, reasonCode) : 0,
    properties: isNew && fields.more(hasMore) ? properties(fields, packetType, given) : {},
  }
}
