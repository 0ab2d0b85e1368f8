// hot: runs per packet
/** Writes the fields of one packet into the bytes of a caller. */

import type { Fields } from './fields.js'
import { MqttError } from './mqtt-error.js'
import type { ProtocolVersion } from './packet-type.js'
import type { Given, Properties } from './properties.js'
import { identifierOf, property, repeats } from './property.js'
import { listOf, whole } from './range.js'
import type { Relaxations } from './relaxations.js'
import { hasWildcard } from './topic.js'
import { writeBinary, writeUtf8 } from './utf8.js'
import { insertLength, varintMax, writeVarint } from './varint.js'

// What the standard only advises against may be sent.
const lenient: Relaxations = { clientIdLength: true }

/**
 * Where the bytes end it goes on without them, so that the length of a packet is known in any case: what was written is
 * void when `at` is beyond `bytes.length`. Throws TypeError or RangeError for what cannot be written.
 */
export class Output implements Fields {
  version: ProtocolVersion
  readonly relaxed: Relaxations = lenient
  // A write behind the end of a typed array does nothing.
  readonly bytes: Uint8Array
  /** Index of the next byte. */
  at: number

  constructor(bytes: Uint8Array, at: number, version: ProtocolVersion) {
    this.bytes = bytes
    this.at = at
    this.version = version
  }

  uint(width: number, value: number, name?: string): number {
    whole(value, name, width > 3 ? 0xffffffff : (1 << (8 * width)) - 1)
    for (let shift = 8 * width - 8; shift >= 0; shift -= 8) this.bytes[this.at++] = value >>> shift
    return value
  }

  varint(value: number, name?: string): number {
    whole(value, name, varintMax)
    this.at = writeVarint(value, this.bytes, this.at)
    return value
  }

  string(text: string): string {
    this.at = writeUtf8(text, this.bytes, this.at)
    return text
  }

  topicName(topic: string, statement: string): string {
    this.string(topic)
    if (hasWildcard(topic)) throw this.fault(0x81, 'wildcard', statement)
    return topic
  }

  binary(bytes: Uint8Array): Uint8Array {
    this.at = writeBinary(bytes, this.bytes, this.at)
    return bytes
  }

  propertiesOf(packetType: number, given: Given<Properties> = {}): Properties {
    if (this.version < 5) return given as Properties
    const start = this.at++
    this.properties(packetType, given)
    this.at = insertLength(this.bytes, start, this.at, 0) // also when there is none [MQTT-2.2.2-1]
    return given as Properties
  }

  /** The properties without their length. */
  properties(packetType: number, given: Given<Properties> = {}): void {
    for (const name in given) {
      const value = given[name as keyof Properties]
      if (value === undefined) continue
      const id = identifierOf(name)
      if (!repeats(id, packetType)) this.#property(packetType, id, value)
      else for (const item of listOf(value as readonly unknown[], name)) this.#property(packetType, id, item)
    }
  }

  #property(packetType: number, id: number, value: unknown): void {
    this.bytes[this.at++] = id
    property(this, packetType, id, value)
  }

  fault(reasonCode: number, message: string, statement: string): TypeError {
    return notAllowed(reasonCode, message, statement)
  }

  more(given: boolean): boolean {
    return given
  }

  list<T>(items: readonly T[], name: string, describe: (item: Partial<T>) => T): T[] {
    const list: T[] = []
    // Not map, which passes over holes.
    for (const item of listOf(items, name)) list.push(describe(item))
    return list
  }
}

/** The error for a packet that may not be sent: the mistake is the caller's, not the peer's. */
export function notAllowed(reasonCode: number, message: string, statement: string): TypeError {
  const cause = new MqttError(reasonCode, message, statement)
  return new TypeError(cause.message, { cause })
}
