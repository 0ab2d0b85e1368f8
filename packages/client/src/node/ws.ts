/** MQTT over WebSocket where there may be none, as in Node before 22. */

import type { Transport } from '../transport.js'
import { type WebSocketLike, webSocket } from '../web-socket.js'

/** Connects to a URL of the scheme `ws` or `wss` with the package `ws`, which is loaded when it is needed. */
export function nodeWebSocket(url: string | URL): Transport {
  return async (handler, signal) => {
    const { WebSocket } = await import('ws')
    const create = (url: string): WebSocketLike =>
      new WebSocket(url, 'mqtt', { perMessageDeflate: false }) as unknown as WebSocketLike
    return webSocket(url, create)(handler, signal)
  }
}
