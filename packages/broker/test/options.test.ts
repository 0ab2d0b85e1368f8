import { connect } from 'node:net'
import { createBroker } from '@tidewire/broker'
import { encode, ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { bytes, startBroker, until } from './fixture.js'
import { RawClient } from './raw-client.js'

const payload = bytes('x')

describe('the value of an option', () => {
  const times = { now: () => 0, every: () => () => {} }

  it.each([
    [{ authenticate: true }, TypeError, 'the option authenticate must be a function, not true'],
    [
      { authorize: 'all' },
      TypeError,
      `the option authorize must be a function, or an object with the function authorize and the number epoch, not 'all'`,
    ],
    [{ authorize: { authorize: () => true } }, TypeError, 'the number epoch, not'],
    [{ onPublish: {} }, TypeError, 'the option onPublish must be a function, not {}'],
    [{ onSubscribe: 1 }, RangeError, 'the option onSubscribe must be a function, not 1'],
    [{ onDeliver: null }, TypeError, 'the option onDeliver must be a function, not null'],
    [{ onConnect: [] }, TypeError, 'the option onConnect must be a function, not []'],
    [{ onDisconnect: '' }, TypeError, `the option onDisconnect must be a function, not ''`],
    [{ responseInformation: 'x' }, TypeError, `the option responseInformation must be a function, not 'x'`],
    [{ overlapping: 'twice' }, TypeError, `the option overlapping must be 'once' or 'each', not 'twice'`],
    [{ overflow: 'drop' }, TypeError, 'the option overflow must be'],
    [{ sharedStrategy: 'random' }, TypeError, `or a function, not 'random'`],
    [{ sysInterval: -1 }, RangeError, 'the option sysInterval must be a number of seconds from 0 to 2000000, not -1'],
    [{ sysInterval: Number.NaN }, RangeError, 'not NaN'],
    [{ sysInterval: 1e12 }, RangeError, 'not 1000000000000'],
    [{ sysInterval: '10' }, TypeError, `not '10'`],
    [{ checkPayloadFormat: 'yes' }, TypeError, 'the option checkPayloadFormat must be true or false'],
    [{ controlCharacters: 1 }, RangeError, 'the option controlCharacters must be true or false, not 1'],
    [{ authenticationMethods: { SCRAM: {} } }, TypeError, 'must be an object with a function for each name'],
    [{ authenticationMethods: new Map() }, TypeError, 'must be an object with a function for each name'],
    [{ log: console.log }, TypeError, 'the option log must be an object with the functions info, warn, error'],
    [{ clock: times }, TypeError, 'the option clock must be an object with the functions now, every, defer'],
    [{ limits: 5 }, RangeError, 'the option limits must be an object'],
    [{ limits: { lagToRefuse: 300, lagToShed: 299 } }, RangeError, 'lagToShed must not be below lagToRefuse'],
    [{ limits: { hookTimeout: 0 } }, RangeError, 'the limit hookTimeout must be a whole number from 1'],
    [{ limits: { maxAwaitingRelease: 65_536 } }, RangeError, 'the limit maxAwaitingRelease must be'],
    [{ limits: { maxUserProperties: 1.5 } }, RangeError, 'the limit maxUserProperties must be'],
    [{ onPublsh: () => {} }, TypeError, 'there is no option called onPublsh'],
  ])('%o is refused when it is wrong', (options, kind, message) => {
    expect(() => createBroker(options as object)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(message) }),
    )
    expect(() => createBroker(options as object)).toThrow(kind)
  })

  it('may be undefined', async () => {
    await createBroker({ authenticate: undefined, overflow: undefined, limits: undefined } as object).close()
  })
})

describe('overlapping subscriptions', () => {
  const overlap = async (client: RawClient): Promise<void> => {
    for (const [identifier, topicFilter, qos] of [
      [1, 'a/#', 0],
      [2, 'a/+', 2],
      [3, '+/b', 1],
    ] as const) {
      const subscriptions = [{ topicFilter, qos, retainAsPublished: identifier === 3 }]
      client.send({ type: 'subscribe', packetId: 1, subscriptions, properties: { subscriptionIdentifier: identifier } })
      await client.expect('suback')
    }
  }

  it('get a message once, with the highest QoS and all Subscription Identifiers [MQTT-3.3.4-2] [MQTT-3.3.4-4]', async () => {
    const { port, broker } = await startBroker()
    const client = await RawClient.connect(port)
    await overlap(client)
    await broker.publish('a/b', 'x', { qos: 2, retain: true })
    const packet = await client.expect('publish')
    expect(packet).toMatchObject({ qos: 2, retain: true })
    expect([...packet.properties.subscriptionIdentifier!].sort()).toEqual([1, 2, 3])
    expect(await client.drain()).toEqual([])
  })

  it('get it once for each if the option says so, each in its own way [MQTT-3.3.4-5]', async () => {
    const { port, broker } = await startBroker({ overlapping: 'each' })
    const client = await RawClient.connect(port)
    await overlap(client)
    await broker.publish('a/b', 'x', { qos: 2, retain: true })
    const seen = (await client.drain()).map((packet) => {
      if (packet.type !== 'publish') throw new Error(packet.type)
      return [packet.properties.subscriptionIdentifier, packet.qos, packet.retain]
    })
    expect(seen.sort()).toEqual([
      [[1], 0, false],
      [[2], 2, false],
      [[3], 1, true],
    ])
  })
})

