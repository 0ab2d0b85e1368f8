/** Segments: the files of the log, numbered from 1 on, of which the first are taken away and the last is written. */

import { StoreError } from '@tidewire/broker/store'
import type { LogFile, LogFiles } from './files.js'
import { decodeSegmentHeader, findFrame, frameEnd, frameHeader, seedOf, segmentHeader } from './format.js'

export interface Segment {
  readonly number: number
  /** Number of the first frame. */
  readonly firstFrame: number
  /** What its checksums begin with. */
  readonly seed: number
  /** Bytes of the file, and those of them that are records which are still there. */
  size: number
  live: number
}

export const segmentName = (number: number): string => `${String(number).padStart(10, '0')}.log`

/** Numbers of the segments among the files of a directory, in order. */
export function segmentNumbers(names: readonly string[]): number[] {
  const numbers = names.filter((name) => /^\d{10}\.log$/.test(name)).map((name) => Number.parseInt(name, 10))
  return numbers.sort((a, b) => a - b)
}

/** All bytes of a file. */
export async function readFile(files: LogFiles, name: string): Promise<Buffer> {
  const file = await files.open(name, false)
  try {
    const bytes = Buffer.allocUnsafeSlow(await file.size())
    let length = 0
    while (length < bytes.length) {
      const read = await file.read(bytes, length, bytes.length - length, length)
      if (read === 0) break
      length += read
    }
    return bytes.subarray(0, length)
  } finally {
    await file.close()
  }
}

/** Writes all of some bytes. */
export async function writeAll(file: LogFile, bytes: Uint8Array, end: number, position: number): Promise<void> {
  for (let done = 0; done < end; ) {
    const written = await file.write(bytes, done, end - done, position + done)
    if (!(written > 0)) throw new StoreError('io', 'the system writes nothing and says nothing')
    done += written
  }
}

const zeros = Buffer.alloc(64 * 1024)

/** Where the zeros begin with which some bytes end, at the earliest at `least`. */
export function zerosFrom(bytes: Buffer, least: number): number {
  let at = bytes.length
  while (at - zeros.length >= least && bytes.subarray(at - zeros.length, at).equals(zeros)) at -= zeros.length
  while (at > least && bytes[at - 1] === 0) at--
  return at
}

/** What is wrong in a segment, and where. */
export interface Damage {
  readonly position: number
  readonly reason: string
  /** Where the first frame behind it lies that is whole, and its number; undefined when there is none. */
  readonly next: { readonly at: number; readonly number: number } | undefined
}

/** Takes a frame, by the place of its records. */
export type FrameVisitor = (bytes: Buffer, view: DataView, start: number, end: number, segment: Segment) => void

export interface Walked {
  readonly segment: Segment
  /** The number of the frame that comes next. */
  readonly nextFrame: number
  /** Where the last whole frame ends. Behind it are zeros, if there is no damage. */
  readonly end: number
  readonly damage: Damage | undefined
}

/**
 * Shows all frames of a segment up to the first that is damaged, or with `skip` all that are not. Returns the reason when
 * the header is. Throws StoreError for another format, and what the visitor throws.
 */
export function walk(
  bytes: Buffer,
  number: number,
  visit: FrameVisitor,
  skip?: (damage: Damage) => void,
): Walked | string {
  const header = decodeSegmentHeader(bytes, segmentName(number))
  if (typeof header === 'string') return header
  if (header.number !== number) return `it is segment ${header.number}`
  const seed = seedOf(header.salt)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const segment = { number, firstFrame: header.firstFrame, seed, size: bytes.length, live: 0 }
  let nextFrame = header.firstFrame
  let at = segmentHeader
  let damage: Damage | undefined
  while (at < bytes.length) {
    const end = frameEnd(bytes, at, nextFrame, seed)
    if (end === undefined) {
      if (zerosFrom(bytes, at) === at) break
      damage = { position: at, reason: `frame ${nextFrame} is not whole`, next: findFrame(bytes, at + 1, seed) }
      if (skip === undefined) break
      skip(damage)
      if (damage.next === undefined) break
      ;({ at, number: nextFrame } = damage.next)
      continue
    }
    visit(bytes, view, at + frameHeader, end, segment)
    nextFrame++
    at = end
  }
  return { segment, nextFrame, end: at, damage }
}

export function damaged(files: LogFiles, number: number, position: number, reason: string): StoreError {
  return new StoreError('damaged', `${segmentName(number)} in ${files.name}, byte ${position}: ${reason}`)
}
