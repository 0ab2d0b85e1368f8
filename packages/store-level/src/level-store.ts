/** A store on LevelDB: a key for each message and record, and batches that are written whole. */

import { crc32 } from 'node:zlib'
import {
  type Durability,
  type RecordKind,
  type Store,
  StoreError,
  type StoreMetrics,
  type StoreState,
  type StoreVisitor,
} from '@tidewire/broker/store'
import { ClassicLevel } from 'classic-level'

export interface LevelOptions {
  /** `os` leaves it to the system when to write to the disk: what the loss of power takes may be lost. Default `fsync`. */
  readonly durability?: 'os' | 'fsync'
  /** Bytes that wait to be written from which on the store says that it is congested. Default 4 MiB. */
  readonly maxPending?: number
}

type Level = ClassicLevel<Buffer, Buffer>
type Batch = ReturnType<Level['batch']>

const formatKey = Buffer.from('format')
const format = Buffer.from('tidewire 1')
/** A key is one of these bytes, and the number (7 bytes, so that keys are in its order). */
const messagePrefix = 0x6d
const recordPrefix = 0x72
/** Before a value: CRC-32 of key and value; of a record its kind and the number of its message too. */
const messageHeader = 4
const recordHeader = 13

/** What is known of a key without reading it. */
interface Kept {
  /** 0 for a message. */
  readonly kind: number
  message: number
  /** Bytes of the value. */
  length: number
  /** Records that refer to it. */
  references: number
}

/**
 * Opens the store in a directory, which is made if it is not there. Rejects with a StoreError: `locked` while it is open
 * elsewhere, `damaged` when LevelDB finds it so, `format` when it is the database of something else, `io` when the system
 * says no; with TypeError or RangeError for options that cannot be.
 */