describe('checkPayloadFormat', () => {
  const properties = { payloadFormatIndicator: 1 } as const
  const invalid = Uint8Array.of(0xff)

  it.each([true, false])('%s decides about text that is none S-25', async (checkPayloadFormat) => {
    const { port } = await startBroker({ checkPayloadFormat })
    const client = await RawClient.connect(port)
    await client.subscribe('a')
    client.send({ type: 'publish', topic: 'a', payload: bytes('é'), properties })
    await client.expect('publish')
    client.send({ type: 'publish', topic: 'a', payload: invalid }) // it says nothing of its format
    await client.expect('publish')
    client.send({ type: 'publish', topic: 'a', payload: invalid, properties })
    const { PayloadFormatInvalid } = ReasonCode
    if (checkPayloadFormat)
      expect(await client.expect('disconnect')).toMatchObject({ reasonCode: PayloadFormatInvalid })
    else await client.expect('publish')
  })

  it('refuses a message of QoS 2 again when it comes again', async () => {
    const kept = { clientId: 's', cleanStart: false, properties: { sessionExpiryInterval: 1000 } }
    const { port } = await startBroker({ checkPayloadFormat: true })
    for (const dup of [false, true]) {
      const client = await RawClient.connect(port, kept)
      client.send({ type: 'publish', topic: 'a', payload: invalid, properties, qos: 2, packetId: 1, dup })
      expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.PayloadFormatInvalid })
      await client.expectEnd()
    }
  })

  it('holds for Wills too', async () => {
    const { port } = await startBroker({ checkPayloadFormat: true })
    const client = await RawClient.open(port)
    const will = { topic: 'a', payload: invalid, qos: 0, retain: false, properties } as const
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'c', will })
    expect(await client.expect('connack')).toMatchObject({ reasonCode: ReasonCode.PayloadFormatInvalid })
  })
})

describe('controlCharacters', () => {
  const topic = 'a\u0001\ufdd0'

  it('are refused by default S-24', async () => {
    const { port } = await startBroker()
    for (const packet of [
      { type: 'publish', topic, payload },
      { type: 'publish', topic: 'a', payload, properties: { userProperty: [['\u007f', '']] } },
      { type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: topic, qos: 0 }] },
    ] as const) {
      const client = await RawClient.connect(port)
      client.send(packet)
      expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.MalformedPacket })
    }
  })

  it('pass through if the option says so', async () => {
    const { port } = await startBroker({ controlCharacters: true })
    const userProperty = [['\u0007', '\u009f']] as const
    const socket = connect(port, '127.0.0.1')
    let received = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      received += chunk
    })
    for (const packet of [
      { type: 'connect', protocolVersion: 5, clientId: topic },
      { type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: topic, qos: 0 }] },
      { type: 'publish', topic, payload: bytes('the end'), properties: { userProperty } },
    ] as const) {
      socket.write(encode(packet, 5))
    }
    await until(() => received.includes('the end'))
    socket.destroy()
    expect(received).toContain(topic)
    expect(received).toContain('\u0007\0\u0002\u009f')
  })
})

describe('a limit', () => {
  const userProperty = [
    ['a', ''],
    ['a', ''],
  ] as const
  const limits = { maxUserProperties: 1 }
  const one = { userProperty: userProperty.slice(0, 1) }

  it('of User Properties holds for each packet that has them S-26', async () => {
    const { port } = await startBroker({ limits })
    const properties = { userProperty }
    const subscriptions = [{ topicFilter: 'a', qos: 0 }] as const
    for (const packet of [
      { type: 'publish', topic: 'a', payload },
      { type: 'publish', topic: 'a', payload, qos: 2, packetId: 1 },
      { type: 'subscribe', packetId: 1, subscriptions },
      { type: 'unsubscribe', packetId: 1, topicFilters: ['a'] },
    ] as const) {
      const client = await RawClient.connect(port, { properties: one })
      client.send({ ...packet, properties: one })
      await client.drain()
      client.send({ ...packet, properties })
      expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.QuotaExceeded })
      await client.expectEnd()
    }
    const will = { topic: 'a', payload, qos: 0, retain: false } as const
    for (const connect of [{ properties }, { will: { ...will, properties } }]) {
      const client = await RawClient.open(port)
      client.send({ type: 'connect', protocolVersion: 5, clientId: 'c', ...connect })
      expect(await client.expect('connack')).toMatchObject({ reasonCode: ReasonCode.QuotaExceeded })
    }
  })

  it('of QoS 2 messages without PUBREL holds for MQTT 3.1.1 S-21', async () => {
    const { port, broker } = await startBroker({ limits: { maxAwaitingRelease: 2 } })
    const client = await RawClient.connect(port, { protocolVersion: 4 })
    for (const packetId of [1, 2]) {
      client.send({ type: 'publish', topic: 'a', payload, qos: 2, packetId })
      await client.expect('pubrec')
    }
    client.send({ type: 'publish', topic: 'a', payload, qos: 2, packetId: 2, dup: true })
    await client.expect('pubrec')
    client.send({ type: 'pubrel', packetId: 1 })
    await client.expect('pubcomp')
    client.send({ type: 'publish', topic: 'a', payload, qos: 2, packetId: 1 })
    await client.expect('pubrec')
    client.send({ type: 'publish', topic: 'a', payload, qos: 2, packetId: 3 })
    await client.expectEnd()
    expect(broker.metrics.messagesReceived).toBe(5)
  })
})
