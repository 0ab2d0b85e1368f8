/** Starts Tidewire for `flood.mjs`: `start-tidewire.mjs PORT PASSWD`. */

import { argv } from 'node:process'
import { createBroker } from '@tidewire/broker'
import { guard, passwords } from '@tidewire/security'

const [, , port, file = ''] = argv
// All come from one address here, as a flood would not.
const most = 1_000_000
const limits = { maxConnectionRate: most, maxConnectionRatePerAddress: most, maxConnectionsPerAddress: most }
const broker = createBroker({ ...guard({ authenticate: await passwords({ file }) }), limits })
await broker.listen(`mqtt://127.0.0.1:${port}`)
