/** A store in memory that keeps what is committed when the test says so, and can be lost with all that is not. */

import {
  type Durability,
  type MemoryStore,
  type RecordKind,
  type Store,
  StoreError,
  type StoreState,
  type StoreVisitor,
} from '@tidewire/broker/store'

interface Kept {
  readonly kind: RecordKind | 0
  readonly message: number
  readonly value: Uint8Array
}

type Disk = ReadonlyMap<number, Kept>

export class FragileStore implements Store {
  readonly durability: Durability = 'fsync'
  state: StoreState = 'open'
  error: StoreError | undefined = undefined
  congested = false
  readonly #kept: Map<number, Kept>
  #last: number
  /** What a crash leaves. */
  #disk: Disk
  /** Batches that are committed and not kept. */
  readonly #pending: { readonly disk: Disk; resolve(): void; reject(error: unknown): void }[] = []
  /** Whether batches are kept only when `sync` is called. */
  isHeld = false
  commits = 0

  constructor(disk: Disk = new Map()) {
    this.#disk = disk
    this.#kept = new Map(disk)
    this.#last = Math.max(0, ...disk.keys())
  }

  get metrics(): MemoryStore['metrics'] {
    return { groups: this.commits, bytesWritten: 0, records: this.#kept.size, bytes: 0 }
  }

  /** How many records of a kind would survive a crash, or messages for 0. */
  count(kind: RecordKind | 0): number {
    return [...this.#disk.values()].filter((kept) => kept.kind === kind).length
  }

  async load(visitor: StoreVisitor): Promise<void> {
    for (const [number, { kind, value }] of this.#kept) if (kind === 0) visitor.message(number, value, 0, value.length)
    for (const [number, { kind, message, value }] of this.#kept) {
      if (kind !== 0) visitor.record(kind, number, message, value, 0, value.length)
    }
  }

  addMessage(head: Uint8Array, packet: Uint8Array, start: number, end: number): number {
    return this.#add({ kind: 0, message: 0, value: Buffer.concat([head, packet.subarray(start, end)]) })
  }

  add(kind: RecordKind, message: number, value: Uint8Array, start: number, end: number): number {
    this.#check(message)
    return this.#add({ kind, message, value: new Uint8Array(value.subarray(start, end)) })
  }

  #add(kept: Kept): number {
    this.#kept.set(++this.#last, kept)
    return this.#last
  }

  #check(message: number): void {
    if (message !== 0 && this.#kept.get(message)?.kind !== 0) throw new RangeError(`there is no message ${message}`)
  }

  replace(number: number, message: number, value: Uint8Array, start: number, end: number): void {
    this.#check(message)
    this.#kept.set(number, {
      kind: this.#record(number).kind,
      message,
      value: new Uint8Array(value.subarray(start, end)),
    })
  }

  remove(number: number): void {
    this.#record(number)
    this.#kept.delete(number)
  }

  #record(number: number): Kept {
    const kept = this.#kept.get(number)
    if (kept === undefined || kept.kind === 0) throw new RangeError(`there is no record ${number}`)
    return kept
  }

  has(number: number): boolean {
    return this.#kept.has(number)
  }

  commit(): Promise<void> {
    this.commits++
    const used = new Set([...this.#kept.values()].map(({ message }) => message))
    for (const [number, { kind }] of this.#kept) if (kind === 0 && !used.has(number)) this.#kept.delete(number)
    const disk = new Map(this.#kept)
    return new Promise((resolve, reject) => {
      this.#pending.push({ disk, resolve, reject })
      if (!this.isHeld) setImmediate(() => this.sync())
    })
  }

  /** Keeps all that is committed. */
  sync(): void {
    for (const { disk, resolve } of this.#pending.splice(0)) {
      this.#disk = disk
      resolve()
    }
  }

  /** The store fails: nothing that is not kept ever is. */
  fail(): void {
    this.state = 'failed'
    this.error = new StoreError('io', 'the disk is gone')
    for (const { reject } of this.#pending.splice(0)) reject(this.error)
  }

  /** What is left of it when the process dies now. */
  crash(): FragileStore {
    return new FragileStore(this.#disk)
  }

  async close(): Promise<void> {
    if (this.state === 'open') void this.commit()
    this.sync()
    this.state = 'closed'
  }
}
