/** How a client comes to be. */

import { type Client, MqttClient } from './client.js'
import type { ConnectOptions } from './options.js'
import type { Transport } from './transport.js'
import { tcp } from './transports/tcp.js'
import { webSocket } from './transports/websocket.js'

const defaultTimeout = 10_000

/**
 * Connects to a server: `mqtt://host:1883`, `ws://host/mqtt`, `wss://host/mqtt`. User name and password may stand in
 * the URL. Rejects with MqttError when the server refuses, with TypeError for a URL of another kind, with the system's
 * error when it cannot be reached, and with the reason of the signal when it is aborted or the time is over.
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<Client> {
  const parsed = new URL(url)
  const transport = transportOf(parsed)
  const timeout = AbortSignal.timeout(options.connectTimeout ?? defaultTimeout)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal])
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const client = new MqttClient(withCredentials(options, parsed), () => {
      signal.removeEventListener('abort', abort)
      resolve(client)
    })
    const abort = (): void => client.connection.cut(signal.reason)
    signal.addEventListener('abort', abort)
    transport(client.connection, signal).then((stream) => client.connection.open(stream), reject)
    void client.closed.then((reason) => reject(reason ?? new Error('the client is closed')))
  })
}

function transportOf(url: URL): Transport {
  switch (url.protocol) {
    case 'mqtt:':
      return tcp(url.hostname.replace(/^\[|\]$/g, ''), url.port === '' ? 1883 : Number(url.port)) // IPv6
    case 'ws:':
    case 'wss:': {
      const bare = new URL(url)
      bare.username = ''
      bare.password = ''
      return webSocket(bare)
    }
    default:
      throw new TypeError(`the scheme must be mqtt, ws or wss: ${url.protocol}`)
  }
}

function withCredentials(options: ConnectOptions, { username, password }: URL): ConnectOptions {
  return {
    ...(username !== '' && { userName: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...options,
  }
}
