/** What is in the log, shown from one end to the other. */

import { type RecordKind, StoreError, type StoreVisitor } from '@tidewire/broker/store'
import type { LogFiles } from './files.js'
import { operations, RecordCursor } from './format.js'
import { damaged, type FrameVisitor, readFile, type Segment, segmentName, walk } from './segment.js'
import type { Table } from './table.js'

/** Records other than messages, kept until all messages have been shown. */
class Held {
  #bytes: Buffer = Buffer.allocUnsafeSlow(1024 * 1024)
  #end = 0
  #slots: Uint32Array = new Uint32Array(4096)
  #ends: Float64Array = new Float64Array(4096)
  #count = 0

  add(slot: number, bytes: Buffer, start: number, end: number): void {
    if (this.#end + end - start > this.#bytes.length) {
      const more = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#end + end - start))
      this.#bytes.copy(more, 0, 0, this.#end)
      this.#bytes = more
    }
    if (this.#count === this.#slots.length) {
      const slots = new Uint32Array(this.#count * 2)
      const ends = new Float64Array(this.#count * 2)
      slots.set(this.#slots)
      ends.set(this.#ends)
      this.#slots = slots
      this.#ends = ends
    }
    this.#end += bytes.copy(this.#bytes, this.#end, start, end)
    this.#slots[this.#count] = slot
    this.#ends[this.#count++] = this.#end
  }

  /** Shows all in their order. */
  show(table: Table, visitor: StoreVisitor): void {
    for (const at of this.#inOrder(table)) {
      const slot = this.#slots[at]!
      const message = table.link(slot)
      const start = at === 0 ? 0 : this.#ends[at - 1]!
      const number = message === 0 ? 0 : table.numberOf(message)
      visitor.record(table.kind(slot) as RecordKind, table.numberOf(slot), number, this.#bytes, start, this.#ends[at]!)
    }
  }

  #inOrder(table: Table): Uint32Array {
    const orders = Float64Array.from({ length: this.#count }, (_, at) => table.order(this.#slots[at]!))
    return Uint32Array.from(orders.keys()).sort((a, b) => orders[a]! - orders[b]!)
  }
}

/**
 * Shows all records that are there. Rejects with a StoreError when one cannot be read any more, unless what is damaged is
 * to be skipped.
 */
export async function show(
  files: LogFiles,
  segments: readonly Segment[],
  table: Table,
  visitor: StoreVisitor,
  skip?: () => void,
): Promise<void> {
  const cursor = new RecordCursor()
  const held = new Held()
  let shown = 0
  for (const { number, size } of segments) {
    const bytes = (await readFile(files, segmentName(number))).subarray(0, size)
    const visit: FrameVisitor = (_, view, start, end) => {
      for (let at = start; at < end; at = cursor.end) {
        cursor.read(bytes, view, at, end)
        const { operation, slot, valueAt } = cursor
        if (operation === operations.remove || !table.liesAt(slot, number, at)) continue
        shown++
        if (operation === operations.message) visitor.message(table.numberOf(slot), bytes, valueAt, cursor.end)
        else held.add(slot, bytes, valueAt, cursor.end)
      }
    }
    const walked = walk(bytes, number, visit, skip)
    if (typeof walked === 'string') throw damaged(files, number, 0, walked)
    if (walked.damage !== undefined && skip === undefined)
      throw damaged(files, number, walked.damage.position, walked.damage.reason)
  }
  if (shown !== table.size) throw new StoreError('damaged', `${table.size - shown} records are not where they were`)
  held.show(table, visitor)
}
