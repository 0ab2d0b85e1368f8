/**
 * An MQTT client for browsers, and where else the only network is WebSocket.
 *
 * @packageDocumentation
 */

import type { Client } from './client.js'
import { open } from './connect.js'
import type { ConnectOptions } from './options.js'
import { allParts } from './parts.js'
import type { Target } from './server.js'
import type { Transport } from './transport.js'
import { webSocket } from './web-socket.js'

export * from './common.js'

/**
 * Connects to a server: `ws://host/mqtt`, `wss://host/mqtt`, or a transport. Of several the first that answers is taken.
 * Rejects with MqttError when the server refuses, with TypeError for a URL of another kind, with the network's error when
 * none can be reached, and with the reason of the signal when it is aborted.
 */
export function connect(target: Target | readonly Target[], options: ConnectOptions = {}): Promise<Client> {
  return open(target, options, transportOf, allParts)
}

function transportOf(url: URL): Transport {
  if (url.protocol === 'ws:' || url.protocol === 'wss:') return webSocket(url)
  throw new TypeError(`the scheme must be ws or wss: ${url.protocol}`)
}
