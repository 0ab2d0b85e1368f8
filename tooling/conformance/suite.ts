/** How a test of the standard is written, and what it may do. */

import { isDeepStrictEqual } from 'node:util'
import {
  type Connect,
  type Packet,
  type ProtocolVersion,
  type Publish,
  type PublishProperties,
  type QoS,
  reasonName,
  type Suback,
  type SubscribeProperties,
  type Subscription,
  type Will,
} from '@tidewire/codec'
import type { BrokerUnderTest } from './broker-under-test.js'
import { field, number, packet, properties, varint } from './bytes.js'
import { Client, describe, Failure, type Seen, type SeenAs } from './client.js'

/** A rule of the standard as it is tried with one protocol version. */
export interface Test {
  readonly section: string
  readonly title: string
  readonly version: ProtocolVersion
  /** The statements that it judges. */
  readonly statements: readonly string[]
  run(trial: Trial): Promise<void>
}

type Rule = (
  title: string,
  statements: Partial<Record<ProtocolVersion, string>>,
  run: (t: Trial) => Promise<void>,
) => void

/** Statements of 3.1.1 and MQTT 5.0 have the same form of number: those of 3.1.1 are told with the version in front. */
export function statementId(version: ProtocolVersion, id: string): string {
  return version === 4 && id.startsWith('MQTT') ? `3.1.1 ${id}` : id
}

/**
 * The rules of a section. Each becomes one test for every protocol version that it has statements of; these are
 * separated by blanks.
 */
export function section(name: string, write: (rule: Rule) => void): readonly Test[] {
  const tests: Test[] = []
  write((title, statements, run) => {
    for (const [key, ids] of Object.entries(statements)) {
      const version = Number(key) as ProtocolVersion
      const ofVersion = ids.split(' ').map((id) => statementId(version, id))
      tests.push({ section: name, title, version, statements: ofVersion, run })
    }
  })
  return tests
}

export const versionNames: Readonly<Record<ProtocolVersion, string>> = { 3: '3.1', 4: '3.1.1', 5: '5.0' }

/** By which a test is known; no two have the same. */
export function nameOf({ title, version }: Test): string {
  return `${title} (MQTT ${versionNames[version]})`
}

/** A test asks for something that this broker does not offer, and need not. */
export class Inapplicable extends Error {}

export type ConnectOptions = Partial<Omit<Connect, 'type' | 'will' | 'properties'>> & {
  readonly will?: WillOptions
  readonly properties?: Connect['properties']
}
type WillOptions = Partial<Will> & Pick<Will, 'topic'>
export type SubscriptionOptions = Partial<Subscription> & { readonly properties?: SubscribeProperties }
export type PublishOptions = {
  readonly qos?: QoS
  readonly retain?: boolean
  readonly dup?: boolean
  readonly packetId?: number
  readonly properties?: PublishProperties
}

const run = `${Date.now().toString(36)}${process.pid.toString(36)}`
let trials = 0

/** One run of a test: its connections, names of its own, and what it finds. */
export class Trial {
  readonly version: ProtocolVersion
  readonly broker: BrokerUnderTest
  /** What the broker does not do of what Tidewire promises beyond the statement. */
  readonly broken: string[] = []
  readonly #number = `${(++trials).toString(36)}`
  readonly #clients: Client[] = []
  readonly #marked = new Set<Client>()
  readonly #retained = new Set<string>()
  #names = 0
  #packetId = 0

  constructor(broker: BrokerUnderTest, version: ProtocolVersion) {
    this.broker = broker
    this.version = version
  }

  /** A topic that no other test uses; without a name, the level above all topics of the test. */
  topic(name = ''): string {
    return `conformance/${run}/${this.#number}${name === '' ? '' : `/${name}`}`
  }

  /** A new Client Identifier, of characters and a length that every broker must take. */
  id(): string {
    return `c${run.slice(-10)}x${this.#number}x${this.#names++}`
  }

  /** A Packet Identifier that the test has not used. */
  packetId(): number {
    this.#packetId = (this.#packetId % 65_535) + 1
    return this.#packetId
  }

