/** MQTT over WebSocket (section 6), with the interface that browsers, Bun, Deno and workers have. */

import type { Transport } from './transport.js'

/** What is used of a WebSocket. */
export interface WebSocketLike {
  binaryType: string
  readonly protocol: string
  readonly bufferedAmount: number
  onopen: (() => void) | null
  onerror: ((event: { readonly message?: string }) => void) | null
  onmessage: ((event: { readonly data: unknown }) => void) | null
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null
  send(data: Uint8Array): void
  close(code?: number): void
  /** Of `ws`: cuts the connection. */
  terminate?(): void
}

// Milliseconds between two looks at whether the network has taken all: a WebSocket does not tell.
const pollTime = 10

/**
 * Connects to a URL of the scheme `ws` or `wss`. `create` makes the WebSocket, for a program that gives it headers or
 * an agent; default: the global one.
 */
export function webSocket(url: string | URL, create?: (url: string) => WebSocketLike): Transport {
  return (handler, signal) =>
    new Promise((resolve, reject) => {
      const make = create ?? ((url) => new (globalThis as unknown as Global).WebSocket(url, 'mqtt')) // [MQTT-6.0.0-3]
      const socket = make(String(url))
      socket.binaryType = 'arraybuffer'
      let cause: Error | undefined
      let timer: ReturnType<typeof setTimeout> | undefined
      const closed = (): void => {
        clearTimeout(timer)
        socket.onclose = null
        socket.onmessage = null
        handler.closed(cause)
      }
      const destroy = (): void => {
        if (socket.terminate) socket.terminate()
        else socket.close()
        if (socket.onclose !== null) closed() // the closing handshake is not waited for
      }
      const abort = (): void => {
        socket.onclose = null
        reject(signal.reason)
        destroy()
      }
      signal.addEventListener('abort', abort)
      socket.onerror = ({ message }) => {
        cause = new Error(message || `${url} cannot be reached`) // `close` follows
      }
      socket.onclose = ({ code, reason }) => {
        signal.removeEventListener('abort', abort)
        reject(cause ?? new Error(`the WebSocket was closed: ${code} ${reason}`))
      }
      const poll = (): void => {
        timer = undefined
        if (socket.bufferedAmount === 0) handler.drained()
        else timer = setTimeout(poll, pollTime)
      }
      socket.onopen = () => {
        signal.removeEventListener('abort', abort)
        socket.onclose = closed
        socket.onmessage = ({ data }) => {
          if (data instanceof ArrayBuffer) return handler.data(new Uint8Array(data))
          cause = new Error('the server sent a text frame') // [MQTT-6.0.0-1]
          destroy()
        }
        resolve({
          get backlog() {
            return socket.bufferedAmount
          },
          write(bytes) {
            socket.send(bytes)
            timer ??= setTimeout(poll, pollTime)
          },
          end: () => socket.close(),
          destroy,
        })
      }
    })
}

interface Global {
  readonly WebSocket: new (url: string, protocol: string) => WebSocketLike
}
