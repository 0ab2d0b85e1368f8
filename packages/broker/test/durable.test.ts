import { type BrokerOptions, createBroker } from '@tidewire/broker'
import { MemoryStore, recordKinds } from '@tidewire/broker/store'
import type { Packet } from '@tidewire/codec'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bytes, ManualClock, startBroker, text, until } from './fixture.js'
import { FragileStore } from './fragile-store.js'
import { RawClient } from './raw-client.js'

/** A clock whose date does not end with the process. */
class Calendar extends ManualClock {
  readonly #began: number

  constructor(began: number) {
    super()
    this.#began = began
  }

  date(): number {
    return this.#began + this.now()
  }
}

const begin = Date.UTC(2026, 0, 1)

async function start(store: FragileStore, options: BrokerOptions = {}, date = begin) {
  const clock = new Calendar(date)
  const broker = createBroker({ clock, sysInterval: 0, store, ...options })
  onTestFinished(() => broker.close().catch(() => {}))
  const { port } = await broker.listen('mqtt://127.0.0.1:0')
  return { broker, port, clock }
}

const durable = (clientId: string) => ({ clientId, cleanStart: false, properties: { sessionExpiryInterval: 1000 } })
const publish = (topic: string, payload: string, qos: 0 | 1 | 2, packetId = 1, more: object = {}) =>
  ({ type: 'publish', topic, payload: bytes(payload), qos, packetId, ...more }) as const

/** Makes a session with a subscription, and leaves. */
async function subscribeAndLeave(port: number, clientId: string, topicFilter: string, qos: 1 | 2 = 2): Promise<void> {
  const client = await RawClient.connect(port, durable(clientId))
  await client.subscribe(topicFilter, qos)
  client.send({ type: 'disconnect' })
  await client.expectEnd()
}

/** Comes back, and returns what has come meanwhile. */
async function comeBack(
  port: number,
  clientId: string,
): Promise<{ client: RawClient; packets: Packet[]; isPresent: boolean }> {
  const client = await RawClient.open(port)
  client.send({ type: 'connect', protocolVersion: 5, ...durable(clientId) })
  const { sessionPresent } = await client.expect('connack')
  return { client, packets: await client.drain(), isPresent: sessionPresent }
}

const payloads = (packets: readonly Packet[]): string[] =>
  packets.flatMap((packet) => (packet.type === 'publish' ? [text(packet.payload)] : []))

