import { createBroker, type Hooks } from '@tidewire/broker'
import { ReasonCode } from '@tidewire/codec'
import { describe, expect, it, onTestFinished } from 'vitest'
import { answer, bytes, startBroker, text, until } from './fixture.js'
import { RawClient } from './raw-client.js'

const payload = bytes('x')
const kept = { clientId: 's', cleanStart: false, properties: { sessionExpiryInterval: 1000 } }
const never = new Promise<never>(() => {})

/** What a careless hook may do: each must count as no. */
const wrong: readonly (readonly [string, () => never])[] = [
  ['throws', () => fail(new Error('broken'))],
  ['throws what is no error', () => fail(Object.create(null))],
  ['throws nothing', () => fail(undefined)],
  ['rejects', () => Promise.reject(new Error('broken')) as never],
  ['answers a number', () => 1 as never],
  ['answers text', () => 'yes' as never],
  ['answers null', () => null as never],
  ['answers null later', () => Promise.resolve(null) as never],
  ['answers what cannot be shown', () => Object.create(null, { reasonCode: { get: () => fail('no') } }) as never],
  ['refuses with a success', () => ({ reasonCode: 0 }) as never],
  ['refuses with no number', () => ({ reasonCode: '135' }) as never],
  ['refuses with a reason that is no text', () => ({ reasonCode: 0x87, reasonString: 5 }) as never],
  ['refuses with a reason that is too long', () => ({ reasonCode: 0x87, reasonString: 'x'.repeat(70_000) }) as never],
  // biome-ignore lint/suspicious/noThenProperty: meant
  ['answers a promise that breaks', () => ({ then: () => fail('x') }) as never],
  [
    'answers what breaks when it is looked at',
    () => Object.defineProperty({}, 'then', { get: () => fail('x') }) as never,
  ],
]

function fail(error: unknown): never {
  throw error
}

describe.each(wrong)('a hook that %s', (_, hook) => {
  it('authenticates nobody S-31', async () => {
    const { port, broker } = await startBroker({ authenticate: hook })
    const client = await RawClient.open(port)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'c', userName: 'u' })
    expect(await client.expect('connack')).toMatchObject({ reasonCode: ReasonCode.BadUserNameOrPassword })
    await client.expectEnd()
    expect(broker.metrics.hooksFailed).toBe(1)
  })

  it('lets nothing be published, subscribed to or received S-31', async () => {
    let isWrong = false
    const { port, broker } = await startBroker({ authorize: () => (isWrong ? hook() : true) })
    const client = await RawClient.connect(port)
    await client.subscribe('a')
    isWrong = true
    client.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 'b', qos: 0 }] })
    expect((await client.expect('suback')).reasonCodes).toEqual([ReasonCode.NotAuthorized])
    client.send({ type: 'publish', topic: 'a', payload, qos: 1, packetId: 1 })
    expect(await client.expect('puback')).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
    await broker.publish('a', 'x')
    expect(await client.drain()).toEqual([])
    expect(broker.metrics.dropped.notAuthorized).toBe(2)
  })

  it('lets nothing pass onPublish and onSubscribe', async () => {
    const { port } = await startBroker({ onPublish: hook, onSubscribe: hook })
    const client = await RawClient.connect(port)
    client.send({ type: 'publish', topic: 'a', payload, qos: 1, packetId: 1 })
    expect(await client.expect('puback')).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
    client.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 'b', qos: 0 }] })
    expect((await client.expect('suback')).reasonCodes).toEqual([ReasonCode.NotAuthorized])
    expect(await client.drain()).toEqual([])
  })

  it('in the midst of a fan-out harms neither the publisher nor the other subscribers', async () => {
    const { port, broker } = await startBroker({ onDeliver: ({ clientId }) => (clientId === 'victim' ? hook() : true) })
    const clients = []
    for (const clientId of ['one', 'victim', 'two']) {
      const client = await RawClient.connect(port, { clientId })
      await client.subscribe('a', 1)
      clients.push(client)
    }
    const publisher = await RawClient.connect(port)
    publisher.send({ type: 'publish', topic: 'a', payload, qos: 1, packetId: 1 })
    expect(await publisher.expect('puback')).toMatchObject({ reasonCode: 0 })
    const counts = await Promise.all(clients.map(async (client) => (await client.drain()).length))
    expect(counts).toEqual([1, 0, 1])
    expect(broker.metrics.dropped.hook).toBe(1)
  })

  it('is no matter when it is only told', async () => {
    const { port, lose } = await startBroker({ onConnect: hook, onDisconnect: hook })
    const client = await RawClient.connect(port)
    expect(await client.drain()).toEqual([])
    await lose(client)
    await RawClient.connect(port)
  })
})

