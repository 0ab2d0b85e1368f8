import { connect as connectTcp, type Socket } from 'node:net'
import { createBroker, type Limits } from '@tidewire/broker'
import { ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { bytes, startBroker, text } from './fixture.js'
import { RawClient } from './raw-client.js'

const payload = bytes('x')
const kept = { clientId: 's', cleanStart: false, properties: { sessionExpiryInterval: 1000 } }

/** A TCP connection on which nothing is sent unless the test does. */
function openTcp(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', reject)
    socket.on('connect', () => {
      socket.off('error', reject).on('error', () => {})
      resolve(socket)
    })
  })
}

describe('a client that breaks the standard', () => {
  it('by a second CONNECT that is malformed itself ends only its own connection', async () => {
    const { port } = await startBroker()
    const witness = await RawClient.connect(port)
    const client = await RawClient.connect(port)
    client.sendBytes('10 02 0000')
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.ProtocolError })
    await client.expectEnd()
    expect(await witness.drain()).toEqual([])
  })

  it('by bytes that never become a packet does not keep itself alive with them [MQTT-3.1.2-22]', async () => {
    const { port, clock } = await startBroker()
    const client = await RawClient.connect(port, { keepAlive: 10 })
    const other = await RawClient.connect(port)
    client.sendBytes('30 f0ff3f')
    for (let i = 0; i < 3; i++) {
      clock.advance(5)
      client.sendBytes('00')
      await other.drain()
    }
    clock.advance(0.2)
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.KeepAliveTimeout })
  })
})

describe('a session', () => {
  it('is neither given to another user nor ended for one', async () => {
    const { port, lose } = await startBroker()
    const ann = await RawClient.connect(port, { ...kept, userName: 'ann' })
    await ann.subscribe('secret', 1)
    for (const cleanStart of [false, true]) {
      const thief = await RawClient.open(port)
      thief.send({ type: 'connect', protocolVersion: 5, ...kept, userName: 'bob', cleanStart })
      expect(await thief.expect('connack')).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
      await thief.expectEnd()
    }
    await lose(ann)
    const again = await RawClient.open(port)
    again.send({ type: 'connect', protocolVersion: 5, ...kept, userName: 'ann' })
    expect(await again.expect('connack')).toMatchObject({ sessionPresent: true })
  })

  it('stays with the connection that came last, however long the one before was asked about', async () => {
    const answers: ((allowed: boolean) => void)[] = []
    const { port, broker } = await startBroker({ authenticate: () => new Promise((resolve) => answers.push(resolve)) })
    const asked = async (count: number): Promise<void> => {
      while (answers.length < count) await new Promise(setImmediate)
    }
    const first = await RawClient.open(port)
    first.send({ type: 'connect', protocolVersion: 5, ...kept })
    await asked(1)
    const second = await RawClient.open(port)
    second.send({ type: 'connect', protocolVersion: 5, ...kept })
    await asked(2)
    answers[1]!(true)
    await second.expect('connack')
    answers[0]!(true)
    await first.expectEnd()
    expect(await second.drain()).toEqual([])
    expect(broker.metrics.connections).toBe(1)
  })

  it('of a client that left while it was asked about is not begun', async () => {
    let answer: ((allowed: boolean) => void) | undefined
    const { port, broker } = await startBroker({
      authenticate: () =>
        new Promise((resolve) => {
          answer = resolve
        }),
    })
    const client = await RawClient.open(port)
    client.send({ type: 'connect', protocolVersion: 5, ...kept }, { type: 'pingreq' })
    while (answer === undefined) await new Promise(setImmediate)
    client.cut()
    while (broker.metrics.connections > 0) await new Promise(setImmediate)
    answer(true)
    await broker.close()
  })

  it('begins when it may, and no more than there may be', async () => {
    const { port, lose } = await startBroker({ limits: { maxSessions: 1 } })
    const first = await RawClient.connect(port, kept)
    const second = await RawClient.open(port)
    second.send({ type: 'connect', protocolVersion: 5, clientId: 'other' })
    expect(await second.expect('connack')).toMatchObject({ reasonCode: ReasonCode.QuotaExceeded })
    await lose(first)
    await RawClient.connect(port, kept)
  })
})

