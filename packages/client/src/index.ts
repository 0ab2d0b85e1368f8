/**
 * An MQTT client for Node, Bun and Deno. Bundlers for browsers take `browser.ts` in its place.
 *
 * @packageDocumentation
 */

import type { Client } from './client.js'
import { open } from './connect.js'
import { tcp } from './node/tcp.js'
import { tls } from './node/tls.js'
import { unix } from './node/unix.js'
import { nodeWebSocket } from './node/ws.js'
import type { ConnectOptions } from './options.js'
import { allParts } from './parts.js'
import type { Target } from './server.js'
import type { Transport } from './transport.js'

export * from './common.js'

/**
 * Connects to a server: `mqtt://host:1883`, `mqtts://host:8883`, `ws://host/mqtt`, `wss://host/mqtt`, `unix:/path`, or a
 * transport. Of several the first that answers is taken. Rejects with MqttError when the server refuses, with TypeError
 * for a URL of another kind, with the system's error when none can be reached, and with the reason of the signal when it
 * is aborted.
 */
export function connect(target: Target | readonly Target[], options: ConnectOptions = {}): Promise<Client> {
  return open(target, options, transportOf, allParts)
}

function transportOf(url: URL): Transport {
  switch (url.protocol) {
    case 'mqtt:':
      return tcp(url)
    case 'mqtts:':
      return tls(url)
    case 'unix:':
      return unix(decodeURIComponent(url.pathname))
    case 'ws:':
    case 'wss:':
      return nodeWebSocket(url)
    default:
      throw new TypeError(`the scheme must be mqtt, mqtts, ws, wss or unix: ${url.protocol}`)
  }
}
