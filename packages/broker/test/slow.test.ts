import type { BrokerOptions, Overflow } from '@tidewire/broker'
import { type Packet, ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { bytes, type Fixture, startBroker, text } from './fixture.js'
import { RawClient } from './raw-client.js'

const kept = { clientId: 's', cleanStart: false, properties: { sessionExpiryInterval: 1000 } }
// A message of one byte and a topic of one letter takes between 300 and 350 bytes.
const threeMessages = { maxQueuedBytes: 1_050 }

const payloads = (packets: readonly Packet[]): string[] =>
  packets.map((packet) => (packet.type === 'publish' ? `${packet.topic}${text(packet.payload)}` : packet.type))

/** A client that lets one message of QoS 1 be under way, and what is published to it. */
async function slow(options: BrokerOptions): Promise<Fixture & { readonly client: RawClient }> {
  const fixture = await startBroker(options)
  const client = await RawClient.connect(fixture.port, { properties: { receiveMaximum: 1 } })
  await client.subscribe('#', 1)
  return { ...fixture, client }
}

async function publish({ broker }: Fixture, ...messages: readonly string[]): Promise<void> {
  for (const [topic, payload] of messages) await broker.publish(topic!, payload!, { qos: 1 })
}

/** Takes one message after the other, to the last. */
async function takeAll(client: RawClient): Promise<string[]> {
  const all: string[] = []
  for (;;) {
    const packets = await client.drain()
    if (packets.length === 0) return all
    all.push(...payloads(packets))
    for (const packet of packets)
      if (packet.type === 'publish') client.send({ type: 'puback', packetId: packet.packetId! })
  }
}

describe('a subscriber that acknowledges slowly', () => {
  const messages = ['a1', 'a2', 'b1', 'a3', 'b2', 'a4']

  it.each([
    ['dropNewest', ['a1', 'a2', 'b1', 'a3'], { queueFull: 2, replaced: 0 }],
    ['dropOldest', ['a1', 'a3', 'b2', 'a4'], { queueFull: 2, replaced: 0 }],
    ['keepLatest', ['a1', 'a4', 'b2'], { queueFull: 0, replaced: 3 }],
  ] as const)(
    'gets with %s what the policy leaves, and drops are counted S-19',
    async (overflow, expected, dropped) => {
      const fixture = await slow({ overflow, limits: threeMessages })
      await publish(fixture, ...messages)
      expect(await takeAll(fixture.client)).toEqual(expected)
      expect(fixture.broker.metrics.dropped).toMatchObject(dropped)
    },
  )

  it('is sent away with disconnect, and told why S-20', async () => {
    const fixture = await slow({ overflow: 'disconnect', limits: threeMessages })
    const witness = fixture.broker.subscribe('#')
    await publish(fixture, ...messages)
    await fixture.client.expect('publish')
    expect(await fixture.client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.QuotaExceeded })
    await fixture.client.expectEnd()
    for (const expected of messages) {
      const { value } = await witness.next()
      expect(`${value!.topic}${text(value!.payload)}`).toBe(expected)
    }
  })

  it('is sent away without a word before MQTT 5.0', async () => {
    const fixture = await startBroker({ overflow: 'disconnect', limits: { ...threeMessages, maxInFlight: 1 } })
    const client = await RawClient.connect(fixture.port, { protocolVersion: 4 })
    await client.subscribe('#', 1)
    await publish(fixture, ...messages)
    await client.expect('publish')
    await client.expectEnd()
  })

  it('keeps its session and what waits in it when it is sent away', async () => {
    const fixture = await startBroker({ overflow: 'disconnect', limits: { ...threeMessages, maxInFlight: 1 } })
    const client = await RawClient.connect(fixture.port, kept)
    await client.subscribe('#', 1)
    await publish(fixture, ...messages)
    await client.expect('publish')
    await client.expect('disconnect')
    await client.expectEnd()
    expect(await takeAll(await RawClient.connect(fixture.port, kept))).toEqual(['a1', 'a2', 'b1', 'a3'])
  })

  it('is not robbed of all by one message that never fits', async () => {
    const fixture = await slow({ overflow: 'dropOldest', limits: threeMessages })
    await publish(fixture, 'a1', 'a2')
    await fixture.broker.publish('a', 'x'.repeat(2_000), { qos: 1 })
    expect(await takeAll(fixture.client)).toEqual(['a1', 'a2'])
    expect(fixture.broker.metrics.dropped.queueFull).toBe(1)
  })

  it('with keepLatest never has more waiting than the limit, however they grow', async () => {
    const fixture = await slow({ overflow: 'keepLatest', limits: threeMessages })
    await publish(fixture, 'a0', 'a1', 'b1')
    await fixture.broker.publish('a', 'x'.repeat(600), { qos: 1 })
    await publish(fixture, 'b2')
    expect(await takeAll(fixture.client)).toEqual(['a0', 'a1', 'b2'])
    expect(fixture.broker.metrics.dropped).toMatchObject({ queueFull: 1, replaced: 1 })
  })

  it('gets a message once that is retained while it still waits for the retained ones [MQTT-3.3.1-9]', async () => {
    const { broker, port } = await startBroker()
    const retain = { qos: 1, retain: true } as const
    for (const topic of ['r/a', 'r/b', 'r/c']) await broker.publish(topic, '1', retain)
    const client = await RawClient.connect(port, { properties: { receiveMaximum: 1 } })
    await client.subscribe('r/+', 1)
    for (const topic of ['r/a', 'r/c', 'r/d']) await broker.publish(topic, '2', retain)
    expect(await takeAll(client)).toEqual(['r/a1', 'r/b1', 'r/a2', 'r/c2', 'r/d2'])
  })

  it('may have a policy for each subscription', async () => {
    const policies: Record<string, Overflow> = { a: 'dropOldest', b: 'keepLatest' }
    const fixture = await startBroker({
      limits: { ...threeMessages, maxInFlight: 1 },
      onSubscribe: (_, { topicFilter }) => ({ overflow: policies[topicFilter]! }),
    })
    const client = await RawClient.connect(fixture.port)
    await client.subscribe('a', 1)
    await client.subscribe('b', 1)
    await publish(fixture, 'a1', 'b1', 'b2', 'a2', 'a3', 'a4')
    expect(await takeAll(client)).toEqual(['a1', 'a2', 'a3', 'a4'])
    expect(fixture.broker.metrics.dropped).toMatchObject({ queueFull: 1, replaced: 1 })
  })
})

