/** The interface of a store: what a broker wants to find again when it comes back, written in groups. */

/**
 * What a kept promise stands for: `memory`, it survives nothing; `os`, it has been given to the operating system and
 * survives the death of the process; `fsync`, it is on the disk and survives the loss of power.
 */
export type Durability = 'memory' | 'os' | 'fsync'

/**
 * `open`, all is well; `full`, the disk has no room: what is committed waits until it has, and nothing new should be
 * accepted but what makes room; `failed`, nothing can be written any more, and nothing is promised; `closed`.
 */
export type StoreState = 'open' | 'full' | 'failed' | 'closed'

/**
 * `io`, a write or a sync has failed; `damaged`, the bytes are not those that were written; `locked`, another process has
 * it open; `format`, it is of another version, or of something else; `closed`, it is not open.
 */
export type StoreFault = 'io' | 'damaged' | 'locked' | 'format' | 'closed'

/** What is wrong with a store, in words that say where. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreFault

  constructor(code: StoreFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

/** Kinds of records beside messages. The numbers are written to disks: they never change. */
export const recordKinds = {
  session: 2,
  subscription: 3,
  /** A message for a session: it waits, or it is in flight. */
  delivery: 4,
  /** A Packet Identifier of a QoS 2 message that a client has sent and not released. */
  received: 5,
  retained: 6,
  /** The Will of a session, delayed or not. */
  will: 7,
  /** A message that is to be published later. */
  delayed: 8,
} as const

export type RecordKind = (typeof recordKinds)[keyof typeof recordKinds]

/** Takes what a store holds, piece by piece. The bytes are lent for the call only. */
export interface StoreVisitor {
  /** `head` and packet as they were given, one behind the other. */
  message(number: number, bytes: Uint8Array, start: number, end: number): void
  /** `message` is the number of the message that it refers to, 0 for none. */
  record(kind: RecordKind, number: number, message: number, bytes: Uint8Array, start: number, end: number): void
}

/** What a store has done and holds. */
export interface StoreMetrics {
  /** Groups that were written. */
  readonly groups: number
  /** Bytes that were written for them, and to keep the store small. */
  readonly bytesWritten: number
  /** Messages and other records that it holds. */
  readonly records: number
  /** Bytes that it takes where it is kept. */
  readonly bytes: number
}

/**
 * Keeps messages, and records that may refer to one of them, under numbers that it gives. A number is above 0, not given
 * twice while the store is open, and the same when it is opened again.
 *
 * All changes between two calls of `commit` are one batch: after a crash all of them are there or none. They are made by
 * calls that return at once; bytes are lent for the call only. A message is written once, however many records refer to
 * it, and is gone when at a `commit` none does. Whoever finds `congested` should bring nothing new until a commit has
 * settled.
 */
export interface Store {
  readonly durability: Durability
  readonly state: StoreState
  /** Why it has failed. */
  readonly error: StoreError | undefined
  /** Whether so much waits to be written that nothing more should be added for now. */
  readonly congested: boolean
  readonly metrics: StoreMetrics
  /**
   * Shows all that it holds, messages first, then records in the order in which they were added. To be called before
   * anything is changed. Rejects with a StoreError when something cannot be read.
   */
  load(visitor: StoreVisitor): Promise<void>
  /** Adds a message: `head`, which is the caller's own, and a packet from `start` to `end`. Returns its number. */
  addMessage(head: Uint8Array, packet: Uint8Array, start: number, end: number): number
  /** Adds a record that refers to a message, or with 0 to none. Returns its number. Throws RangeError for no message. */
  add(kind: RecordKind, message: number, value: Uint8Array, start: number, end: number): number
  /** Gives a record another message and another value; it keeps its place in the order. Throws RangeError for no record. */
  replace(number: number, message: number, value: Uint8Array, start: number, end: number): void
  /** Takes a record away. Throws RangeError for no record; messages go by themselves. */
  remove(number: number): void
  /** Whether there is a message or record of this number. */
  has(number: number): boolean
  /**
   * Ends a batch. Returns nothing when it is kept already, or else a promise, one for many batches, that settles when it
   * is as durable as `durability` says. Rejects with a StoreError when it will never be: then it may be there or not.
   */
  commit(): Promise<void> | undefined
  /** Commits, waits until that is kept, and lets go of all. Rejects with a StoreError when it could not be. */
  close(): Promise<void>
}