describe('an acknowledgement', () => {
  it.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)('of QoS %i is sent when all that the message caused is kept', async (qos, type) => {
    const store = new FragileStore()
    const { port } = await start(store)
    await subscribeAndLeave(port, 'away', 'a')
    const client = await RawClient.connect(port, durable('pub'))
    await until(() => store.count(recordKinds.session) === 2)
    store.isHeld = true
    client.send(publish('a', 'one', qos))
    const before = store.commits
    await until(() => store.commits > before)
    for (let i = 0; i < 20; i++) await new Promise(setImmediate)
    expect(client.unread).toBe(0)
    expect(store.count(recordKinds.delivery)).toBe(0)
    store.sync()
    await client.expect(type)
    expect(store.count(recordKinds.delivery)).toBe(1)
    expect(store.count(recordKinds.received)).toBe(qos - 1)
    expect(store.count(0)).toBe(1)
  })

  it('that waits goes before what is said later', async () => {
    const store = new FragileStore()
    const { port } = await start(store)
    await subscribeAndLeave(port, 'away', 'a')
    const client = await RawClient.connect(port)
    store.isHeld = true
    for (let packetId = 1; packetId <= 3; packetId++) {
      client.send(publish('a', `${packetId}`, 1, packetId))
      const before = store.commits
      await until(() => store.commits > before)
    }
    client.send({ type: 'pingreq' })
    store.sync()
    store.isHeld = false
    const ids = (await client.drain()).map((packet) => 'packetId' in packet && packet.packetId)
    expect(ids).toEqual([1, 2, 3])
  })

  it('is never sent when the store fails, and new work is refused', async () => {
    const store = new FragileStore()
    const errors: string[] = []
    const { broker, port } = await start(store, {
      log: { info() {}, warn() {}, error: (message) => void errors.push(message) },
    })
    await subscribeAndLeave(port, 'away', 'a')
    const client = await RawClient.connect(port)
    const other = await RawClient.connect(port)
    store.isHeld = true
    client.send(publish('a', 'one', 1))
    const before = store.commits
    await until(() => store.commits > before)
    store.fail()
    await client.expectEnd()
    other.send(publish('a', 'two', 1))
    expect(await other.expect('puback')).toMatchObject({ reasonCode: 0x83 })
    other.send(publish('a', 'three', 2, 2))
    expect(await other.expect('pubrec')).toMatchObject({ reasonCode: 0x83 })
    await expect(broker.publish('a', 'four', { qos: 1 })).rejects.toMatchObject({ reasonCode: 0x83 })
    const late = await RawClient.open(port)
    late.send({ type: 'connect', protocolVersion: 5, ...durable('late') })
    expect(await late.expect('connack')).toMatchObject({ reasonCode: 0x88 })
    expect(errors.filter((error) => /store has failed.*the disk is gone/s.test(error))).toHaveLength(1)
    expect(broker.metrics.store).toMatchObject({ state: 'failed', durability: 'fsync' })
    expect(broker.metrics.dropped.store).toBe(3)
    const reader = await RawClient.connect(port)
    await reader.subscribe('b')
    other.send(publish('b', 'still', 0))
    expect(payloads([await reader.expect('publish')])).toEqual(['still'])
  })

  it('says 0x97 while the store is full, and clients before MQTT 5.0 get none', async () => {
    const store = new FragileStore()
    const { port } = await start(store)
    const client = await RawClient.connect(port)
    const old = await RawClient.connect(port, { protocolVersion: 4 })
    store.state = 'full'
    client.send(publish('a', 'one', 1))
    expect(await client.expect('puback')).toMatchObject({ reasonCode: 0x97 })
    old.send(publish('a', 'one', 1))
    await old.expectEnd()
    store.state = 'open'
    client.send(publish('a', 'two', 1))
    expect((await client.expect('puback')).reasonCode).toBeLessThan(0x80)
  })

  it('is not kept back by a store of which nothing is wanted', async () => {
    const store = new FragileStore()
    const { broker, port } = await start(store)
    const reader = await RawClient.connect(port)
    await reader.subscribe('#', 2)
    const client = await RawClient.connect(port)
    for (const qos of [0, 1, 2] as const) client.send(publish('a', 'x', qos, qos))
    await broker.publish('b', 'y', { qos: 1 })
    await client.expect('puback')
    await client.expect('pubrec')
    expect(await reader.drain()).toHaveLength(4)
    expect(store.commits).toBe(0)
  })

  it('waits in publish of the application too', async () => {
    const store = new FragileStore()
    const { broker, port } = await start(store)
    await subscribeAndLeave(port, 'away', 'a')
    store.isHeld = true
    let isDone = false
    const published = broker.publish('a', 'x', { qos: 1 }).then(() => {
      isDone = true
    })
    const before = store.commits
    await until(() => store.commits > before)
    expect(isDone).toBe(false)
    store.sync()
    await published
    expect(store.count(recordKinds.delivery)).toBe(1)
  })
})

