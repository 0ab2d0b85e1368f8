/** The broker as an application has it. */

import { ReasonCode } from '@tidewire/codec'
import { Core } from './core.js'
import type { Listener } from './listeners/listener.js'
import { listenTcp } from './listeners/tcp.js'
import { listenWebSocket } from './listeners/websocket.js'
import type { Metrics } from './metrics.js'
import type { BrokerOptions } from './options.js'
import { receive } from './receive.js'
import type { Transport } from './transport.js'

/** Makes a broker; it serves nobody until `listen`. Throws RangeError for a limit out of range. */
export function createBroker(options: BrokerOptions = {}): Broker {
  return new Broker(options)
}

function parse(url: string): URL {
  try {
    return new URL(url)
  } catch {
    throw new TypeError(`not a URL such as mqtt://127.0.0.1:1883: ${url}`)
  }
}

const defaultPorts: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'ws:': 80 }

export class Broker {
  readonly #core: Core
  readonly #listeners: Set<Listener> = new Set()
  #closed: Promise<void> | undefined

  /** See `createBroker`. */
  constructor(options: BrokerOptions) {
    this.#core = new Core(options)
    this.#core.environment.timers.start()
  }

  /** What the broker has done since it was made. */
  get metrics(): Readonly<Metrics> {
    return this.#core.environment.metrics
  }

  /**
   * Opens a door for clients: `mqtt://127.0.0.1:1883`, `ws://127.0.0.1:8080`; port 0 takes a free one. May be called
   * more than once. Rejects with TypeError for a URL of another kind and with the system's error when the port cannot
   * be had.
   */
  async listen(url: string): Promise<Listener> {
    const { protocol, hostname, port } = parse(url)
    const defaultPort = defaultPorts[protocol]
    if (defaultPort === undefined) throw new TypeError(`the scheme must be mqtt or ws: ${url}`)
    this.#checkOpen()
    const host = hostname.replace(/^\[|\]$/g, '') // IPv6
    const { limits, log } = this.#core.environment
    const accept = (transport: Transport): void => receive(this.#core, transport)
    const listener =
      protocol === 'mqtt:'
        ? await listenTcp(host, port === '' ? defaultPort : Number(port), accept, log)
        : await listenWebSocket(host, port === '' ? defaultPort : Number(port), accept, limits, log)
    const opened: Listener = {
      ...listener,
      close: () => {
        this.#listeners.delete(opened)
        return listener.close()
      },
    }
    this.#listeners.add(opened)
    if (this.#closed !== undefined) await opened.close() // it was closed meanwhile
    this.#checkOpen()
    return opened
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw new Error('the broker is closed')
  }

  /** Closes all doors, says goodbye to all clients, and settles when the last of them is gone. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const core = this.#core
    const portsFree = [...this.#listeners].map((listener) => listener.close())
    if (core.connections.size > 0) {
      const gone = new Promise<void>((resolve) => {
        core.idle = resolve
      })
      core.wills.stop()
      for (const connection of core.connections) connection.disconnect(ReasonCode.ServerShuttingDown)
      await gone
    }
    await Promise.all(portsFree)
    core.environment.timers.stop()
  }
}
