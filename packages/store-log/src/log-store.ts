// hot: runs per packet
/** The store: records go into a group, groups go one after the other into the log, and the log is kept short. */

import { randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import {
  type Durability,
  type RecordKind,
  type Store,
  StoreError,
  type StoreMetrics,
  type StoreState,
  type StoreVisitor,
} from '@tidewire/broker/store'
import { Compaction } from './compaction.js'
import { type LogFile, type LogFiles, systemFiles } from './files.js'
import { encodeSegmentHeader, mostSlots, operations, type SegmentHeader, seedOf, segmentHeader } from './format.js'
import { Group } from './group.js'
import { show } from './load.js'
import { type CompleteOptions, checkLogOptions, type LogOptions } from './options.js'
import { type Cut, type Replay, replay } from './replay.js'
import { type Segment, segmentName } from './segment.js'
import { isFull, Spare } from './spare.js'
import type { Table } from './table.js'

// More than this in one group is an error of who does not look at `congested`.
const mostInGroup = 1024 * 1024 * 1024
// Milliseconds after which it is tried again to write to a disk that was full.
const retryAfter = 1_000

/**
 * Opens the store in a directory, which is made if it is not there. Rejects with a StoreError: `locked` while it is open
 * elsewhere, `damaged` when it is not as it was written, `format` when another version wrote it, `io` when the system says
 * no; with TypeError or RangeError for options that cannot be.
 */
export async function openLog(directory: string, options: LogOptions = {}): Promise<LogStore> {
  const checked = checkLogOptions(options)
  const files = checked.files ?? systemFiles(directory)
  const unlock = await orFail(files, 'lock', files.lock())
  try {
    const { replay: read, cut } = await orFail(files, 'read', replay(files))
    const store = new LogStore(files, checked, read, cut, unlock)
    await orFail(files, 'prepare', store.prepare())
    return store
  } catch (error) {
    await unlock()
    throw error
  }
}

async function orFail<T>(files: LogFiles, what: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof StoreError) throw error
    throw new StoreError('io', `cannot ${what} the store in ${files.name}: ${(error as Error).message}`, error)
  }
}

/** A store in the log of a directory: see `openLog`. */
export class LogStore implements Store {
  readonly durability: Durability
  /** What was not whole at the end of the log when it was opened, and has been put aside. */
  readonly cut: Cut | undefined
  #state: StoreState = 'open'
  #error: StoreError | undefined
  readonly #files: LogFiles
  readonly #segmentSize: number
  readonly #maxPending: number
  readonly #table: Table
  readonly #segments: Segment[]
  readonly #byNumber: Map<number, Segment> = new Map()
  readonly #unlock: () => Promise<void>
  readonly #spare: Spare
  readonly #compaction: Compaction
  /** Changes go to this group; the other one is being written, or ready. */
  #group: Group = new Group()
  #other: Group = new Group()
  /** Messages that nothing refers to, until the next commit. */
  readonly #idle: number[] = []
  #nextOrder: number
  #nextFrame: number
  #tail: LogFile | undefined
  /** The segment that is to be made before the next group is written. */
  #announced: SegmentHeader | undefined
  /** The work on the log that is going on, or was the last. */
  #work: Promise<void> | undefined
  #isWorking = false
  /** Whether a write waits for room on the disk, and whether the next segment is to be tried again. */
  #isBlocked = false
  #isRecovering = false
  /** Segments up to this number are to be taken away. */
  #goal = 0
  #closing: Promise<void> | undefined
  #isEnded = false
  #isUntouched = true
  #groups = 0
  #bytesWritten = 0
  #bytes = 0
  #live = 0

  /** Use `openLog`. */
  constructor(
    files: LogFiles,
    { durability, segmentSize, maxPending }: CompleteOptions,
    read: Replay,
    cut: Cut | undefined,
    unlock: () => Promise<void>,
  ) {
    this.#files = files
    this.durability = durability
    this.#segmentSize = segmentSize
    this.#maxPending = maxPending
    this.cut = cut
    this.#table = read.table
    this.#segments = read.segments
    for (const segment of read.segments) {
      this.#byNumber.set(segment.number, segment)
      this.#bytes += segment.size
      this.#live += segment.live
    }
    this.#nextOrder = read.nextOrder
    this.#nextFrame = read.nextFrame
    this.#unlock = unlock
    this.#spare = new Spare(files, segmentSize)
    this.#compaction = new Compaction(this.#table)
  }

