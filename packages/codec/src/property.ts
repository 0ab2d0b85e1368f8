/** One property on the wire (section 2.2.2.2): which packet may carry it, and how its value is read and written. */

import type { Fields } from './fields.js'
import type { Properties, UserProperty } from './properties.js'

// How values lie in the packet. Numbers of one, two or four bytes are named by their width.
const varint = 0
const uint8 = 1 // 0 or 1
const uint16 = 2
const uint32 = 4
const string = 5
const twoStrings = 6
const binary = 7
const flag = 17 // one byte, told as a boolean
// Numbers that may not be 0.
const positive = 8
const positiveVarint = 8
const positive16 = 10
const positive32 = 12

/** Where the properties of the Will are meant, not those of a packet. */
export const ofWill = 0

// The packets that may carry it: a bit for each packet type, the lowest for the Will.
// biome-ignore format: a table
const table: Readonly<Record<number, readonly [name: keyof Properties, type: number, packets: number]>> = {
  1: ['payloadFormatIndicator', uint8, 0x9],
  2: ['messageExpiryInterval', uint32, 0x9],
  3: ['contentType', string, 0x9],
  8: ['responseTopic', string, 0x9],
  9: ['correlationData', binary, 0x9],
  11: ['subscriptionIdentifier', positiveVarint, 0x108],
  17: ['sessionExpiryInterval', uint32, 0x4006],
  18: ['assignedClientIdentifier', string, 0x4],
  19: ['serverKeepAlive', uint16, 0x4],
  21: ['authenticationMethod', string, 0x8006],
  22: ['authenticationData', binary, 0x8006],
  23: ['requestProblemInformation', flag, 0x2],
  24: ['willDelayInterval', uint32, 0x1],
  25: ['requestResponseInformation', flag, 0x2],
  26: ['responseInformation', string, 0x4],
  28: ['serverReference', string, 0x4004],
  31: ['reasonString', string, 0xcaf4],
  33: ['receiveMaximum', positive16, 0x6],
  34: ['topicAliasMaximum', uint16, 0x6],
  35: ['topicAlias', positive16, 0x8],
  36: ['maximumQoS', uint8, 0x4],
  37: ['retainAvailable', flag, 0x4],
  38: ['userProperty', twoStrings, 0xcfff],
  39: ['maximumPacketSize', positive32, 0x6],
  40: ['wildcardSubscriptionAvailable', flag, 0x4],
  41: ['subscriptionIdentifierAvailable', flag, 0x4],
  42: ['sharedSubscriptionAvailable', flag, 0x4],
}

const identifiers: ReadonlyMap<string, number> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ Object.entries(table).map(([id, [name]]) => [name, Number(id)]),
)

/** The identifier of a property. Throws TypeError for a name that none has. */
export function identifierOf(name: string): number {
  const id = identifiers.get(name)
  if (id === undefined) throw new TypeError(`no property is called ${name}`)
  return id
}

/** Whether a property may come more than once. */
export function repeats(id: number, packetType: number): boolean {
  return id === 38 || (id === 11 && packetType === 3)
}

/** The section that describes the properties of a packet. */
export function sectionOf(packetType: number): string {
  if (packetType === ofWill) return '3.1.3.2'
  return `3.${packetType}.2.${packetType === 1 ? 11 : packetType < 4 ? 3 : packetType > 7 && packetType < 14 ? 1 : 2}`
}

/** The name and type of a property. Throws when the packet may not carry it. */
function rowOf(
  fields: Fields,
  packetType: number,
  id: number,
): readonly [name: keyof Properties, type: number, ...unknown[]] {
  const row = table[id]
  if (row === undefined || (row[2] & (1 << packetType)) === 0)
    throw fields.fault(0x81, `property ${row?.[0] ?? id}`, '2.2.2.2')
  return row
}

/** The value of a property, behind its identifier. */
export function property(fields: Fields, packetType: number, id: number, given?: unknown): unknown {
  const row = rowOf(fields, packetType, id)
  const name = row[0]
  const type = row[1]
  if (type === twoStrings) {
    const pair = given as UserProperty | undefined
    if (pair !== undefined && !(Array.isArray(pair) && pair.length === 2)) {
      throw new TypeError('userProperty must be a list of [name, value]')
    }
    return [fields.string(pair?.[0]), fields.string(pair?.[1])] satisfies UserProperty
  }
  if (type === binary) return fields.binary(given as Uint8Array)
  if (id === 8) return topicName(fields, given as string, '3.3.2-14')
  if (type === string) return fields.string(given as string)
  const width = type & 7
  const number = (type === flag ? Number(given) : given) as number
  const value = width === varint ? fields.varint(number, name) : fields.uint(width, number, name)
  if ((width === uint8 && value > 1) || ((type & positive) > 0 && value === 0)) {
    if (id === 35) throw fields.fault(0x94, 'Topic Alias 0', '3.3.2-8')
    throw fields.fault(0x82, `${name} ${value}`, sectionOf(packetType))
  }
  return type === flag ? value === 1 : value
}

/** A Topic Name that may not be empty: that of a Will, or for responses. */
export function topicName(fields: Fields, given: string | undefined, statement: string): string {
  const topic = fields.topicName(given, statement)
  if (topic === '') throw fields.fault(0x81, 'empty', '4.7.3-1')
  return topic
}

/** Passes over a property. Returns its name. */
export function skipProperty(fields: Fields & { take(length: number): number }, packetType: number): keyof Properties {
  const [name, type] = rowOf(fields, packetType, fields.uint(1))
  const width = type & 7
  if (width === varint) fields.varint()
  else fields.take(width < string ? width : fields.uint(2))
  if (width === twoStrings) fields.take(fields.uint(2))
  return name
}

/** Properties while they are found. */
export interface Found {
  messageExpiryInterval?: number
  contentType?: string
  subscriptionIdentifier?: number | number[]
  userProperty?: UserProperty[]
}

/** Adds a property to those that were found. */
export function add(found: Found, packetType: number, id: number, value: unknown): void {
  // measured: a name that stands here 3 ns, one of the table 25
  if (id === 2) found.messageExpiryInterval = value as number
  else if (id === 3) found.contentType = value as string
  else if (!repeats(id, packetType)) (found as Record<string, unknown>)[table[id]![0]] = value
  else if (id === 38) found.userProperty = append(found.userProperty, value as UserProperty)
  else found.subscriptionIdentifier = append(found.subscriptionIdentifier as number[] | undefined, value as number)
}

function append<T>(list: T[] | undefined, item: T): T[] {
  if (list === undefined) return [item]
  list.push(item)
  return list
}
