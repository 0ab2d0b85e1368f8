import { ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { bytes, startBroker, text } from './fixture.js'
import { RawClient } from './raw-client.js'

const payload = bytes('x')
const kept = { clientId: 's', cleanStart: false, properties: { sessionExpiryInterval: 100 } }

/** Connects and returns the client with whether the session was there. */
async function resume(port: number, connect: object): Promise<[RawClient, boolean]> {
  const client = await RawClient.open(port, (connect as { protocolVersion?: 4 | 5 }).protocolVersion ?? 5)
  client.send({ type: 'connect', protocolVersion: 5, clientId: 's', ...connect })
  const { sessionPresent } = await client.expect('connack')
  return [client, sessionPresent]
}

describe('a session', () => {
  it('outlives its connection and keeps its subscriptions and messages [MQTT-3.1.2-5] [MQTT-3.1.2-23] [MQTT-4.5.0-1]', async () => {
    const { port, lose } = await startBroker()
    const [before, presentBefore] = await resume(port, kept)
    expect(presentBefore).toBe(false)
    await before.subscribe('a', 1)
    await lose(before)
    const publisher = await RawClient.connect(port)
    for (const qos of [0, 1] as const) {
      publisher.send({
        type: 'publish',
        topic: 'a',
        payload: bytes(`qos ${qos}`),
        qos,
        ...(qos > 0 && { packetId: 1 }),
      })
    }
    await publisher.drain()
    const [after, present] = await resume(port, kept)
    expect(present).toBe(true) // [MQTT-3.2.2-3]
    expect(text((await after.expect('publish')).payload)).toBe('qos 1')
    expect(await after.drain()).toEqual([])
  })

  it.each([
    ['has Clean Start', { ...kept, cleanStart: true }],
    ['comes after the Session Expiry Interval', kept],
  ])('is new when CONNECT %s [MQTT-3.1.2-4] [MQTT-3.2.2-2] [MQTT-4.1.0-2]', async (name, connect) => {
    const { port, clock, lose } = await startBroker()
    const [before] = await resume(port, kept)
    await before.subscribe('a', 1)
    await lose(before)
    if (!name.includes('Clean')) clock.advance(100.2)
    const [after, present] = await resume(port, connect)
    expect(present).toBe(false)
    after.send({ type: 'publish', topic: 'a', payload })
    expect(await after.drain()).toEqual([])
  })

  it('without Session Expiry Interval ends with its connection', async () => {
    const { port, lose } = await startBroker()
    const [before] = await resume(port, { cleanStart: false })
    await before.subscribe('a', 1)
    await lose(before)
    const [, present] = await resume(port, kept)
    expect(present).toBe(false)
  })

  it('of MQTT 3.1.1 is kept without Clean Session', async () => {
    const { port, lose } = await startBroker()
    const old = { protocolVersion: 4, clientId: 's', cleanStart: false }
    const [before] = await resume(port, old)
    await lose(before)
    expect((await resume(port, old))[1]).toBe(true)
  })

  it('goes on with what was in flight, with DUP and the same Packet Identifiers [MQTT-4.4.0-1] [MQTT-3.3.1-1]', async () => {
    const { port, lose } = await startBroker()
    const [before] = await resume(port, kept)
    await before.subscribe('#', 2)
    const publisher = await RawClient.connect(port)
    for (const [topic, qos] of [
      ['one', 1],
      ['two', 2],
      ['three', 2],
    ] as const) {
      publisher.send({ type: 'publish', topic, payload, qos, packetId: 1 })
      await publisher.expect(qos === 1 ? 'puback' : 'pubrec')
      publisher.send({ type: 'pubrel', packetId: 1 })
      await publisher.expect('pubcomp')
    }
    for (let i = 0; i < 3; i++) await before.expect('publish')
    before.send({ type: 'pubrec', packetId: 2 })
    await before.expect('pubrel')
    await lose(before)
    const [after] = await resume(port, kept)
    expect(await after.expect('pubrel')).toMatchObject({ packetId: 2 })
    expect(await after.expect('publish')).toMatchObject({ topic: 'one', packetId: 1, dup: true, qos: 1 })
    expect(await after.expect('publish')).toMatchObject({ topic: 'three', packetId: 3, dup: true, qos: 2 })
    after.send({ type: 'pubcomp', packetId: 2 }, { type: 'puback', packetId: 1 }, { type: 'pubrec', packetId: 3 })
    await after.expect('pubrel')
    after.send({ type: 'pubcomp', packetId: 3 })
    expect(await after.drain()).toEqual([]) // nothing twice on a live connection
  })

  it('remembers which QoS 2 messages it has', async () => {
    const { port, lose } = await startBroker()
    const watcher = await RawClient.connect(port)
    await watcher.subscribe('a')
    const [before] = await resume(port, kept)
    before.send({ type: 'publish', topic: 'a', payload, qos: 2, packetId: 1 })
    await before.expect('pubrec')
    await lose(before)
    const [after] = await resume(port, kept)
    after.send({ type: 'publish', topic: 'a', payload, qos: 2, packetId: 1, dup: true })
    await after.expect('pubrec')
    await watcher.expect('publish')
    expect(await watcher.drain()).toEqual([])
  })

  it('keeps as many messages as the limit says', async () => {
    const { port, broker, lose } = await startBroker({ limits: { maxQueuedMessages: 2 } })
    const [before] = await resume(port, kept)
    await before.subscribe('a', 1)
    await lose(before)
    const publisher = await RawClient.connect(port)
    for (let packetId = 1; packetId <= 5; packetId++) {
      publisher.send({ type: 'publish', topic: 'a', payload: bytes(`${packetId}`), qos: 1, packetId })
      await publisher.expect('puback')
    }
    const [after] = await resume(port, kept)
    const packets = await after.drain()
    expect(packets.map((packet) => packet.type === 'publish' && text(packet.payload))).toEqual(['1', '2'])
    expect(broker.metrics.dropped.queueFull).toBe(3)
  })

  it('is taken over by a second connection, and the first is told [MQTT-3.1.4-3]', async () => {
    const { port } = await startBroker()
    const [first] = await resume(port, kept)
    await first.subscribe('a')
    const [second, present] = await resume(port, kept)
    expect(present).toBe(true)
    expect(await first.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.SessionTakenOver })
    await first.expectEnd()
    second.send({ type: 'publish', topic: 'a', payload })
    await second.expect('publish')
  })

  it('is not taken over when it ends with the first connection', async () => {
    const { port } = await startBroker()
    const [first] = await resume(port, {})
    await first.subscribe('a')
    const [second, present] = await resume(port, { cleanStart: false })
    expect(present).toBe(false)
    second.send({ type: 'publish', topic: 'a', payload })
    expect(await second.drain()).toEqual([])
  })

  it('may be shortened by DISCONNECT, but not begun by it', async () => {
    const { port } = await startBroker()
    const [before] = await resume(port, kept)
    before.send({ type: 'disconnect', properties: { sessionExpiryInterval: 0 } })
    await before.expectEnd()
    const [after, present] = await resume(port, { cleanStart: false })
    expect(present).toBe(false)
    after.send({ type: 'disconnect', properties: { sessionExpiryInterval: 10 } })
    expect(await after.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.ProtocolError })
  })

  it('is kept for the longest time allowed, of which the client is told', async () => {
    const { port, clock, lose } = await startBroker({ limits: { maxSessionExpiry: 50 } })
    const before = await RawClient.open(port)
    before.send({ type: 'connect', protocolVersion: 5, ...kept })
    expect((await before.expect('connack')).properties).toMatchObject({ sessionExpiryInterval: 50 })
    await lose(before)
    clock.advance(50.2)
    expect((await resume(port, kept))[1]).toBe(false)
  })
})