describe('a session without connection', () => {
  it.each([
    ['dropNewest', ['a1', 'a2']],
    ['dropOldest', ['b2', 'a4']],
    ['keepLatest', ['a4', 'b2']],
    ['disconnect', ['a1', 'a2']],
  ] as const)('keeps with %s as many messages as the limit says S-19', async (overflow, expected) => {
    const fixture = await startBroker({ overflow, limits: { maxQueuedMessages: 2 } })
    const client = await RawClient.connect(fixture.port, kept)
    await client.subscribe('#', 1)
    await fixture.lose(client)
    await publish(fixture, 'a1', 'a2', 'b1', 'a3', 'b2', 'a4')
    expect(await takeAll(await RawClient.connect(fixture.port, kept))).toEqual(expected)
  })

  it('makes room of what has expired before it drops [MQTT-3.3.2-5]', async () => {
    const fixture = await startBroker({ limits: { maxQueuedMessages: 2 } })
    const client = await RawClient.connect(fixture.port, kept)
    await client.subscribe('#', 1)
    await fixture.lose(client)
    for (const topic of ['a', 'b']) {
      await fixture.broker.publish(topic, '1', { qos: 1, properties: { messageExpiryInterval: 5 } })
    }
    fixture.clock.advance(6)
    await publish(fixture, 'a2', 'b2')
    expect(await takeAll(await RawClient.connect(fixture.port, kept))).toEqual(['a2', 'b2'])
    expect(fixture.broker.metrics.dropped).toMatchObject({ expired: 2, queueFull: 0 })
  })
})