describe('a hook', () => {
  it.each(['authenticate', 'authorize', 'onPublish', 'onSubscribe'] as const)(
    'that takes longer than the limit says no: %s S-29',
    async (name) => {
      let isSlow = name === 'authenticate'
      const { port, clock, broker } = await startBroker({
        [name]: () => (isSlow ? never : true),
        limits: { hookTimeout: 300 },
      })
      const client = await RawClient.open(port)
      client.send({ type: 'connect', protocolVersion: 5, clientId: 'c' })
      if (!isSlow) await client.expect('connack')
      isSlow = true
      const before = broker.metrics.bytesReceived
      if (name === 'onSubscribe')
        client.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 'b', qos: 0 }] })
      else client.send({ type: 'publish', topic: 'a', payload, qos: 1, packetId: 1 })
      await until(() => broker.metrics.bytesReceived > before)
      clock.advance(0.5)
      const packet = await client.next()
      if (packet?.type === 'suback') expect(packet.reasonCodes).toEqual([ReasonCode.NotAuthorized])
      else expect(packet).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
      expect(broker.metrics.hooksFailed).toBe(1)
    },
  )

  it('holds up only its own client', async () => {
    const { promise, resolve } = answer<boolean>()
    const { port } = await startBroker({ authorize: ({ clientId }) => (clientId === 'slow' ? promise : true) })
    const slow = await RawClient.connect(port, { clientId: 'slow' })
    slow.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 'a', qos: 0 }] }, { type: 'pingreq' })
    const other = await RawClient.connect(port)
    await other.subscribe('a')
    other.send({ type: 'publish', topic: 'a', payload })
    await other.expect('publish')
    resolve(true)
    expect((await slow.expect('suback')).reasonCodes).toEqual([0])
    await slow.expect('pingresp')
  })

  it('keeps the order of a client whose packets wait for it', async () => {
    const { port } = await startBroker({
      authorize: (_, action, topic) =>
        action === 'receive' ? true : new Promise((done) => setTimeout(done, topic === 'slow' ? 10 : 0, true)),
    })
    const client = await RawClient.connect(port)
    await client.subscribe('#')
    for (const topic of ['slow', 'b', 'slow', 'c']) client.send({ type: 'publish', topic, payload })
    const topics = []
    for (let i = 0; i < 4; i++) topics.push((await client.expect('publish')).topic)
    expect(topics).toEqual(['slow', 'b', 'slow', 'c'])
  })

  it('does not let a client time out that goes on sending meanwhile [MQTT-3.1.2-22]', async () => {
    const { promise, resolve } = answer<boolean>()
    const { port, clock, broker } = await startBroker({ onPublish: () => promise })
    const client = await RawClient.connect(port, { keepAlive: 2 })
    client.send({ type: 'publish', topic: 'a', payload })
    for (let i = 0; i < 3; i++) {
      const before = broker.metrics.bytesReceived
      client.send({ type: 'pingreq' })
      await until(() => broker.metrics.bytesReceived > before)
      clock.advance(1.4)
    }
    resolve(true)
    for (let i = 0; i < 3; i++) await client.expect('pingresp')
    expect(await client.drain()).toEqual([])
  })

  it('may answer when the client is gone: what came before the end counts, DISCONNECT too [MQTT-3.14.4-3]', async () => {
    const { promise, resolve } = answer<boolean>()
    const will = { topic: 'will', payload, qos: 0, retain: false, properties: {} } as const
    const { port, broker, clock } = await startBroker({ onPublish: () => promise })
    const received = broker.subscribe('#')
    const client = await RawClient.connect(port, { will, keepAlive: 2 })
    client.send(
      { type: 'publish', topic: 'a', payload },
      { type: 'publish', topic: 'b', payload },
      { type: 'disconnect' },
    )
    const before = broker.metrics.packetsReceived
    await until(() => broker.metrics.packetsReceived > before)
    client.end()
    await client.expectEnd()
    clock.advance(4) // nobody is silent who is gone
    await new Promise(setImmediate)
    resolve(true)
    expect((await received.next()).value).toMatchObject({ topic: 'a' })
    expect((await received.next()).value).toMatchObject({ topic: 'b' })
    await until(() => broker.metrics.connections === 0)
    await broker.publish('last', '')
    expect((await received.next()).value).toMatchObject({ topic: 'last' })
  })

  it('that never answers does not keep the session of a client that is gone from its next connection', async () => {
    let isSlow = true
    const { port, clock, broker } = await startBroker({
      onPublish: () => (isSlow ? never : true),
      limits: { hookTimeout: 100 },
    })
    const client = await RawClient.connect(port, kept)
    client.send({ type: 'publish', topic: 'a', payload, qos: 2, packetId: 1 })
    const before = broker.metrics.messagesReceived
    await until(() => broker.metrics.messagesReceived > before - 1 && broker.metrics.messagesReceived === 1)
    client.cut()
    isSlow = false
    const again = await RawClient.connect(port, kept)
    clock.advance(0.5)
    await until(() => broker.metrics.hooksFailed === 1)
    again.send({ type: 'publish', topic: 'a', payload, qos: 2, packetId: 1, dup: true })
    expect(await again.expect('pubrec')).toMatchObject({ reasonCode: ReasonCode.NoMatchingSubscribers })
    await until(() => broker.metrics.connections === 1)
  })

  it('may answer when the session has ended', async () => {
    const { promise, resolve } = answer<boolean>()
    const { port, broker, lose } = await startBroker({ onSubscribe: () => promise })
    const client = await RawClient.connect(port)
    client.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 'a', qos: 0 }] })
    await until(() => broker.metrics.packetsReceived === 2)
    client.cut()
    resolve(true)
    await until(() => broker.metrics.connections === 0)
    await lose(await RawClient.connect(port))
    await broker.publish('a', 'x')
    expect(broker.metrics.messagesSent).toBe(0)
  })

  it('that authenticates says as whom: the session is that of this name S-07', async () => {
    const names: (string | undefined)[] = []
    const { port } = await startBroker({
      authenticate: (_, password) => ({ userName: text(password!) }),
      onConnect: ({ userName }) => void names.push(userName),
    })
    const login = async (password: string, userName?: string) => {
      const client = await RawClient.open(port)
      const named = userName === undefined ? {} : { userName }
      client.send({ type: 'connect', protocolVersion: 5, ...kept, ...named, password: bytes(password) })
      return [client, (await client.expect('connack')).reasonCode] as const
    }
    const [ann] = await login('ann', 'root')
    expect((await login('bob', 'ann'))[1]).toBe(ReasonCode.NotAuthorized)
    expect(await ann.drain()).toEqual([])
    expect((await login('ann'))[1]).toBe(ReasonCode.Success)
    expect(names).toEqual(['ann', 'ann'])
  })

  it.each([3, 4, 5] as const)(
    'that authenticates says until when: then the connection ends, version %i',
    async (version) => {
      let seconds = 60
      const { port, broker, clock } = await startBroker({
        authenticate: async () => ({ expiresAt: Date.now() + seconds * 1000 }),
      })
      const client = await RawClient.connect(port, { protocolVersion: version })
      clock.advance(59)
      expect(await client.drain()).toEqual([])
      clock.advance(2)
      if (version === 5) expect((await client.expect('disconnect')).reasonCode).toBe(ReasonCode.MaximumConnectTime)
      await client.expectEnd()
      await until(() => broker.metrics.connections === 0)
      seconds = 0 // it is over already
      const late = await RawClient.open(port, version)
      late.send({ type: 'connect', protocolVersion: version, clientId: 'late' })
      expect((await late.expect('connack')).reasonCode).toBe(version === 5 ? ReasonCode.NotAuthorized : 5)
      await late.expectEnd()
    },
  )

  it.each([
    ['nothing', {}],
    ['a record of another kind', { userName: 'ann', isDisabled: true }],
    ['a name that is none', { userName: 1 }],
    ['a time that is none', { expiresAt: '2030' }],
    ['no time', { expiresAt: Number.NaN }],
  ])('that authenticates grants nothing with %s S-31', async (_, grant) => {
    const { port, broker } = await startBroker({ authenticate: () => grant as never })
    const client = await RawClient.open(port)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'c' })
    expect((await client.expect('connack')).reasonCode).toBe(ReasonCode.NotAuthorized)
    expect(broker.metrics.hooksFailed).toBe(1)
  })

  it('may be a method, and is called as one', async () => {
    class Application implements Hooks {
      readonly #allowed = 'ann'
      authenticate({ userName }: { userName: string | undefined }): boolean {
        return userName === this.#allowed
      }
    }
    const broker = createBroker(new Application())
    onTestFinished(() => broker.close())
    const { port } = await broker.listen('mqtt://127.0.0.1:0')
    await RawClient.connect(port, { userName: 'ann' })
    const other = await RawClient.open(port)
    other.send({ type: 'connect', protocolVersion: 5, clientId: 'c', userName: 'bob' })
    expect(await other.expect('connack')).toMatchObject({ reasonCode: ReasonCode.BadUserNameOrPassword })
  })

  it('is asked in the words of the client', async () => {
    const asked: unknown[] = []
    const { port } = await startBroker({
      authenticate: (client, password) => asked.push(['authenticate', client.clientId, client.userName, password]) > 0,
      authorize: (client, action, topic) => asked.push([action, client.clientId, topic]) > 0,
    })
    const client = await RawClient.connect(port, { clientId: 'c', userName: 'u', password: payload })
    await client.subscribe('a/#')
    client.send({ type: 'publish', topic: 'a/b', payload })
    await client.expect('publish')
    expect(asked).toEqual([
      ['authenticate', 'c', 'u', payload],
      ['subscribe', 'c', 'a/#'],
      ['publish', 'c', 'a/b'],
      ['receive', 'c', 'a/b'],
    ])
  })
})

