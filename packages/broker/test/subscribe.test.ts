import { ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { bytes, startBroker, text } from './fixture.js'
import { RawClient } from './raw-client.js'

const payload = bytes('x')

describe('SUBSCRIBE', () => {
  it('is answered for each Topic Filter, in order [MQTT-3.8.4-1] [MQTT-3.8.4-6] [MQTT-3.9.3-1]', async () => {
    const { port } = await startBroker({ authorize: (_, action, topic) => action !== 'subscribe' || topic !== 'no' })
    const client = await RawClient.connect(port)
    client.send({
      type: 'subscribe',
      packetId: 3,
      subscriptions: [
        { topicFilter: 'a', qos: 2 },
        { topicFilter: 'no', qos: 1 },
        { topicFilter: 'b', qos: 0 },
        { topicFilter: '$share/g/a', qos: 0 },
        { topicFilter: '/'.repeat(128), qos: 0 },
      ],
    })
    expect(await client.expect('suback')).toMatchObject({ packetId: 3, reasonCodes: [2, 0x87, 0, 0, 0x8f] })
  })

  it.each([
    [4, 0x80],
    [3, 1],
  ] as const)(
    'of protocol version %i that is refused is answered with %i and brings nothing',
    async (protocolVersion, code) => {
      const { port } = await startBroker({ authorize: (_, action) => action !== 'subscribe' })
      const client = await RawClient.connect(port, { protocolVersion })
      client.send({ type: 'subscribe', packetId: 3, subscriptions: [{ topicFilter: 'a', qos: 1 }] })
      expect(await client.expect('suback')).toMatchObject({ reasonCodes: [code] })
      client.send({ type: 'publish', topic: 'a', payload })
      expect(await client.drain()).toEqual([])
    },
  )

  it('has a limit for each client', async () => {
    const { port } = await startBroker({ limits: { maxSubscriptions: 1 } })
    const client = await RawClient.connect(port)
    await client.subscribe('a')
    client.send({
      type: 'subscribe',
      packetId: 1,
      subscriptions: [
        { topicFilter: 'b', qos: 0 },
        { topicFilter: 'a', qos: 1 },
      ],
    })
    expect(await client.expect('suback')).toMatchObject({ reasonCodes: [ReasonCode.QuotaExceeded, 1] })
  })

  it('has a limit for what filters with several + of a client can cost', async () => {
    const { broker, port } = await startBroker({ limits: { maxWildcardLevels: 4 } })
    const client = await RawClient.connect(port)
    const ask = async (...filters: string[]): Promise<readonly number[]> => {
      client.send({
        type: 'subscribe',
        packetId: 1,
        subscriptions: filters.map((topicFilter) => ({ topicFilter, qos: 0 as const })),
      })
      return (await client.expect('suback')).reasonCodes
    }
    const refused = ReasonCode.QuotaExceeded
    // They count 0, 0, 0, 3, 1, 1; and 0 again when it is there already.
    expect(await ask('a/b', 'a/+/b', 'a/b/#', 'a/+/b/+/#', '$share/g/+/+', '+/#', 'a/+/b/+/#')).toEqual([
      0,
      0,
      0,
      0,
      0,
      refused,
      0,
    ])
    expect(broker.metrics.subscriptionsRefused.maxWildcardLevels).toBe(1)
    client.send({ type: 'unsubscribe', packetId: 2, topicFilters: ['$share/g/+/+'] })
    await client.expect('unsuback')
    expect(await ask('+/#', '+/+/x')).toEqual([0, refused])
  })

  it('replaces a subscription of the same Topic Filter [MQTT-3.8.4-3]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    await client.subscribe('a', 0)
    await client.subscribe('a', 1)
    client.send({ type: 'publish', topic: 'a', payload, qos: 1, packetId: 1 })
    const messages = (await client.drain()).filter(({ type }) => type === 'publish')
    expect(messages).toHaveLength(1)
    expect(messages[0]).toMatchObject({ qos: 1 })
  })

  it('takes names of the prototype of objects like any other', async () => {
    const { port } = await startBroker()
    for (const name of Object.getOwnPropertyNames(Object.prototype)) {
      const client = await RawClient.connect(port, { clientId: name })
      await client.subscribe(name)
      await client.subscribe(`${name}/#`)
      client.send({ type: 'publish', topic: name, payload, retain: true })
      expect(await client.expect('publish')).toMatchObject({ topic: name })
    }
  })
})

