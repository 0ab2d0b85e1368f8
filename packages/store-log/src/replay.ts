/** What the log says, read from its first byte to its last: which records are there, and where. */

import { StoreError } from '@tidewire/broker/store'
import type { LogFiles } from './files.js'
import { operations, RecordCursor } from './format.js'
import {
  type Damage,
  damaged,
  type FrameVisitor,
  readFile,
  type Segment,
  segmentName,
  segmentNumbers,
  type Walked,
  walk,
  writeAll,
  zerosFrom,
} from './segment.js'
import { Table } from './table.js'

/** Bytes at the end that were not whole: what was being written when the power or the process went away. */
export interface Cut {
  readonly file: string
  readonly position: number
  readonly bytes: number
  /** The file in which they are kept, for they may be of use to somebody. */
  readonly keptAs: string
}

// Files with what was cut off.
const mostCuts = 8

/** The records of a log while it is read, and afterwards. */
export class Replay {
  readonly table: Table = new Table()
  readonly segments: Segment[] = []
  /** The first segment that counts. */
  head = 1
  nextFrame = 1
  nextOrder = 1
  /** Whether the last frame says that nothing was to follow. */
  isClosed = false
  readonly #byNumber: Map<number, Segment> = new Map()
  readonly #cursor: RecordCursor = new RecordCursor()
  /** Messages that nothing refers to. */
  readonly #idle: number[] = []

  /** Takes the next segment; its frames follow. */
  begin(segment: Segment): void {
    this.segments.push(segment)
    this.#byNumber.set(segment.number, segment)
  }

  /** Takes the records of a frame. Throws StoreError for what cannot be. */
  frame(bytes: Buffer, view: DataView, start: number, end: number, segment: Segment): void {
    const cursor = this.#cursor
    this.isClosed = false
    for (let at = start; at < end; at = cursor.end) {
      cursor.read(bytes, view, at, end)
      this.#apply(cursor, segment)
    }
    for (let slot = this.#idle.pop(); slot !== undefined; slot = this.#idle.pop()) {
      if (this.table.kind(slot) === operations.message && this.table.link(slot) === 0) this.#drop(slot)
    }
  }

  #apply(cursor: RecordCursor, segment: Segment): void {
    const { table } = this
    const { operation, slot, generation, message } = cursor
    if (operation === operations.closed) {
      this.isClosed = true
      return
    }
    if (operation === operations.head) {
      this.head = message
      return
    }
    const isKnown = slot < table.end && table.kind(slot) !== 0 && table.generation(slot) === generation
    if (operation === operations.remove) {
      // What is not known was added in a segment that is gone.
      if (isKnown) this.#remove(slot)
      return
    }
    table.claim(slot)
    if (!isKnown) this.#vacate(slot, generation)
    const before = isKnown ? table.kind(slot) : 0
    if (before !== 0 && (before === operations.message) !== (operation === operations.message)) {
      throw new StoreError('damaged', `slot ${slot} has a message and another record`)
    }
    if (before !== 0) this.#byNumber.get(table.segment(slot))!.live -= table.length(slot)
    if (operation === operations.message) {
      if (table.link(slot) === 0) this.#idle.push(slot)
    } else {
      if (message !== 0) {
        table.claim(message)
        table.refer(message, 1) // it may come later: when the first segments were taken away it was moved there
      }
      if (before !== 0) this.#release(table.link(slot))
      table.setLink(slot, message)
      table.setOrder(slot, cursor.order)
      if (cursor.order >= this.nextOrder) this.nextOrder = cursor.order + 1
    }
    table.place(slot, operation, segment.number, cursor.start, cursor.end - cursor.start)
    segment.live += cursor.end - cursor.start
  }

  /** Another record has had the slot: a message, that is gone since the batch before. */
  #vacate(slot: number, generation: number): void {
    const { table } = this
    if (table.kind(slot) !== 0) {
      if (table.kind(slot) !== operations.message || table.link(slot) !== 0) {
        throw new StoreError('damaged', `slot ${slot} has two records`)
      }
      this.#drop(slot)
    }
    table.setGeneration(slot, generation)
  }

  #remove(slot: number): void {
    if (this.table.kind(slot) === operations.message) throw new StoreError('damaged', `the message ${slot} is removed`)
    this.#release(this.table.link(slot))
    this.#drop(slot)
  }

  #release(message: number): void {
    if (message !== 0 && this.table.refer(message, -1) === 0) this.#idle.push(message)
  }

  #drop(slot: number): void {
    const { table } = this
    this.#byNumber.get(table.segment(slot))!.live -= table.length(slot)
    table.place(slot, 0, 0, 0, 0)
    table.setLink(slot, 0)
  }

  /** All has been read. Takes away records that refer to messages that are not there; returns how many. */
  finish(): number {
    const { table } = this
    let orphans = 0
    for (let slot = 1; slot < table.end; slot++) {
      const isRecord = table.kind(slot) !== 0 && table.kind(slot) !== operations.message
      if (!isRecord || table.link(slot) === 0 || table.kind(table.link(slot)) !== 0) continue
      this.#drop(slot)
      orphans++
    }
    table.collect()
    return orphans
  }
}