describe('two clients with the same Client Identifier', () => {
  it('of different users do not get each other’s session, whoever is asked about longer S-07', async () => {
    const will = { topic: 'will', payload, qos: 0, retain: false, properties: {} } as const
    const { promise, resolve } = answer<boolean>()
    const { port, broker, lose } = await startBroker({
      authorize: ({ userName }, action) => (userName === 'thief' && action === 'publish' ? promise : true),
    })
    const thief = await RawClient.open(port)
    thief.send({ type: 'connect', protocolVersion: 5, ...kept, userName: 'thief', will })
    await until(() => broker.metrics.packetsReceived === 1)
    const owner = await RawClient.connect(port, { ...kept, userName: 'owner' })
    await owner.subscribe('secret', 1)
    await lose(owner)
    resolve(true)
    expect(await thief.expect('connack')).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
  })

  it('are as many sessions as the limit allows, however long they are asked about', async () => {
    const will = { topic: 'will', payload, qos: 0, retain: false, properties: {} } as const
    const { port } = await startBroker({ authorize: async () => true, limits: { maxSessions: 1 } })
    const codes = await Promise.all(
      ['a', 'b'].map(async (clientId) => {
        const client = await RawClient.open(port)
        client.send({ type: 'connect', protocolVersion: 5, clientId, will })
        return (await client.expect('connack')).reasonCode
      }),
    )
    expect(codes.sort()).toEqual([0, ReasonCode.QuotaExceeded])
  })
})

