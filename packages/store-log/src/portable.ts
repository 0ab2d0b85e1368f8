/** The content of a log as lines of text, one for each record, and back. */

import { randomBytes } from 'node:crypto'
import { type RecordKind, recordKinds, StoreError } from '@tidewire/broker/store'
import type { LogFile, LogFiles } from './files.js'
import { encodeSegmentHeader, mostSlots, seedOf, segmentHeader } from './format.js'
import { Group } from './group.js'
import { show } from './load.js'
import { read } from './replay.js'
import { segmentName, segmentNumbers, writeAll } from './segment.js'
import { numberStep } from './table.js'

/** The first line. */
const heading = JSON.stringify({ format: 'tidewire-store', version: 1 })

const nameOf = new Map<number, string>(Object.entries(recordKinds).map(([name, kind]) => [kind, name]))
const kindOf = new Map<string, number>(Object.entries(recordKinds))

/**
 * Writes all records as lines of JSON, values in Base64. Rejects with a StoreError when the log is damaged, or with `report`
 * says so and writes the rest. The log is not changed.
 */
export async function exportLog(
  files: LogFiles,
  write: (line: string) => void,
  report?: (problem: string) => void,
): Promise<void> {
  const { replay } = await read(files, report)
  const base64 = (bytes: Uint8Array, start: number, end: number): string =>
    Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('base64')
  write(heading)
  const visitor = {
    message: (number: number, bytes: Uint8Array, start: number, end: number) =>
      write(JSON.stringify({ kind: 'message', number, value: base64(bytes, start, end) })),
    record: (kind: RecordKind, number: number, message: number, bytes: Uint8Array, start: number, end: number) =>
      write(JSON.stringify({ kind: nameOf.get(kind) ?? kind, number, message, value: base64(bytes, start, end) })),
  }
  await show(files, replay.segments, replay.table, visitor, report && (() => {}))
}

interface Line {
  readonly kind: string | number
  readonly number: number
  readonly message: number
  readonly value: Buffer
}

// Bytes of a frame, and of a segment.
const enough = 64 * 1024
const segmentSize = 16 * 1024 * 1024

/** Writes segments that count only when all are there. */
class Segments {
  readonly group: Group = new Group()
  readonly #files: LogFiles
  #file: LogFile | undefined
  /** How many there are. */
  #count = 0
  #seed = 0
  #position = 0
  #frame = 1

  constructor(files: LogFiles) {
    this.#files = files
  }

  /** Writes the frame that has been gathered. */
  async flush(): Promise<void> {
    if (this.#file === undefined || this.#position >= segmentSize) await this.#next()
    const { group } = this
    group.seal(this.#frame++, this.#seed)
    await writeAll(this.#file!, group.bytes, group.end, this.#position)
    this.#position += group.end
    group.clear()
  }

  async #next(): Promise<void> {
    await this.#end()
    const header = { number: ++this.#count, firstFrame: this.#frame, salt: randomBytes(8) }
    this.#file = await this.#files.open(`import-${this.#count}`, true)
    this.#seed = seedOf(header.salt)
    this.#position = segmentHeader
    await writeAll(this.#file, encodeSegmentHeader(header), segmentHeader, 0)
  }

  async #end(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.sync()
    await file?.close()
  }

  async finish(): Promise<void> {
    this.group.closed()
    await this.flush()
    await this.#end()
    // The first one last: without it the others are no log, and that is told.
    for (let number = this.#count; number > 0; number--) {
      await this.#files.rename(`import-${number}`, segmentName(number))
      await this.#files.sync()
    }
  }

  async discard(): Promise<void> {
    await this.#end()
    for (let number = this.#count; number > 0; number--) await this.#files.unlink(`import-${number}`)
  }
}

/**
 * Makes a log of lines that `exportLog` wrote, numbers and all, in a directory without one. Rejects with a StoreError when
 * there is one, and with a TypeError, that says which line, for lines that are none.
 */
export async function importLog(files: LogFiles, lines: AsyncIterable<string>): Promise<void> {
  if (segmentNumbers(await files.list()).length > 0) throw new StoreError('format', `${files.name} has a log already`)
  const segments = new Segments(files)
  try {
    await fill(segments, lines)
  } catch (error) {
    await segments.discard()
    throw error
  }
  await segments.finish()
}

async function fill(segments: Segments, lines: AsyncIterable<string>): Promise<void> {
  const { group } = segments
  // Messages that nothing refers to at the end of a frame are gone: they go into the frame of the first that does.
  const messages = new Map<number, Buffer>()
  const seen = new Set<number>()
  let order = 1
  let count = 0
  for await (const text of lines) {
    count++
    if (count === 1 && text !== heading) throw new TypeError(`line 1: expected ${heading}`)
    if (count === 1 || text === '') continue
    const { kind, number, message, value } = parse(text, count)
    if (seen.has(number)) throw new TypeError(`line ${count}: the number ${number} comes twice`)
    seen.add(number)
    if (kind === 'message') {
      messages.set(number, value)
      continue
    }
    const waiting = messages.get(message)
    if (waiting !== undefined) {
      group.addMessage(slotOf(message), generationOf(message), waiting, waiting, 0, 0)
      messages.delete(message)
    } else if (message !== 0 && !seen.has(message)) {
      throw new TypeError(`line ${count}: the message ${message} has not come`)
    }
    const code = typeof kind === 'number' ? kind : kindOf.get(kind)!
    group.add(code, slotOf(number), generationOf(number), slotOf(message), order++, value, 0, value.length)
    if (group.end > enough) await segments.flush()
  }
  if (count === 0) throw new TypeError('there are no lines')
}

const slotOf = (number: number): number => number >>> 0
const generationOf = (number: number): number => Math.floor(number / numberStep)

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && slotOf(value as number) < mostSlots
}

function parse(text: string, line: number): Line {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch {
    throw new TypeError(`line ${line}: this is not JSON`)
  }
  const { kind, number, message = 0, value } = (given ?? {}) as Record<string, unknown>
  const isKind = kind === 'message' || (typeof kind === 'string' && kindOf.has(kind)) || isUnknownKind(kind)
  if (!isKind) throw new TypeError(`line ${line}: there is no such kind`)
  if (!isNumber(number) || slotOf(number) === 0 || !isNumber(message))
    throw new TypeError(`line ${line}: a number is missing`)
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) throw new TypeError(`line ${line}: no Base64`)
  return { kind: kind as string | number, number, message, value: Buffer.from(value, 'base64') }
}

/** Of a later version. */
const isUnknownKind = (kind: unknown): boolean =>
  Number.isInteger(kind) && (kind as number) > 1 && (kind as number) < 64