/** A log that has been read, with its last segment. */
interface Read {
  readonly replay: Replay
  readonly last: { readonly bytes: Buffer; readonly walked: Walked } | undefined
}

/**
 * Reads the log of a directory and changes nothing. Rejects with a StoreError when it is not as it was written but for the
 * end of the last segment; with `report` it says what is not, and goes on with all the rest.
 */
export async function read(files: LogFiles, report?: (problem: string) => void): Promise<Read> {
  const fail = (error: StoreError): void => {
    if (report === undefined) {
      const { code, message } = error
      throw new StoreError(code, `${message}. Nothing has been changed; tidewire-store can export the rest`, error)
    }
    report(error.message)
  }
  const result = new Replay()
  const numbers = segmentNumbers(await files.list())
  let last: Read['last']
  for (const number of numbers) {
    const bytes = await readFile(files, segmentName(number))
    const walked = readSegment(files, result, bytes, number, number === numbers.at(-1), fail)
    last = walked === undefined ? undefined : { bytes, walked }
  }
  const orphans = result.finish()
  if (orphans > 0) fail(new StoreError('damaged', `${orphans} records refer to messages that are not there`))
  const first = numbers[0] ?? 1
  if (first > result.head) fail(damaged(files, result.head, 0, 'the segment is not there'))
  return { replay: result, last }
}

/** Reads one segment; undefined when nothing in it could be. */
function readSegment(
  files: LogFiles,
  result: Replay,
  bytes: Buffer,
  number: number,
  isLast: boolean,
  fail: (error: StoreError) => void,
): Walked | undefined {
  const before = result.segments.at(-1)
  if (before !== undefined && before.number !== number - 1)
    fail(damaged(files, number - 1, 0, 'the segment is not there'))
  const skip = ({ position, reason, next }: Damage): void => {
    if (isLast && next === undefined) return // the end is torn, that is not damage
    const rest = next === undefined ? 'nothing behind it is' : `frame ${next.number} at byte ${next.at} is`
    fail(damaged(files, number, position, `${reason}, ${rest}`))
  }
  const visit: FrameVisitor = (_, view, start, end, segment) => {
    if (result.segments.at(-1) !== segment) result.begin(segment)
    try {
      result.frame(bytes, view, start, end, segment)
    } catch (error) {
      fail(damaged(files, number, start, (error as Error).message))
    }
  }
  const walked = walk(bytes, number, visit, skip)
  if (typeof walked === 'string') {
    fail(damaged(files, number, 0, walked))
    return undefined
  }
  const { segment } = walked
  if (result.segments.at(-1) !== segment) result.begin(segment)
  if (before !== undefined && segment.firstFrame !== result.nextFrame) {
    const missing = `frames ${result.nextFrame} to ${segment.firstFrame - 1} are not there`
    fail(damaged(files, before.number, before.size, missing))
  }
  result.nextFrame = walked.nextFrame
  segment.size = walked.end
  return walked
}

/**
 * Reads the log of a directory and makes it fit to be continued: what is not whole at the end is put into a file of its
 * own. Rejects with a StoreError when anything else is not as it was written, and changes nothing then.
 */
export async function replay(files: LogFiles): Promise<{ replay: Replay; cut: Cut | undefined }> {
  const { replay: result, last } = await read(files)
  const cut = last === undefined ? undefined : await settle(files, result, last)
  await removeSurplus(files, result)
  return { replay: result, cut }
}

/** Makes the last segment end with its last whole frame, and sure that this is on the disk. */
async function settle(
  files: LogFiles,
  { isClosed }: Replay,
  { bytes, walked }: NonNullable<Read['last']>,
): Promise<Cut | undefined> {
  const { segment, end } = walked
  const name = segmentName(segment.number)
  const rest = zerosFrom(bytes, end) - end
  if (isClosed && rest === 0) return undefined
  let cut: Cut | undefined
  if (rest > 0) {
    cut = { file: name, position: end, bytes: rest, keptAs: await newCutName(files) }
    const file = await files.open(cut.keptAs, true)
    await writeAll(file, bytes.subarray(end), rest, 0).finally(() => file.close())
  }
  const file = await files.open(name, false)
  try {
    // Written again: where a sync has failed, the system may show bytes that are not on the disk and will not be.
    bytes.fill(0, end, end + rest)
    await writeAll(file, bytes, end + rest, 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await files.sync()
  return cut
}

/** A name for a file with what was cut off. Only the last ones are kept: it was promised to nobody. */
async function newCutName(files: LogFiles): Promise<string> {
  const numbers = (await files.list()).map((name) => Number(/^cut-(\d+)$/.exec(name)?.[1] ?? 0)).sort((a, b) => b - a)
  for (const number of numbers.slice(mostCuts - 1)) if (number > 0) await files.unlink(`cut-${number}`)
  return `cut-${(numbers[0] ?? 0) + 1}`
}

/** Takes away segments that did not count any more when the process ended. */
async function removeSurplus(files: LogFiles, { segments, head }: Replay): Promise<void> {
  while (segments.length > 0 && segments[0]!.number < head) {
    await files.unlink(segmentName(segments.shift()!.number))
    await files.sync()
  }
}
