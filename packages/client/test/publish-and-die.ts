/** Publishes QoS 2 messages, each with a number of its own, until it is killed. */

import { connect } from '@tidewire/client'
import { fileStore } from '@tidewire/client/node'

const [, , url = '', folder = ''] = process.argv
const client = await connect(url, { clientId: 'c', session: { expiry: 3600, store: fileStore(folder) } })
for (let n = 0; ; n++) await client.publish('a', `${process.pid}-${n}`, { qos: 2 })
