/** MQTT over TLS (section 5.4), in Node, Bun and Deno. */

import { isIP } from 'node:net'
import { type ConnectionOptions, connect } from 'node:tls'
import type { Transport } from '../transport.js'
import { addressOf, connected, type Dial, direct, streamOf } from './socket.js'

export interface TlsOptions extends Omit<ConnectionOptions, 'socket' | 'host' | 'port' | 'path'> {
  /** How to get there: `httpProxy` or `socks`. Default: directly. */
  readonly via?: Dial
}

/**
 * Connects to the host and port of a URL such as `mqtts://host:8883`. The options are those of `tls.connect`: `ca`,
 * `cert`, `key`, `ALPNProtocols`, `pskCallback` and so on. The server's certificate is checked unless they say otherwise.
 */
export function tls(url: string | URL, { via = direct, ...options }: TlsOptions = {}): Transport {
  const { host, port } = addressOf(url, 8883)
  return async (handler, signal) => {
    const socket = await via(host, port, signal)
    const name = isIP(host) > 0 ? {} : { servername: host }
    return streamOf(await connected(connect({ ...name, host, ...options, socket }), 'secureConnect', signal), handler)
  }
}
