import { type CloseOptions, createBroker, defaultLimits } from '@tidewire/broker'
import { encode, type PacketInput, ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { Core } from '../src/core.js'
import { LocalSubscription } from '../src/local.js'
import { Message } from '../src/message.js'
import { receive } from '../src/receive.js'
import type { Transport, TransportHandler } from '../src/transport.js'
import { answer, bytes, ManualClock, startBroker, text, until } from './fixture.js'
import { RawClient } from './raw-client.js'

const payload = bytes('x')

describe('close', () => {
  it.each([
    [{}, { reasonCode: ReasonCode.ServerShuttingDown }],
    [
      { serverReference: 'other.example:1883' },
      { reasonCode: ReasonCode.UseAnotherServer, properties: { serverReference: 'other.example:1883' } },
    ],
  ])('with %o tells clients of MQTT 5.0, and closes before [section 4.11]', async (options, expected) => {
    const { port, broker } = await startBroker()
    const client = await RawClient.connect(port)
    const old = await RawClient.connect(port, { protocolVersion: 4 })
    const nobody = await RawClient.open(port)
    await until(() => broker.metrics.connections === 3)
    const closed = broker.close(options)
    expect(await client.expect('disconnect')).toMatchObject(expected)
    for (const each of [client, old, nobody]) await each.expectEnd()
    await closed
    await expect(RawClient.open(port)).rejects.toThrow()
  })

  it('leaves out the Server Reference for a client that takes no packet so large', async () => {
    const { port, broker } = await startBroker()
    const client = await RawClient.connect(port, { properties: { maximumPacketSize: 20 } })
    const closed = broker.close({ serverReference: 'x'.repeat(100) })
    const packet = await client.expect('disconnect')
    expect(packet.reasonCode).toBe(ReasonCode.UseAnotherServer)
    expect(packet.properties.serverReference).toBeUndefined()
    await client.expectEnd()
    await closed
  })

  it('publishes no Will [MQTT-3.1.2-8]', async () => {
    const published: string[] = []
    const will = { topic: 'will', payload, qos: 0, retain: false, properties: {} } as const
    const { port, broker } = await startBroker({ onPublish: (_, { topic }) => published.push(topic) > 0 })
    const client = await RawClient.connect(port, { will })
    const closed = broker.close()
    await client.expect('disconnect')
    client.cut()
    await closed
    expect(published).toEqual([])
  })

  it('with drain waits until all is sent and acknowledged, takes no new clients, and publishes no more', async () => {
    const { port, broker, clock } = await startBroker()
    const client = await RawClient.connect(port, { properties: { receiveMaximum: 1 } })
    await client.subscribe('a', 1)
    for (const each of ['1', '2']) await broker.publish('a', each, { qos: 1 })
    let isClosed = false
    const closed = broker.close({ drain: 60_000 }).then(() => {
      isClosed = true
    })
    await expect(RawClient.open(port)).rejects.toThrow()
    await expect(broker.publish('a', '3')).rejects.toThrow('the broker is closed')
    for (const each of ['1', '2']) {
      clock.advance(1)
      const { packetId, payload: received } = await client.expect('publish')
      expect(text(received)).toBe(each)
      expect(isClosed).toBe(false)
      client.send({ type: 'puback', packetId: packetId! })
    }
    await client.drain()
    clock.advance(0.2)
    await client.expect('disconnect')
    await client.expectEnd()
    await closed
  })

  it('with drain waits for messages that a hook is asked about', async () => {
    const { promise, resolve } = answer<boolean>()
    const { port, broker, clock } = await startBroker({ onPublish: () => promise })
    const client = await RawClient.connect(port)
    client.send({ type: 'publish', topic: 'a', payload, qos: 1, packetId: 1 })
    await until(() => broker.metrics.messagesReceived === 1)
    const closed = broker.close({ drain: 60_000 })
    await new Promise(setImmediate)
    clock.advance(1)
    resolve(true)
    await client.expect('puback')
    clock.advance(1)
    await client.expect('disconnect')
    await client.expectEnd()
    await closed
  })

  it('with drain waits no longer than that', async () => {
    const { port, broker, clock } = await startBroker()
    const client = await RawClient.connect(port)
    await client.subscribe('a', 1)
    await broker.publish('a', 'x', { qos: 1 })
    await client.expect('publish')
    const closed = broker.close({ drain: 1_000 })
    for (let i = 0; i < 12; i++) {
      await new Promise(setImmediate)
      clock.advance(0.1)
    }
    await client.expect('disconnect')
    await client.expectEnd()
    await closed
  })

  it('may be called again, and settles once for all', async () => {
    const clock = new ManualClock()
    const broker = createBroker({ clock })
    expect(clock.size).toBeGreaterThan(0)
    await Promise.all([broker.close(), broker.close({ drain: 5 }), broker.close()])
    await broker.close()
    expect(clock.size).toBe(0) // nothing goes on
  })

  it.each([
    ['a drain below 0', { drain: -1 }, RangeError],
    ['a drain that is no number', { drain: Number.NaN }, RangeError],
    ['a drain that is text', { drain: 'long' }, RangeError],
    ['a Server Reference that is no text', { serverReference: 5 }, TypeError],
    ['a Server Reference that is too long', { serverReference: 'x'.repeat(70_000) }, RangeError],
    ['a Server Reference that is not UTF-8', { serverReference: '\ud800' }, TypeError],
  ])('with %s rejects, and nothing is closed', async (_, options, error) => {
    const { port, broker } = await startBroker()
    await expect(broker.close(options as CloseOptions)).rejects.toThrow(error)
    const client = await RawClient.connect(port)
    expect(await client.drain()).toEqual([])
  })

  it('does not wait for a hook that never answers', async () => {
    const { port, broker } = await startBroker({ authenticate: () => new Promise(() => {}) })
    const client = await RawClient.open(port)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'c' })
    await until(() => broker.metrics.packetsReceived === 1)
    const closed = broker.close()
    await client.expectEnd()
    await closed
  })
})

