/** Runs in Bun and Deno: messages over TCP and WebSocket, and a session in a file. */

import { connect, webSocket } from '@tidewire/client'
import { fileStore } from '@tidewire/client/node'

const [tcpUrl = '', webSocketUrl = '', folder = ''] = process.argv.slice(2)
for (const target of [tcpUrl, webSocket(webSocketUrl)]) {
  const session = { expiry: 60, store: fileStore(folder) }
  const client = await connect(target, { clientId: target === tcpUrl ? 'tcp' : 'web-socket', session })
  const messages = await client.subscribe('a/+', { qos: 2 })
  for (const qos of [0, 1, 2] as const) {
    await client.publish('a/b', `qos ${qos}`, { qos })
    const { value } = await messages.next()
    if (value?.text !== `qos ${qos}`) throw new Error(`got ${value?.text}`)
  }
  await client.close({ drain: 1_000 })
}
console.log('it works')