describe('the right to receive', () => {
  const messages = [
    [1, 'queued'],
    [2, 'in flight'],
  ] as const

  it.each(messages)('is asked for again before a QoS %i message that was %s leaves', async (qos, where) => {
    let allowed = true
    const { port, lose, broker } = await startBroker({ authorize: (_, action) => action !== 'receive' || allowed })
    const before = await RawClient.connect(port, kept)
    await before.subscribe('a', qos)
    if (where === 'queued') await lose(before)
    const publisher = await RawClient.connect(port)
    publisher.send({ type: 'publish', topic: 'a', payload, qos, packetId: 1 })
    await publisher.expect(qos === 1 ? 'puback' : 'pubrec')
    if (where === 'in flight') {
      await before.expect('publish')
      await lose(before)
    }
    allowed = false
    const after = await RawClient.connect(port, kept)
    // Of QoS 2 the client may have the identifier: it is released.
    expect((await after.drain()).map(({ type }) => type)).toEqual(qos === 2 ? ['pubrel'] : [])
    if (qos === 2) after.send({ type: 'pubcomp', packetId: 1 })
    expect(broker.metrics.dropped.notAuthorized).toBe(1)
    allowed = true
    publisher.send({ type: 'publish', topic: 'a', payload: bytes('next'), qos: 1, packetId: 2 })
    expect(text((await after.expect('publish')).payload)).toBe('next')
  })

  it('is refused by a hook that throws, or does not answer at once', async () => {
    const errors: string[] = []
    const log = { info() {}, warn() {}, error: (message: string) => errors.push(message) }
    let answer: () => boolean = () => {
      throw new Error('broken')
    }
    const { port } = await startBroker({ log, authorize: (_, action) => action !== 'receive' || answer() })
    const client = await RawClient.connect(port)
    await client.subscribe('a')
    client.send({ type: 'publish', topic: 'a', payload })
    expect(await client.drain()).toEqual([])
    answer = (async () => true) as unknown as () => boolean
    client.send({ type: 'publish', topic: 'a', payload })
    expect(await client.drain()).toEqual([])
    expect(errors.join('\n')).toMatch(/broken[\s\S]*at once/)
  })
})

describe("the client's Maximum Packet Size [MQTT-3.1.2-24]", () => {
  it('holds for a message that is sent again, which is then done with', async () => {
    const { port, lose, broker } = await startBroker()
    const before = await RawClient.connect(port, kept)
    await before.subscribe('a', 1)
    const publisher = await RawClient.connect(port)
    publisher.send({ type: 'publish', topic: 'a', payload: new Uint8Array(500), qos: 1, packetId: 1 })
    await before.expect('publish')
    await lose(before)
    const properties = { sessionExpiryInterval: 1000, maximumPacketSize: 200 }
    const after = await RawClient.connect(port, { ...kept, properties })
    expect(await after.drain()).toEqual([])
    expect(broker.metrics.dropped.tooLarge).toBe(1)
  })

  it('ends a connection whose client takes no answer', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port, { properties: { maximumPacketSize: 60 } })
    const subscriptions = Array.from({ length: 100 }, (_, i) => ({ topicFilter: `${i}`, qos: 0 as const }))
    client.send({ type: 'subscribe', packetId: 1, subscriptions })
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.PacketTooLarge })
    const tiny = await RawClient.open(port)
    tiny.send({ type: 'connect', protocolVersion: 5, clientId: 't', properties: { maximumPacketSize: 18 } })
    await tiny.expectEnd()
  })

  it('makes a DISCONNECT shorter', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port, { properties: { maximumPacketSize: 30 } })
    client.sendBytes('00 00')
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.MalformedPacket, properties: {} })
  })
})