describe('UNSUBSCRIBE', () => {
  it('is answered for each Topic Filter and ends delivery [MQTT-3.10.4-1] [MQTT-3.10.4-4] [MQTT-3.11.3-1]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    await client.subscribe('a/#')
    await client.subscribe('a/b')
    client.send({ type: 'unsubscribe', packetId: 5, topicFilters: ['a', 'a/#'] })
    expect(await client.expect('unsuback')).toMatchObject({ packetId: 5, reasonCodes: [0x11, 0] })
    client.send({ type: 'publish', topic: 'a/c', payload })
    expect(await client.drain()).toEqual([])
    client.send({ type: 'publish', topic: 'a/b', payload })
    await client.expect('publish')
  })
})

describe('retained messages', () => {
  it('are the last of each topic, for those who subscribe later [MQTT-3.3.1-5] [MQTT-3.3.1-9]', async () => {
    const { port } = await startBroker()
    const publisher = await RawClient.connect(port)
    for (const [topic, payload] of [
      ['a/1', 'old'],
      ['a/1', 'new'],
      ['a/2', 'two'],
      ['b', 'b'],
    ] as const) {
      publisher.send({ type: 'publish', topic, payload: bytes(payload), retain: true })
    }
    await publisher.drain()
    const client = await RawClient.connect(port)
    await client.subscribe('a/+')
    const packets = await client.drain()
    const seen = packets.map(
      (packet) => packet.type === 'publish' && [packet.topic, text(packet.payload), packet.retain],
    )
    expect(seen.sort()).toEqual([
      ['a/1', 'new', true],
      ['a/2', 'two', true],
    ])
  })

  it('are removed by an empty one, which is delivered as any other [MQTT-3.3.1-6] [MQTT-3.3.1-7]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    client.send({ type: 'publish', topic: 'a', payload, retain: true })
    await client.subscribe('a')
    await client.expect('publish')
    client.send({ type: 'publish', topic: 'a', payload: bytes(''), retain: true })
    expect(await client.expect('publish')).toMatchObject({ payload: bytes('') })
    const other = await RawClient.connect(port)
    await other.subscribe('a')
    expect(await other.drain()).toEqual([])
  })

  it('are not touched by a message without RETAIN [MQTT-3.3.1-8]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    client.send(
      { type: 'publish', topic: 'a', payload, retain: true },
      { type: 'publish', topic: 'a', payload: bytes('') },
    )
    await client.drain()
    await client.subscribe('a')
    expect(await client.expect('publish')).toMatchObject({ payload })
  })

  it.each([
    [0, 1, 1],
    [1, 1, 0],
    [2, 0, 0],
  ] as const)(
    'with Retain Handling %i come %i times at first and %i times again [MQTT-3.3.1-10] [MQTT-3.3.1-11]',
    async (retainHandling, first, again) => {
      const { port } = await startBroker()
      const client = await RawClient.connect(port)
      client.send({ type: 'publish', topic: 'a', payload, retain: true })
      await client.subscribe('a', 0, { retainHandling })
      expect(await client.drain()).toHaveLength(first)
      await client.subscribe('a', 0, { retainHandling })
      expect(await client.drain()).toHaveLength(again)
    },
  )

  it('are gone when they have expired', async () => {
    const { port, clock } = await startBroker()
    const client = await RawClient.connect(port)
    const properties = { messageExpiryInterval: 10 }
    client.send({ type: 'publish', topic: 'a', payload, retain: true, properties })
    await client.drain()
    clock.advance(4)
    await client.subscribe('a')
    expect((await client.expect('publish')).properties).toEqual({ messageExpiryInterval: 6 })
    clock.advance(6)
    await client.subscribe('a')
    expect(await client.drain()).toEqual([])
  })
})
