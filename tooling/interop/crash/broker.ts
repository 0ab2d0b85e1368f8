/** The broker that is killed: a process of its own, with a store in the directory that it is told, on the port that it is told. */

import { createBroker } from '@tidewire/broker'
import { openLog } from '@tidewire/store-log'

const [directory = '', port = '0'] = process.argv.slice(2)
const store = await openLog(directory, { segmentSize: 1024 * 1024 })
const limits = { receiveMaximum: 0xffff, maxQueuedMessages: 10_000_000, maxQueuedBytes: 1024 ** 3 }
const broker = createBroker({ store, limits, log: { info() {}, warn() {}, error: console.error } })
const listener = await broker.listen(`mqtt://127.0.0.1:${port}`)
console.log(`port ${listener.port}`)
