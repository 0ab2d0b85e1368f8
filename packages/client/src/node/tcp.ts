/** MQTT over TCP, in Node, Bun and Deno. */

import type { Transport } from '../transport.js'
import { addressOf, type Dial, direct, streamOf } from './socket.js'

export interface TcpOptions {
  /** How to get there: `httpProxy` or `socks`. Default: directly. */
  readonly via?: Dial
}

/** Connects to the host and port of a URL such as `mqtt://host:1883`. */
export function tcp(url: string | URL, { via = direct }: TcpOptions = {}): Transport {
  const { host, port } = addressOf(url, 1883)
  return async (handler, signal) => streamOf(await via(host, port, signal), handler)
}
