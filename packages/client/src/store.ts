/** What of a session outlives its connection, and the interface of what keeps it. */

import type { PublishProperties } from '@tidewire/codec'
import type { Awaited } from '@tidewire/session'

/** A message of QoS 1 or 2 that is not done. */
export interface StoredMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 1 | 2
  readonly retain: boolean
  readonly properties: PublishProperties
}

/** A message on its way to the server. */
export interface OutgoingRecord {
  /** Grows in the order in which things are to be sent again. */
  readonly key: number
  /** 0 while it has not been sent. */
  readonly packetId: number
  readonly awaits: Awaited
  readonly message: StoredMessage
}

/** A QoS 2 message that the application has had and the server has not released; the key is minus its Packet Identifier. */
export interface IncomingRecord {
  readonly key: number
}

export type SessionRecord = OutgoingRecord | IncomingRecord

/** A change of the records: one comes, or takes the place of another of the same key; or the one of a key goes. */
export type Change = { readonly put: SessionRecord } | { readonly delete: number }

/**
 * Keeps the records of one session. The client has one call under way at a time, and sends nothing that depends on a
 * change before `write` has settled. What rejects ends the client.
 */
export interface SessionStore {
  /** All records, in any order. Called once, first. */
  load(clientId: string): Promise<SessionRecord[]>
  /** Makes changes in their order; settles when they will be there after a crash. */
  write(changes: readonly Change[]): Promise<void>
  /** Gives up what it holds open. */
  close(): Promise<void>
}

/** Changes on their way to a store. */
export class Journal {
  readonly #store: SessionStore
  #changes: Change[] = []

  constructor(store: SessionStore) {
    this.#store = store
  }

  put(put: SessionRecord): void {
    this.#changes.push({ put })
  }

  delete(key: number): void {
    this.#changes.push({ delete: key })
  }

  /** Writes what has changed since the last time; undefined when nothing has. */
  write(): Promise<void> | undefined {
    if (this.#changes.length === 0) return undefined
    const changes = this.#changes
    this.#changes = []
    return this.#store.write(changes)
  }
}
