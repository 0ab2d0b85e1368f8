// hot: runs per packet
/** MQTT over a stream of the system: TCP, TLS or a Unix socket. */

import type { Socket } from 'node:net'
import type { Log } from '../options.js'
import type { Peer, Transport, TransportHandler } from '../transport.js'
import { readFrom } from './shared-reads.js'

const nothing = Buffer.alloc(0)

export class StreamTransport implements Transport {
  readonly peer: Peer
  handler!: TransportHandler
  readonly #socket: Socket
  /** Whether it is to be told that all is written. */
  #isWaiting = false

  constructor(socket: Socket, peer: Peer, log: Log) {
    this.#socket = socket
    this.peer = peer
    readFrom(socket, (bytes) => this.handler.data(bytes))
    socket.on('error', (error) => log.info(`${peer.name}: ${error.message}`)) // `close` follows
    socket.on('close', () => this.handler.closed())
  }

  get backlog(): number {
    return this.#socket.writableLength
  }

  write(pieces: readonly Uint8Array[]): void {
    const socket = this.#socket
    const { length } = pieces
    if (length > 1) socket.cork()
    for (let i = 0; i < length; i++) socket.write(pieces[i]!)
    if (length > 1) socket.uncork()
    if (socket.writableLength === 0 || this.#isWaiting) return
    // Told when all is gone: the event `drain` comes only above the stream's own mark.
    this.#isWaiting = true
    socket.write(nothing, this.#written)
  }

  readonly #written = (error?: Error | null): void => {
    this.#isWaiting = false
    if (error != null) return
    if (this.#socket.writableLength === 0) return this.handler.drained()
    this.#isWaiting = true
    this.#socket.write(nothing, this.#written)
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