describe('onPublish', () => {
  it('lets a message go, drops it, changes it or refuses it, and its publisher is told so', async () => {
    const answers: Record<string, unknown> = {
      'let/go': undefined,
      'let/pass': true,
      drop: false,
      change: { topic: 'changed', payload: bytes('y'), qos: 0, properties: { userProperty: [['a', 'b']] } },
      refuse: { reasonCode: ReasonCode.QuotaExceeded, reasonString: 'too much' },
      'refuse/oddly': { reasonCode: ReasonCode.ServerMoved },
    }
    const { port, broker } = await startBroker({ onPublish: (_, { topic }) => answers[topic] as undefined })
    const watcher = await RawClient.connect(port)
    await watcher.subscribe('#', 1)
    const client = await RawClient.connect(port)
    const told: unknown[] = []
    for (const topic of Object.keys(answers)) {
      client.send({ type: 'publish', topic, payload, qos: 1, packetId: 1 })
      const { reasonCode, properties } = await client.expect('puback')
      told.push([topic, reasonCode, properties.reasonString])
    }
    expect(told).toEqual([
      ['let/go', 0, undefined],
      ['let/pass', 0, undefined],
      ['drop', 0, undefined],
      ['change', 0, undefined],
      ['refuse', ReasonCode.QuotaExceeded, 'too much'],
      ['refuse/oddly', ReasonCode.NotAuthorized, undefined], // PUBACK may not carry it
    ])
    expect(await watcher.drain()).toMatchObject([
      { topic: 'let/go', qos: 1 },
      { topic: 'let/pass', qos: 1 },
      { topic: 'changed', qos: 0, payload: bytes('y'), properties: { userProperty: [['a', 'b']] } },
    ])
    expect(broker.metrics.dropped.hook).toBe(3)
  })

  it.each([
    ['a topic with wildcards', { topic: 'a/#' }],
    ['no topic', { topic: '' }],
    ['a topic that is no string', { topic: 5 }],
    ['a payload that is text', { payload: 'x' }],
    ['a QoS there is not', { qos: 3 }],
    ['a QoS between', { qos: 0.5 }],
    ['a RETAIN that is not true or false', { retain: 'no' }],
    ['a property there is not', { properties: { colour: 'red' } }],
    ['no properties', { properties: null }],
    ['a property of another kind', { properties: { userProperty: [['a']] } }],
    ['a lone surrogate', { properties: { contentType: '\ud800' } }],
  ])('that makes a message of %s refuses it S-27', async (_, changed) => {
    const { port, broker } = await startBroker({ onPublish: () => changed as object })
    const watcher = await RawClient.connect(port)
    await watcher.subscribe('#')
    watcher.send({ type: 'publish', topic: 'a', payload, qos: 1, packetId: 1 })
    expect(await watcher.expect('puback')).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
    expect(await watcher.drain()).toEqual([])
    expect(broker.metrics.hooksFailed).toBe(1)
  })

  it('cannot give away what belongs to one connection S-27 S-28', async () => {
    const properties = { topicAlias: 1, subscriptionIdentifier: [7], contentType: 'x' }
    const { port } = await startBroker({
      onPublish: () => ({ properties }),
      onDeliver: () => ({ payload, properties }),
    })
    const client = await RawClient.connect(port)
    await client.subscribe('a')
    client.send({ type: 'publish', topic: 'a', payload })
    expect((await client.expect('publish')).properties).toEqual({ contentType: 'x' })
  })

  it('may use its own bytes for something else afterwards', async () => {
    const mine = bytes('mine')
    const { port } = await startBroker({ onPublish: () => ({ payload: Buffer.from(mine.buffer), retain: true }) })
    const client = await RawClient.connect(port)
    client.send({ type: 'publish', topic: 'a', payload })
    await client.drain()
    mine.fill(0)
    await client.subscribe('a')
    expect(text((await client.expect('publish')).payload)).toBe('mine')
  })

  it('is asked for Wills', async () => {
    const { port } = await startBroker({
      onPublish: async (_, { topic }) => (topic === 'drop' ? false : { topic: 'changed' }),
    })
    const watcher = await RawClient.connect(port)
    await watcher.subscribe('#')
    for (const topic of ['drop', 'will']) {
      const will = { topic, payload, qos: 0, retain: false, properties: {} } as const
      ;(await RawClient.connect(port, { will })).cut()
    }
    expect(await watcher.expect('publish')).toMatchObject({ topic: 'changed' })
    expect(await watcher.drain()).toEqual([])
  })

  it('that rejects for a Will is no matter to anybody', async () => {
    const { port, broker, lose } = await startBroker({ onPublish: () => Promise.reject(Object.create(null)) })
    const will = { topic: 'will', payload, qos: 0, retain: false, properties: {} } as const
    await lose(await RawClient.connect(port, { will }))
    await until(() => broker.metrics.hooksFailed === 1)
    await RawClient.connect(port)
  })
})

