// hot: runs per packet
/** Where each record lies in the log: rows of numbers, outside of the JavaScript heap. */

/** A number is `slot + generation * numberStep`. */
export const numberStep = 0x1_0000_0000
/** A slot is used this often at most, so that numbers stay whole. */
const lastGeneration = 2 ** 21 - 1

const rowLength = 8
const generation = 0
const segment = 1
const offset = 2
const length = 3
/** Of a message how many records refer to it; of another record the slot of its message; of a free slot the next free one. */
const link = 4
/** The operation that wrote it; 0 for nothing. */
const kind = 5
/** Its place in the order: 32 bits, and the bits above them. */
const orderLow = 6
const orderHigh = 7

const pageBits = 12
const pageMask = (1 << pageBits) - 1

/** Rows by slot, from 1 on. Pages are added one by one: there is never a moment when all is copied. */
export class Table {
  readonly #pages: Int32Array[] = []
  /** First of the free slots, 0 for none; and the first slot that was never used. */
  #free = 0
  #next = 1
  #size = 0

  /** Slots in use. */
  get size(): number {
    return this.#size
  }

  /** Slots that were ever used, and one more. */
  get end(): number {
    return this.#next
  }

  #page(slot: number): Int32Array {
    return this.#pages[slot >>> pageBits]!
  }

  /** Takes a free slot into use, with its next generation. */
  take(): number {
    let slot = this.#free
    if (slot === 0) {
      slot = this.#next++
      this.#cover(slot)
    } else {
      this.#free = this.#page(slot)[(slot & pageMask) * rowLength + link]!
    }
    this.#page(slot)[(slot & pageMask) * rowLength + generation]!++
    this.#page(slot)[(slot & pageMask) * rowLength + link] = 0
    this.#size++
    return slot
  }

  #cover(slot: number): void {
    while (this.#pages.length <= slot >>> pageBits) this.#pages.push(new Int32Array(rowLength << pageBits))
  }

  /** Makes room for a slot that the log names. */
  claim(slot: number): void {
    this.#cover(slot)
    if (slot >= this.#next) this.#next = slot + 1
  }

  /** Gives back a slot. */
  release(slot: number): void {
    const page = this.#page(slot)
    const row = (slot & pageMask) * rowLength
    page[row + kind] = 0
    this.#size--
    if (page[row + generation]! < lastGeneration) {
      page[row + link] = this.#free
      this.#free = slot
    }
  }

  /** Puts all slots that are not in use in the list of free ones: after the log has been read. */
  collect(): void {
    this.#free = 0
    this.#size = 0
    for (let slot = this.#next - 1; slot > 0; slot--) {
      this.#size++
      if (this.kind(slot) === 0) this.release(slot)
    }
  }

  /** Says where the record of a slot lies. */
  place(slot: number, operation: number, inSegment: number, at: number, size: number): void {
    const page = this.#page(slot)
    const row = (slot & pageMask) * rowLength
    page[row + kind] = operation
    page[row + segment] = inSegment
    page[row + offset] = at
    page[row + length] = size
  }

  /** The slot of a number, or 0 when nothing has the number. */
  slotOf(number: number): number {
    const slot = number >>> 0
    if (slot === 0 || slot >= this.#next || this.kind(slot) === 0) return 0
    return this.numberOf(slot) === number ? slot : 0
  }

  numberOf(slot: number): number {
    return slot + this.generation(slot) * numberStep
  }

  generation(slot: number): number {
    return this.#page(slot)[(slot & pageMask) * rowLength + generation]!
  }

  setGeneration(slot: number, value: number): void {
    this.#page(slot)[(slot & pageMask) * rowLength + generation] = value
  }

  order(slot: number): number {
    const page = this.#page(slot)
    const row = (slot & pageMask) * rowLength
    return (page[row + orderLow]! >>> 0) + page[row + orderHigh]! * 0x1_0000_0000
  }

  setOrder(slot: number, order: number): void {
    const page = this.#page(slot)
    const row = (slot & pageMask) * rowLength
    page[row + orderLow] = order | 0
    page[row + orderHigh] = order / 0x1_0000_0000
  }

  kind(slot: number): number {
    return this.#page(slot)[(slot & pageMask) * rowLength + kind]!
  }

  segment(slot: number): number {
    return this.#page(slot)[(slot & pageMask) * rowLength + segment]!
  }

  length(slot: number): number {
    return this.#page(slot)[(slot & pageMask) * rowLength + length]!
  }

  link(slot: number): number {
    return this.#page(slot)[(slot & pageMask) * rowLength + link]!
  }

  setLink(slot: number, value: number): void {
    this.#page(slot)[(slot & pageMask) * rowLength + link] = value
  }

  /** Changes how many records refer to a message. Returns how many do now. */
  refer(slot: number, by: 1 | -1): number {
    const page = this.#page(slot)
    const at = (slot & pageMask) * rowLength + link
    const references = page[at]! + by
    page[at] = references
    return references
  }

  /** Whether the record of a slot lies there. */
  liesAt(slot: number, inSegment: number, at: number): boolean {
    if (slot === 0 || slot >= this.#next) return false
    const page = this.#page(slot)
    const row = (slot & pageMask) * rowLength
    return page[row + kind] !== 0 && page[row + segment] === inSegment && page[row + offset] === at
  }
}
