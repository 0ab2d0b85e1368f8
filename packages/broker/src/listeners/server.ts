/** A listener of its own: from the accepted connection through PROXY header, TLS and upgrade to MQTT. */

import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { createServer as createHttpServer, type Server as HttpServer, type IncomingMessage } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls'
import type { Log } from '../options.js'
import type { Endpoint } from './endpoint.js'
import type { Entrance, Visit } from './entrance.js'
import { type Listener, type ListenOptions, tlsSourceOf } from './listener.js'
import { readProxyHeader } from './proxy-protocol.js'
import { AddressList, canonicalAddress } from './remote-address.js'
import { shareReads } from './shared-reads.js'
import { StreamTransport } from './stream.js'
import { pskIdentityOf, rememberIdentities, verifiedCertificate } from './tls-peer.js'
import { removeStale } from './unix-socket.js'
import { answer, Upgrader } from './websocket.js'

const defaultBacklog = 1024
const defaultMode = 0o600

/** Listens. Rejects with the system's error, such as EADDRINUSE; later errors go to the log. */
export async function listen(endpoint: Endpoint, options: ListenOptions, entrance: Entrance): Promise<Listener> {
  const { backlog = defaultBacklog, mode = defaultMode } = options
  const passage = new Passage(endpoint, options, entrance)
  const server = createServer({ noDelay: true, pauseOnConnect: options.proxyProtocol !== undefined }, passage.enter)
  const { host, port, path, unix } = endpoint
  const where = unix ? { path, backlog } : { host, port, backlog }
  const start = (): Promise<unknown> => once(server.listen(where), 'listening')
  await start()
    .catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE' || !unix || !(await removeStale(path))) throw error
      await start()
    })
    .catch((error) => {
      passage.close()
      throw error
    })
  // Nothing has been accepted up to here: that comes in a later turn.
  if (options.proxyProtocol === undefined && !endpoint.tls && !endpoint.webSocket) shareReads(server)
  entrance.name = options.name ?? urlOf(endpoint, server)
  try {
    if (unix) chmodSync(path, mode)
  } catch (error) {
    server.close()
    passage.close()
    throw error
  }
  // Such as EMFILE: the system tries again, which may fail again at once.
  server.on('error', (error) => entrance.warn('error', `connections cannot be accepted: ${error.message}`))
  const address = server.address()
  return {
    name: entrance.name,
    url: urlOf(endpoint, server),
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close({ disconnect = false } = {}) {
      server.close() // the port is free at once
      passage.close()
      return entrance.close(disconnect)
    },
  }
}

function urlOf({ scheme, path }: Endpoint, server: Server): string {
  const address = server.address()
  if (address === null || typeof address === 'string') return `unix://${path}`
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${scheme}://${host}:${address.port}${path}`
}

/** The way from an accepted connection to a stream of MQTT. */
class Passage {
  readonly #entrance: Entrance
  readonly #log: Log
  readonly #isUnix: boolean
  readonly #proxies: AddressList | undefined
  readonly #tls: TlsServer | undefined
  /** Ends what brings news to the server of TLS. */
  #detach: (() => void) | undefined
  readonly #upgrader: Upgrader | undefined
  readonly #http: HttpServer | undefined
  /** Connections with TLS by the ends of the connection: node:tls does not say from which one its own has come. */
  readonly #visits: Map<string, Visit> = new Map()
  /** The same by what HTTP reads from. */
  readonly #guests: WeakMap<object, Visit> = new WeakMap()

  constructor({ path, tls, webSocket, unix }: Endpoint, options: ListenOptions, entrance: Entrance) {
    this.#entrance = entrance
    this.#log = entrance.environment.log
    this.#isUnix = unix
    if (options.proxyProtocol !== undefined) this.#proxies = new AddressList('proxyProtocol', options.proxyProtocol)
    if (tls) {
      const source = tlsSourceOf(options.tls)
      this.#tls = this.#createTlsServer(source.options)
      this.#detach = source.attach(this.#tls)
    }
    if (!webSocket) return
    this.#upgrader = new Upgrader(path, options, entrance.limits, this.#log)
    this.#http = this.#createHttpServer(this.#upgrader)
  }

  /** Nobody enters any more. */
  close(): void {
    this.#detach?.()
  }

