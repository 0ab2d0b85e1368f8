/** How a client comes to be. */

import { type Client, MqttClient } from './client.js'
import { type ConnectOptions, checkOptions } from './options.js'
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
  const parsed = parse(url)
  checkOptions(options)
  options.signal?.throwIfAborted()
  const transport = transportOf(parsed)
  const milliseconds = options.connectTimeout ?? defaultTimeout
  const attempt = new AbortController()
  // Not AbortSignal.any and timeout: Node 20 may collect them while they are waited for.
  const timer = setTimeout(
    () => attempt.abort(new Error(`${parsed.host} did not answer in ${milliseconds} ms`)),
    milliseconds,
  )
  const abort = (): void => attempt.abort(options.signal?.reason)
  options.signal?.addEventListener('abort', abort)
  try {
    return await open(transport, withCredentials(options, parsed), attempt.signal)
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', abort)
  }
}

/** Opens a stream and waits for CONNACK on it. */
function open(transport: Transport, options: ConnectOptions, signal: AbortSignal): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new MqttClient(options, () => resolve(client))
    signal.addEventListener('abort', () => client.connection.cut(signal.reason))
    transport(client.connection, signal).then((stream) => client.connection.open(stream), reject)
    void client.closed.then((reason) => reject(reason ?? new Error('the client is closed')))
  })
}

function parse(url: string | URL): URL {
  try {
    return new URL(url)
  } catch {
    throw new TypeError(`not a URL such as mqtt://localhost:1883: ${url}`)
  }
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