export async function openLevel(directory: string, options: LevelOptions = {}): Promise<LevelStore> {
  checkOptions(options)
  const db: Level = new ClassicLevel(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  try {
    await db.open()
    const found = await db.get(formatKey)
    if (found === undefined) await begin(db, directory)
    else if (!found.equals(format))
      throw new StoreError('format', `${directory} has the format ${JSON.stringify(`${found}`)}`)
    const store = new LevelStore(db, directory, options)
    await store.scan()
    return store
  } catch (error) {
    await db.close().catch(() => {}) // the first error is the one to be told
    throw errorOf(error, directory)
  }
}

function checkOptions({ durability = 'fsync', maxPending = 1, ...others }: LevelOptions): void {
  if (durability !== 'os' && durability !== 'fsync')
    throw new TypeError(`the option durability must be 'os' or 'fsync'`)
  if (!Number.isSafeInteger(maxPending) || maxPending < 1) throw new RangeError(`maxPending cannot be ${maxPending}`)
  for (const name of Object.keys(others)) throw new TypeError(`there is no option called ${name}`)
}

async function begin(db: Level, directory: string): Promise<void> {
  const [key] = await db.keys({ limit: 1 }).all()
  if (key !== undefined) throw new StoreError('format', `${directory} is the database of something else`)
  await db.put(formatKey, format, { sync: true })
}

interface LevelError extends Error {
  readonly code?: string
  readonly cause?: LevelError
}

function errorOf(error: unknown, directory: string): StoreError {
  if (error instanceof StoreError) return error
  const { cause, code, message } = error as LevelError
  const codes = [code, cause?.code]
  const text = `the store in ${directory}: ${cause?.message ?? message}`
  if (codes.includes('LEVEL_LOCKED')) return new StoreError('locked', text, error)
  return new StoreError(codes.includes('LEVEL_CORRUPTION') ? 'damaged' : 'io', text, error)
}

/** A store on LevelDB: see `openLevel`. */
export class LevelStore implements Store {
  readonly durability: Durability
  readonly #db: Level
  readonly #directory: string
  readonly #maxPending: number
  readonly #kept: Map<number, Kept> = new Map()
  /** Messages that nothing refers to, until the next commit. */
  readonly #idle: number[] = []
  #batch: Batch
  /** Bytes in the batch, and whether some are not committed. */
  #pending = 0
  #isUncommitted = false
  /** Settles when the batch that is being gathered is written. */
  #promise: Promise<void> | undefined
  #writing: Promise<void> | undefined
  #last = 0
  #bytes = 0
  #groups = 0
  #bytesWritten = 0
  #state: StoreState = 'open'
  #error: StoreError | undefined
  #closing: Promise<void> | undefined

  /** Use `openLevel`. */
  constructor(db: Level, directory: string, { durability = 'fsync', maxPending = 4 * 1024 ** 2 }: LevelOptions) {
    this.#db = db
    this.#directory = directory
    this.durability = durability
    this.#maxPending = maxPending
    this.#batch = db.batch()
  }

  get state(): StoreState {
    return this.#state
  }

  get error(): StoreError | undefined {
    return this.#error
  }

  get congested(): boolean {
    return this.#pending > this.#maxPending
  }

  get metrics(): StoreMetrics {
    const { size: records } = this.#kept
    return { groups: this.#groups, bytesWritten: this.#bytesWritten, records, bytes: this.#bytes }
  }

  /** Part of `openLevel`: reads what there is, without keeping the values. */
  async scan(): Promise<void> {
    await this.load({
      message: (number, _, start, end) => this.#note(number, 0, 0, end - start),
      record: (kind, number, message, _, start, end) => this.#note(number, kind, message, end - start),
    })
  }

  #note(number: number, kind: number, message: number, length: number): void {
    this.#last = Math.max(this.#last, number)
    this.#kept.set(number, { kind, message, length, references: 0 })
    this.#bytes += length
    if (message === 0) return
    const kept = this.#kept.get(message)
    if (kept?.kind !== 0) throw new StoreError('damaged', `record ${number} refers to a message that is not there`)
    kept.references++
  }

  async load(visitor: StoreVisitor): Promise<void> {
    try {
      for await (const [key, value] of this.#db.iterator({ gte: keyOf(messagePrefix, 0) })) {
        this.#show(key, value, visitor)
      }
    } catch (error) {
      throw errorOf(error, this.#directory)
    }
  }

  #show(key: Buffer, value: Buffer, visitor: StoreVisitor): void {
    const isMessage = key[0] === messagePrefix
    const least = isMessage ? messageHeader : recordHeader
    if (key.length !== 8 || value.length < least || checksum(key, value) !== value.readUInt32LE()) {
      throw new StoreError('damaged', `the store in ${this.#directory}: key ${key.toString('hex')} is damaged`)
    }
    const number = key.readUIntBE(2, 6)
    if (isMessage) visitor.message(number, value, least, value.length)
    else visitor.record(value[4] as RecordKind, number, value.readDoubleLE(5), value, least, value.length)
  }

  addMessage(head: Uint8Array, packet: Uint8Array, start: number, end: number): number {
    this.#checkOpen()
    const number = ++this.#last
    const value = Buffer.concat([Buffer.alloc(messageHeader), head, packet.subarray(start, end)])
    this.#put(messagePrefix, number, value)
    this.#note(number, 0, 0, value.length - messageHeader)
    this.#idle.push(number)
    return number
  }

  add(kind: RecordKind, message: number, value: Uint8Array, start: number, end: number): number {
    this.#checkOpen()
    this.#checkMessage(message)
    const number = ++this.#last
    this.#put(recordPrefix, number, recordOf(kind, message, value.subarray(start, end)))
    this.#note(number, kind, message, end - start)
    return number
  }

  replace(number: number, message: number, value: Uint8Array, start: number, end: number): void {
    const kept = this.#record(number)
    this.#checkMessage(message)
    this.#put(recordPrefix, number, recordOf(kept.kind, message, value.subarray(start, end)))
    if (message !== 0) this.#kept.get(message)!.references++
    this.#release(kept.message)
    this.#bytes += end - start - kept.length
    kept.message = message
    kept.length = end - start
  }

  remove(number: number): void {
    const kept = this.#record(number)
    this.#delete(recordPrefix, number, kept)
    this.#release(kept.message)
  }

  has(number: number): boolean {
    return this.#kept.has(number)
  }

  commit(): Promise<void> | undefined {
    if (!this.#isUncommitted) return undefined
    for (let number = this.#idle.pop(); number !== undefined; number = this.#idle.pop()) {
      const kept = this.#kept.get(number)
      if (kept?.references === 0) this.#delete(messagePrefix, number, kept)
    }
    this.#isUncommitted = false
    if (this.#error !== undefined) {
      this.#batch.clear() // nobody would write it
      this.#pending = 0
    }
    const kept = this.#error === undefined ? this.#gather() : Promise.reject(this.#error)
    kept.catch(() => {}) // who asked is told, who did not need not be
    return kept
  }

  #gather(): Promise<void> {
    this.#promise ??= this.#write(this.#writing)
    return this.#promise
  }

  /** Writes what has been gathered when the batch before is written. */
  async #write(before: Promise<void> | undefined): Promise<void> {
    await before
    // In the middle of a batch: its commit comes in this turn or in one of the next.
    while (this.#isUncommitted && this.#closing === undefined) await new Promise((resolve) => setImmediate(resolve))
    if (this.#error !== undefined) throw this.#error
    const batch = this.#batch
    const pending = this.#pending
    this.#batch = this.#db.batch()
    this.#pending = 0
    this.#writing = this.#promise
    this.#promise = undefined
    try {
      await batch.write({ sync: this.durability === 'fsync' })
      this.#groups++
      this.#bytesWritten += pending
    } catch (error) {
      this.#state = 'failed'
      this.#error ??= errorOf(error, this.#directory)
      throw this.#error
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const kept = this.commit() ?? this.#promise ?? this.#writing
    try {
      await kept
    } finally {
      this.#state = 'closed'
      await this.#batch.close()
      await this.#db.close()
    }
    if (this.#error !== undefined) throw this.#error
  }

  #checkOpen(): void {
    if (this.#state === 'closed' || this.#closing !== undefined) throw new StoreError('closed', 'the store is closed')
  }

  #checkMessage(number: number): void {
    if (number !== 0 && this.#kept.get(number)?.kind !== 0) throw new RangeError(`there is no message ${number}`)
  }

  #record(number: number): Kept {
    this.#checkOpen()
    const kept = this.#kept.get(number)
    if (kept === undefined || kept.kind === 0) throw new RangeError(`there is no record ${number}`)
    return kept
  }

  #release(message: number): void {
    if (message !== 0 && --this.#kept.get(message)!.references === 0) this.#idle.push(message)
  }

  #put(prefix: number, number: number, value: Buffer): void {
    const key = keyOf(prefix, number)
    value.writeUInt32LE(checksum(key, value))
    this.#isUncommitted = true
    this.#batch.put(key, value)
    this.#pending += key.length + value.length
  }

  #delete(prefix: number, number: number, kept: Kept): void {
    this.#isUncommitted = true
    this.#batch.del(keyOf(prefix, number))
    this.#kept.delete(number)
    this.#bytes -= kept.length
  }
}

function keyOf(prefix: number, number: number): Buffer {
  const key = Buffer.alloc(8)
  key[0] = prefix
  key.writeUIntBE(number, 2, 6)
  return key
}

const checksum = (key: Buffer, value: Buffer): number => crc32(value.subarray(4), crc32(key))

function recordOf(kind: number, message: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(recordHeader + value.length)
  bytes[4] = kind
  bytes.writeDoubleLE(message, 5)
  bytes.set(value, recordHeader)
  return bytes
}
