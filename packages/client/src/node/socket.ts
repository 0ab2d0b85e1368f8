/** A socket of Node as a stream, and how sockets come to be. */

import { connect, type Socket } from 'node:net'
import type { Stream, StreamHandler } from '../transport.js'

/** Opens a connection to a host and port, directly or through others. Rejects when the signal says so. */
export type Dial = (host: string, port: number, signal: AbortSignal) => Promise<Socket>

/** Settles with the socket when it is connected. It is destroyed when the signal says so before. */
export function connected(socket: Socket, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const abort = (): void => void socket.destroy(signal.reason)
    const fail = (error?: Error): void => {
      signal.removeEventListener('abort', abort)
      reject(error ?? new Error('the connection was closed'))
    }
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    socket.once('error', fail).once('close', fail)
    socket.once(event, () => {
      signal.removeEventListener('abort', abort)
      socket.off('error', fail).off('close', fail)
      resolve(socket)
    })
  })
}

/** Connects directly. */
export const direct: Dial = (host, port, signal) => connected(connect({ host, port, noDelay: true }), 'connect', signal)

/** The socket as the client knows it. */
export function streamOf(socket: Socket, handler: StreamHandler): Stream {
  let cause: Error | undefined
  const written = (): void => {
    if (socket.writableLength === 0) handler.drained()
  }
  socket.on('data', (bytes: Buffer) => handler.data(bytes))
  socket.on('error', (error) => {
    cause = error // `close` follows
  })
  socket.on('close', () => handler.closed(cause))
  return {
    get backlog() {
      return socket.writableLength
    },
    write: (bytes) => void socket.write(bytes, written),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  }
}

/** Host and port of a URL. */
export function addressOf(url: string | URL, defaultPort: number): { host: string; port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? defaultPort : Number(port) } // IPv6
}
