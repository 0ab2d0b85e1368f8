/** Reads the fields of one packet, never beyond its end. */

import type { Fields } from './fields.js'
import { MqttError } from './mqtt-error.js'
import type { ProtocolVersion } from './packet-type.js'
import { none, type Properties } from './properties.js'
import { add, type Found, property, repeats, sectionOf } from './property.js'
import type { Relaxations } from './relaxations.js'
import { hasWildcard } from './topic.js'
import { readUtf8 } from './utf8.js'
import { varintFault } from './varint.js'

const tooShort = 'too short'

export class Reader implements Fields {
  readonly bytes: Uint8Array
  /** Index of the packet's first byte. */
  readonly start: number
  /** Index behind the last byte that may be read; properties narrow it while they are read. */
  end: number
  version: ProtocolVersion
  readonly relaxed: Relaxations
  /** Index of the next byte. */
  at: number
  /** Index of the field that was last read. */
  private field: number

  constructor(
    bytes: Uint8Array,
    start: number,
    at: number,
    end: number,
    version: ProtocolVersion,
    relaxed: Relaxations,
  ) {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.version = version
    this.relaxed = relaxed
    this.at = at
    this.field = start
  }

  /** A reader of the same packet, copied to another place. `at` is the index of the next byte before it was copied. */
  movedTo(bytes: Uint8Array, start: number, at: number): Reader {
    const shift = start - this.start
    return new Reader(bytes, start, at + shift, this.end + shift, this.version, this.relaxed)
  }

  fault(reasonCode: number, message: string, statement: string): MqttError {
    return new MqttError(reasonCode, message, statement, this.field - this.start)
  }

  /** Moves on by a number of bytes and returns where they begin. Throws when the packet ends before. */
  take(length: number): number {
    const at = this.at
    this.field = at
    if (at + length > this.end) throw this.fault(0x81, tooShort, '2.1.4')
    this.at = at + length
    return at
  }

  uint(width: number): number {
    const at = this.take(width)
    const { bytes } = this
    let value = bytes[at]!
    for (let i = 1; i < width; i++) value = (value << 8) | bytes[at + i]!
    return value >>> 0
  }

  varint(): number {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.uint(1)
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) throw this.fault(0x81, varintFault, '1.5.5-1')
        return value
      }
    }
    throw this.fault(0x81, varintFault, '1.5.5')
  }

  string(): string {
    const length = this.uint(2)
    const start = this.take(length)
    return readUtf8(this.bytes, start, this.at, this.start, this.relaxed.controlCharacters)
  }

  topicName(_: string | undefined, statement: string): string {
    const topic = this.string()
    if (hasWildcard(topic)) throw this.fault(0x81, 'wildcard', statement)
    return topic
  }

  /** A view of the packet, not a copy. */
  binary(): Uint8Array {
    const length = this.uint(2)
    const start = this.take(length)
    return view(this.bytes, start, this.at)
  }

  propertiesOf(packetType: number): Properties {
    if (this.version < 5) return none
    const packetEnd = this.end
    const start = this.take(this.varint())
    if (start === this.at) return none
    this.end = this.at
    this.at = start
    try {
      return this.#listed(packetType)
    } finally {
      this.end = packetEnd
    }
  }

  /** The properties up to `end`. */
  #listed(packetType: number): Properties {
    const found: Found = {}
    let seen = 0
    while (this.at < this.end) {
      const { at } = this
      const id = this.uint(1) // all that are known are below 0x80
      const value = property(this, packetType, id)
      const bit = 1 << (id % 31) // no packet may carry two of which the identifiers differ by 31
      if ((seen & bit) > 0 && !repeats(id, packetType)) {
        this.field = at
        throw this.fault(0x82, `property ${id} twice`, sectionOf(packetType))
      }
      seen |= bit
      add(found, packetType, id, value)
    }
    return found
  }

  more(): boolean {
    return this.at < this.end
  }

  list<T>(_: readonly T[] | undefined, _name: string, describe: (item: Partial<T>) => T): T[] {
    const items: T[] = []
    while (this.at < this.end) items.push(describe({}))
    return items
  }
}

/** A view of some bytes, as a plain Uint8Array also where the bytes are a Buffer. */
export function view(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
}
