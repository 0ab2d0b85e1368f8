/** MQTT over WebSocket (section 6). */

import { type IncomingMessage, STATUS_CODES } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import type { RefusalReason } from '../metrics.js'
import type { Limits, Log } from '../options.js'
import type { Peer, Transport, TransportHandler } from '../transport.js'
import type { Visit } from './entrance.js'
import type { AttachOptions } from './listener.js'
import { AddressList, isLoopback } from './remote-address.js'

// `mqtt` [MQTT-6.0.0-4]; `mqttv3.1` is what clients of MQTT 3.1, which has no chapter on WebSocket, ask for.
const subprotocols: readonly string[] = ['mqtt', 'mqttv3.1']

const unsupportedData = 1003
// Milliseconds for the peer to answer the end of the WebSocket.
const closeTimeout = 2_000
// Bytes of small packets that a frame may hold together, beside a packet of the largest size.
const batchSize = 1024 * 1024
// Bytes that WebSocket needs itself until the CONNECT is there.
const overhead = 4 * 1024

/** Makes WebSockets of the requests for MQTT. */
export class Upgrader {
  readonly #path: string
  readonly #origins: ReadonlySet<string> | undefined
  readonly #forwardedFor: AddressList
  readonly #limits: Limits
  readonly #log: Log
  readonly #sockets: WebSocketServer
  readonly #visits: WeakMap<IncomingMessage, Visit> = new WeakMap()

  /** The path is empty if it may be any. Throws TypeError for options that do not fit. */
  constructor(path: string, { origins, forwardedFor = [] }: AttachOptions, limits: Limits, log: Log) {
    this.#path = path
    this.#origins = origins && parseOrigins(origins)
    this.#forwardedFor = new AddressList('forwardedFor', forwardedFor)
    this.#limits = limits
    this.#log = log
    const options: ServerOptions & { closeTimeout: number; maxFragments: number; maxBufferedChunks: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: limits.maxPacketSize + batchSize,
      // What little pieces cost beside their bytes is bounded too.
      maxFragments: 1024,
      maxBufferedChunks: 16 * 1024,
      closeTimeout,
      handleProtocols: (offered) => subprotocols.find((name) => offered.has(name)) ?? false,
    }
    this.#sockets = new WebSocketServer(options)
    this.#sockets.on('wsClientError', (error: Error, stream: Duplex, request: IncomingMessage) => {
      this.#visits.get(request)!.note('upgrade', error.message)
      answer(stream, 400, error.message)
    })
  }

  /** Whether a peer of this address is a proxy that tells for whom it connects. */
  believes(address: string | undefined): boolean {
    return this.#forwardedFor.has(address)
  }

  /** Whether a request is for MQTT. */
  isFor({ url = '' }: IncomingMessage): boolean {
    return this.#path === '' || url.split('?', 1)[0] === this.#path
  }

  /** Answers a request to upgrade. */
  upgrade(visit: Visit, request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const { headers } = request
    if (this.believes(visit.address)) {
      const hops = headers['x-forwarded-for']
      if (hops !== undefined) visit.identify(this.#forwardedFor.forwarded(String(hops)), undefined)
      if (!visit.admit()) return answer(stream, 429, 'too many connections')
    }
    const refuse = (reason: RefusalReason, status: number, text: string): void => {
      visit.note(reason, text)
      answer(stream, status, text)
    }
    if (!this.isFor(request)) return refuse('upgrade', 404, 'MQTT is not here')
    // What a proxy takes for a body and we for WebSocket frames could be a request of somebody else.
    if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) {
      return refuse('upgrade', 400, 'an upgrade has no body')
    }
    if (!this.#allows(headers.origin, headers.host, visit)) {
      return refuse('origin', 403, 'web pages of this Origin may not connect')
    }
    if (!offersMqtt(request)) return refuse('upgrade', 400, 'the WebSocket subprotocol must be mqtt') // [MQTT-6.0.0-3]
    this.#visits.set(request, visit)
    this.#sockets.handleUpgrade(request, stream, head, (socket) => {
      const maxBeforeOpen = this.#limits.maxConnectSize + overhead
      visit.begin(new WebSocketTransport(socket, stream, visit, head.length, maxBeforeOpen, this.#log))
    })
  }

  // Only browsers send an Origin, and only they carry a foreign page to a broker that its author cannot reach.
  #allows(origin: string | undefined, host: string | undefined, visit: Visit): boolean {
    if (origin === undefined) return true
    if (this.#origins !== undefined) return this.#origins.has('*') || this.#origins.has(origin.toLowerCase())
    const name = hostNameOf(origin)
    if (name === undefined || name !== hostNameOf(`http://${host ?? ''}`)) return false
    // A name of an attacker may stand for our own address (DNS rebinding).
    const isLocalName = name === 'localhost' || name.endsWith('.localhost') || isIP(name.replace(/^\[|\]$/g, '')) > 0
    return isLocalName || !(visit.address === undefined || isLoopback(visit.address))
  }
}

function parseOrigins(origins: readonly string[]): ReadonlySet<string> {
  if (!Array.isArray(origins)) throw new TypeError('origins must be an array of texts such as https://example.com')
  for (const origin of origins) {
    if (origin === '*' || origin === 'null') continue
    const url = URL.canParse(origin) ? new URL(origin) : undefined
    if (url === undefined || url.host === '' || `${url.protocol}//${url.host}` !== origin) {
      throw new TypeError(`origins takes texts such as https://example.com, not ${JSON.stringify(origin)}`)
    }
  }
  return new Set(origins)
}

function hostNameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined
}

function offersMqtt(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  return offered.some((name) => subprotocols.includes(name))
}

/** Answers a request that has left HTTP behind, and ends the connection. */
export function answer(stream: Duplex, status: number, text: string): void {
  const body = `${text}\n`
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain`
  stream.on('error', () => {}) // `close` follows
  stream.once('finish', () => stream.destroy())
  stream.end(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
}

class WebSocketTransport implements Transport {
  readonly peer: Peer
  handler!: TransportHandler
  readonly #socket: WebSocket
  readonly #stream: Duplex
  /** Bytes that have come; ws keeps those of an unfinished frame. */
  #received: number
  readonly #count: (bytes: Buffer) => void

  constructor(socket: WebSocket, stream: Duplex, peer: Peer, received: number, maxBeforeOpen: number, log: Log) {
    this.#socket = socket
    this.#stream = stream
    this.peer = peer
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
    socket.on('error', (error) => log.info(`${peer.name}: ${error.message}`)) // `close` follows
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
