/** The broker as an application has it. */

import type { Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import { ReasonCode } from '@tidewire/codec'
import { Core } from './core.js'
import { Admission } from './listeners/admission.js'
import { attach } from './listeners/attach.js'
import { parseEndpoint } from './listeners/endpoint.js'
import { Entrance } from './listeners/entrance.js'
import {
  type AttachOptions,
  checkAttachOptions,
  checkListenOptions,
  type Listener,
  type ListenOptions,
  listenerLimits,
} from './listeners/listener.js'
import { listen } from './listeners/server.js'
import type { Metrics } from './metrics.js'
import type { BrokerOptions } from './options.js'
import { receive } from './receive.js'

/** Makes a broker; it serves nobody until `listen`. Throws RangeError for a limit out of range. */
export function createBroker(options: BrokerOptions = {}): Broker {
  return new Broker(options)
}

export class Broker {
  readonly #core: Core
  readonly #admission: Admission = new Admission()
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
   * Opens a door for clients: `mqtt://127.0.0.1:1883`, `ws://127.0.0.1:8080/path` (any path, if it has none), both with
   * TLS as `mqtts:` and `wss:`, or `unix:///run/mqtt.sock`; port 0 takes a free one. May be called more than once.
   * Rejects with TypeError or RangeError for a URL of another kind and for options that do not fit, with the system's
   * error when the port cannot be had, and with the reason of the signal when it is aborted.
   */
  async listen(url: string, options: ListenOptions = {}): Promise<Listener> {
    const endpoint = parseEndpoint(url)
    checkListenOptions(options, endpoint)
    this.#checkOpen(options.signal)
    const listener = this.#keep(await listen(endpoint, options, this.#entrance(options)), options.signal)
    try {
      this.#checkOpen(options.signal)
    } catch (error) {
      await listener.close() // it was closed meanwhile
      throw error
    }
    return listener
  }

  /**
   * Opens a door at a path of an HTTP server of the application, for MQTT over WebSocket; all other requests stay the
   * application's, and so does the server. Where the application has WebSockets too, it must leave alone the upgrades to
   * this path. `connectTimeout` begins with the request. Throws TypeError or RangeError for options that do not fit.
   */
  attach(server: HttpServer | HttpsServer, options: AttachOptions = {}): Listener {
    checkAttachOptions(options)
    this.#checkOpen(options.signal)
    return this.#keep(attach(server, options, this.#entrance(options)), options.signal)
  }

  #entrance({ limits }: AttachOptions | ListenOptions): Entrance {
    const { environment } = this.#core
    const own = listenerLimits(limits, environment.limits)
    return new Entrance(own, environment, this.#admission, (transport) => receive(this.#core, transport))
  }

  /** Keeps a listener until it is closed. */
  #keep(listener: Listener, signal: AbortSignal | undefined): Listener {
    const close = listener.close.bind(listener)
    const abort = (): void => void listener.close()
    listener.close = (options) => {
      signal?.removeEventListener('abort', abort)
      this.#listeners.delete(listener)
      return close(options)
    }
    signal?.addEventListener('abort', abort)
    this.#listeners.add(listener)
    return listener
  }

  #checkOpen(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
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
