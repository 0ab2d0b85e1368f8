/** Clients of MQTT.js that do nothing wrong, count what they miss, and measure how long messages take. */

import { setTimeout as wait } from 'node:timers/promises'
import mqtt, { type MqttClient } from 'mqtt'

/** What `events.once` does, of which MQTT.js is no emitter by its types. */
export function happens(client: MqttClient, event: 'message'): Promise<void> {
  return new Promise((resolve) => client.once(event, () => resolve()))
}

type OnMessage = (topic: string, payload: Buffer) => void

export interface Finding {
  readonly name: string
  readonly sent: number
  readonly lost: number
  /** Milliseconds that the slowest message took. */
  readonly slowest: number
}

const interval = 20
const qualities = [0, 1, 2] as const

export class WellBehaved {
  readonly #urls: readonly [string, string]
  readonly #clients: MqttClient[] = []
  readonly #routes: Route[] = []
  /** What happened to these clients that may not happen. */
  readonly faults: string[] = []
  /** Connections that were refused, and tried again. */
  refused = 0
  #phase: 'sending' | 'ending' = 'sending'
  readonly #work: Promise<void>[] = []

  constructor(port: number, webSocketPort: number) {
    this.#urls = [`mqtt://127.0.0.1:${port}`, `ws://127.0.0.1:${webSocketPort}`]
  }

  get connections(): number {
    return this.#clients.length
  }

  /**
   * Connects, more than once if need be: a broker that is late may refuse who is new. What is under way to a session
   * comes with CONNACK: `onMessage` has to be there before.
   */
  async connect(url: string, onMessage: OnMessage = () => {}, options: mqtt.IClientOptions = {}): Promise<MqttClient> {
    for (let attempt = 0; attempt < 50; attempt++) {
      const client = mqtt.connect(url, { reconnectPeriod: 0, protocolVersion: 5, ...options })
      client.on('message', onMessage)
      const problem = await new Promise<Error | undefined>((resolve) => {
        client.once('connect', () => resolve(undefined))
        client.on('error', resolve).once('close', () => resolve(new Error('closed')))
      })
      if (problem === undefined) {
        client.on('error', (error) => this.faults.push(`a client: ${error}`))
        return client
      }
      this.refused++
      await wait(100)
    }
    throw new Error('a client was refused for five seconds')
  }

  /** One that stays: it may not lose its connection. */
  async #stays(url: string, onMessage?: OnMessage): Promise<MqttClient> {
    const client = await this.connect(url, onMessage)
    client.on('close', () => this.#phase === 'sending' && this.faults.push('a connection was lost'))
    this.#clients.push(client)
    return client
  }

  async start(): Promise<void> {
    for (const [at, url] of this.#urls.entries()) {
      const publisher = await this.#stays(url)
      const subscriber = await this.#stays(this.#urls[1 - at]!, (topic, payload) =>
        this.#routes.find((route) => route.topic === topic)?.arrived(payload),
      )
      for (const qos of qualities) {
        const route = new Route(`good/${at}/${qos}`)
        this.#routes.push(route)
        await subscriber.subscribeAsync(route.topic, { qos })
        this.#work.push(this.#send(route, publisher, qos))
      }
    }
    await this.#group()
    this.#work.push(this.#returning())
  }

  async #send(route: Route, publisher: MqttClient, qos: 0 | 1 | 2): Promise<void> {
    while (this.#phase === 'sending') {
      // Not awaited, for who waits does not notice what is slow.
      publisher.publish(route.topic, route.next(), { qos })
      await wait(interval)
    }
  }

  /** A Shared Subscription with two members. */
  async #group(): Promise<void> {
    const [url] = this.#urls
    const route = new Route('good/shared')
    this.#routes.push(route)
    for (let member = 0; member < 2; member++) {
      const client = await this.#stays(url, (_, payload) => route.arrived(payload))
      await client.subscribeAsync(`$share/good/${route.topic}`, { qos: 1 })
    }
    this.#work.push(this.#send(route, await this.#stays(url), 1))
  }

  /** One that comes and goes, with a session that keeps what it misses, and looks for what is retained. */
  async #returning(): Promise<void> {
    const [url] = this.#urls
    const route = new Route('good/kept', 'session')
    this.#routes.push(route)
    const publisher = await this.#stays(url)
    await publisher.publishAsync('good/retained', 'here', { qos: 1, retain: true })
    const options = { clientId: 'returning', clean: false, properties: { sessionExpiryInterval: 60 } }
    const come = async (): Promise<MqttClient> => {
      const client = await this.connect(url, (_, payload) => route.arrived(payload), options)
      await client.subscribeAsync(route.topic, { qos: 1 })
      return client
    }
    while (this.#phase === 'sending') {
      const client = await come()
      await this.#findRetained(url)
      await client.endAsync()
      await Promise.all(Array.from({ length: 10 }, () => publisher.publishAsync(route.topic, route.next(), { qos: 1 })))
      await wait(200)
    }
    this.#clients.push(await come())
  }

  async #findRetained(url: string): Promise<void> {
    const client = await this.connect(url)
    const found = happens(client, 'message')
    await client.subscribeAsync('good/retained')
    const outcome = await Promise.race([found, wait(5_000, 'late', { ref: false })])
    if (outcome === 'late') this.faults.push('a retained message did not come')
    await client.endAsync()
  }

  /** Sends no more, and waits for what is under way. */
  async end(): Promise<Finding[]> {
    this.#phase = 'ending'
    await Promise.all(this.#work)
    for (let time = 0; time < 50 && this.#routes.some(({ missing }) => missing > 0); time++) await wait(100)
    await Promise.all(this.#clients.map((client) => client.endAsync()))
    return this.#routes.map(({ topic, sent, missing, slowest }) => ({ name: topic, sent, lost: missing, slowest }))
  }
}

/** Messages with a number and the time on them. */
class Route {
  readonly topic: string
  readonly #isLive: boolean
  readonly #under = new Map<number, number>()
  sent = 0
  slowest = 0

  constructor(topic: string, kind: 'live' | 'session' = 'live') {
    this.topic = topic
    this.#isLive = kind === 'live'
  }

  next(): string {
    this.#under.set(++this.sent, performance.now())
    return `${this.sent}`
  }

  arrived(payload: Buffer): void {
    const number = Number(payload.toString())
    const since = this.#under.get(number)
    if (since === undefined) return
    this.#under.delete(number)
    // What waits for a client that is away takes its time.
    if (this.#isLive) this.slowest = Math.max(this.slowest, performance.now() - since)
  }

  get missing(): number {
    return this.#under.size
  }
}
