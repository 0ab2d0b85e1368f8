/** A store in the browser: a session that survives a reload of the page. */

import type { Change, SessionRecord, SessionStore } from './store.js'

/** Makes a store of IndexedDB, with a database for each Client Identifier. */
export function indexedDbStore(prefix = 'tidewire:'): SessionStore {
  let database: Database | undefined
  return {
    async load(clientId) {
      const { indexedDB } = globalThis as unknown as { readonly indexedDB: { open(name: string): OpenRequest } }
      const opening = indexedDB.open(prefix + clientId)
      opening.onupgradeneeded = () => opening.result.createObjectStore('records', { keyPath: 'key' })
      database = await settled(opening)
      const reading = database.transaction('records', 'readonly').objectStore('records').getAll()
      return (await settled(reading)) as SessionRecord[]
    },
    write(changes: readonly Change[]) {
      return new Promise((resolve, reject) => {
        if (database === undefined) throw new Error('the store is closed')
        const transaction = database.transaction('records', 'readwrite', { durability: 'strict' })
        transaction.oncomplete = () => resolve()
        transaction.onabort = () => reject(transaction.error)
        const records = transaction.objectStore('records')
        for (const change of changes) {
          if ('put' in change) records.put(change.put)
          else records.delete(change.delete)
        }
      })
    },
    async close() {
      database?.close()
      database = undefined
    },
  }
}

function settled<T>(request: DatabaseRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

// What is used of IndexedDB: the types of the DOM would let the rest of the package use all of it.
interface DatabaseRequest<T> {
  readonly result: T
  readonly error: Error | null
  onsuccess: () => void
  onerror: () => void
}

interface OpenRequest extends DatabaseRequest<Database> {
  onupgradeneeded: () => void
}

interface Database {
  createObjectStore(name: string, options: { keyPath: string }): void
  transaction(name: string, mode: string, options?: { durability: string }): Transaction
  close(): void
}

interface Transaction {
  readonly error: Error | null
  oncomplete: () => void
  onabort: () => void
  objectStore(name: string): {
    getAll(): DatabaseRequest<unknown[]>
    put(value: unknown): void
    delete(key: number): void
  }
}
