/** A store in memory: it survives its broker, but not the process. */

import {
  type Durability,
  type RecordKind,
  type Store,
  StoreError,
  type StoreMetrics,
  type StoreState,
  type StoreVisitor,
} from './store.js'

interface Kept {
  /** 0 for a message. */
  readonly kind: RecordKind | 0
  message: number
  value: Uint8Array
  /** Records that refer to it. */
  references: number
}

/** A store in memory, for tests and for brokers of one process that follow each other. */
export class MemoryStore implements Store {
  readonly durability: Durability = 'memory'
  readonly error: StoreError | undefined = undefined
  readonly congested = false
  readonly #kept: Map<number, Kept> = new Map()
  /** Messages that nothing refers to, until the next commit. */
  readonly #idle: number[] = []
  #last = 0
  #groups = 0
  #bytes = 0
  #state: StoreState = 'open'

  get state(): StoreState {
    return this.#state
  }

  get metrics(): StoreMetrics {
    return { groups: this.#groups, bytesWritten: 0, records: this.#kept.size, bytes: this.#bytes }
  }

  /** Opens it again after `close`. */
  async load(visitor: StoreVisitor): Promise<void> {
    this.#state = 'open'
    for (const [number, { kind, value }] of this.#kept) if (kind === 0) visitor.message(number, value, 0, value.length)
    for (const [number, { kind, message, value }] of this.#kept) {
      if (kind !== 0) visitor.record(kind, number, message, value, 0, value.length)
    }
  }

  addMessage(head: Uint8Array, packet: Uint8Array, start: number, end: number): number {
    const value = new Uint8Array(head.length + end - start)
    value.set(head)
    value.set(packet.subarray(start, end), head.length)
    const number = this.#keep({ kind: 0, message: 0, value, references: 0 })
    this.#idle.push(number)
    return number
  }

  add(kind: RecordKind, message: number, value: Uint8Array, start: number, end: number): number {
    this.#refer(message)
    return this.#keep({ kind, message, value: new Uint8Array(value.subarray(start, end)), references: 0 })
  }

  replace(number: number, message: number, value: Uint8Array, start: number, end: number): void {
    const kept = this.#record(number)
    this.#refer(message)
    this.#release(kept.message)
    this.#bytes += end - start - kept.value.length
    kept.message = message
    kept.value = new Uint8Array(value.subarray(start, end))
  }

  remove(number: number): void {
    const kept = this.#record(number)
    this.#release(kept.message)
    this.#drop(number, kept)
  }

  has(number: number): boolean {
    return this.#kept.has(number)
  }

  commit(): undefined {
    this.#groups++
    for (let number = this.#idle.pop(); number !== undefined; number = this.#idle.pop()) {
      const kept = this.#kept.get(number)
      if (kept?.references === 0) this.#drop(number, kept)
    }
  }

  async close(): Promise<void> {
    this.commit()
    this.#state = 'closed'
  }

  #keep(kept: Kept): number {
    this.#checkOpen()
    this.#kept.set(++this.#last, kept)
    this.#bytes += kept.value.length
    return this.#last
  }

  #drop(number: number, { value }: Kept): void {
    this.#kept.delete(number)
    this.#bytes -= value.length
  }

  #checkOpen(): void {
    if (this.#state === 'closed') throw new StoreError('closed', 'the store is closed')
  }

  #record(number: number): Kept {
    this.#checkOpen()
    const kept = this.#kept.get(number)
    if (kept === undefined || kept.kind === 0) throw new RangeError(`there is no record ${number}`)
    return kept
  }

  #refer(message: number): void {
    if (message === 0) return
    const kept = this.#kept.get(message)
    if (kept?.kind !== 0) throw new RangeError(`there is no message ${message}`)
    kept.references++
  }

  #release(message: number): void {
    if (message !== 0 && --this.#kept.get(message)!.references === 0) this.#idle.push(message)
  }
}