/** A stream in memory, of which the broker is at one end and `handler` at the other. */
class Pipe implements Transport {
  readonly peer = {
    listener: 'memory',
    address: undefined,
    port: undefined,
    name: 'nowhere',
    limits: defaultLimits,
    acceptedAt: 0,
  }
  readonly backlog = 0
  handler!: TransportHandler

  send(...packets: PacketInput[]): void {
    for (const packet of packets) this.handler.data(encode(packet, 5))
  }

  write(): void {}
  opened(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {
    this.handler.closed()
  }
  destroy(): void {
    this.handler.closed()
  }
}

it('a broker in which everything has ended holds nothing, whatever went on in it', async () => {
  const clock = new ManualClock()
  const core = new Core({ clock, authorize: async (_, action) => action !== 'receive', limits: { hookTimeout: 1_000 } })
  core.environment.timers.start()
  const will = { topic: 'will', payload, qos: 1, retain: false, properties: { willDelayInterval: 5 } } as const
  const pipes: Pipe[] = []
  for (let i = 0; i < 40; i++) {
    const pipe = new Pipe()
    pipes.push(pipe)
    receive(core, pipe)
    const properties = i % 2 === 0 ? {} : { sessionExpiryInterval: 60 }
    pipe.send(
      { type: 'connect', protocolVersion: 5, clientId: `${i % 30}`, cleanStart: i % 3 === 0, will, properties },
      { type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: `$share/g${i % 4}/a`, qos: 1 }] },
      { type: 'subscribe', packetId: 2, subscriptions: [{ topicFilter: 'a', qos: 2 }] },
      { type: 'publish', topic: 'a', payload, qos: 2, packetId: 3 },
    )
    if (i % 5 === 0) pipe.handler.closed() // while a hook is asked
    await new Promise(setImmediate)
  }
  const locals = ['$share/g0/a', 'a', '#'].map(
    (filter) => new LocalSubscription(core, filter, { overflow: 'disconnect' }),
  )
  const message = { topic: 'a', payload, qos: 1, retain: false, properties: {} } as const
  for (let i = 0; i < 100; i++) core.publish(Message.of(message, clock.now(), undefined))
  expect(core.router.groups.size).toBe(4)
  for (const pipe of pipes) pipe.handler.closed()
  for (const local of locals) await local.return()
  clock.advance(70)
  const { sessions, router, retained, connections } = core
  expect([router.size, router.sharedSize, router.groups.size]).toEqual([0, 0, 0])
  expect([sessions.size, core.locals.size, connections.size, retained.size]).toEqual([0, 0, 0, 0])
  expect(core.publish(Message.of(message, clock.now(), undefined))).toBe(ReasonCode.NoMatchingSubscribers)
  core.environment.timers.stop()
  expect(clock.size).toBe(0)
})
