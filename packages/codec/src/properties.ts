/** The 27 properties of MQTT 5.0 (section 2.2.2): one table says all that is to know of each. */

import { MqttError, malformed, protocolError } from './mqtt-error.js'
import type { Reader } from './reader.js'
import { ReasonCode } from './reason-code.js'
import { hasWildcard } from './topic.js'
import { varintLength, varintMax } from './varint.js'
import { binaryLength, checkInteger, stringLength, type Writer } from './writer.js'

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

// The sections of the standard that describe the properties of each packet, and of the Will.
const sections = {
  connect: '3.1.2.11',
  will: '3.1.3.2',
  connack: '3.2.2.3',
  publish: '3.3.2.3',
  puback: '3.4.2.2',
  pubrec: '3.5.2.2',
  pubrel: '3.6.2.2',
  pubcomp: '3.7.2.2',
  subscribe: '3.8.2.1',
  suback: '3.9.2.1',
  unsubscribe: '3.10.2.1',
  unsuback: '3.11.2.1',
  disconnect: '3.14.2.2',
  auth: '3.15.2.2',
} as const

/** What carries a set of properties: a packet, or the Will within CONNECT. */
export type Carrier = keyof typeof sections

// Types of values.
const flag = 0 // one byte, 0 or 1, told as a boolean
const bit = 1 // one byte, 0 or 1, told as a number
const uint16 = 2
const uint32 = 3
const varint = 4
const string = 5
const binary = 6
const pair = 7

interface Row {
  readonly id: number
  readonly name: keyof Properties
  readonly type: number
  /** The packets that may carry it, each with the number of its subsection. */
  readonly in: Readonly<Partial<Record<Carrier, number>>>
  /** The least value: 0 unless given. */
  readonly least?: 1
}

// biome-ignore format: a table
const table: readonly Row[] = [
  { id: 0x01, name: 'payloadFormatIndicator', type: bit, in: { publish: 2, will: 3 } },
  { id: 0x02, name: 'messageExpiryInterval', type: uint32, in: { publish: 3, will: 4 } },
  { id: 0x03, name: 'contentType', type: string, in: { publish: 9, will: 5 } },
  { id: 0x08, name: 'responseTopic', type: string, in: { publish: 5, will: 6 } },
  { id: 0x09, name: 'correlationData', type: binary, in: { publish: 6, will: 7 } },
  { id: 0x0b, name: 'subscriptionIdentifier', type: varint, in: { publish: 8, subscribe: 2 }, least: 1 },
  { id: 0x11, name: 'sessionExpiryInterval', type: uint32, in: { connect: 2, connack: 2, disconnect: 2 } },
  { id: 0x12, name: 'assignedClientIdentifier', type: string, in: { connack: 7 } },
  { id: 0x13, name: 'serverKeepAlive', type: uint16, in: { connack: 14 } },
  { id: 0x15, name: 'authenticationMethod', type: string, in: { connect: 9, connack: 17, auth: 2 } },
  { id: 0x16, name: 'authenticationData', type: binary, in: { connect: 10, connack: 18, auth: 3 } },
  { id: 0x17, name: 'requestProblemInformation', type: flag, in: { connect: 7 } },
  { id: 0x18, name: 'willDelayInterval', type: uint32, in: { will: 2 } },
  { id: 0x19, name: 'requestResponseInformation', type: flag, in: { connect: 6 } },
  { id: 0x1a, name: 'responseInformation', type: string, in: { connack: 15 } },
  { id: 0x1c, name: 'serverReference', type: string, in: { connack: 16, disconnect: 5 } },
  { id: 0x1f, name: 'reasonString', type: string, in: { connack: 9, puback: 2, pubrec: 2, pubrel: 2, pubcomp: 2, suback: 2, unsuback: 2, disconnect: 3, auth: 4 } },
  { id: 0x21, name: 'receiveMaximum', type: uint16, in: { connect: 3, connack: 3 }, least: 1 },
  { id: 0x22, name: 'topicAliasMaximum', type: uint16, in: { connect: 5, connack: 8 } },
  { id: 0x23, name: 'topicAlias', type: uint16, in: { publish: 4 }, least: 1 },
  { id: 0x24, name: 'maximumQoS', type: bit, in: { connack: 4 } },
  { id: 0x25, name: 'retainAvailable', type: flag, in: { connack: 5 } },
  { id: 0x26, name: 'userProperty', type: pair, in: { connect: 8, will: 8, connack: 10, publish: 7, puback: 3, pubrec: 3, pubrel: 3, pubcomp: 3, subscribe: 3, suback: 3, unsubscribe: 2, unsuback: 3, disconnect: 4, auth: 5 } },
  { id: 0x27, name: 'maximumPacketSize', type: uint32, in: { connect: 4, connack: 6 }, least: 1 },
  { id: 0x28, name: 'wildcardSubscriptionAvailable', type: flag, in: { connack: 11 } },
  { id: 0x29, name: 'subscriptionIdentifierAvailable', type: flag, in: { connack: 12 } },
  { id: 0x2a, name: 'sharedSubscriptionAvailable', type: flag, in: { connack: 13 } },
]

const byId: readonly Row[] = /* @__PURE__ */ index()
const byName: ReadonlyMap<string, Row> = /* @__PURE__ */ new Map(/* @__PURE__ */ table.map((row) => [row.name, row]))

function index(): Row[] {
  const rows: Row[] = []
  for (const row of table) rows[row.id] = row
  return rows
}

const none: Properties = Object.freeze({})