describe('onSubscribe', () => {
  it('lets a subscription be, changes it or refuses it with a reason', async () => {
    const answers: Record<string, unknown> = {
      be: undefined,
      lower: { qos: 0 },
      higher: { qos: 2 },
      refuse: { reasonCode: ReasonCode.QuotaExceeded, reasonString: 'too many' },
      no: false,
      'refuse/oddly': { reasonCode: ReasonCode.Banned, reasonString: 'not told first' },
      '$share/g/a': { qos: 0 },
      'no/such/policy': { overflow: 'dropAll' },
      'no/such/qos': { qos: -1 },
      'no/number': { qos: '1' },
    }
    const { port, broker } = await startBroker({
      onSubscribe: (_, { topicFilter }) => answers[topicFilter] as undefined,
    })
    const client = await RawClient.connect(port)
    const subscriptions = Object.keys(answers).map((topicFilter) => ({ topicFilter, qos: 1 }) as const)
    client.send({ type: 'subscribe', packetId: 1, subscriptions })
    const { NotAuthorized, QuotaExceeded } = ReasonCode
    expect(await client.expect('suback')).toMatchObject({
      reasonCodes: [
        1,
        0,
        1,
        QuotaExceeded,
        NotAuthorized,
        NotAuthorized,
        0,
        NotAuthorized,
        NotAuthorized,
        NotAuthorized,
      ],
      properties: { reasonString: 'too many' },
    })
    expect(broker.metrics.hooksFailed).toBe(3)
    await broker.publish('refuse', 'x')
    await broker.publish('lower', 'x', { qos: 2 })
    expect(await client.drain()).toMatchObject([{ topic: 'lower', qos: 0 }])
  })
})

