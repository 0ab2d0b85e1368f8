/** How a client comes to be. */

import type { Client } from './client.js'
import { MqttClient } from './mqtt-client.js'
import type { ConnectOptions } from './options.js'
import type { Parts } from './parts.js'
import { serverOf, type Target, type TransportOf } from './server.js'

/** Settles when the client is online. `transportOf` makes the transports of URLs. */
export async function open(
  target: Target | readonly Target[],
  options: ConnectOptions,
  transportOf: TransportOf,
  parts: Parts,
): Promise<Client> {
  const targets: readonly Target[] = Array.isArray(target) ? target : [target as Target]
  const servers = targets.map((each) => serverOf(each, transportOf))
  if (servers.length === 0) throw new TypeError('there is no server to connect to')
  parts.check?.(options)
  options.signal?.throwIfAborted()
  const client = new MqttClient(servers, options, parts)
  await client.opened
  return client
}
