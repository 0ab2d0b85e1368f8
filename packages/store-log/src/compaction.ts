/** Compaction: what is still there of the first segment is written again at the end, and the segment taken away. */

import type { LogFiles } from './files.js'
import { frameEnd, frameHeader, operations, RecordCursor, segmentHeader } from './format.js'
import type { Group } from './group.js'
import { damaged, readFile, type Segment, segmentName } from './segment.js'
import type { Table } from './table.js'

// With each group so many bytes are copied and looked through at least, and so many times those of the group.
const leastCopied = 64 * 1024
const leastRead = 512 * 1024
const readPerByte = 4

interface Source {
  readonly segment: Segment
  readonly bytes: Buffer
  readonly view: DataView
  frame: number
  /** Where the next record begins, and where its frame ends; both the end of the last frame when the next one begins. */
  at: number
  end: number
}

/**
 * Goes through the first segment a slice at a time. `idle`, there is nothing to do; `reading`, it is read from the disk;
 * `copying`, the next group takes a slice; `copied`, the segment can go once that group is kept.
 */
export class Compaction {
  readonly #table: Table
  readonly #cursor: RecordCursor = new RecordCursor()
  #source: Source | undefined
  #state: 'idle' | 'reading' | 'copying' | 'copied' = 'idle'
  #reading: Promise<void> | undefined

  constructor(table: Table) {
    this.#table = table
  }

  get state(): 'idle' | 'reading' | 'copying' | 'copied' {
    return this.#state
  }

  /** Begins with a segment. Settles when a slice can be taken, or when that cannot be. */
  begin(files: LogFiles, segment: Segment): Promise<void> {
    this.#state = 'reading'
    this.#reading = this.#read(files, segment)
    return this.#reading
  }

  async #read(files: LogFiles, segment: Segment): Promise<void> {
    const bytes = await readFile(files, segmentName(segment.number))
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#source = { segment, bytes, view, frame: segment.firstFrame, at: segmentHeader, end: segmentHeader }
    this.#state = 'copying'
  }

  /** Waits until nothing is read any more. */
  async stop(): Promise<void> {
    await this.#reading?.catch(() => {})
  }

  /**
   * Copies a slice into a group; `placed` is told of each record where it begins in the group. Throws StoreError when the
   * bytes are not as they were written.
   */
  slice(files: LogFiles, group: Group, placed: (slot: number, operation: number, at: number) => void): void {
    const source = this.#source!
    const mostRead = source.at + Math.max(leastRead, readPerByte * group.end)
    const mostCopied = group.end + Math.max(leastCopied, group.end)
    const cursor = this.#cursor
    const { segment, bytes, view } = source
    while (source.at < mostRead && group.end < mostCopied) {
      if (source.at === source.end && !this.#nextFrame(files, source)) {
        group.head(segment.number + 1)
        this.#state = 'copied'
        return
      }
      cursor.read(bytes, view, source.at, source.end)
      const { operation, slot } = cursor
      if (operation !== operations.remove && this.#table.liesAt(slot, segment.number, cursor.start)) {
        const at = group.end
        group.copy(bytes, cursor.start, cursor.end)
        placed(slot, operation, at)
      }
      source.at = cursor.end
    }
  }

  #nextFrame(files: LogFiles, source: Source): boolean {
    const { segment, bytes } = source
    if (source.end >= segment.size) return false
    const end = frameEnd(bytes, source.end, source.frame, segment.seed)
    // Copied it would get a checksum that fits.
    if (end === undefined) throw damaged(files, segment.number, source.end, `frame ${source.frame} is not whole`)
    source.frame++
    source.at = source.end + frameHeader
    source.end = end
    return true
  }

  /** The segment that can go now. */
  finish(): Segment {
    const { segment } = this.#source!
    this.#source = undefined
    this.#state = 'idle'
    return segment
  }
}