  readonly enter = (socket: Socket): void => {
    const address = canonicalAddress(socket.remoteAddress)
    if (address === undefined && !this.#isUnix) return void socket.destroy() // it is gone already
    const isProxy = this.#isUnix || this.#proxies?.has(address) === true
    if (this.#proxies !== undefined && !isProxy) {
      this.#entrance.refuse('proxy', `${address} is refused: it is not a listed proxy`)
      return void socket.destroy()
    }
    const visit = this.#entrance.enter(socket)
    if (visit === undefined) return void socket.destroy()
    visit.identify(address, socket.remotePort)
    if (this.#proxies === undefined) this.#identified(visit, socket)
    else this.#readProxyHeader(visit, socket)
  }

  #readProxyHeader(visit: Visit, socket: Socket): void {
    let bytes: Buffer = Buffer.alloc(0)
    const read = (): void => {
      const chunk: Buffer | null = socket.read()
      if (chunk === null) return
      bytes = Buffer.concat([bytes, chunk])
      try {
        const header = readProxyHeader(bytes)
        if (header === undefined) return
        socket.off('readable', read)
        if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length))
        const { client } = header
        if (client === 'unknown') visit.identify(undefined, undefined)
        else if (client !== 'itself') visit.identify(client.address, client.port)
      } catch (error) {
        return visit.refuse('proxy', (error as Error).message)
      }
      this.#identified(visit, socket)
    }
    socket.on('readable', read)
  }

  #identified(visit: Visit, socket: Socket): void {
    if (!this.#upgrader?.believes(visit.address) && !visit.admit()) return visit.cut()
    if (this.#tls === undefined) return this.#secured(visit, socket)
    const ends = endsOf(socket)
    this.#visits.set(ends, visit)
    socket.on('close', () => this.#visits.delete(ends))
    this.#tls.emit('connection', socket)
  }

  #secured(visit: Visit, socket: Socket): void {
    if (this.#http === undefined) return visit.begin(new StreamTransport(socket, visit, this.#log))
    this.#guests.set(socket, visit)
    this.#http.emit('connection', socket)
  }

  #createTlsServer(options: TlsOptions): TlsServer {
    const { requestCert = false, rejectUnauthorized = true } = options
    const server = createTlsServer({
      ...rememberIdentities(options),
      // Node would cut off who has a bad certificate without a word: here it is looked at, counted and logged.
      rejectUnauthorized: false,
      handshakeTimeout: 2 ** 31 - 1, // the deadline is the entrance's
    })
    server.on('secureConnection', (socket: TLSSocket) => {
      const visit = this.#visits.get(endsOf(socket))
      if (visit === undefined) return void socket.destroy() // it is gone already
      visit.certificate = verifiedCertificate(socket)
      visit.pskIdentity = pskIdentityOf(socket)
      const isProved = visit.certificate !== undefined || visit.pskIdentity !== undefined
      if (requestCert && rejectUnauthorized && !isProved) return visit.refuse('tls', faultOf(socket))
      this.#secured(visit, socket)
    })
    server.on('tlsClientError', (error, socket) => this.#visits.get(endsOf(socket))?.refuse('tls', error.message))
    return server
  }

  #createHttpServer(upgrader: Upgrader): HttpServer {
    const server = createHttpServer()
    server.on('request', (request, response) => {
      this.#guests.get(request.socket)!.note('upgrade', 'not a WebSocket')
      response.writeHead(426, { 'Content-Type': 'text/plain', Connection: 'close' }).end('MQTT over WebSocket only\n')
    })
    server.on('clientError', (error, socket) => {
      this.#guests.get(socket)!.note('upgrade', error.message)
      answer(socket, 400, 'not HTTP')
    })
    server.on('upgrade', (request: IncomingMessage, stream: Socket, head: Buffer) => {
      upgrader.upgrade(this.#guests.get(stream)!, request, stream, head)
    })
    return server
  }
}

function faultOf({ authorizationError }: TLSSocket): string {
  // Who resumes a session without a certificate gets no error from Node.
  const code = String(authorizationError ?? 'UNABLE_TO_GET_ISSUER_CERT')
  return code === 'UNABLE_TO_GET_ISSUER_CERT' ? 'it has no certificate' : `its certificate is not accepted: ${code}`
}

function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`
}
