/**
 * The core of the client alone, for bundles in which each kilobyte counts: transports are given, not URLs; options are
 * taken as they are; messages of errors have numbers in place of the names of Reason Codes; nothing that is published gets
 * a Topic Alias, no Server Reference is followed, and there is no enhanced authentication.
 *
 * @packageDocumentation
 */

import type { Client } from './client.js'
import { MqttClient } from './mqtt-client.js'
import type { ConnectOptions } from './options.js'
import type { Transport } from './transport.js'

export { webSocket } from './web-socket.js'

/** Connects as `connect` of the whole package does. */
export async function connect(
  transport: Transport,
  options: Omit<ConnectOptions, 'authentication'> = {},
): Promise<Client> {
  const client = new MqttClient([{ transport }], options, {})
  await client.opened
  return client
}
