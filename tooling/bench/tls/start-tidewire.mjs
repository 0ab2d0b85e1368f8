/** Starts Tidewire for `tls.mjs`: `start-tidewire.mjs PORT plain|certificate|psk FOLDER`. */

import { join } from 'node:path'
import { argv } from 'node:process'
import { createBroker } from '@tidewire/broker'
import { serverTls } from '@tidewire/security/tls'

const [, , port, kind, folder = ''] = argv
// Hundreds of connections of one address in a second are what is measured.
const most = 1_000_000
const limits = { maxConnectionRate: most, maxConnectionRatePerAddress: most, maxConnectionsPerAddress: most }
const broker = createBroker({ limits })
const certificate = { key: join(folder, 'server.key'), cert: join(folder, 'server.crt') }
if (kind === 'plain') await broker.listen(`mqtt://127.0.0.1:${port}`)
else {
  const tls = await serverTls(kind === 'psk' ? { pskFile: join(folder, 'psk') } : certificate)
  await broker.listen(`mqtts://127.0.0.1:${port}`, { tls })
}