describe('onDeliver', () => {
  it('keeps a message from one client, or changes it for this one', async () => {
    const { port } = await startBroker({
      onDeliver: ({ clientId }, { payload: before, properties }) => {
        if (clientId === 'none') return false
        return clientId === 'changed' ? { payload: bytes(`${text(before)}!`), properties } : undefined
      },
    })
    const clients = []
    for (const clientId of ['none', 'changed', 'same']) {
      const client = await RawClient.connect(port, { clientId })
      await client.subscribe('a', 2, {})
      clients.push(client)
    }
    clients[0]!.send({ type: 'publish', topic: 'a', payload, retain: true, properties: { messageExpiryInterval: 9 } })
    await clients[0]!.drain()
    expect(await clients[1]!.expect('publish')).toMatchObject({
      payload: bytes('x!'),
      properties: { messageExpiryInterval: 9 },
    })
    expect(await clients[2]!.expect('publish')).toMatchObject({ payload })
    await clients[1]!.subscribe('a') // retained ones too
    expect(await clients[1]!.expect('publish')).toMatchObject({ payload: bytes('x!'), retain: true })
  })

  it('does not make a message larger than its client takes [MQTT-3.1.2-24]', async () => {
    const { port, broker } = await startBroker({
      onDeliver: (_, { properties }) => ({ payload: new Uint8Array(100), properties }),
    })
    const client = await RawClient.connect(port, { properties: { maximumPacketSize: 50 } })
    await client.subscribe('a', 1)
    await broker.publish('a', 'x', { qos: 1 })
    expect(await client.drain()).toEqual([])
    expect(broker.metrics.dropped.tooLarge).toBe(1)
  })

  it('may publish and close the broker itself', async () => {
    const { port, broker } = await startBroker({
      onDeliver: (_, { topic }) => {
        if (topic === 'a') void broker.publish('b', 'x')
        if (topic === 'c') void broker.close()
        return true
      },
    })
    const client = await RawClient.connect(port)
    await client.subscribe('#')
    await broker.publish('a', 'x')
    expect((await client.drain()).map((packet) => packet.type === 'publish' && packet.topic).sort()).toEqual(['a', 'b'])
    await broker.publish('c', 'x')
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.ServerShuttingDown })
  })
})

