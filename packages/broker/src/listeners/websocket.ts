/** MQTT over WebSocket (section 6). */

import { createServer, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import type { Limits, Log } from '../options.js'
import type { Transport, TransportHandler } from '../transport.js'
import { type Accept, bind, type Listener } from './listener.js'

// `mqtt` [MQTT-6.0.0-4]; `mqttv3.1` is what clients of MQTT 3.1, which has no chapter on WebSocket, ask for.
const subprotocols: readonly string[] = ['mqtt', 'mqttv3.1']

const unsupportedData = 1003
// Milliseconds for the peer to answer the end of the WebSocket.
const closeTimeout = 2_000
// Bytes of small packets that a frame may hold together, beside a packet of the largest size.
const batchSize = 1024 * 1024
// Bytes that WebSocket needs itself until the CONNECT is there.
const overhead = 4 * 1024

export async function listenWebSocket(
  host: string,
  port: number,
  accept: Accept,
  limits: Limits,
  log: Log,
): Promise<Listener> {
  const { connectTimeout, maxConnectSize, maxPacketSize } = limits
  const options: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    perMessageDeflate: false,
    maxPayload: maxPacketSize + batchSize,
    closeTimeout,
    handleProtocols: (offered) => subprotocols.find((name) => offered.has(name)) ?? false,
  }
  const sockets = new WebSocketServer(options)
  let isClosed = false
  const server = createServer(
    { requestTimeout: connectTimeout, headersTimeout: connectTimeout, connectionsCheckingInterval: 1_000 },
    (_request, response) => {
      response.writeHead(426, { 'Content-Type': 'text/plain', Connection: 'close' }).end('MQTT over WebSocket only\n')
    },
  )
  server.on('upgrade', (request: IncomingMessage, stream: Socket, head: Buffer) => {
    if (isClosed) return stream.destroy()
    if (!offersMqtt(request)) return refuseUpgrade(stream)
    sockets.handleUpgrade(request, stream, head, (socket) => {
      accept(new WebSocketTransport(socket, stream, head.length, maxConnectSize + overhead, log))
    })
  })
  const listener = await bind(server, 'ws', host, port, log)
  return {
    ...listener,
    close() {
      isClosed = true
      const closed = listener.close()
      server.closeAllConnections() // those that are no WebSocket yet
      return closed
    },
  }
}

/** [MQTT-6.0.0-3] */
function offersMqtt(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  return offered.some((name) => subprotocols.includes(name))
}

function refuseUpgrade(stream: Socket): void {
  const text = 'the WebSocket subprotocol must be mqtt\n'
  stream.on('error', () => stream.destroy())
  stream.write(`HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: ${text.length}\r\n\r\n${text}`)
  stream.destroySoon()
}

class WebSocketTransport implements Transport {
  readonly remoteAddress: string
  handler!: TransportHandler
  readonly #socket: WebSocket
  readonly #stream: Duplex
  /** Bytes that have come; ws keeps those of an unfinished frame. */
  #received: number
  readonly #count: (bytes: Buffer) => void

  constructor(socket: WebSocket, stream: Socket, received: number, maxBeforeOpen: number, log: Log) {
    this.#socket = socket
    this.#stream = stream
    this.remoteAddress = `${stream.remoteAddress}:${stream.remotePort}`
    this.#received = received
    this.#count = (bytes) => {
      this.#received += bytes.length
      if (this.#received > maxBeforeOpen) this.destroy()
    }
    stream.on('data', this.#count)
    socket.on('message', (bytes: Buffer, isBinary: boolean) => {
      if (isBinary) return this.handler.data(bytes)
      // For us the connection is over; what still comes is of no account [MQTT-6.0.0-1].
      socket.close(unsupportedData, 'binary frames only')
      socket.removeAllListeners('message')
      this.handler.closed()
    })
    socket.on('error', (error) => log.info(`${this.remoteAddress}: ${error.message}`)) // `close` follows
    socket.on('close', () => this.handler.closed())
  }

  get backlog(): number {
    return this.#socket.bufferedAmount
  }

  write(pieces: readonly Uint8Array[]): void {
    this.#socket.send(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), this.#written)
  }

  readonly #written = (error?: Error | null): void => {
    if (error == null && this.#socket.bufferedAmount === 0) this.handler.drained()
  }

  opened(): void {
    this.#stream.off('data', this.#count)
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