describe('retained messages', () => {
  it.each([0, 1, 2] as const)('come to a subscription of QoS %i however many they are [MQTT-3.3.1-9]', async (qos) => {
    const { port } = await startBroker({ limits: { maxBufferedBytes: 32 * 1024 } })
    const publisher = await RawClient.connect(port)
    const count = 3_000
    for (let i = 0; i < count; i++) {
      publisher.send({ type: 'publish', topic: `t/${i}`, payload: new Uint8Array(100), qos: 0, retain: true })
    }
    await publisher.drain()
    publisher.send({ type: 'publish', topic: 't/other', payload, qos: 2, packetId: 1, retain: true })
    await publisher.expect('pubrec')
    const client = await RawClient.connect(port)
    await client.subscribe('t/#', qos)
    const topics = new Set<string>()
    while (topics.size < count + 1) {
      const packet = await client.next()
      if (packet?.type === 'pubrel') client.send({ type: 'pubcomp', packetId: packet.packetId })
      if (packet?.type !== 'publish') continue
      topics.add(packet.topic)
      if (packet.qos === 1) client.send({ type: 'puback', packetId: packet.packetId! })
      if (packet.qos === 2) client.send({ type: 'pubrec', packetId: packet.packetId! })
    }
  })

  it('do not hold up others while they are sent', async () => {
    const { port } = await startBroker()
    const publisher = await RawClient.connect(port)
    for (let i = 0; i < 2_000; i++) publisher.send({ type: 'publish', topic: `t/${i}`, payload, retain: true })
    await publisher.drain()
    const client = await RawClient.connect(port)
    client.send(
      { type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 't/#', qos: 0 }] },
      { type: 'unsubscribe', packetId: 2, topicFilters: ['t/#'] },
    )
    const types = (await client.drain()).map(({ type }) => type)
    expect(types).toContain('unsuback')
    expect(types.length).toBeLessThan(2_000) // the rest is not sent to who no longer wants it
  })

  it('have a limit in bytes, of which the publisher is told', async () => {
    const { port, broker } = await startBroker({ limits: { maxRetainedBytes: 2_500 } })
    const client = await RawClient.connect(port)
    const codes: number[] = []
    for (const topic of ['a', 'b', 'c', 'a']) {
      client.send({ type: 'publish', topic, payload: new Uint8Array(500), qos: 1, packetId: 1, retain: true })
      codes.push((await client.expect('puback')).reasonCode)
    }
    expect(codes).toEqual([0x10, 0x10, ReasonCode.QuotaExceeded, 0x10]) // in place of the one before there is room
    expect(broker.metrics.dropped.retainedFull).toBe(1)
    client.send({ type: 'publish', topic: 'a', payload: bytes(''), retain: true })
    client.send({ type: 'publish', topic: 'c', payload: new Uint8Array(500), qos: 1, packetId: 1, retain: true })
    expect((await client.expect('puback')).reasonCode).toBe(0x10)
  })

  it('give their memory back when they expire, also when nobody subscribes', async () => {
    const { port, clock } = await startBroker({ limits: { maxRetainedBytes: 1_500 } })
    const client = await RawClient.connect(port)
    const publish = { type: 'publish', payload: new Uint8Array(500), qos: 1, packetId: 1, retain: true } as const
    client.send({ ...publish, topic: 'a', properties: { messageExpiryInterval: 5 } })
    expect((await client.expect('puback')).reasonCode).toBe(0x10)
    client.send({ ...publish, topic: 'b' })
    expect((await client.expect('puback')).reasonCode).toBe(ReasonCode.QuotaExceeded)
    clock.advance(5.2)
    client.send({ ...publish, topic: 'b' })
    expect((await client.expect('puback')).reasonCode).toBe(0x10)
  })
})