describe('onConnect and onDisconnect', () => {
  it('tell of each client once, and why it went', async () => {
    const told: unknown[] = []
    const { port, clock, lose } = await startBroker({
      authenticate: ({ userName }) => userName !== 'bad',
      onConnect: ({ clientId }, sessionPresent) => told.push([clientId, sessionPresent]),
      onDisconnect: ({ clientId }, goodbye) => told.push([clientId, goodbye]),
    })
    const refused = await RawClient.open(port)
    refused.send({ type: 'connect', protocolVersion: 5, clientId: 'refused', userName: 'bad' })
    await refused.expect('connack')
    await refused.expectEnd()
    await lose(await RawClient.connect(port, kept))
    const polite = await RawClient.connect(port, kept)
    polite.send({ type: 'disconnect', reasonCode: ReasonCode.DisconnectWithWillMessage })
    await polite.expectEnd()
    const rude = await RawClient.connect(port, { clientId: 'rude' })
    rude.sendBytes('00 00')
    await rude.expect('disconnect')
    await rude.expectEnd()
    const silent = await RawClient.connect(port, { clientId: 'silent', keepAlive: 10 })
    clock.advance(15.2)
    await silent.expect('disconnect')
    await silent.expectEnd()
    await RawClient.connect(port, { clientId: 'twin' })
    await RawClient.connect(port, { clientId: 'twin' })
    expect(told).toEqual([
      ['s', false],
      ['s', { reasonCode: undefined, byBroker: false }],
      ['s', true],
      ['s', { reasonCode: ReasonCode.DisconnectWithWillMessage, byBroker: false }],
      ['rude', false],
      ['rude', { reasonCode: ReasonCode.MalformedPacket, byBroker: true }],
      ['silent', false],
      ['silent', { reasonCode: ReasonCode.KeepAliveTimeout, byBroker: true }],
      ['twin', false],
      ['twin', { reasonCode: ReasonCode.SessionTakenOver, byBroker: true }],
      ['twin', false],
    ])
  })
})

describe('the log', () => {
  it('that throws harms nobody', async () => {
    const log = { info: () => fail('log'), warn: () => fail('log'), error: () => fail('log') }
    const { port, broker } = await startBroker({ log, onPublish: () => fail('hook') })
    const client = await RawClient.connect(port)
    client.send({ type: 'publish', topic: 'a', payload, qos: 1, packetId: 1 })
    expect(await client.expect('puback')).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
    client.sendBytes('00 00')
    await client.expect('disconnect')
    await RawClient.connect(port)
    expect(broker.metrics.hooksFailed).toBeGreaterThan(2)
  })
})

describe('Response Information', () => {
  it.each([
    ['is given to who asks for it', () => 'replies/', true, 'replies/'],
    ['is not given to who does not', () => 'replies/', false, undefined],
    ['is left out when it cannot be had', () => fail('x'), true, undefined],
    ['is left out when it is no text', () => 5, true, undefined],
    ['is left out when it is a promise', () => Promise.reject(new Error('x')), true, undefined],
    ['is left out when it is too long', () => 'x'.repeat(70_000), true, undefined],
  ])('%s [MQTT-3.1.2-28]', async (_, responseInformation, requestResponseInformation, expected) => {
    const { port } = await startBroker({ responseInformation: responseInformation as () => string })
    const client = await RawClient.open(port)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'c', properties: { requestResponseInformation } })
    const { reasonCode, properties } = await client.expect('connack')
    expect([reasonCode, properties.responseInformation]).toEqual([0, expected])
  })
})

describe('a client that wants no Problem Information', () => {
  it('gets Reason Strings only in CONNACK and DISCONNECT [MQTT-3.1.2-29]', async () => {
    const no = { reasonCode: ReasonCode.NotAuthorized, reasonString: 'because' }
    const { port } = await startBroker({ onPublish: () => no, onSubscribe: () => no })
    for (const [requestProblemInformation, reasonString] of [
      [false, undefined],
      [true, 'because'],
    ] as const) {
      const client = await RawClient.connect(port, { properties: { requestProblemInformation } })
      for (const [qos, type] of [
        [1, 'puback'],
        [2, 'pubrec'],
      ] as const) {
        client.send({ type: 'publish', topic: 'a', payload, qos, packetId: 1 })
        expect((await client.expect(type)).properties.reasonString).toBe(reasonString)
      }
      client.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 'b', qos: 0 }] })
      expect((await client.expect('suback')).properties.reasonString).toBe(reasonString)
      client.sendBytes('00 00')
      expect((await client.expect('disconnect')).properties.reasonString).toBeDefined()
    }
  })
})