describe('a subscriber that does not read', () => {
  const large = 'x'.repeat(64 * 1024)

  /** Sends to a client that has stopped reading until nothing more fits in the network between. */
  async function freeze(overflow: Overflow): Promise<Fixture & { readonly client: RawClient }> {
    const fixture = await startBroker({ overflow, limits: { maxBufferedBytes: 100_000, maxQueuedBytes: 1_000_000 } })
    const client = await RawClient.connect(fixture.port)
    await client.subscribe('#')
    client.pause()
    const { metrics } = fixture.broker
    for (let sent = -1; sent !== metrics.messagesSent; await new Promise((done) => setTimeout(done, 20))) {
      sent = metrics.messagesSent
      for (let i = 0; i < 40; i++) await fixture.broker.publish('fill', large)
    }
    return { ...fixture, client }
  }

  /** Reads all that was kept for a client. */
  async function thaw({ broker, client }: Fixture & { readonly client: RawClient }): Promise<string[]> {
    client.resume()
    const last: string[] = []
    while (last.at(-1) !== 'end') {
      for (const packet of await client.drain()) {
        if (packet.type === 'publish') last.push(packet.payload.length > 100 ? 'fill' : text(packet.payload))
      }
      if (last.at(-1) !== 'end') await broker.publish('end', 'end')
    }
    return last.filter((payload) => payload !== 'fill' && payload !== 'end')
  }

  it('gets with dropNewest nothing more of QoS 0, and others do S-20', async () => {
    const frozen = await freeze('dropNewest')
    const other = await RawClient.connect(frozen.port)
    await other.subscribe('a')
    for (const payload of ['1', '2', '3']) await frozen.broker.publish('a', payload)
    expect(payloads(await other.drain())).toEqual(['a1', 'a2', 'a3'])
    expect(await thaw(frozen)).toEqual([])
    expect(frozen.broker.metrics.dropped.slowConnection).toBeGreaterThan(3)
  })

  it('gets with dropOldest the latest, in order', async () => {
    const frozen = await freeze('dropOldest')
    for (const payload of ['1', '2', '3']) await frozen.broker.publish('a', payload)
    expect(await thaw(frozen)).toEqual(['1', '2', '3'])
    expect(frozen.broker.metrics.dropped.queueFull).toBeGreaterThan(0)
  })

  it('gets with keepLatest the last of each topic', async () => {
    const frozen = await freeze('keepLatest')
    for (const payload of ['1', '2', '3']) {
      await frozen.broker.publish('a', payload)
      await frozen.broker.publish('b', `${payload}b`)
    }
    expect(await thaw(frozen)).toEqual(['3', '3b'])
    expect(frozen.broker.metrics.dropped.replaced).toBeGreaterThan(3)
  })

  it('is sent away with disconnect when too much waits', async () => {
    const frozen = await freeze('disconnect')
    const { metrics } = frozen.broker
    for (let i = 0; i < 40 && metrics.dropped.queueFull === 0; i++) await frozen.broker.publish('fill', large)
    expect(metrics.dropped.queueFull).toBeGreaterThan(0)
    frozen.client.resume()
    let last = await frozen.client.next()
    while (last?.type === 'publish') last = await frozen.client.next()
    expect(last).toMatchObject({ type: 'disconnect', reasonCode: ReasonCode.QuotaExceeded })
    await frozen.client.expectEnd()
  })

  it('loses what of QoS 0 waits with its connection, and that is counted', async () => {
    const frozen = await freeze('dropOldest')
    const before = frozen.broker.metrics.dropped.slowConnection
    await frozen.lose(frozen.client)
    expect(frozen.broker.metrics.dropped.slowConnection).toBeGreaterThan(before)
  })
})

it('many slow subscribers of one message are each sent away, and their group does not fall over itself', async () => {
  const { broker, port } = await startBroker({
    overflow: 'disconnect',
    limits: { maxQueuedBytes: 400, maxInFlight: 1 },
  })
  const clients = []
  for (let i = 0; i < 50; i++) {
    const client = await RawClient.connect(port, { ...kept, clientId: `c${i}` })
    await client.subscribe('$share/g/a', 1)
    await client.subscribe('a', 1)
    clients.push(client)
  }
  for (let i = 0; i < 5; i++) await broker.publish('a', `${i}`, { qos: 1 })
  for (const client of clients) {
    let last = await client.next()
    while (last?.type === 'publish') last = await client.next()
    expect(last).toMatchObject({ type: 'disconnect', reasonCode: ReasonCode.QuotaExceeded })
  }
  expect(bytes('').length + broker.metrics.hooksFailed).toBe(0)
})
