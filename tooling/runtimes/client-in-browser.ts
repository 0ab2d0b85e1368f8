/** Runs in a page: the contract of stores with IndexedDB, and a session that goes on after a reload of the page. */

import { connect, indexedDbStore } from '@tidewire/client/browser'
import { report } from './report.js'

declare const location: { readonly search: string; reload(): void }
declare const sessionStorage: { getItem(name: string): string | null; setItem(name: string, value: string): void }

const url = `ws://127.0.0.1:${PORT}`
declare const PORT: number

const client = await connect(url, { clientId: 'page', session: { expiry: 60, store: indexedDbStore() } })
if (sessionStorage.getItem('was here') === null) {
  sessionStorage.setItem('was here', 'yes')
  const messages = await client.subscribe('to/page', { qos: 2 })
  client.publish('from/page', 'never acknowledged', { qos: 2 }).catch(() => {}) // the page goes away
  await messages.next()
  void messages.next() // done with it: PUBREC
  client.on('state', () => {})
  await client.publish('reload', 'please', { qos: 1 })
  location.reload()
} else {
  await client.close({ drain: 5_000 })
  await report({ 'the contract of stores': () => import('../../packages/client/test/indexed-db.js') })
}