describe('a Will', () => {
  const will = { topic: 'will', payload, qos: 1, retain: false, properties: {} } as const

  it.each([
    ['is lost', (client: RawClient) => client.cut(), 1],
    ['breaks the standard', (client: RawClient) => client.sendBytes('00 00'), 1],
    ['asks for it', (client: RawClient) => client.send({ type: 'disconnect', reasonCode: 0x04 }), 1],
    ['says goodbye', (client: RawClient) => client.send({ type: 'disconnect' }), 0],
  ])(
    'of a client that %s is published or not [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.14.4-3]',
    async (_, end, count) => {
      const { port } = await startBroker()
      const watcher = await RawClient.connect(port)
      await watcher.subscribe('will', 1)
      const client = await RawClient.connect(port, { will })
      end(client)
      while ((await client.next()) !== undefined);
      if (count === 1) expect(await watcher.expect('publish')).toMatchObject({ topic: 'will', qos: 1, payload })
      expect(await watcher.drain()).toEqual([])
    },
  )

  it('may be retained [MQTT-3.1.2-15]', async () => {
    const { port, lose } = await startBroker()
    const watcher = await RawClient.connect(port)
    await watcher.subscribe('will')
    const client = await RawClient.connect(port, { will: { ...will, retain: true } })
    await lose(client)
    await watcher.expect('publish')
    const later = await RawClient.connect(port)
    await later.subscribe('will')
    expect(await later.expect('publish')).toMatchObject({ retain: true })
  })

  it.each([
    ['after its delay', 10, 100, 10.2],
    ['when the session ends before', 100, 10, 10.2],
  ])('is published %s [MQTT-3.1.2-8]', async (_, willDelayInterval, sessionExpiryInterval, wait) => {
    const { port, clock, lose } = await startBroker()
    const watcher = await RawClient.connect(port)
    await watcher.subscribe('will')
    const client = await RawClient.connect(port, {
      will: { ...will, properties: { willDelayInterval } },
      properties: { sessionExpiryInterval },
    })
    await lose(client)
    clock.advance(9.5)
    expect(await watcher.drain()).toEqual([])
    clock.advance(wait - 9.5)
    await watcher.expect('publish')
  })

  it('is not published when the client is back before its delay [MQTT-3.1.3-9]', async () => {
    const { port, clock, lose } = await startBroker()
    const watcher = await RawClient.connect(port)
    await watcher.subscribe('will')
    const connect = { ...kept, will: { ...will, properties: { willDelayInterval: 10 } } }
    const client = await RawClient.connect(port, connect)
    await lose(client)
    const again = await RawClient.connect(port, kept)
    await lose(again)
    clock.advance(20)
    expect(await watcher.drain()).toEqual([])
  })

  it.each([
    ['with Clean Start', true, 10, 1],
    ['without delay', false, 0, 1],
    ['with a delay', false, 10, 0],
  ])('of a session that is taken over %s is published or not', async (_, cleanStart, willDelayInterval, count) => {
    const { port } = await startBroker()
    const watcher = await RawClient.connect(port)
    await watcher.subscribe('will')
    await RawClient.connect(port, { ...kept, will: { ...will, properties: { willDelayInterval } } })
    await RawClient.connect(port, { ...kept, cleanStart })
    expect(await watcher.drain()).toHaveLength(count)
  })

  it('that may not be published refuses the connection, or is dropped when the right goes later', async () => {
    let allowed = false
    const { port, lose } = await startBroker({ authorize: (_, action) => action !== 'publish' || allowed })
    const refused = await RawClient.open(port)
    refused.send({ type: 'connect', protocolVersion: 5, clientId: 'c', will })
    expect(await refused.expect('connack')).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
    allowed = true
    const watcher = await RawClient.connect(port)
    await watcher.subscribe('will')
    const client = await RawClient.connect(port, { will })
    allowed = false
    await lose(client)
    expect(await watcher.drain()).toEqual([])
  })
})

describe('the right to receive', () => {
  it('is asked for each message, live, retained and queued', async () => {
    let allowed = true
    const { port, broker, lose } = await startBroker({ authorize: (_, action) => action !== 'receive' || allowed })
    const client = await RawClient.connect(port, kept)
    await client.subscribe('a', 1)
    client.send({ type: 'publish', topic: 'a', payload, retain: true })
    await client.expect('publish')
    allowed = false
    client.send({ type: 'publish', topic: 'a', payload })
    await client.subscribe('a', 1)
    expect(await client.drain()).toEqual([])
    await lose(client)
    const publisher = await RawClient.connect(port)
    publisher.send({ type: 'publish', topic: 'a', payload, qos: 1, packetId: 1 })
    await publisher.expect('puback')
    const after = await RawClient.connect(port, kept)
    expect(await after.drain()).toEqual([])
    expect(broker.metrics.dropped.notAuthorized).toBe(3)
  })
})