describe('after a crash', () => {
  it('what was acknowledged is there, in order, once for all sessions, with what the subscription said', async () => {
    const store = new FragileStore()
    const { port } = await start(store)
    await subscribeAndLeave(port, 'a', 't/#', 2)
    const second = await RawClient.connect(port, durable('b'))
    second.send({
      type: 'subscribe',
      packetId: 1,
      subscriptions: [{ topicFilter: 't/+', qos: 1, retainAsPublished: true }],
      properties: { subscriptionIdentifier: 7 },
    })
    await second.expect('suback')
    second.send({ type: 'disconnect' })
    await second.expectEnd()
    const client = await RawClient.connect(port)
    for (let i = 1; i <= 20; i++) {
      client.send(publish(`t/${i % 3}`, `m${i}`, i % 2 === 0 ? 1 : 2, i, { properties: { contentType: 'x' } }))
      await client.expect(i % 2 === 0 ? 'puback' : 'pubrec')
    }
    const left = store.crash()
    expect(left.count(0)).toBe(20)
    expect(left.count(recordKinds.delivery)).toBe(40)
    const again = await start(left)
    for (const clientId of ['a', 'b']) {
      const { packets, isPresent } = await comeBack(again.port, clientId)
      expect(isPresent).toBe(true)
      expect(payloads(packets)).toEqual(Array.from({ length: 20 }, (_, i) => `m${i + 1}`))
      const [first] = packets
      expect(first).toMatchObject({ qos: clientId === 'a' ? 2 : 1, dup: false, properties: { contentType: 'x' } })
      if (clientId === 'b') expect(first).toMatchObject({ properties: { subscriptionIdentifier: [7] } })
    }
  })

  it('each message has its own expiry and version, though the publisher is written once for all', async () => {
    const store = new FragileStore()
    const { port } = await start(store)
    await subscribeAndLeave(port, 'r', 't')
    const client = await RawClient.connect(port, {
      will: { topic: 't', payload: bytes('will'), qos: 1, retain: false },
    })
    for (const [i, messageExpiryInterval] of [100, undefined, 50].entries()) {
      const properties = messageExpiryInterval === undefined ? {} : { messageExpiryInterval }
      client.send(publish('t', `m${i}`, 1, i + 1, { properties }))
      await client.expect('puback')
    }
    const old = await RawClient.connect(port, {
      protocolVersion: 4,
      clientId: 'old',
      will: { topic: 't', payload: bytes('old will'), qos: 1, retain: false },
    })
    old.send(publish('t', 'old', 1))
    await old.expect('puback')
    const { packets } = await comeBack((await start(store.crash(), {}, begin + 60_000)).port, 'r')
    expect(payloads(packets)).toEqual(['m0', 'm1', 'old', 'will', 'old will'])
    expect(packets.map((packet) => packet.type === 'publish' && packet.properties.messageExpiryInterval)).toEqual([
      40,
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })

  it('what was in flight is sent again with DUP and its identifier, PUBREL for what the client has MQTT-4.4.0-1', async () => {
    const store = new FragileStore()
    const { port } = await start(store)
    const reader = await RawClient.connect(port, durable('r'))
    await reader.subscribe('#', 2)
    const client = await RawClient.connect(port)
    const ids: number[] = []
    for (let i = 1; i <= 4; i++) {
      client.send(publish('t', `m${i}`, i < 3 ? 2 : 1, i))
      ids.push((await reader.expect('publish')).packetId!)
    }
    reader.send({ type: 'pubrec', packetId: ids[0]! })
    await reader.expect('pubrel')
    reader.send({ type: 'puback', packetId: ids[2]! })
    await reader.drain()
    await until(() => store.count(recordKinds.delivery) === 3)
    const { packets } = await comeBack((await start(store.crash())).port, 'r')
    expect(packets).toMatchObject([
      { type: 'pubrel', packetId: ids[0] },
      { type: 'publish', packetId: ids[1], dup: true, qos: 2 },
      { type: 'publish', packetId: ids[3], dup: true, qos: 1 },
    ])
    expect(payloads(packets)).toEqual(['m2', 'm4'])
  })

  it('a QoS 2 message that was accepted is not new, until it is released MQTT-4.3.3-10', async () => {
    const store = new FragileStore()
    const { port } = await start(store)
    await subscribeAndLeave(port, 'r', 't')
    const client = await RawClient.connect(port, durable('p'))
    for (const packetId of [1, 2]) {
      client.send(publish('t', `m${packetId}`, 2, packetId))
      await client.expect('pubrec')
    }
    client.send({ type: 'pubrel', packetId: 2 })
    await client.expect('pubcomp')
    const again = await start(store.crash())
    const { client: back } = await comeBack(again.port, 'p')
    back.send(publish('t', 'm1', 2, 1, { dup: true }))
    expect(await back.expect('pubrec')).toMatchObject({ reasonCode: 0 })
    back.send({ type: 'pubrel', packetId: 1 })
    expect(await back.expect('pubcomp')).toMatchObject({ reasonCode: 0 })
    back.send({ type: 'pubrel', packetId: 2 })
    expect(await back.expect('pubcomp')).toMatchObject({ reasonCode: 0x92 })
    expect(payloads((await comeBack(again.port, 'r')).packets)).toEqual(['m1', 'm2'])
  })

  it('what was taken away stays away: acknowledged, unsubscribed, replaced, ended by Clean Start', async () => {
    const store = new FragileStore()
    const { broker, port } = await start(store)
    const client = await RawClient.connect(port, durable('c'))
    await client.subscribe('t', 1)
    await client.subscribe('u', 1)
    client.send({ type: 'unsubscribe', packetId: 9, topicFilters: ['u'] })
    await client.expect('unsuback')
    await broker.publish('t', 'x', { qos: 1 })
    const { packetId } = await client.expect('publish')
    client.send({ type: 'puback', packetId: packetId! })
    await client.drain()
    await broker.publish('k', 'one', { retain: true })
    await broker.publish('k', 'two', { retain: true })
    await broker.publish('l', 'one', { retain: true })
    await broker.publish('l', '', { retain: true })
    await until(() => store.count(recordKinds.delivery) === 0)
    expect([store.count(0), store.count(recordKinds.retained), store.count(recordKinds.subscription)]).toEqual([
      1, 1, 1,
    ])
    const again = await start(store.crash())
    const { client: back, packets } = await comeBack(again.port, 'c')
    expect(packets).toEqual([])
    await again.broker.publish('t', 'y', { qos: 1 })
    await again.broker.publish('u', 'y', { qos: 1 })
    expect(payloads(await back.drain())).toEqual(['y'])
    await RawClient.connect(again.port, { clientId: 'c', cleanStart: true })
    const left = (again.broker.metrics.store as FragileStore).crash()
    expect([left.count(recordKinds.session), left.count(recordKinds.subscription), left.count(0)]).toEqual([0, 0, 1])
  })

  it('retained messages and sessions have the time that is left of them, the hours without a broker not', async () => {
    const store = new FragileStore()
    const { broker, port } = await start(store)
    await broker.publish('long', 'x', { retain: true, properties: { messageExpiryInterval: 100 } })
    await broker.publish('short', 'x', { retain: true, properties: { messageExpiryInterval: 50 } })
    await subscribeAndLeave(port, 'gone', 'q')
    await broker.publish('q', 'x', { qos: 1 })
    const connected = await RawClient.connect(port, durable('connected'))
    await connected.drain()
    const left = store.crash()
    const soon = await start(left.crash(), {}, begin + 60_000)
    const reader = await RawClient.connect(soon.port)
    reader.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: '#', qos: 1 }] })
    await reader.expect('suback')
    expect(await reader.drain()).toMatchObject([{ topic: 'long', properties: { messageExpiryInterval: 40 } }])
    soon.clock.advance(939)
    expect((await comeBack(soon.port, 'gone')).isPresent).toBe(true)
    const late = await start(left.crash(), {}, begin + 1_000_001)
    expect((await comeBack(late.port, 'gone')).isPresent).toBe(false)
    // How long it had been connected is not known: its time begins when it is found dead.
    expect((await comeBack(late.port, 'connected')).isPresent).toBe(true)
    expect(late.broker.metrics.sessionsExpired).toBe(1)
  })

  it('Wills are published: of clients that were connected, after their delay, and those that waited MQTT-3.1.2-8', async () => {
    const store = new FragileStore()
    const { port, clock } = await start(store)
    await subscribeAndLeave(port, 'r', 'will/#')
    const will = (topic: string, willDelayInterval: number) => ({
      topic,
      payload: bytes(topic),
      qos: 1 as const,
      retain: false,
      properties: { willDelayInterval, messageExpiryInterval: 30 },
    })
    await RawClient.connect(port, { clientId: 'now', will: will('will/now', 0) })
    await RawClient.connect(port, { ...durable('later'), will: will('will/later', 60) })
    const lost = await RawClient.connect(port, { ...durable('waits'), will: will('will/waits', 100) })
    const polite = await RawClient.connect(port, { clientId: 'polite', will: will('will/polite', 0) })
    polite.send({ type: 'disconnect' })
    await polite.expectEnd()
    lost.cut()
    await until(() => store.count(recordKinds.will) === 3)
    clock.advance(1)
    await (await RawClient.connect(port, durable('x'))).drain()
    const again = await start(store.crash(), {}, begin + 50_000)
    const { client, packets } = await comeBack(again.port, 'r')
    expect(payloads(packets)).toEqual(['will/now'])
    expect(packets[0]).toMatchObject({ properties: { messageExpiryInterval: 30 } })
    again.clock.advance(49)
    expect(await client.drain()).toEqual([])
    again.clock.advance(2)
    expect(payloads(await client.drain())).toEqual(['will/waits'])
    again.clock.advance(10)
    expect(payloads(await client.drain())).toEqual(['will/later'])
  })

  it('sessions that end with their connection leave nothing', async () => {
    const store = new FragileStore()
    const { port } = await start(store)
    const client = await RawClient.connect(port, { clientId: 'c' })
    await client.subscribe('#', 2)
    client.send(publish('t', 'x', 2))
    await client.drain()
    expect(store.commits).toBe(0)
  })
})