  /** Part of `openLog`: makes the files that are still missing. */
  async prepare(): Promise<void> {
    const last = this.#segments.at(-1)
    if (last === undefined) await this.#makeSegment(this.#addSegment(1))
    else this.#tail = await this.#files.open(segmentName(last.number), false)
    this.#fill()
  }

  get state(): StoreState {
    return this.#state
  }

  get error(): StoreError | undefined {
    return this.#error
  }

  get congested(): boolean {
    return this.#group.end > this.#maxPending
  }

  get metrics(): StoreMetrics {
    return {
      groups: this.#groups,
      bytesWritten: this.#bytesWritten,
      records: this.#table.size,
      bytes: this.#bytes,
    }
  }

  async load(visitor: StoreVisitor): Promise<void> {
    if (!this.#isUntouched) throw new Error('a store is loaded before it is changed')
    await orFail(this.#files, 'load', show(this.#files, this.#segments, this.#table, visitor))
  }

  addMessage(head: Uint8Array, packet: Uint8Array, start: number, end: number): number {
    const group = this.#begin()
    const table = this.#table
    const slot = this.#take()
    const at = group.end
    group.addMessage(slot, table.generation(slot), head, packet, start, end)
    this.#place(slot, operations.message, at)
    this.#idle.push(slot)
    return table.numberOf(slot)
  }

  add(kind: RecordKind, message: number, value: Uint8Array, start: number, end: number): number {
    const messageSlot = this.#messageSlot(message)
    const group = this.#begin()
    const table = this.#table
    const slot = this.#take()
    const at = group.end
    const order = this.#nextOrder++
    group.add(kind, slot, table.generation(slot), messageSlot, order, value, start, end)
    this.#place(slot, kind, at)
    table.setOrder(slot, order)
    table.setLink(slot, messageSlot)
    if (messageSlot !== 0) table.refer(messageSlot, 1)
    return table.numberOf(slot)
  }

  replace(number: number, message: number, value: Uint8Array, start: number, end: number): void {
    const slot = this.#recordSlot(number)
    const messageSlot = this.#messageSlot(message)
    const group = this.#begin()
    const table = this.#table
    const kind = table.kind(slot)
    const at = group.end
    group.add(kind, slot, table.generation(slot), messageSlot, table.order(slot), value, start, end)
    if (messageSlot !== 0) table.refer(messageSlot, 1)
    this.#leave(slot)
    this.#release(table.link(slot))
    this.#place(slot, kind, at)
    table.setLink(slot, messageSlot)
  }

  remove(number: number): void {
    const slot = this.#recordSlot(number)
    const table = this.#table
    this.#begin().remove(slot, table.generation(slot))
    this.#release(table.link(slot))
    this.#leave(slot)
    table.release(slot)
  }

  has(number: number): boolean {
    return this.#table.slotOf(number) !== 0
  }

  commit(): Promise<void> | undefined {
    const group = this.#group
    if (group.end === group.committed) return undefined
    this.#endBatch(group)
    if (this.#error !== undefined) {
      const { kept } = group
      group.reject(this.#error)
      group.clear()
      return kept
    }
    const { kept } = group
    this.#run()
    return kept
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.resolve() // from here on `closing` is set
    if (this.#group.end !== this.#group.committed) this.#endBatch(this.#group)
    while (this.#error === undefined && !(this.#isEnded && !this.#isWorking)) {
      this.#run()
      await this.#work
    }
    await this.#work
    await this.#compaction.stop()
    await this.#spare.stop()
    this.#state = 'closed'
    try {
      await this.#tail?.close()
    } finally {
      await this.#unlock()
    }
    if (this.#error !== undefined) throw this.#error
  }

  /** The group to which a change is added. */
  #begin(): Group {
    this.#checkOpen()
    this.#isUntouched = false
    const group = this.#group
    if (group.end > mostInGroup) throw new RangeError('too much waits to be written')
    if (group.segment === 0) this.#locate(group)
    return group
  }

  /** Says where the group will lie: behind the one before, which is finished. */
  #locate(group: Group): void {
    const last = this.#segments.at(-1)!
    const isOver = last.size >= this.#segmentSize || last.number <= this.#goal
    group.segment = isOver ? last.number + 1 : last.number
    group.position = isOver ? segmentHeader : last.size
    if (isOver) this.#announced = this.#addSegment(group.segment)
  }

  /** Adds a segment, whose file is still to be made. */
  #addSegment(number: number): SegmentHeader {
    const header = { number, firstFrame: this.#nextFrame, salt: randomBytes(8) }
    const segment = { number, firstFrame: header.firstFrame, seed: seedOf(header.salt), size: segmentHeader, live: 0 }
    this.#segments.push(segment)
    this.#byNumber.set(number, segment)
    this.#bytes += segmentHeader
    return header
  }

  #take(): number {
    if (this.#table.end >= mostSlots) throw new RangeError('too many records')
    return this.#table.take()
  }

  #place(slot: number, operation: number, at: number): void {
    const group = this.#group
    const length = group.end - at
    this.#table.place(slot, operation, group.segment, group.position + at, length)
    this.#segments.at(-1)!.live += length
    this.#live += length
  }

  /** The record of a slot counts no more where it lies. */
  #leave(slot: number): void {
    const length = this.#table.length(slot)
    this.#byNumber.get(this.#table.segment(slot))!.live -= length
    this.#live -= length
  }

  #messageSlot(number: number): number {
    if (number === 0) return 0
    const slot = this.#table.slotOf(number)
    if (slot === 0 || this.#table.kind(slot) !== operations.message)
      throw new RangeError(`there is no message ${number}`)
    return slot
  }

  #recordSlot(number: number): number {
    const slot = this.#table.slotOf(number)
    if (slot === 0 || this.#table.kind(slot) === operations.message) {
      this.#checkOpen()
      throw new RangeError(`there is no record ${number}`)
    }
    return slot
  }

