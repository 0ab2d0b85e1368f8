/** MQTT over TCP. */

import { createServer, type Socket } from 'node:net'
import type { Log } from '../options.js'
import type { Transport, TransportHandler } from '../transport.js'
import { type Accept, bind, type Listener } from './listener.js'

export function listenTcp(host: string, port: number, accept: Accept, log: Log): Promise<Listener> {
  const server = createServer({ noDelay: true }, (socket) => accept(new SocketTransport(socket, log)))
  return bind(server, 'mqtt', host, port, log)
}

class SocketTransport implements Transport {
  readonly remoteAddress: string
  handler!: TransportHandler
  readonly #socket: Socket

  constructor(socket: Socket, log: Log) {
    this.#socket = socket
    this.remoteAddress = `${socket.remoteAddress}:${socket.remotePort}`
    socket.on('data', (bytes: Buffer) => this.handler.data(bytes))
    socket.on('error', (error) => log.info(`${this.remoteAddress}: ${error.message}`)) // `close` follows
    socket.on('close', () => this.handler.closed())
  }

  get backlog(): number {
    return this.#socket.writableLength
  }

  write(pieces: readonly Uint8Array[]): void {
    const socket = this.#socket
    const last = pieces.length - 1
    if (last > 0) socket.cork()
    for (let i = 0; i < last; i++) socket.write(pieces[i]!)
    socket.write(pieces[last]!, this.#written)
    if (last > 0) socket.uncork()
  }

  // Told for each write: the event `drain` comes only above the stream's own mark.
  readonly #written = (error?: Error | null): void => {
    if (error == null && this.#socket.writableLength === 0) this.handler.drained()
  }

  opened(): void {}

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
    this.#socket.resume() // what still comes is thrown away, or the end would not be seen
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