describe('a store', () => {
  it('is closed with the broker, and gives the next one all', async () => {
    const store = new MemoryStore()
    const { broker, port } = await startBroker({ store })
    await subscribeAndLeave(port, 'r', 't')
    await broker.publish('t', 'x', { qos: 1 })
    await RawClient.connect(port, {
      clientId: 'w',
      will: { topic: 't', payload: bytes('will'), qos: 1, retain: false },
    })
    await broker.close()
    expect(store.state).toBe('closed')
    const again = await startBroker({ store })
    // A broker that closes is no client's loss.
    expect(payloads((await comeBack(again.port, 'r')).packets)).toEqual(['x'])
  })

  it('that cannot be read lets nobody in', async () => {
    const store = new FragileStore()
    const { port } = await start(store)
    await subscribeAndLeave(port, 'r', 't')
    const left = store.crash()
    left.add(recordKinds.received, 0, new Uint8Array(3), 0, 3)
    const broker = createBroker({ store: left })
    await expect(broker.listen('mqtt://127.0.0.1:0')).rejects.toMatchObject({ code: 'damaged' })
    await expect(broker.publish('a', 'b')).rejects.toMatchObject({ code: 'damaged' })
    await broker.close()
  })

  it('is loaded before anything else', async () => {
    const broker = createBroker({ store: new MemoryStore() })
    expect(() => broker.subscribe('#')).toThrow('ready()')
    await broker.ready()
    const messages = broker.subscribe('#')
    await broker.publish('a', 'b')
    expect(await messages.next()).toMatchObject({ value: { topic: 'a' } })
    await broker.close()
  })

  it('that is behind is brought nothing more', async () => {
    const store = new FragileStore()
    const { broker, port } = await start(store)
    await subscribeAndLeave(port, 'away', 'a')
    const client = await RawClient.connect(port)
    store.isHeld = true
    store.congested = true
    client.send(publish('a', '1', 1, 1))
    const before = store.commits
    await until(() => store.commits > before)
    client.send(publish('a', '2', 1, 2))
    for (let i = 0; i < 50; i++) await new Promise(setImmediate)
    const { messagesReceived } = broker.metrics
    expect(messagesReceived).toBe(1)
    store.congested = false
    store.isHeld = false
    store.sync()
    await client.expect('puback')
    await client.expect('puback')
  })
})
