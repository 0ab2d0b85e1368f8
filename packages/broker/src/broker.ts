/** The broker as an application has it. */

import { inspect } from 'node:util'
import { encodedLength, MqttError, type PublishProperties, type QoS, ReasonCode, reasonName } from '@tidewire/codec'
import { Timer } from './clock.js'
import { Core } from './core.js'
import { copyOf } from './environment.js'
import type { Publication } from './hooks.js'
import type { Listener } from './listeners/listener.js'
import { listenTcp } from './listeners/tcp.js'
import { listenWebSocket } from './listeners/websocket.js'
import { type LocalOptions, LocalSubscription } from './local.js'
import { Message } from './message.js'
import type { Metrics } from './metrics.js'
import type { BrokerOptions } from './options.js'
import { receive } from './receive.js'
import { Sys } from './sys.js'
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
  readonly #sys: Sys
  readonly #listeners: Set<Listener> = new Set()
  #closed: Promise<void> | undefined

  /** See `createBroker`. */
  constructor(options: BrokerOptions) {
    this.#core = new Core(options)
    const { timers, overload } = this.#core.environment
    timers.start()
    overload.start()
    this.#sys = new Sys(this.#core, options.sysInterval ?? 10)
    this.#sys.start()
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

  /**
   * Publishes a message of the application, to which no hook is asked. Settles when the message is on its way. Rejects
   * with TypeError or RangeError for a message that cannot be sent, and with an MqttError when it is refused.
   */
  async publish(topic: string, payload: Uint8Array | string, options: PublishOptions = {}): Promise<void> {
    const { qos = 0, retain = false, properties = {} } = options
    const { clock, limits } = this.#core.environment
    const given = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload
    const copy = copyOf({ topic, payload: given, qos, retain, properties }, limits)
    this.#checkOpen()
    const message = Message.of(copy, clock.now(), undefined)
    const reasonCode = this.#core.publish(message)
    if (reasonCode >= 0x80) throw new MqttError(reasonCode, reasonName(reasonCode))
  }

  /**
   * The messages of a Topic Filter, shared ones included, for the application: `for await (const { topic, payload } of
   * broker.subscribe('a/#'))`. No hook is asked. Throws TypeError for what is no Topic Filter.
   */
  subscribe(topicFilter: string, options: LocalOptions = {}): AsyncIterableIterator<Publication, undefined> {
    this.#checkOpen()
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
    const { clock, timers, overload } = core.environment
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
