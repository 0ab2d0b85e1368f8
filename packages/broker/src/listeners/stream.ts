/** MQTT over a stream of the system: TCP, TLS or a Unix socket. */

import type { Socket } from 'node:net'
import type { Log } from '../options.js'
import type { Peer, Transport, TransportHandler } from '../transport.js'

export class StreamTransport implements Transport {
  readonly peer: Peer
  handler!: TransportHandler
  readonly #socket: Socket

  constructor(socket: Socket, peer: Peer, log: Log) {
    this.#socket = socket
    this.peer = peer
    socket.on('data', (bytes: Buffer) => this.handler.data(bytes))
    socket.on('error', (error) => log.info(`${peer.name}: ${error.message}`)) // `close` follows
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
