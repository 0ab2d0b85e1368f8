/** Reads the data types of section 1.5 from the bytes of one packet, never beyond its end. */

import { malformed, protocolError } from './mqtt-error.js'
import type { Relaxations } from './relaxations.js'
import { isPrintableAscii, readUtf8, utf8Fault } from './utf8.js'

export class Reader {
  readonly bytes: Uint8Array
  /** Index of the packet's first byte: offsets in errors count from here. */
  readonly start: number
  /** Index behind the last byte that may be read; properties narrow it while they are read. */
  end: number
  readonly relaxed: Relaxations
  /** Index of the next byte. */
  at: number

  constructor(bytes: Uint8Array, start: number, at: number, end: number, relaxed: Relaxations) {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.relaxed = relaxed
    this.at = at
  }

  get offset(): number {
    return this.at - this.start
  }

  /** Moves on by a number of bytes and returns where they begin. Throws when the packet ends before. */
  take(length: number): number {
    const at = this.at
    if (at + length > this.end) throw malformed('a field runs past the end of the packet', '2.1.4', this.offset)
    this.at = at + length
    return at
  }

  byte(): number {
    return this.bytes[this.take(1)]!
  }

  uint16(): number {
    const at = this.take(2)
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!
  }

  uint32(): number {
    const at = this.take(4)
    const { bytes } = this
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  }

  varint(): number {
    const from = this.at
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) {
          throw malformed('a Variable Byte Integer is longer than it need be', 'MQTT-1.5.5-1', from - this.start)
        }
        return value
      }
    }
    throw malformed('a Variable Byte Integer takes more than four bytes', '1.5.5', from - this.start)
  }

  packetId(): number {
    const id = this.uint16()
    if (id === 0) throw protocolError('the Packet Identifier is 0', 'MQTT-2.2.1-3', this.offset - 2)
    return id
  }

  string(): string {
    const length = this.uint16()
    const start = this.take(length)
    const { bytes, at: end } = this
    if (isPrintableAscii(bytes, start, end)) return readUtf8(bytes, start, end, true)
    const fault = utf8Fault(bytes, start, end, this.start, this.relaxed.controlCharacters === true)
    if (fault !== undefined) throw fault
    return readUtf8(bytes, start, end, false)
  }

  /** Binary Data (section 1.5.6): a view of the packet, not a copy. */
  binary(): Uint8Array {
    const length = this.uint16()
    const start = this.take(length)
    return view(this.bytes, start, this.at)
  }
}

/** A view of some bytes, as a plain Uint8Array also where the bytes are a Buffer. */
export function view(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
}
