/** Starts aedes for a measurement: `start-aedes.mjs PORT mqtt|ws|mqtts [KEY CERTIFICATE]`. */

import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { argv } from 'node:process'
import { createServer as createTlsServer } from 'node:tls'
import { Aedes } from 'aedes'
import { createWebSocketStream, WebSocketServer } from 'ws'
import { isAllowed } from './acl.mjs'

const [, , port, transport, key = '', certificate = ''] = argv
const refusal = new Error('not authorized')
const broker = await Aedes.createBroker({
  authorizePublish: (_client, { topic }, callback) => callback(isAllowed('write', topic) ? null : refusal),
  authorizeSubscribe: (_client, subscription, callback) =>
    callback(null, isAllowed('read', subscription.topic) ? subscription : null),
  authorizeForward: (_client, packet) => (isAllowed('read', packet.topic) ? packet : null),
})

/** @returns {import('node:net').Server} */
function server() {
  if (transport === 'mqtt') return createServer(broker.handle)
  if (transport === 'mqtts') {
    return createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) }, broker.handle)
  }
  const http = createHttpServer()
  const sockets = new WebSocketServer({ server: http, perMessageDeflate: false })
  sockets.on('connection', (socket, request) => broker.handle(createWebSocketStream(socket), request))
  return http
}

server().listen(Number(port), '127.0.0.1', 1024)
