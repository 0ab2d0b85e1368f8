/** MQTT over WebSocket on an HTTP server of the application, beside what it serves itself. */

import { type Server as HttpServer, type IncomingMessage, ServerResponse } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Entrance } from './entrance.js'
import type { AttachOptions, Listener } from './listener.js'
import { canonicalAddress } from './remote-address.js'
import { verifiedCertificate } from './tls-peer.js'
import { answer, Upgrader } from './websocket.js'

const defaultPath = '/mqtt'
/** What listens for upgrades here, and not the application. */
const ours: WeakSet<object> = new WeakSet()
const served: WeakSet<Socket> = new WeakSet()

export function attach(server: HttpServer | HttpsServer, options: AttachOptions, entrance: Entrance): Listener {
  const { path = defaultPath } = options
  entrance.name = options.name ?? urlOf(server, path)
  const upgrader = new Upgrader(path, options, entrance.limits, entrance.environment.log)
  const upgrade = (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    if (upgrader.isFor(request)) return enter(request, socket, head)
    // Without us it would have been an ordinary request.
    if (server.listeners('upgrade').every((each) => ours.has(each))) serveOnce(server, request, socket)
  }
  const enter = (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    const visit = entrance.enter(socket)
    if (visit === undefined) return answer(socket, 503, 'too many connections')
    visit.identify(canonicalAddress(socket.remoteAddress), socket.remotePort)
    visit.certificate = verifiedCertificate(socket)
    if (!upgrader.believes(visit.address) && !visit.admit()) return answer(socket, 429, 'too many connections')
    upgrader.upgrade(visit, request, socket, head)
  }
  ours.add(upgrade)
  server.on('upgrade', upgrade)
  return {
    name: entrance.name,
    get url() {
      return urlOf(server, path)
    },
    get port() {
      const address = server.address()
      return typeof address === 'object' && address !== null ? address.port : 0
    },
    close({ disconnect = false } = {}) {
      server.off('upgrade', upgrade)
      return entrance.close(disconnect)
    },
  }
}

/** As `serve`, when several listeners of ours leave the same request to the application. */
function serveOnce(server: HttpServer | HttpsServer, request: IncomingMessage, socket: Socket): void {
  if (served.has(socket)) return
  served.add(socket)
  serve(server, request, socket)
}

/** Has the application answer a request that wants to upgrade to something it does not know. */
function serve(server: HttpServer | HttpsServer, request: IncomingMessage, socket: Socket): void {
  const { headers } = request
  // The body can no longer be read as one.
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) {
    return answer(socket, 501, 'no upgrade with a body')
  }
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.on('finish', () => socket.destroySoon())
  socket.on('drain', () => response.emit('drain'))
  socket.on('error', () => {}) // `close` follows
  server.emit('request', request, response)
}

function urlOf(server: HttpServer | HttpsServer, path: string): string {
  const scheme = 'setSecureContext' in server ? 'wss' : 'ws'
  const address = server.address()
  if (address === null || typeof address === 'string') return `${scheme}:${path}`
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${scheme}://${host}:${address.port}${path}`
}