  /** Only what is thrown by the tests themselves makes a test fail at once. */
  must(condition: boolean, problem: string): void {
    if (!condition) throw new Failure(problem)
  }

  equal(actual: unknown, expected: unknown, what: string): void {
    if (!isDeepStrictEqual(actual, expected)) {
      throw new Failure(`${what} is ${show(actual)} instead of ${show(expected)}`)
    }
  }

  /** What the standard leaves open and Tidewire promises. */
  promise(condition: boolean, problem: string): void {
    if (!condition) this.broken.push(problem)
  }

  requires(condition: boolean, otherwise: string): void {
    if (!condition) throw new Inapplicable(otherwise)
  }

  /** A value that must be there; without it, it is a failure. */
  given<T>(value: T | undefined, problem: string): T {
    if (value === undefined) throw new Failure(problem)
    return value
  }

  /** A value that a test cannot do without. */
  required<T>(value: T | undefined, otherwise: string): T {
    if (value === undefined) throw new Inapplicable(otherwise)
    return value
  }

  /** A connection without CONNECT. */
  async open(version: ProtocolVersion = this.version, clientId: string = this.id()): Promise<Client> {
    const client = await Client.open(this.broker.host, this.broker.port, version, clientId)
    this.#clients.push(client)
    return client
  }

  /** Takes care that a client of another kind is ended with the test. */
  own(client: Client): Client {
    this.#clients.push(client)
    return client
  }

  /** A connection that has sent CONNECT: with Clean Start and a Keep Alive of a minute if nothing else is given. */
  async begin({ will, ...options }: ConnectOptions = {}): Promise<Client> {
    const client = await this.open(options.protocolVersion, options.clientId)
    const { clientId, version: protocolVersion } = client
    const withWill = will && { will: { payload: bytesOf(''), ...will } }
    client.send({ type: 'connect', protocolVersion, clientId, keepAlive: 60, ...options, ...withWill })
    if (will?.retain === true) this.#retained.add(will.topic)
    return client
  }

  /** A connection that the broker has accepted. */
  async connect(options: ConnectOptions = {}): Promise<Client> {
    const client = await this.begin(options)
    const connack = await client.expect('connack')
    this.must(connack.reasonCode === 0, `refused the connection with ${describe(connack)}`)
    client.connack = connack
    return client
  }

