/** Starts Tidewire for a measurement: `start-tidewire.mjs PORT mqtt|ws|mqtts [KEY CERTIFICATE]`. */

import { readFileSync } from 'node:fs'
import { argv } from 'node:process'
import { createBroker } from '@tidewire/broker'
import { isAllowed } from './acl.mjs'

const [, , port, transport, key, certificate] = argv
const broker = createBroker({
  authorize: {
    epoch: 0,
    authorize: (_client, action, topic) => isAllowed(action === 'publish' ? 'write' : 'read', topic),
  },
  // For the row in which so many wait: by default 1,000 and 8 MiB do.
  limits: { maxQueuedMessages: 100_000, maxQueuedBytes: 64 * 1024 * 1024 },
  log: console,
})
const tls = key && certificate ? { tls: { key: readFileSync(key), cert: readFileSync(certificate) } } : {}
/** @type {(url: string, options?: object) => Promise<unknown>} */
const listen = broker.listen.bind(broker)
try {
  await listen(`${transport}://127.0.0.1:${port}`, tls)
} catch (error) {
  console.error(/** @type {Error} */ (error).message) // a transport that there is not
  process.exit(1)
}
process.on('SIGTERM', () => {
  const dropped = Object.entries(broker.metrics.dropped).filter(([, count]) => count > 0)
  if (dropped.length > 0) console.error(`dropped: ${dropped.map(([why, count]) => `${why} ${count}`).join(', ')}`)
  process.exit() // which lets the profile be written
})
