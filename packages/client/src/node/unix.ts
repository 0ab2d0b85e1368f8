/** MQTT over a Unix socket or a named pipe, in Node, Bun and Deno. */

import { connect } from 'node:net'
import type { Transport } from '../transport.js'
import { connected, streamOf } from './socket.js'

/** Connects to the socket of a path. */
export function unix(path: string): Transport {
  return async (handler, signal) => streamOf(await connected(connect(path), 'connect', signal), handler)
}
