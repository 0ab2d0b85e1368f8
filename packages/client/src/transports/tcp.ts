/** MQTT over TCP, in Node. */

import { connect } from 'node:net'
import type { Transport } from '../transport.js'

/** Connects to a host and port. */
export function tcp(host: string, port: number): Transport {
  return (handler, signal) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true })
      let cause: Error | undefined
      const abort = (): void => void socket.destroy(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      socket.on('error', (error) => {
        cause = error // `close` follows
        reject(error)
      })
      socket.on('connect', () => {
        signal.removeEventListener('abort', abort)
        const written = (): void => {
          if (socket.writableLength === 0) handler.drained()
        }
        socket.on('data', (bytes: Buffer) => handler.data(bytes))
        socket.on('close', () => handler.closed(cause))
        resolve({
          get backlog() {
            return socket.writableLength
          },
          write: (bytes) => void socket.write(bytes, written),
          end: () => void socket.end(),
          destroy: () => void socket.destroy(),
        })
      })
    })
}
