/** Writes the data types of section 1.5 into bytes that are known to have room. */

import { utf8Length, writeUtf8 } from './utf8.js'
import { writeVarint } from './varint.js'

export class Writer {
  readonly target: Uint8Array
  /** Index of the next byte. */
  at: number

  constructor(target: Uint8Array, at: number) {
    this.target = target
    this.at = at
  }

  byte(value: number): void {
    this.target[this.at++] = value
  }

  uint16(value: number): void {
    this.byte(value >>> 8)
    this.byte(value)
  }

  uint32(value: number): void {
    this.uint16(value >>> 16)
    this.uint16(value)
  }

  varint(value: number): void {
    this.at = writeVarint(value, this.target, this.at)
  }

  string(text: string): void {
    const length = utf8Length(text)
    this.uint16(length)
    this.at = writeUtf8(text, length, this.target, this.at)
  }

  binary(bytes: Uint8Array): void {
    this.uint16(bytes.length)
    this.raw(bytes)
  }

  raw(bytes: Uint8Array): void {
    this.target.set(bytes, this.at)
    this.at += bytes.length
  }
}

/** The number of bytes that a string takes with its length prefix. */
export function stringLength(text: string): number {
  return 2 + utf8Length(text)
}

/** The number of bytes that Binary Data takes with its length prefix. Throws RangeError above 65,535 bytes. */
export function binaryLength(bytes: Uint8Array): number {
  if (bytes.length > 0xffff) throw new RangeError(`Binary Data may take 65535 bytes at most, not ${bytes.length}`)
  return 2 + bytes.length
}

/** Throws RangeError unless the value is a whole number from `least` to `most`. */
export function checkInteger(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} must be a whole number from ${least} to ${most}, not ${value}`)
  }
}

/** Throws RangeError for a Packet Identifier that may not be sent [MQTT-2.2.1-3]. */
export function checkPacketId(packetId: number | undefined): void {
  checkInteger('packetId', packetId ?? 0, 1, 0xffff)
}
