// hot: runs per packet
/** The group that is being gathered: all changes that are written, synced and promised together, as one frame. */

import { frameHeader, messageHeader, operations, recordHeader, removeLength, sealFrame } from './format.js'

const leastSize = 64 * 1024
/** A buffer that has grown beyond it is given back. */
const mostKept = 4 * 1024 * 1024

const { copy } = Buffer.prototype

export class Group {
  #bytes: Buffer = Buffer.allocUnsafeSlow(leastSize)
  #view: DataView = new DataView(this.#bytes.buffer)
  /** Where the next record begins. */
  end: number = frameHeader
  /** Where its frame will lie, once that is known. */
  segment = 0
  position = 0
  /** Bytes of it that are committed. */
  committed: number = frameHeader
  /** Settles when it is kept, once somebody wants to know. */
  promise: Promise<void> | undefined = undefined
  resolve: () => void = nothing
  reject: (error: Error) => void = nothing

  get bytes(): Buffer {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.end === frameHeader
  }

  /** What is told when it is kept. */
  get kept(): Promise<void> {
    if (this.promise === undefined) {
      this.promise = new Promise((resolve, reject) => {
        this.resolve = resolve
        this.reject = reject
      })
      this.promise.catch(nothing) // who asked is told, who did not need not be
    }
    return this.promise
  }

  /** Makes it ready for new changes. */
  clear(): void {
    this.end = frameHeader
    this.committed = frameHeader
    this.segment = 0
    this.promise = undefined
    this.resolve = nothing
    this.reject = nothing
    if (this.#bytes.length > mostKept) this.#grow(leastSize)
  }

  #grow(size: number): void {
    const bytes = Buffer.allocUnsafeSlow(size)
    copy.call(this.#bytes, bytes, 0, 0, Math.min(this.end, size))
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer)
  }

  /** Makes room for a record. Returns where it begins. */
  #reserve(length: number): number {
    const at = this.end
    const end = at + length
    if (end > this.#bytes.length) this.#grow(Math.max(end, this.#bytes.length * 2))
    this.end = end
    return at
  }

  addMessage(slot: number, generation: number, head: Uint8Array, packet: Uint8Array, start: number, end: number): void {
    const length = head.length + end - start
    const at = this.#reserve(messageHeader + length)
    const view = this.#view
    view.setUint8(at, operations.message)
    view.setUint32(at + 1, slot, true)
    view.setUint32(at + 5, generation, true)
    view.setUint32(at + 9, length, true)
    if (head.length > 0) copy.call(head, this.#bytes, at + messageHeader)
    copy.call(packet, this.#bytes, at + messageHeader + head.length, start, end)
  }

  add(
    kind: number,
    slot: number,
    generation: number,
    message: number,
    order: number,
    value: Uint8Array,
    start: number,
    end: number,
  ): void {
    const at = this.#reserve(recordHeader + end - start)
    const view = this.#view
    view.setUint8(at, kind)
    view.setUint32(at + 1, slot, true)
    view.setUint32(at + 5, generation, true)
    view.setUint32(at + 9, end - start, true)
    view.setUint32(at + 13, message, true)
    view.setUint32(at + 17, order >>> 0, true)
    view.setUint16(at + 21, order / 0x1_0000_0000, true)
    // measured: an object for each copy of a few bytes costs more than the copy
    const bytes = this.#bytes
    if (end - start > 40) copy.call(value, bytes, at + recordHeader, start, end)
    else for (let to = at + recordHeader; start < end; start++) bytes[to++] = value[start]!
  }

  remove(slot: number, generation: number): void {
    const at = this.#reserve(removeLength)
    const view = this.#view
    view.setUint8(at, operations.remove)
    view.setUint32(at + 1, slot, true)
    view.setUint32(at + 5, generation, true)
  }

  /** Adds a record as it lies in the log. */
  copy(bytes: Buffer, start: number, end: number): void {
    const at = this.#reserve(end - start)
    copy.call(bytes, this.#bytes, at, start, end)
  }

  head(segment: number): void {
    const at = this.#reserve(5)
    this.#view.setUint8(at, operations.head)
    this.#view.setUint32(at + 1, segment, true)
  }

  closed(): void {
    this.#view.setUint8(this.#reserve(1), operations.closed)
  }

  /** Finishes the frame. */
  seal(number: number, seed: number): void {
    sealFrame(this.#bytes, this.#view, this.end, number, seed)
  }
}

function nothing(): void {}
