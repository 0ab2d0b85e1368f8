/** The 27 properties of MQTT 5.0 (section 2.2.2): which packet may carry which, and how their values are read and written. */

import type { Fields } from './fields.js'
import type { Output } from './output.js'
import { Reader } from './reader.js'
import { hasWildcard } from './topic.js'

/** A name and a value. The same name may come more than once; the order is kept (section 1.5.7). */
export type UserProperty = readonly [name: string, value: string]

/** All properties; a packet may carry those of its own type only (table 2-4). */
export interface Properties {
  /** 1 when the payload is UTF-8 text, 0 when it is bytes. */
  readonly payloadFormatIndicator?: 0 | 1
  /** Seconds until the message is of no use, 0 to 4,294,967,295. */
  readonly messageExpiryInterval?: number
  readonly contentType?: string
  readonly responseTopic?: string
  readonly correlationData?: Uint8Array
  /** One number, 1 to 268,435,455, in SUBSCRIBE; in PUBLISH those of all subscriptions that matched. */
  readonly subscriptionIdentifier?: number | readonly number[]
  /** Seconds that the session outlives its connection; 4,294,967,295 is for ever. */
  readonly sessionExpiryInterval?: number
  readonly assignedClientIdentifier?: string
  /** Seconds, in place of the client's own choice. */
  readonly serverKeepAlive?: number
  readonly authenticationMethod?: string
  readonly authenticationData?: Uint8Array
  /** Whether Reason String and User Properties may be sent with failures; true when absent. */
  readonly requestProblemInformation?: boolean
  /** Seconds between the loss of the connection and the Will Message. */
  readonly willDelayInterval?: number
  readonly requestResponseInformation?: boolean
  readonly responseInformation?: string
  readonly serverReference?: string
  /** For people and logs, not to be parsed. */
  readonly reasonString?: string
  /** QoS 1 and 2 messages that may be under way at once, 1 to 65,535; 65,535 when absent. */
  readonly receiveMaximum?: number
  /** The largest Topic Alias that is accepted; 0 when absent. */
  readonly topicAliasMaximum?: number
  /** A number, 1 to 65,535, that stands for the Topic Name on this connection. */
  readonly topicAlias?: number
  /** 2 when absent. */
  readonly maximumQoS?: 0 | 1
  readonly retainAvailable?: boolean
  readonly userProperty?: readonly UserProperty[]
  /** Bytes of a whole packet, 1 to 4,294,967,295; no limit when absent. */
  readonly maximumPacketSize?: number
  readonly wildcardSubscriptionAvailable?: boolean
  readonly subscriptionIdentifierAvailable?: boolean
  readonly sharedSubscriptionAvailable?: boolean
}

/** The properties of acknowledgements. */
export type ReasonProperties = Pick<Properties, 'reasonString' | 'userProperty'>

// How values lie in the packet. Numbers of one, two or four bytes are named by their width.
const varint = 0
const uint8 = 1 // 0 or 1
const uint16 = 2
const uint32 = 4
const string = 5
const pair = 6
const binary = 7
const positive = 8 // added to a number that may not be 0
const flag = 16 + uint8 // told as a boolean

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
  11: ['subscriptionIdentifier', positive | varint, 0x108],
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
  33: ['receiveMaximum', positive | uint16, 0x6],
  34: ['topicAliasMaximum', uint16, 0x6],
  35: ['topicAlias', positive | uint16, 0x8],
  36: ['maximumQoS', uint8, 0x4],
  37: ['retainAvailable', flag, 0x4],
  38: ['userProperty', pair, 0xcfff],
  39: ['maximumPacketSize', positive | uint32, 0x6],
  40: ['wildcardSubscriptionAvailable', flag, 0x4],
  41: ['subscriptionIdentifierAvailable', flag, 0x4],
  42: ['sharedSubscriptionAvailable', flag, 0x4],
}

const identifiers: ReadonlyMap<string, number> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ Object.entries(table).map(([id, [name]]) => [name, Number(id)]),
)

const none: Properties = {}

/** A Property Length and the properties behind it, in the order in which they are given. */
export function properties(fields: Fields, packetType: number, given: Properties | undefined): Properties {
  if (fields.version < 5) return none
  if (fields instanceof Reader) return readProperties(fields, packetType)
  const output = fields as Output
  const start = output.at
  for (const name in given) {
    const value = given[name as keyof Properties]
    if (value === undefined) continue
    const id = identifiers.get(name) ?? 0
    for (const item of repeats(id, packetType) ? (value as unknown[]) : [value]) {
      output.uint(1, id)
      property(output, packetType, id, item)
    }
  }
  output.prefix(start) // also when there is none [MQTT-2.2.2-1]
  return given ?? none
}

function readProperties(reader: Reader, packetType: number): Properties {
  const packetEnd = reader.end
  const start = reader.take(reader.varint())
  reader.end = reader.at
  reader.at = start
  const found: Record<string, unknown> = {} // only ever holds names of the table
  while (reader.more()) {
    const id = reader.uint(1) // all that are known are below 0x80
    const value = property(reader, packetType, id)
    const name = table[id]![0]
    const before = found[name]
    if (before === undefined) found[name] = repeats(id, packetType) ? [value] : value
    else if (repeats(id, packetType)) (before as unknown[]).push(value)
    else throw reader.fault(0x82, `${name} twice`, sectionOf(packetType))
  }
  reader.end = packetEnd
  return found
}

/** Whether a property may come more than once. */
function repeats(id: number, packetType: number): boolean {
  return id === 38 || (id === 11 && packetType === 3)
}

/** The section that describes the properties of a packet. */
function sectionOf(packetType: number): string {
  if (packetType === ofWill) return '3.1.3.2'
  return `3.${packetType}.2.${packetType === 1 ? 11 : packetType < 4 ? 3 : packetType > 7 && packetType < 14 ? 1 : 2}`
}

/** The value of a property, behind its identifier. */
function property(fields: Fields, packetType: number, id: number, given?: unknown): unknown {
  const row = table[id]
  if (row === undefined || (row[2] & (1 << packetType)) === 0) throw fields.fault(0x81, `property ${id}`, '2.2.2.2')
  const name = row[0]
  const type = row[1]
  if (type === pair) {
    const [key, value] = (given ?? []) as readonly string[]
    return [fields.string(key), fields.string(value)] satisfies UserProperty
  }
  if (type === binary) return fields.binary(given as Uint8Array)
  if (type === string) {
    const text = fields.string(given as string)
    if (id === 8 && hasWildcard(text)) throw fields.fault(0x81, 'wildcard', '3.3.2-14')
    return text
  }
  const width = type & 7
  const value = width === varint ? fields.varint(given as number, name) : fields.uint(width, Number(given), name)
  if ((width === uint8 && value > 1) || ((type & positive) > 0 && value === 0)) {
    if (id === 35) throw fields.fault(0x94, 'Topic Alias 0', '3.3.2-8')
    throw fields.fault(0x82, `${name} ${value}`, sectionOf(packetType))
  }
  return type === flag ? value === 1 : value
}

/** Whether there is any property. */
export function hasProperties(properties: Properties | undefined): boolean {
  for (const name in properties) if (properties[name as keyof Properties] !== undefined) return true
  return false
}
