/** MQTT over WebSocket (section 6). */

import { createServer, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Limits, Log } from '../options.js'
import type { Transport, TransportHandler } from '../transport.js'
import { type Accept, bind, type Listener } from './listener.js'

// `mqttv3.1` is what clients of MQTT 3.1 ask for.
const subprotocols: readonly string[] = ['mqtt', 'mqttv3.1']

const unsupportedData = 1003

export async function listenWebSocket(
  host: string,
  port: number,
  accept: Accept,
  limits: Limits,
  log: Log,
): Promise<Listener> {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.maxPacketSize,
    handleProtocols: (offered) => subprotocols.find((name) => offered.has(name)) ?? false, // [MQTT-6.0.0-4]
  })
  const { connectTimeout } = limits
  const server = createServer(
    { requestTimeout: connectTimeout, headersTimeout: connectTimeout, connectionsCheckingInterval: 1_000 },
    (_request, response) => {
      response.writeHead(426, { 'Content-Type': 'text/plain', Connection: 'close' }).end('MQTT over WebSocket only\n')
    },
  )
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', (error) => log.info(`${addressOf(request)}: ${error.message}`))
    if (!offersMqtt(request)) return refuseUpgrade(stream)
    sockets.handleUpgrade(request, stream, head, (socket) => {
      accept(new WebSocketTransport(socket, addressOf(request), log))
    })
  })
  server.on('error', (error) => log.error(`accepting connections failed: ${error.message}`))
  const listener = await bind(server, 'ws', host, port)
  return {
    ...listener,
    close() {
      server.closeIdleConnections()
      return listener.close()
    },
  }
}

/** [MQTT-6.0.0-3] */
function offersMqtt(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  return offered.some((name) => subprotocols.includes(name))
}

function refuseUpgrade(stream: Duplex): void {
  stream.end(
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 37\r\n\r\nthe WebSocket subprotocol must be mqtt',
  )
}

function addressOf(request: IncomingMessage): string {
  return `${request.socket.remoteAddress}:${request.socket.remotePort}`
}

class WebSocketTransport implements Transport {
  readonly remoteAddress: string
  handler!: TransportHandler
  readonly #socket: WebSocket

  constructor(socket: WebSocket, remoteAddress: string, log: Log) {
    this.#socket = socket
    this.remoteAddress = remoteAddress
    socket.on('message', (bytes: Buffer, isBinary: boolean) => {
      if (isBinary) this.handler.data(bytes)
      else socket.close(unsupportedData, 'binary frames only') // [MQTT-6.0.0-1]
    })
    socket.on('error', (error) => log.info(`${remoteAddress}: ${error.message}`)) // `close` follows
    socket.on('close', () => this.handler.closed())
  }

  get backlog(): number {
    return this.#socket.bufferedAmount
  }

  write(bytes: Uint8Array): void {
    this.#socket.send(bytes, () => {
      if (this.#socket.bufferedAmount === 0) this.handler.drained()
    })
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.resume()
    this.#socket.close(1000)
  }

  destroy(): void {
    this.#socket.terminate()
  }
}
