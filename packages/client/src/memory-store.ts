/** A store that lasts as long as the process: what one client leaves, the next one finds. */

import type { Change, SessionRecord, SessionStore } from './store.js'

/** Makes a store without a file: sessions go on in another client of this process. */
export function memoryStore(): SessionStore {
  const sessions = new Map<string, Map<number, SessionRecord>>()
  let records = new Map<number, SessionRecord>()
  return {
    async load(clientId) {
      records = sessions.get(clientId) ?? new Map()
      sessions.set(clientId, records)
      return [...records.values()]
    },
    async write(changes: readonly Change[]) {
      for (const change of changes) {
        if ('put' in change) records.set(change.put.key, change.put)
        else records.delete(change.delete)
      }
    },
    async close() {},
  }
}