  #release(message: number): void {
    if (message !== 0 && this.#table.refer(message, -1) === 0) this.#idle.push(message)
  }

  #endBatch(group: Group): void {
    const table = this.#table
    for (let slot = this.#idle.pop(); slot !== undefined; slot = this.#idle.pop()) {
      if (table.kind(slot) !== operations.message || table.link(slot) !== 0) continue
      this.#leave(slot)
      table.release(slot)
    }
    group.committed = group.end
  }

  /**
   * Writes all that is still there once more, so that nothing else remains: what is otherwise done bit by bit. Settles when
   * the log is short. Rejects with a StoreError when it cannot be written.
   */
  async compact(): Promise<void> {
    this.#checkOpen()
    this.#isUntouched = false
    const group = this.#group
    if (group.isEmpty && this.#announced === undefined) group.segment = 0 // it goes into the next segment
    this.#goal = this.#segments.at(-1)!.number - (this.#announced === undefined ? 0 : 1)
    while (this.#segments[0]!.number <= this.#goal) {
      if (this.#error !== undefined) throw this.#error
      this.#checkOpen()
      this.#run()
      await this.#work
      await this.#compaction.stop()
      await turn() // a batch may be in the making
    }
  }

  #checkOpen(): void {
    if (this.#state === 'closed' || this.#closing !== undefined) throw new StoreError('closed', 'the store is closed')
  }

  /** Writes what there is to write, if that is not going on. */
  #run(): void {
    if (this.#isWorking || this.#error !== undefined) return
    this.#isWorking = true
    this.#work = this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    try {
      for (let group = this.#next(); group !== undefined; group = this.#next()) await this.#write(group)
    } catch (error) {
      this.#fail(error)
    }
    this.#isWorking = false // in the same turn in which nothing was left: whoever comes later begins again
  }

  /** The next group to be written, finished; undefined when there is none, or a batch is being made. */
  #next(): Group | undefined {
    const group = this.#group
    if (group.end !== group.committed) return undefined
    if (this.#closing === undefined) this.#compact(group)
    else if (!this.#isEnded) this.#end(group)
    if (group.isEmpty) return undefined
    const tail = this.#segments.at(-1)!
    group.committed = group.end
    group.seal(this.#nextFrame++, tail.seed)
    tail.size += group.end
    this.#bytes += group.end
    this.#group = this.#other
    this.#other = group
    return group
  }

  #end(group: Group): void {
    if (group.segment === 0) this.#locate(group)
    group.closed()
    this.#isEnded = true
  }

  async #write(group: Group): Promise<void> {
    const header = this.#announced
    this.#announced = undefined
    if (header !== undefined) await this.#patiently(() => this.#makeSegment(header))
    const tail = this.#tail!
    for (let done = 0; done < group.end; ) {
      await this.#patiently(async () => {
        const written = await tail.write(group.bytes, done, group.end - done, group.position + done)
        if (!(written > 0)) throw new StoreError('io', 'the system writes nothing and says nothing')
        done += written
      })
    }
    // A failed sync is never tried again: the system may have forgotten what it could not write.
    if (this.durability === 'fsync') await tail.sync()
    this.#groups++
    this.#bytesWritten += group.end
    const { resolve } = group
    group.clear()
    resolve()
    if (this.#compaction.state === 'copied') await this.#removeFirst()
  }

  /** Does something again while the disk is full, until there is room. */
  async #patiently(work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await work()
        this.#isBlocked = false
        return
      } catch (error) {
        if (!isFull(error) || this.#closing !== undefined) throw error
        this.#isBlocked = true
        this.#becomeFull()
        if (!(await this.#spare.giveUp())) await this.#files.wait(retryAfter)
      }
    }
  }

  #becomeFull(): void {
    this.#state = 'full'
    if (this.#isRecovering) return
    this.#isRecovering = true
    this.#recover().catch((error) => this.#fail(error))
  }

  /** Opens again when nothing waits for room and the next segment is there. */
  async #recover(): Promise<void> {
    while (this.#state === 'full' && this.#closing === undefined) {
      await this.#files.wait(retryAfter)
      if (this.#isBlocked || this.#state !== 'full') continue
      const isThere = await this.#spare.make().then(
        () => true,
        (error) => {
          if (!isFull(error)) throw error
          return false
        },
      )
      if (isThere && !this.#isBlocked && this.#state === 'full') this.#state = 'open'
    }
    this.#isRecovering = false
  }

  async #makeSegment(header: SegmentHeader): Promise<void> {
    const file = await this.#spare.take(segmentName(header.number), encodeSegmentHeader(header))
    await this.#tail?.close()
    this.#tail = file
    this.#fill()
  }

  /** Has the next segment made. */
  #fill(): void {
    this.#spare.make().catch((error) => {
      if (isFull(error)) this.#becomeFull()
      else this.#fail(error)
    })
  }

  /** Goes on with compaction in a group that is about to be written. */
  #compact(group: Group): void {
    const compaction = this.#compaction
    const first = this.#segments[0]!
    if (compaction.state === 'idle' && this.#isLong && group.segment !== first.number) {
      compaction.begin(this.#files, first).then(
        () => this.#run(),
        (error) => this.#fail(error),
      )
    }
    if (compaction.state !== 'copying') return
    if (group.segment === 0) this.#locate(group)
    do
      compaction.slice(this.#files, group, (slot, operation, at) => {
        this.#leave(slot)
        this.#place(slot, operation, at)
      })
    while (group.isEmpty)
  }

  /** Whether the log is so long that compaction should make it shorter. */
  get #isLong(): boolean {
    const [first, second] = this.#segments
    if (first !== undefined && first.number <= this.#goal) return true
    if (first === undefined || second === undefined) return false
    if (this.#state === 'full') return first.live * 2 < first.size
    return this.#bytes > 2 * this.#live + 2 * this.#segmentSize
  }

  async #removeFirst(): Promise<void> {
    const segment = this.#compaction.finish()
    if (segment.live !== 0) throw new StoreError('damaged', `segment ${segment.number} still has ${segment.live} bytes`)
    this.#segments.shift()
    this.#byNumber.delete(segment.number)
    this.#bytes -= segment.size
    await this.#files.unlink(segmentName(segment.number))
    // So that never one is missing between two.
    if (this.durability === 'fsync') await this.#files.sync()
  }

  /** From now on nothing is promised. */
  #fail(error: unknown): void {
    if (this.#error !== undefined) return
    const { message } = error as Error
    this.#error =
      error instanceof StoreError
        ? error
        : new StoreError('io', `the store in ${this.#files.name} is not written to any more: ${message}`, error)
    this.#state = 'failed'
    for (const group of [this.#other, this.#group]) {
      group.reject(this.#error)
      group.clear()
    }
  }
}