describe('messages that wait for a client', () => {
  it('make room when they have expired [MQTT-3.3.2-5]', async () => {
    const { port, clock, lose, broker } = await startBroker({ limits: { maxQueuedMessages: 3 } })
    const before = await RawClient.connect(port, kept)
    await before.subscribe('a', 1)
    await lose(before)
    const publisher = await RawClient.connect(port)
    const publish = async (payload: string, messageExpiryInterval?: number): Promise<void> => {
      const properties = messageExpiryInterval === undefined ? {} : { messageExpiryInterval }
      publisher.send({ type: 'publish', topic: 'a', payload: bytes(payload), qos: 1, packetId: 1, properties })
      await publisher.expect('puback')
    }
    await publish('short', 1)
    await publish('long', 100)
    await publish('short', 1)
    await publish('lost')
    clock.advance(2)
    await publish('new')
    const after = await RawClient.connect(port, kept)
    expect((await after.drain()).map((packet) => packet.type === 'publish' && text(packet.payload))).toEqual([
      'long',
      'new',
    ])
    expect(broker.metrics.dropped).toMatchObject({ expired: 2, queueFull: 1 })
  })

  it('are counted with their properties', async () => {
    const { port, lose, broker } = await startBroker({ limits: { maxQueuedBytes: 5_000 } })
    const before = await RawClient.connect(port, kept)
    await before.subscribe('a', 1)
    await lose(before)
    const publisher = await RawClient.connect(port)
    const properties = { userProperty: [['name', 'x'.repeat(2_000)]] } as const
    for (let packetId = 1; packetId <= 3; packetId++) {
      publisher.send({ type: 'publish', topic: 'a', payload: bytes(''), qos: 1, packetId, properties })
      await publisher.expect('puback')
    }
    expect(broker.metrics.dropped.queueFull).toBe(1)
  })

  it('are limited by their bytes only while it is connected', async () => {
    const { port } = await startBroker({ limits: { maxQueuedMessages: 1, maxInFlight: 1 } })
    const client = await RawClient.connect(port)
    await client.subscribe('a', 1)
    const publisher = await RawClient.connect(port)
    for (let packetId = 1; packetId <= 10; packetId++) {
      publisher.send({ type: 'publish', topic: 'a', payload: bytes(`${packetId}`), qos: 1, packetId })
      await publisher.expect('puback')
    }
    for (let i = 1; i <= 10; i++) {
      const message = await client.expect('publish')
      expect(text(message.payload)).toBe(`${i}`)
      client.send({ type: 'puback', packetId: message.packetId! })
    }
  })
})

describe('a Will', () => {
  it('expires from when it is published, not from CONNECT', async () => {
    const { port, clock, lose } = await startBroker()
    const watcher = await RawClient.connect(port)
    await watcher.subscribe('will')
    const properties = { messageExpiryInterval: 2, correlationData: bytes('c') }
    const client = await RawClient.connect(port, {
      will: { topic: 'will', payload, qos: 0, retain: false, properties },
    })
    clock.advance(100)
    await lose(client)
    expect(await watcher.expect('publish')).toMatchObject({ payload, properties })
  })
})

describe('what has been received', () => {
  it('is not kept by the broker but copied, also while it waits for an answer', async () => {
    let answer: (allowed: boolean) => void = () => {}
    const passwords: (Uint8Array | undefined)[] = []
    const { port, broker, lose } = await startBroker({
      authenticate: (_, password) => {
        passwords.push(password)
        return new Promise((resolve) => {
          answer = resolve
        })
      },
    })
    const client = await RawClient.open(port)
    const will = { topic: 'will', payload: bytes('gone'), qos: 0, retain: true, properties: {} } as const
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'c', userName: 'u', password: bytes('secret'), will })
    while (passwords.length < 1) await new Promise(setImmediate)
    expect(passwords[0]!.buffer.byteLength).toBe(6) // memory of its own
    answer(true)
    await client.expect('connack')
    await lose(client)
    const watcher = await RawClient.open(port)
    watcher.send({ type: 'connect', protocolVersion: 5, clientId: 'w' })
    while (passwords.length < 2) await new Promise(setImmediate)
    answer(true)
    await watcher.expect('connack')
    await watcher.subscribe('will')
    expect(text((await watcher.expect('publish')).payload)).toBe('gone')
    expect(broker.metrics.connections).toBe(1)
  })
})

describe('a broker that closes', () => {
  it.each([
    ['silent', ''],
    ['in the middle of a request', 'GET / HTTP/1.1\r\nHost: x\r\n'],
  ])('does not wait for a WebSocket peer that is %s', async (_, start) => {
    const { broker } = await startBroker()
    const { port } = await broker.listen('ws://127.0.0.1:0')
    const socket = await openTcp(port)
    if (start !== '') socket.write(start)
    await broker.close()
    socket.destroy()
  })

  it('does not open the door that it was asked for meanwhile', async () => {
    const broker = createBroker()
    const listening = broker.listen('mqtt://127.0.0.1:0')
    const refused = expect(listening).rejects.toThrow('closed')
    await broker.close()
    await refused
  })
})

