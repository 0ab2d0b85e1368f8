/** Libraries as peers: each runs in a driver, a program of its language that is told what to do. */

import { fileURLToPath } from 'node:url'
import type { ProtocolVersion } from '@tidewire/codec'
import {
  type Ability,
  Inbox,
  type OnEnd,
  type Peer,
  type Ports,
  type Publication,
  type PublisherOptions,
  type Received,
  type Subscriber,
  type SubscriberOptions,
} from './peer.js'
import { Program } from './program.js'

export interface Library {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  readonly cannot: Readonly<Partial<Record<Ability, string>>>
  /** Whether it chooses Topic Aliases by itself; else it is told which to use. */
  readonly choosesAliases: boolean
}

const file = (name: string): string => fileURLToPath(new URL(`drivers/${name}`, import.meta.url))

export const paho: Library = {
  name: 'Paho for Python',
  command: ['/usr/bin/python3', file('paho-driver.py')],
  cannot: { 'incoming Topic Aliases': 'Paho hands out what has an alias without its topic' },
  choosesAliases: false,
}

export const mqttjs = (version: '4' | '5'): Library => ({
  name: version === '4' ? 'MQTT.js 4.3.7' : 'MQTT.js 5',
  command: [process.execPath, file('mqttjs.mjs'), version],
  cannot: {},
  choosesAliases: true,
})

interface Answer {
  readonly call?: number
  readonly result?: unknown
  readonly error?: string
  readonly client?: string
  readonly message?: Received
}

/** A driver that runs, with any number of clients. */
class Driver {
  readonly program: Program
  readonly #calls = new Map<number, (answer: Answer) => void>()
  readonly #inboxes = new Map<string, Inbox<Received>>()
  #count = 0

  constructor([command, ...args]: Library['command'], onEnd: OnEnd) {
    this.program = new Program(command, args, { input: 'lines', onEnd })
    void this.#read()
  }

  async #read(): Promise<void> {
    try {
      for (;;) this.#take(JSON.parse(await this.program.line(/^\{/)))
    } catch (error) {
      for (const settle of this.#calls.values()) settle({ error: String(error) })
      for (const inbox of this.#inboxes.values()) inbox.fail(error as Error)
    }
  }

  #take({ call, client = '', message, ...answer }: Answer): void {
    if (call !== undefined) this.#calls.get(call)?.(answer)
    else if (message !== undefined) this.#inboxes.get(client)?.push(message)
  }

  /** A name for a client, and its messages. */
  client(): { name: string; inbox: Inbox<Received> } {
    const name = `${++this.#count}`
    const inbox = new Inbox<Received>()
    this.#inboxes.set(name, inbox)
    return { name, inbox }
  }

  async call(what: string, client: string, rest: object = {}): Promise<unknown> {
    const call = ++this.#count
    const { result, error } = await new Promise<Answer>((resolve) => {
      this.#calls.set(call, resolve)
      this.program.write(JSON.stringify({ call, do: what, client, ...rest }))
    })
    this.#calls.delete(call)
    if (error !== undefined) throw new Error(`${what}: ${error}`)
    return result
  }
}

let ids = 0

export class LibraryPeer implements Peer {
  readonly name: string
  readonly version: ProtocolVersion
  readonly transport: Peer['transport']
  readonly cannot: Library['cannot']
  readonly #library: Library
  readonly #onEnd: OnEnd
  /** One for all clients that need not be alone, started with the first. */
  #shared: Driver | undefined

  /** `onEnd` takes what ends the driver that all share. */
  constructor(library: Library, version: ProtocolVersion, transport: Peer['transport'], onEnd: OnEnd) {
    this.name = library.name
    this.version = version
    this.transport = transport
    this.cannot = library.cannot
    this.#library = library
    this.#onEnd = onEnd
  }

  #driver(): Driver {
    this.#shared ??= new Driver(this.#library.command, this.#onEnd)
    return this.#shared
  }

  #options({ port, webSocketPort }: Ports, options: SubscriberOptions | PublisherOptions): object {
    const { version, transport } = this
    const at = transport === 'tcp' ? port : webSocketPort
    return { clientId: `library${++ids}`, ...options, version, transport, port: at }
  }

  async subscribe(
    at: Ports,
    filters: readonly string[],
    options: SubscriberOptions,
    onEnd: OnEnd,
  ): Promise<Subscriber> {
    const driver = options.alone === true ? new Driver(this.#library.command, onEnd) : this.#driver()
    const { name, inbox } = driver.client()
    const sessionPresent = (await driver.call('open', name, { options: this.#options(at, options) })) as boolean
    const granted = await driver.call('subscribe', name, { filters, options: { qos: 2, ...options } })
    const close = async (): Promise<void> => void (await driver.call('close', name))
    if (options.alone !== true) onEnd(() => close())
    return {
      sessionPresent,
      granted: granted as number[],
      next: () => inbox.next(),
      close,
      freeze: () => driver.program.freeze(),
      thaw: () => driver.program.thaw(),
      kill: () => driver.program.kill(),
    }
  }

  async publish(at: Ports, messages: readonly Publication[], options: PublisherOptions): Promise<void> {
    const driver = this.#driver()
    const { name } = driver.client()
    const persists = options.reconnect === true
    await driver.call('open', name, {
      options: this.#options(at, persists ? { ...options, sessionExpiry: 60 } : options),
    })
    const isTold = options.aliases === true && !this.#library.choosesAliases
    await driver.call('publish', name, { messages: isTold ? aliased(messages) : messages, persists })
    await driver.call('close', name)
  }

  async request(at: Ports, question: Publication, responseTopic: string, onEnd: OnEnd): Promise<string> {
    const answers = await this.subscribe(at, [responseTopic], {}, onEnd)
    const properties = { ...question.properties, responseTopic }
    await this.publish(at, [this.version === 5 ? { ...question, properties } : question], {})
    return (await answers.next()).payload
  }
}

/** The same messages with an alias in the place of a topic that has come before. */
function aliased(messages: readonly Publication[]): Publication[] {
  const topics: string[] = []
  return messages.map((message) => {
    const { topic, properties } = message
    const known = topics.indexOf(topic)
    if (known < 0) topics.push(topic)
    const topicAlias = known < 0 ? topics.length : known + 1
    return { ...message, topic: known < 0 ? topic : '', properties: { ...properties, topicAlias } }
  })
}
