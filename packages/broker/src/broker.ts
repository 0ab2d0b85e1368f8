/** The broker as an application has it. */

import type { Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import { inspect } from 'node:util'
import { encodedLength, MqttError, type PublishProperties, type QoS, ReasonCode, reasonName } from '@tidewire/codec'
import { Timer } from './clock.js'
import { Core } from './core.js'
import { copyOf } from './environment.js'
import type { Publication } from './hooks.js'
import type { Journal } from './journal.js'
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
import { type LocalOptions, LocalSubscription } from './local.js'
import { Message } from './message.js'
import type { Metrics } from './metrics.js'
import { type BrokerOptions, checkNames } from './options.js'
import { receive } from './receive.js'
import { recover } from './recovery.js'
import { Sys } from './sys.js'

const publishedPerTurn = 100

/** Makes a broker; it serves nobody until `listen`. Throws RangeError for a limit out of range. */
export function createBroker(options: BrokerOptions = {}): Broker {
  return new Broker(options)
}

export class Broker {
  readonly #core: Core
  readonly #sys: Sys
  /** Messages of the application. */
  #published = 0
  readonly #admission: Admission = new Admission()
  readonly #listeners: Set<Listener> = new Set()
  /** Settles when the store has been loaded; undefined when it is, or there is none. */
  #loading: Promise<void> | undefined
  #closed: Promise<void> | undefined

  /** See `createBroker`. */
  constructor(options: BrokerOptions) {
    this.#core = new Core(options)
    this.#sys = new Sys(this.#core, options.sysInterval ?? 10)
    const { journal } = this.#core.environment
    if (journal === undefined) this.#start()
    else {
      this.#loading = this.#load(journal)
      this.#loading.catch(() => {}) // told to all who wait for it
    }
  }

  #start(): void {
    const { timers, overload } = this.#core.environment
    timers.start()
    overload.start()
    this.#sys.start()
  }

  async #load(journal: Journal): Promise<void> {
    const { log } = this.#core.environment
    await recover(this.#core, journal)
    this.#loading = undefined
    if (this.#closed !== undefined) return
    const { durability, metrics } = journal.store
    const { sessions, retained } = this.#core
    log.info(
      `the store (${durability}) has ${sessions.size} sessions, ${retained.size} retained messages, ${metrics.records} records`,
    )
    this.#start()
  }

  /**
   * Settles when the store has been loaded, if there is one; `listen` and `publish` wait for it themselves. Rejects with a
   * StoreError when it cannot be.
   */
  async ready(): Promise<void> {
    await this.#loading
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
    if (this.#loading !== undefined) {
      await this.#loading
      this.#checkOpen(options.signal)
    }
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
    this.#checkReady()
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

  #checkOpen(signal?: AbortSignal): void {
    signal?.throwIfAborted()
    if (this.#closed !== undefined) throw new Error('the broker is closed')
  }

  #checkReady(): void {
    if (this.#loading !== undefined) throw new Error('the store is not loaded: wait for ready()')
  }

  /**
   * Publishes a message of the application, to which no hook is asked. Settles when the message is on its way, sometimes a
   * turn later, and what it caused is kept in the store. Rejects with TypeError or RangeError for a message that cannot be
   * sent, with an MqttError when it is refused, and with a StoreError when it is not kept.
   */
  async publish(topic: string, payload: Uint8Array | string, options: PublishOptions = {}): Promise<void> {
    checkNames(options, ['qos', 'retain', 'properties'])
    const { qos = 0, retain = false, properties = {} } = options
    const { clock, limits } = this.#core.environment
    const given = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload
    const copy = copyOf({ topic, payload: given, qos, retain, properties }, limits)
    this.#checkOpen()
    if (this.#loading !== undefined) {
      await this.#loading
      this.#checkOpen()
    }
    const message = Message.of(copy, clock.now(), undefined)
    const reasonCode = this.#core.publish(message)
    if (reasonCode >= 0x80) throw new MqttError(reasonCode, reasonName(reasonCode))
    const kept = qos > 0 || retain ? this.#core.environment.journal?.kept : undefined
    if (kept !== undefined) await kept
    // Now and then the clients have their turn, or a loop that publishes would only fill their queues.
    if (++this.#published % publishedPerTurn === 0) await new Promise<void>((resolve) => clock.defer(resolve))
  }

  /**
   * The messages of a Topic Filter, shared ones included, for the application:
   * `for await (const message of broker.subscribe('a/#'))`. No hook is asked. Throws TypeError for what is no Topic Filter,
   * and RangeError for options out of range.
   */
  subscribe(topicFilter: string, options: LocalOptions = {}): AsyncIterableIterator<Publication, undefined> {
    checkNames(options, ['qos', 'retained', 'highWaterMark', 'overflow', 'signal'])
    this.#checkOpen()
    this.#checkReady()
    return new LocalSubscription(this.#core, topicFilter, options)
  }

  /**
   * Closes all doors, says goodbye to all clients, and settles when the last of them is gone. With `drain` it waits before
   * that until all messages under way are sent and acknowledged, at most so many milliseconds. With `serverReference`
   * clients of MQTT 5.0 are told to go there [section 4.11]. Rejects with RangeError or TypeError for options that cannot be.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    checkClose(options)
    this.#closed ??= this.#close(options)
    await this.#closed
  }

  async #close({ drain = 0, serverReference }: CloseOptions): Promise<void> {
    const core = this.#core
    const { clock, timers, overload, journal } = core.environment
    if (this.#loading !== undefined) await this.#loading.catch(() => {})
    const portsFree = [...this.#listeners].map((listener) => listener.close())
    this.#sys.stop()
    for (const until = clock.now() + drain; clock.now() < until && isBusy(core); ) {
      await new Promise<void>((resolve) => timers.set(new Timer(resolve), 0))
    }
    for (const local of core.locals) local.end()
    if (core.connections.size > 0) {
      const gone = new Promise<void>((resolve) => {
        core.idle = resolve
      })
      core.wills.stop()
      const [reasonCode, properties] =
        serverReference === undefined
          ? ([ReasonCode.ServerShuttingDown, {}] as const)
          : ([ReasonCode.UseAnotherServer, { serverReference }] as const)
      for (const connection of core.connections) connection.disconnect(reasonCode, properties)
      await gone
    }
    await Promise.all(portsFree)
    timers.stop()
    overload.stop()
    await journal?.close()
  }
}

function checkClose({ drain = 0, serverReference }: CloseOptions): void {
  if (!(drain >= 0)) throw new RangeError(`drain must be milliseconds from 0, not ${inspect(drain)}`)
  if (serverReference !== undefined)
    encodedLength({ type: 'disconnect', reasonCode: 0, properties: { serverReference } })
}

function isBusy({ connections }: Core): boolean {
  for (const { busy } of connections) if (busy) return true
  return false
}

export interface PublishOptions {
  /** Default 0. */
  readonly qos?: QoS
  /** Default false. */
  readonly retain?: boolean
  readonly properties?: PublishProperties
}

export interface CloseOptions {
  /** Milliseconds to wait for messages under way. Default 0. */
  readonly drain?: number
  /** Another server for the clients, such as `other.example:1883`. */
  readonly serverReference?: string
}