describe('a WebSocket', () => {
  it('that is refused leaves nothing behind', async () => {
    const { broker } = await startBroker()
    const { port } = await broker.listen('ws://127.0.0.1:0')
    const socket = await openTcp(port)
    const lines = [
      'GET / HTTP/1.1',
      'Host: x',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
    ]
    socket.write(`${[...lines, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='].join('\r\n')}\r\n\r\n`)
    let response = ''
    for await (const chunk of socket) response += chunk
    const [head, body] = response.split('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1.1 400/)
    expect(head).toContain(`Content-Length: ${body!.length}`)
    await broker.close() // would wait for it
    socket.destroy()
  })

  it('gets no more memory before CONNECT than a CONNECT may take', async () => {
    const { broker } = await startBroker({ limits: { maxConnectSize: 1_000 } })
    const { port } = await broker.listen('ws://127.0.0.1:0')
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, 'mqtt')
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.on('error', () => {})
    await new Promise((resolve) => socket.on('open', resolve))
    // The beginning of a frame of 1 MiB, of which the rest does not come.
    const stream = (socket as unknown as { _socket: Socket })._socket
    stream.write(Buffer.from('82ff000000000010000000000000', 'hex'))
    stream.write(new Uint8Array(8_000))
    await closed
  })
})

describe('limits', () => {
  it.each([
    ['receiveMaximum', 65_536],
    ['maxKeepAlive', 65_536],
    ['topicAliasMaximum', -1],
    ['maxConnections', 1.5],
  ] as const)('%s may not be %d', (name, value) => {
    expect(() => createBroker({ limits: { [name]: value } as Partial<Limits> })).toThrow(name)
  })

  it('an option that is misspelt is told', () => {
    expect(() => createBroker({ authenticat: () => true } as object)).toThrow('authenticat')
  })

  it('connections beyond their number are not accepted', async () => {
    const { port, broker } = await startBroker({ limits: { maxConnections: 1 } })
    await RawClient.connect(port)
    const second = await RawClient.open(port)
    await second.expectEnd()
    expect(broker.metrics).toMatchObject({ connections: 1, connectionsRefused: 1 })
  })

  it('of Topic Filters in a packet is told', async () => {
    const { port } = await startBroker({ limits: { maxFiltersPerPacket: 1 } })
    for (const packet of [
      { type: 'subscribe', packetId: 1, subscriptions: ['a', 'b'].map((topicFilter) => ({ topicFilter, qos: 0 })) },
      { type: 'unsubscribe', packetId: 1, topicFilters: ['a', 'b'] },
    ] as const) {
      const client = await RawClient.connect(port)
      client.send(packet as Parameters<typeof client.send>[0])
      expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.QuotaExceeded })
    }
  })

  it('of a Client Identifier, of levels and of a session are as set', async () => {
    const limits = { maxClientIdLength: 3, maxTopicLevels: 2, sessionExpiryBefore5: 10 }
    const { port, clock, lose } = await startBroker({ limits })
    const long = await RawClient.open(port)
    long.send({ type: 'connect', protocolVersion: 5, clientId: 'long' })
    expect(await long.expect('connack')).toMatchObject({ reasonCode: ReasonCode.ClientIdentifierNotValid })
    const old = { protocolVersion: 4, clientId: 'old', cleanStart: false } as const
    const before = await RawClient.connect(port, old)
    before.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 'a/b/c', qos: 0 }] })
    expect(await before.expect('suback')).toMatchObject({ reasonCodes: [0x80] })
    await lose(before)
    clock.advance(10.2)
    const after = await RawClient.open(port, 4)
    after.send({ type: 'connect', ...old })
    expect(await after.expect('connack')).toMatchObject({ sessionPresent: false })
  })
})

it('acknowledgements free the Receive Maximum, those that refuse too', async () => {
  const { port } = await startBroker({
    limits: { receiveMaximum: 2 },
    authorize: (_, _action, topic) => topic !== 'no',
  })
  const client = await RawClient.connect(port)
  for (const [qos, topic, answer] of [
    [1, 'a', 'puback'],
    [1, 'no', 'puback'],
    [2, 'no', 'pubrec'],
  ] as const) {
    for (let i = 0; i < 4; i++) {
      client.send({ type: 'publish', topic, payload, qos, packetId: 7 })
      await client.expect(answer)
    }
  }
})
