/** MQTT over WebSocket (section 6), in Node. */

import { WebSocket } from 'ws'
import type { Transport } from '../transport.js'

const unsupportedData = 1003

/** Connects to a URL of the scheme `ws` or `wss`. */
export function webSocket(url: string | URL): Transport {
  return (handler, signal) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url, 'mqtt', { perMessageDeflate: false }) // [MQTT-6.0.0-3]
      let cause: Error | undefined
      const abort = (): void => {
        reject(signal.reason)
        socket.terminate()
      }
      signal.addEventListener('abort', abort, { once: true })
      socket.on('error', (error) => {
        cause = error // `close` follows
        reject(error)
      })
      socket.on('open', () => {
        signal.removeEventListener('abort', abort)
        const written = (): void => {
          if (socket.bufferedAmount === 0) handler.drained()
        }
        socket.on('message', (bytes: Buffer, isBinary: boolean) => {
          if (isBinary) return handler.data(bytes)
          // What still comes is of no account [MQTT-6.0.0-1].
          cause = new Error('the server sent a text frame')
          socket.removeAllListeners('message')
          socket.close(unsupportedData)
          socket.terminate()
        })
        socket.on('close', () => handler.closed(cause))
        resolve({
          get backlog() {
            return socket.bufferedAmount
          },
          write: (bytes) => socket.send(bytes, written),
          end: () => socket.close(),
          destroy: () => socket.terminate(),
        })
      })
    })
}