function isList(row: Row, carrier: Carrier): boolean {
  return row.type === pair || (row.type === varint && carrier === 'publish')
}

/** Reads a Property Length and the properties behind it. */
export function readProperties(reader: Reader, carrier: Carrier): Properties {
  const length = reader.varint()
  if (length === 0) return none
  const packetEnd = reader.end
  const end = reader.at + length
  if (end > packetEnd) throw malformed('the Property Length runs past the end of the packet', '2.2.2.1', reader.offset)
  reader.end = end
  const properties: Record<string, unknown> = {} // only ever holds names of the table
  while (reader.at < end) {
    const { offset } = reader
    const id = reader.varint()
    const row = byId[id]
    const subsection = row?.in[carrier]
    if (row === undefined || subsection === undefined) {
      throw malformed(`property 0x${id.toString(16)} may not be in ${carrier.toUpperCase()}`, '2.2.2.2', offset)
    }
    const value = readValue(reader, row, `${sections[carrier]}.${subsection}`, offset)
    const before = properties[row.name]
    if (isList(row, carrier)) {
      if (before === undefined) properties[row.name] = [value]
      else (before as unknown[]).push(value)
    } else if (before === undefined) {
      properties[row.name] = value
    } else {
      throw protocolError(`${row.name} comes more than once`, `${sections[carrier]}.${subsection}`, offset)
    }
  }
  reader.end = packetEnd
  return properties
}

function readValue(reader: Reader, row: Row, section: string, offset: number): unknown {
  switch (row.type) {
    case string: {
      const text = reader.string()
      if (row.name === 'responseTopic' && hasWildcard(text)) {
        throw malformed('the Response Topic holds a wildcard', 'MQTT-3.3.2-14', offset)
      }
      return text
    }
    case pair:
      return [reader.string(), reader.string()] satisfies UserProperty
    case binary:
      return reader.binary()
    case flag:
    case bit: {
      const value = reader.byte()
      if (value > 1) throw protocolError(`${row.name} may be 0 or 1 only`, section, offset)
      return row.type === flag ? value === 1 : value
    }
    default: {
      const value = row.type === uint16 ? reader.uint16() : row.type === uint32 ? reader.uint32() : reader.varint()
      if (value === 0 && row.least === 1) {
        if (row.name === 'topicAlias') {
          throw new MqttError(ReasonCode.TopicAliasInvalid, 'the Topic Alias is 0', 'MQTT-3.3.2-8', offset)
        }
        throw protocolError(`${row.name} may not be 0`, section, offset)
      }
      return value
    }
  }
}

/** The number of bytes that properties take with their Property Length. Throws as `propertiesLength` does. */
export function propertiesSize(properties: Properties | undefined, carrier: Carrier): number {
  const length = propertiesLength(properties, carrier)
  return varintLength(length) + length
}

/**
 * The number of bytes that properties take, without their Property Length.
 * Throws TypeError for a property that the packet may not carry and RangeError for a value out of range.
 */
export function propertiesLength(properties: Properties | undefined, carrier: Carrier): number {
  let length = 0
  for (const name in properties) {
    const value = properties[name as keyof Properties]
    if (value === undefined) continue
    const row = byName.get(name)
    if (row?.in[carrier] === undefined) throw new TypeError(`${name} may not be in ${carrier.toUpperCase()}`)
    if (isList(row, carrier)) for (const item of value as unknown[]) length += 1 + valueLength(row, item)
    else length += 1 + valueLength(row, value)
  }
  if (length > varintMax) throw new RangeError(`properties may take ${varintMax} bytes at most`)
  return length
}

function valueLength(row: Row, value: unknown): number {
  switch (row.type) {
    case flag:
      return 1
    case bit:
      checkInteger(row.name, value as number, 0, 1)
      return 1
    case uint16:
      checkInteger(row.name, value as number, row.least ?? 0, 0xffff)
      return 2
    case uint32:
      checkInteger(row.name, value as number, row.least ?? 0, 0xffffffff)
      return 4
    case varint:
      checkInteger(row.name, value as number, 1, varintMax)
      return varintLength(value as number)
    case binary:
      return binaryLength(value as Uint8Array)
    case pair: {
      const [name, text] = value as UserProperty
      return stringLength(name) + stringLength(text)
    }
    default:
      if (row.name === 'responseTopic' && hasWildcard(value as string)) {
        throw new TypeError('responseTopic may not hold a wildcard')
      }
      return stringLength(value as string)
  }
}

/** Writes a Property Length, also when it is zero [MQTT-2.2.2-1], and the properties. */
export function writeProperties(writer: Writer, properties: Properties | undefined, carrier: Carrier): void {
  writer.varint(propertiesLength(properties, carrier))
  for (const name in properties) {
    const value = properties[name as keyof Properties]
    const row = byName.get(name)
    if (value === undefined || row === undefined) continue
    if (isList(row, carrier)) for (const item of value as unknown[]) writeValue(writer, row, item)
    else writeValue(writer, row, value)
  }
}

function writeValue(writer: Writer, row: Row, value: unknown): void {
  writer.byte(row.id)
  switch (row.type) {
    case flag:
    case bit:
      return writer.byte(Number(value))
    case uint16:
      return writer.uint16(value as number)
    case uint32:
      return writer.uint32(value as number)
    case varint:
      return writer.varint(value as number)
    case binary:
      return writer.binary(value as Uint8Array)
    case pair: {
      const [name, text] = value as UserProperty
      writer.string(name)
      return writer.string(text)
    }
    default:
      return writer.string(value as string)
  }
}
