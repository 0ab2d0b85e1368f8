/**
 * The bytes of the log, all numbers little-endian.
 *
 * A segment: its header, then frames. Header: magic (8), format version u16, 2 zero bytes, number of the segment u32,
 * number of its first frame f64, salt (8), CRC-32 of all that u32.
 *
 * A frame is one group, with all that belongs together: magic u32, length of the body u32, number f64, CRC-32 of the body
 * u32, CRC-32 of all that u32; then the body, record behind record. Both begin with the salt, so that no bytes of a message
 * can look like a frame. Frames are numbered without gaps, from the first segment to the last: a number says a place in
 * the log.
 *
 * A record: operation u8 and, but for the last two, slot u32 and generation u32, its number. A `message` goes on with the
 * length of its value u32 and the value; a record of another kind with that length, the slot of its message u32 or 0, its
 * place in the order (6), and the value. What has the number of one that is there takes its place. `remove` has no more.
 * `head` has the number of the first segment that still counts u32, `closed` says that nothing is to follow.
 *
 * A message is there while a record refers to it, as it is at the end of a frame.
 */

import { crc32 } from 'node:zlib'
import { StoreError } from '@tidewire/broker/store'

const formatVersion = 1

export const operations = { remove: 0, message: 1, head: 254, closed: 255 } as const

/** Bytes of the headers, and of records before their value. */
export const segmentHeader = 36
export const frameHeader = 24
export const removeLength = 9
export const messageHeader = 13
export const recordHeader = 23

/** The largest kind of record that there can be. */
const lastKind = 63
/** More cannot be in one log: memory for them would be taken. */
export const mostSlots = 0x1000_0000

const magic = Buffer.from('TIDELOG\n')
const frameMagic = Buffer.from([0xf7, 0x1d, 0xe0, 0x0f])
const frameMagicNumber = frameMagic.readUInt32LE()

export interface SegmentHeader {
  readonly number: number
  readonly firstFrame: number
  readonly salt: Buffer
}

export function encodeSegmentHeader({ number, firstFrame, salt }: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(segmentHeader)
  magic.copy(bytes)
  bytes.writeUInt16LE(formatVersion, 8)
  bytes.writeUInt32LE(number, 12)
  bytes.writeDoubleLE(firstFrame, 16)
  salt.copy(bytes, 24)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 32)), 32)
  return bytes
}

/** The header, or why it is none. Throws StoreError for another format. */
export function decodeSegmentHeader(bytes: Buffer, name: string): SegmentHeader | string {
  if (bytes.length < segmentHeader) return 'its header is cut off'
  if (crc32(bytes.subarray(0, 32)) !== bytes.readUInt32LE(32)) return 'its header is damaged'
  const version = bytes.readUInt16LE(8)
  if (!bytes.subarray(0, 8).equals(magic)) throw new StoreError('format', `${name} is no segment of a log`)
  if (version !== formatVersion) {
    const age = version > formatVersion ? 'newer' : 'older'
    throw new StoreError('format', `${name} has the ${age} format ${version}; this version reads ${formatVersion}`)
  }
  const salt = Buffer.from(bytes.subarray(24, 32))
  return { number: bytes.readUInt32LE(12), firstFrame: bytes.readDoubleLE(16), salt }
}

/** What checksums begin with. */
export const seedOf = (salt: Buffer): number => crc32(salt)

/** Puts the header before the body of a frame that fills the bytes from `frameHeader` on. */
export function sealFrame(bytes: Buffer, view: DataView, end: number, number: number, seed: number): void {
  view.setUint32(0, frameMagicNumber, true)
  view.setUint32(4, end - frameHeader, true)
  view.setFloat64(8, number, true)
  view.setUint32(16, crc32(bytes.subarray(frameHeader, end), seed), true)
  view.setUint32(20, crc32(bytes.subarray(0, 20), seed), true)
}

/** Where the frame at a place ends, or undefined when there is none or it is not whole. */
export function frameEnd(bytes: Buffer, at: number, number: number, seed: number): number | undefined {
  const end = frameEndByHeader(bytes, at, seed)
  if (end === undefined || end > bytes.length || bytes.readDoubleLE(at + 8) !== number) return undefined
  return crc32(bytes.subarray(at + frameHeader, end), seed) === bytes.readUInt32LE(at + 16) ? end : undefined
}

function frameEndByHeader(bytes: Buffer, at: number, seed: number): number | undefined {
  if (at + frameHeader > bytes.length || bytes.readUInt32LE(at) !== frameMagicNumber) return undefined
  if (crc32(bytes.subarray(at, at + 20), seed) !== bytes.readUInt32LE(at + 20)) return undefined
  return at + frameHeader + bytes.readUInt32LE(at + 4)
}

/** The first whole frame behind a place, of any number; undefined when there is none. */
export function findFrame(bytes: Buffer, at: number, seed: number): { at: number; number: number } | undefined {
  for (let found = bytes.indexOf(frameMagic, at); found >= 0; found = bytes.indexOf(frameMagic, found + 1)) {
    if (frameEndByHeader(bytes, found, seed) === undefined) continue
    const number = bytes.readDoubleLE(found + 8)
    if (frameEnd(bytes, found, number, seed) !== undefined) return { at: found, number }
  }
  return undefined
}

/** A record as it lies in the log: one object that is filled again and again. */
export class RecordCursor {
  operation = 0
  slot = 0
  generation = 0
  /** Slot of the message that it refers to, or 0; of `head`, the number of the segment. */
  message = 0
  order = 0
  /** Where the record and its value begin, and where both end. */
  start = 0
  valueAt = 0
  end = 0

  /** Reads the record that begins at a place. Throws StoreError for what is none. */
  read(bytes: Buffer, view: DataView, at: number, end: number): void {
    this.start = at
    this.slot = 0
    this.message = 0
    const operation = bytes[at]!
    this.operation = operation
    if (operation === operations.closed) {
      this.end = at + 1
    } else if (operation === operations.head) {
      if (at + 5 > end) throw broken(at)
      this.message = view.getUint32(at + 1, true)
      this.end = at + 5
    } else {
      if (at + removeLength > end) throw broken(at)
      this.slot = view.getUint32(at + 1, true)
      this.generation = view.getUint32(at + 5, true)
      if (this.slot === 0 || this.slot >= mostSlots) throw broken(at)
      this.#readValue(view, at, end)
    }
    if (this.end > end) throw broken(at)
  }

  #readValue(view: DataView, at: number, end: number): void {
    const { operation } = this
    if (operation === operations.remove) {
      this.end = at + removeLength
      return
    }
    this.valueAt = at + (operation === operations.message ? messageHeader : recordHeader)
    if (operation > lastKind || this.valueAt > end) throw broken(at)
    this.end = this.valueAt + view.getUint32(at + 9, true)
    if (operation === operations.message) return
    this.message = view.getUint32(at + 13, true)
    this.order = view.getUint32(at + 17, true) + view.getUint16(at + 21, true) * 0x1_0000_0000
  }
}

function broken(at: number): StoreError {
  return new StoreError('damaged', `what begins at byte ${at} of a frame that is whole is no record`)
}
