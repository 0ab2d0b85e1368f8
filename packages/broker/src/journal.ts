// hot: runs per packet
/** The journal: what outlives the broker goes into its store, one batch for each turn, and who must wait for it is told. */

import { inspect } from 'node:util'
import { type ProtocolVersion, ReasonCode } from '@tidewire/codec'
import type { Clock } from './clock.js'
import type { Client } from './hooks.js'
import type { Log } from './options.js'
import { encodeMessageHead, restampMessageHead, type Written } from './store/records.js'
import type { RecordKind, Store } from './store/store.js'

/** A message as the store takes it. */
export interface Storable {
  /** Its number in the store, 0 as long as it has none. */
  stored: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly version: ProtocolVersion
  readonly publisher: Client | undefined
  /** By the broker's clock. */
  readonly expiresAt: number
}

/** Those who wait for the batch that is being made. */
interface Waiting {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class Journal {
  readonly store: Store
  readonly #clock: Clock
  readonly #log: Log
  /** Whether something has changed since the last commit. */
  #isDirty = false
  #waiting: Waiting | undefined = undefined
  /** Settles when all that was committed is kept; undefined when it is. */
  #committed: Promise<void> | undefined = undefined
  /** Batches that will never be kept: who has waited for one before it failed has waited in vain. */
  failures = 0
  #order = 0
  #toldOf: Store['state'] = 'open'
  readonly #heads: WeakMap<Client, Uint8Array> = new WeakMap()
  readonly #commit = (): void => this.commit()

  constructor(store: Store, clock: Clock, log: Log) {
    this.store = store
    this.#clock = clock
    this.#log = log
  }

  /** Milliseconds since 1970. */
  get date(): number {
    return this.#clock.date?.() ?? Date.now()
  }

  /** The date of a time of the broker's clock. */
  dateOf(time: number): number {
    return time - this.#clock.now() + this.date
  }

  /** The time of a date. */
  timeOf(date: number): number {
    return date - this.date + this.#clock.now()
  }

  /** Grows with each message that is sent, and with each that is released. */
  get nextOrder(): number {
    return ++this.#order
  }

  /** The order of a message that was there before. */
  sawOrder(order: number): void {
    if (order > this.#order) this.#order = order
  }

  /** Why nothing new can be kept; undefined while it can. */
  get obstacle(): number | undefined {
    const { state } = this.store
    if (state === this.#toldOf) return codeOf(state)
    this.#toldOf = state
    if (state === 'open') this.#log.warn('the store has room again')
    if (state === 'full') this.#log.error('the store is full: what would have to be kept is refused')
    if (state === 'failed')
      this.#log.error(`the store has failed, nothing is promised any more: ${inspect(this.store.error)}`)
    return codeOf(state)
  }

  get #isOver(): boolean {
    const { state } = this.store
    return state === 'failed' || state === 'closed'
  }

  /** The number of a message, which is written if it is not there. */
  numberOf(message: Storable): number {
    if (this.#isOver) return 0
    if (message.stored === 0 || !this.store.has(message.stored)) {
      this.#changed()
      message.stored = this.store.addMessage(this.#headOf(message), message.bytes, message.start, message.end)
    }
    return message.stored
  }

  #headOf({ publisher, expiresAt, version }: Storable): Uint8Array {
    const date = expiresAt === Number.POSITIVE_INFINITY ? expiresAt : this.dateOf(expiresAt)
    if (publisher === undefined) return encodeMessageHead({ publisher, expiresAt: date, version })
    const known = this.#heads.get(publisher)
    if (known !== undefined) return restampMessageHead(known, date, version)
    const head = encodeMessageHead({ publisher, expiresAt: date, version })
    this.#heads.set(publisher, head)
    return head
  }

  /** Adds a record. Returns its number. */
  add(kind: RecordKind, message: number, { bytes, end }: Written): number {
    this.#changed()
    return this.#isOver ? 0 : this.store.add(kind, message, bytes, 0, end)
  }

  replace(number: number, message: number, { bytes, end }: Written): void {
    this.#changed()
    if (!this.#isOver) this.store.replace(number, message, bytes, 0, end)
  }

  remove(number: number): void {
    this.#changed()
    if (!this.#isOver) this.store.remove(number)
  }

  #changed(): void {
    if (this.#isDirty) return
    this.#isDirty = true
    this.#clock.defer(this.#commit)
  }

  /** Ends the batch. */
  commit(): void {
    if (!this.#isDirty) return
    this.#isDirty = false
    const waiting = this.#waiting
    this.#waiting = undefined
    const before = this.#committed
    const now = this.#tryCommit()
    now?.catch(() => {}) // told through the one before, when that fails too
    // What is kept is so in order.
    const committed =
      before === undefined || now === undefined || now === before ? (now ?? before) : before.then(() => now)
    if (committed === undefined) return waiting?.resolve()
    this.#committed = committed
    const settle = (): void => {
      if (this.#committed === committed) this.#committed = undefined
    }
    committed.then(
      () => {
        settle()
        waiting?.resolve()
      },
      (error) => {
        settle()
        this.failures++
        void this.obstacle // says so in the log
        waiting?.reject(error)
      },
    )
  }

  #tryCommit(): Promise<void> | undefined {
    try {
      return this.store.state === 'failed' ? Promise.reject(this.store.error) : this.store.commit()
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Settles when all that has changed up to now is kept; undefined when it is. Rejects when it never will be. */
  get kept(): Promise<void> | undefined {
    if (!this.#isDirty) return this.#committed
    if (this.#waiting === undefined) {
      let resolve!: () => void
      let reject!: (error: unknown) => void
      const promise = new Promise<void>((yes, no) => {
        resolve = yes
        reject = no
      })
      this.#waiting = { promise, resolve, reject }
    }
    return this.#waiting.promise
  }

  /** Whether something has changed that is not kept yet. */
  get isPending(): boolean {
    return this.#isDirty || this.#committed !== undefined
  }

  /** Keeps what is left. Rejects with a StoreError when that cannot be. */
  async close(): Promise<void> {
    this.commit()
    await this.store.close()
  }
}

function codeOf(state: Store['state']): number | undefined {
  if (state === 'open') return undefined
  return state === 'full' ? ReasonCode.QuotaExceeded : ReasonCode.ImplementationSpecificError
}