  /** Subscribes, at QoS 2 if nothing else is given, and returns the answer. */
  async subscribe(
    client: Client,
    filters: string | readonly (string | SubscriptionOptions)[],
    options: SubscriptionOptions = {},
  ): Promise<SeenAs<'suback'>> {
    const { properties: { subscriptionIdentifier: identifier } = {}, ...defaults } = options
    const list = typeof filters === 'string' ? [filters] : filters
    const payload = list.flatMap((each) => {
      const own = { ...defaults, ...(typeof each === 'string' ? { topicFilter: each } : each) }
      const { topicFilter = '', qos = 2, noLocal = false, retainAsPublished = false, retainHandling = 0 } = own
      return [field(topicFilter), qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4)]
    })
    const packetId = this.packetId()
    const ofPacket = properties(client.version, ...(identifier === undefined ? [] : [11, varint(identifier)]))
    // By hand, for an encoder would not write a Topic Filter that is wrong.
    client.sendBytes(packet(0x82, number(packetId, 2), ofPacket, ...payload))
    const suback = await client.take('suback')
    this.equal(suback.packetId, packetId, 'the Packet Identifier of SUBACK')
    return suback
  }

  /** Subscribes, and fails when the broker does not grant what was asked for. */
  async subscribed(
    client: Client,
    filters: string | readonly (string | SubscriptionOptions)[],
    options: SubscriptionOptions = {},
  ): Promise<Suback> {
    const suback = await this.subscribe(client, filters, options)
    const refused = suback.reasonCodes.find((code) => code >= 0x80)
    this.must(refused === undefined, `refused a subscription with ${codeName(refused ?? 0)}`)
    return suback
  }

  async unsubscribe(client: Client, ...topicFilters: string[]): Promise<SeenAs<'unsuback'>> {
    const packetId = this.packetId()
    client.send({ type: 'unsubscribe', packetId, topicFilters })
    const unsuback = await client.take('unsuback')
    this.equal(unsuback.packetId, packetId, 'the Packet Identifier of UNSUBACK')
    return unsuback
  }

  /** Publishes and brings the exchange to its end; returns the Reason Code of the first answer, 0 for QoS 0. */
  async publish(
    client: Client,
    topic: string,
    payload: string | Uint8Array = 'x',
    options: PublishOptions = {},
  ): Promise<number> {
    const { qos = 0, retain = false } = options
    const packetId = qos === 0 ? undefined : (options.packetId ?? this.packetId())
    if (retain) this.#retained.add(topic)
    client.send({ type: 'publish', topic, payload: bytesOf(payload), ...options, qos, packetId })
    if (qos === 0) return 0
    const answer = await client.take(qos === 1 ? 'puback' : 'pubrec')
    this.equal(answer.packetId, packetId, `the Packet Identifier of ${answer.type.toUpperCase()}`)
    if (qos === 2 && answer.reasonCode < 0x80) {
      client.send({ type: 'pubrel', packetId: answer.packetId })
      const complete = await client.take('pubcomp')
      this.equal(complete.packetId, packetId, 'the Packet Identifier of PUBCOMP')
    }
    return answer.reasonCode
  }

  /** The next packet, which must be a PUBLISH; it is acknowledged to its end. */
  async receive(client: Client): Promise<SeenAs<'publish'>> {
    const message = await client.expect('publish')
    await this.acknowledge(client, message)
    return message
  }

  async acknowledge(client: Client, { qos, packetId = 0 }: Publish): Promise<void> {
    if (qos === 1) client.send({ type: 'puback', packetId })
    if (qos !== 2) return
    client.send({ type: 'pubrec', packetId })
    const release = await client.take('pubrel')
    this.equal(release.packetId, packetId, 'the Packet Identifier of PUBREL')
    client.send({ type: 'pubcomp', packetId })
  }

  /**
   * All packets that a client gets before a last message, which the publisher sends when all that it sent before has
   * been dealt with: what is not among them does not come.
   */
  async rest(receiver: Client, publisher: Client = receiver): Promise<Seen[]> {
    // Outside of the topics of the test, or its own subscriptions would bring it a second time.
    const marker = `end-of/${this.topic(receiver.clientId)}`
    if (!this.#marked.has(receiver)) await this.subscribed(receiver, marker, { qos: 0 })
    this.#marked.add(receiver)
    publisher.send({ type: 'pingreq' })
    await publisher.take('pingresp')
    publisher.send({ type: 'publish', topic: marker, payload: bytesOf('end') })
    return receiver.before('the last message', (packet) => packet.type === 'publish' && packet.topic === marker)
  }

  /** The payloads of all messages that come before a last one. Those above QoS 0 are not acknowledged. */
  async messages(receiver: Client, publisher: Client = receiver): Promise<string[]> {
    return payloads(await this.rest(receiver, publisher))
  }

  /** Fails when something comes before a last message. */
  async nothing(receiver: Client, publisher: Client = receiver, what = ''): Promise<void> {
    const packets = await this.rest(receiver, publisher)
    const sent = what === '' ? packets.map((each) => `${describe(each)} ${text(each)}`.trim()).join(', ') : what
    this.must(packets.length === 0, `sent ${sent} where nothing should come`)
  }

  /**
   * The broker must end the connection. Promised: for MQTT 5.0 the last packet is a DISCONNECT, or CONNACK before the
   * connection was accepted, with the Reason Code.
   */
  async refused(client: Client, reasonCode: number, seconds?: number): Promise<void> {
    const packets = await client.ending(seconds)
    const last = packets.at(-1)
    if (client.version < 5) {
      const sent = packets.some(({ type }) => type === 'disconnect')
      return this.must(!sent, 'sent a DISCONNECT, which is for clients only before MQTT 5.0')
    }
    const type = client.connack === undefined ? 'connack' : 'disconnect'
    const told = last?.type === type ? last.reasonCode : undefined
    // A code that says all needs no Reason String.
    if (last?.type === type && reasonCode !== 0x8d)
      this.promise(last.properties.reasonString !== undefined, `gives no reason for ${describe(last)}`)
    this.promise(
      told === reasonCode,
      `ended with ${last === undefined ? 'no packet' : describe(last)} instead of ${type.toUpperCase()} ${codeName(reasonCode)}`,
    )
  }

  /** A Topic Filter that is wrong must be refused. Promised: in SUBACK, or as the malformed packet that it makes. */
  async refusedFilter(client: Client, topicFilter: string): Promise<void> {
    const suback = await client.take('suback').catch(() => undefined)
    if (suback === undefined) return this.refused(client, 0x81)
    const [code = 0] = suback.reasonCodes
    this.must(code >= 0x80, `granted ${JSON.stringify(topicFilter)}`)
    this.promise(code === (client.version === 5 ? 0x8f : 0x80), `refused ${topicFilter} with ${codeName(code)}`)
  }

  /** The broker may take what was sent. Promised: it ends the connection with the Reason Code. */
  async mayRefuse(client: Client, reasonCode: number): Promise<void> {
    client.send({ type: 'pingreq' })
    const taken = await client.before('pingresp', ({ type }) => type === 'pingresp').catch(() => undefined)
    if (taken === undefined) return this.refused(client, reasonCode)
    this.promise(false, `takes it instead of ending with ${codeName(reasonCode)}`)
  }

  /**
   * The broker must refuse the CONNECT. Promised: MQTT 5.0 clients are told the Reason Code, others the Return Code, or
   * nothing where there is none.
   */
  async refusedConnect(client: Client, reasonCode: number, returnCode?: number): Promise<void> {
    const packets = await client.ending()
    const [first] = packets
    if (first?.type === 'connack') {
      this.must(first.reasonCode !== 0, 'accepted the connection')
      this.must(!first.sessionPresent, 'set Session Present where it refused')
    }
    this.must(packets.length < 2, `sent ${packets.map(describe).join(', ')}`)
    this.must(first === undefined || first.type === 'connack', `sent ${first === undefined ? '' : describe(first)}`)
    const told = first?.type === 'connack' ? first.reasonCode : undefined
    const expected = client.version === 5 ? reasonCode : returnCode
    this.promise(told === expected, `refused with ${codeName(told)} instead of ${codeName(expected)}`)
  }

  /** Lets time pass, for rules that are about time. */
  wait(seconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  }

  /** Ends all connections, and takes away the messages that were retained. */
  async end(): Promise<void> {
    for (const client of this.#clients) client.cut()
    if (this.#retained.size === 0) return
    const cleaner = await Client.open(this.broker.host, this.broker.port, 4, this.id())
    cleaner.send({ type: 'connect', protocolVersion: 4, clientId: cleaner.clientId })
    const payload = new Uint8Array(0)
    for (const topic of this.#retained) cleaner.send({ type: 'publish', topic, payload, retain: true })
    await cleaner.leave()
    cleaner.cut()
  }
}

export const bytesOf = (payload: string | Uint8Array): Uint8Array =>
  typeof payload === 'string' ? new TextEncoder().encode(payload) : payload

export const text = (packet: Packet): string =>
  packet.type === 'publish' ? Buffer.from(packet.payload).toString() : ''

export const payloads = (packets: readonly Packet[]): string[] =>
  packets.filter(({ type }) => type === 'publish').map(text)

function codeName(code: number | undefined): string {
  return code === undefined ? 'no code' : `0x${code.toString(16).padStart(2, '0')} ${reasonName(code)}`
}

function show(value: unknown): string {
  return value instanceof Uint8Array
    ? `bytes ${Buffer.from(value).toString('hex')}`
    : (JSON.stringify(value) ?? 'nothing')
}
