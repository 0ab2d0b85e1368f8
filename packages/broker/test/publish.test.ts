import { ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { bytes, startBroker, text } from './fixture.js'
import { RawClient } from './raw-client.js'

const payload = bytes('x')

describe.each([3, 4, 5] as const)('a message of protocol version %i', (protocolVersion) => {
  it.each([
    [0, 0],
    [0, 2],
    [1, 0],
    [1, 1],
    [1, 2],
    [2, 1],
    [2, 2],
  ] as const)(
    'published at QoS %i comes to a subscription of QoS %i at the lower one [MQTT-3.8.4-8]',
    async (sent, granted) => {
      const { port } = await startBroker()
      const subscriber = await RawClient.connect(port, { protocolVersion })
      await subscriber.subscribe('a/+', granted)
      const publisher = await RawClient.connect(port, { protocolVersion })
      publisher.send({ type: 'publish', topic: 'a/b', payload, qos: sent, ...(sent > 0 && { packetId: 9 }) })
      if (sent === 1) expect(await publisher.expect('puback')).toMatchObject({ packetId: 9, reasonCode: 0 })
      if (sent === 2) {
        expect(await publisher.expect('pubrec')).toMatchObject({ packetId: 9, reasonCode: 0 })
        publisher.send({ type: 'pubrel', packetId: 9 })
        expect(await publisher.expect('pubcomp')).toMatchObject({ packetId: 9, reasonCode: 0 })
      }
      const qos = Math.min(sent, granted)
      const message = await subscriber.expect('publish')
      expect(message).toMatchObject({ topic: 'a/b', payload, qos, dup: false, retain: false })
      expect(message.packetId).toBe(qos > 0 ? 1 : undefined)
      if (qos === 1) subscriber.send({ type: 'puback', packetId: 1 })
      if (qos === 2) {
        subscriber.send({ type: 'pubrec', packetId: 1 })
        expect(await subscriber.expect('pubrel')).toMatchObject({ packetId: 1 })
        subscriber.send({ type: 'pubcomp', packetId: 1 })
      }
      expect(await subscriber.drain()).toEqual([])
    },
  )
})

describe('QoS 2', () => {
  it('delivers once, however often the PUBLISH comes [MQTT-4.3.3-10]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    await client.subscribe('a')
    const publish = { type: 'publish', topic: 'a', payload, qos: 2, packetId: 1 } as const
    client.send(publish, { ...publish, dup: true })
    const packets = await client.drain()
    expect(packets.map(({ type }) => type).sort()).toEqual(['publish', 'pubrec', 'pubrec'])
    client.send({ type: 'pubrel', packetId: 1 }, publish)
    expect((await client.drain()).map(({ type }) => type).sort()).toEqual(['pubcomp', 'publish', 'pubrec'])
  })

  it('answers a PUBREL and a PUBREC that it does not know', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    client.send({ type: 'pubrel', packetId: 7 }, { type: 'pubrec', packetId: 8 })
    expect(await client.expect('pubcomp')).toMatchObject({ packetId: 7, reasonCode: 0x92 })
    expect(await client.expect('pubrel')).toMatchObject({ packetId: 8, reasonCode: 0x92 })
  })

  it('takes PUBACK for it as a violation', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    await client.subscribe('a', 2)
    client.send({ type: 'publish', topic: 'a', payload, qos: 2, packetId: 1 })
    await client.drain()
    client.send({ type: 'puback', packetId: 1 })
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.ProtocolError })
  })
})

describe('a publisher', () => {
  it('learns that nobody subscribes', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    client.send({ type: 'publish', topic: 'a', payload, qos: 1, packetId: 1 })
    expect(await client.expect('puback')).toMatchObject({ reasonCode: ReasonCode.NoMatchingSubscribers })
  })

  it.each([
    ['more messages than the Receive Maximum [MQTT-3.3.4-7]', ReasonCode.ReceiveMaximumExceeded, 2, {}],
    [
      'a Topic Alias that stands for nothing',
      ReasonCode.ProtocolError,
      1,
      { topic: '', properties: { topicAlias: 1 } },
    ],
    [
      'a Topic Alias above the maximum [MQTT-3.3.2-9]',
      ReasonCode.TopicAliasInvalid,
      1,
      { properties: { topicAlias: 33 } },
    ],
    [
      'a Subscription Identifier [MQTT-3.3.4-6]',
      ReasonCode.ProtocolError,
      1,
      { properties: { subscriptionIdentifier: [1] } },
    ],
    ['too many levels', ReasonCode.TopicNameInvalid, 1, { topic: '/'.repeat(128) }],
  ])('is sent away for %s', async (_, reasonCode, count, publish) => {
    const { port } = await startBroker({ limits: { receiveMaximum: 1 } })
    const client = await RawClient.connect(port)
    for (let packetId = 1; packetId <= count; packetId++) {
      client.send({ type: 'publish', topic: 'a', payload, qos: 2, packetId, ...publish })
    }
    if (count > 1) await client.expect('pubrec')
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode })
    await client.expectEnd()
  })

  it.each([5, 4] as const)(
    'of protocol version %i is sent away for malformed bytes, in its own way',
    async (protocolVersion) => {
      const { port } = await startBroker()
      const client = await RawClient.connect(port, { protocolVersion })
      client.sendBytes('36 05 000161 0001')
      if (protocolVersion === 5) {
        expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.MalformedPacket })
      }
      await client.expectEnd()
    },
  )

  it('is sent away for a packet above the maximum, before it is there [MQTT-3.2.2-15]', async () => {
    const { port } = await startBroker({ limits: { maxPacketSize: 1000 } })
    const client = await RawClient.connect(port)
    client.sendBytes('30 e907')
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.PacketTooLarge })
  })

  it('may use Topic Aliases [MQTT-3.3.2-12]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    await client.subscribe('#')
    const properties = { topicAlias: 32 }
    client.send(
      { type: 'publish', topic: 'a', payload, properties },
      { type: 'publish', topic: '', payload, properties },
      { type: 'publish', topic: 'b', payload, properties },
      { type: 'publish', topic: '', payload, properties },
    )
    const packets = await client.drain()
    expect(packets.map((packet) => packet.type === 'publish' && packet.topic)).toEqual(['a', 'a', 'b', 'b'])
    expect(packets.map((packet) => packet.type === 'publish' && packet.properties)).toEqual([{}, {}, {}, {}])
  })

  it.each([
    [5, 1, ReasonCode.NotAuthorized],
    [5, 2, ReasonCode.NotAuthorized],
    [4, 1, ReasonCode.Success],
    [4, 2, ReasonCode.Success],
  ] as const)(
    'of protocol version %i that is not allowed to gets at QoS %i the code %i',
    async (protocolVersion, qos, reasonCode) => {
      const { port, broker } = await startBroker({ authorize: (_, action) => action !== 'publish' })
      const client = await RawClient.connect(port, { protocolVersion })
      await client.subscribe('#')
      client.send({ type: 'publish', topic: 'a', payload, qos, packetId: 1 })
      expect(await client.expect(qos === 1 ? 'puback' : 'pubrec')).toMatchObject({ reasonCode })
      expect(await client.drain()).toEqual([])
      expect(broker.metrics.dropped.notAuthorized).toBe(1)
    },
  )

  it('may not use topics of the broker unless the application allows it', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    client.send({ type: 'publish', topic: '$SYS/a', payload, qos: 1, packetId: 1 })
    expect(await client.expect('puback')).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
  })
})

describe('a subscriber', () => {
  it('gets the properties of a message as they were sent [MQTT-3.3.2-17] [MQTT-3.3.2-18]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    await client.subscribe('#')
    const properties = {
      payloadFormatIndicator: 1,
      contentType: 'text/plain',
      responseTopic: 'r',
      correlationData: bytes('c'),
      userProperty: [
        ['b', '1'],
        ['a', '2'],
        ['b', '3'],
      ],
    } as const
    client.send({ type: 'publish', topic: 'a', payload, properties })
    expect((await client.expect('publish')).properties).toEqual(properties)
  })

  it('gets the Message Expiry Interval that is left, and no message after it [MQTT-3.3.2-5] [MQTT-3.3.2-6]', async () => {
    const { port, clock, broker, lose } = await startBroker()
    const session = { clientId: 's', cleanStart: false, properties: { sessionExpiryInterval: 1000 } }
    const before = await RawClient.connect(port, session)
    await before.subscribe('#', 1)
    await lose(before)
    const publisher = await RawClient.connect(port)
    for (const [packetId, messageExpiryInterval] of [
      [1, 10],
      [2, 100],
    ] as const) {
      publisher.send({ type: 'publish', topic: 'a', payload, qos: 1, packetId, properties: { messageExpiryInterval } })
      await publisher.expect('puback')
    }
    clock.advance(30)
    const after = await RawClient.connect(port, session)
    expect((await after.expect('publish')).properties).toEqual({ messageExpiryInterval: 70 })
    expect(await after.drain()).toEqual([])
    expect(broker.metrics.dropped.expired).toBe(1)
  })

  it('gets one copy for overlapping subscriptions, at the highest QoS and with all identifiers [MQTT-3.3.4-2] [MQTT-3.3.4-4]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    for (const [packetId, topicFilter, qos] of [
      [1, '#', 0],
      [2, 'a/+', 1],
      [3, 'a/b', 0],
    ] as const) {
      const properties = { subscriptionIdentifier: packetId * 10 }
      client.send({ type: 'subscribe', packetId, subscriptions: [{ topicFilter, qos }], properties })
      await client.expect('suback')
    }
    client.send({ type: 'publish', topic: 'a/b', payload, qos: 2, packetId: 1 })
    const packets = await client.drain()
    const messages = packets.filter(({ type }) => type === 'publish')
    expect(messages).toHaveLength(1)
    const [message] = messages
    if (message?.type !== 'publish') throw new Error('no message')
    expect(message.qos).toBe(1)
    expect([...(message.properties.subscriptionIdentifier as number[])].sort()).toEqual([10, 20, 30])
  })

  it('with No Local does not get its own messages [MQTT-3.8.3-3]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    await client.subscribe('a', 0, { noLocal: true })
    const other = await RawClient.connect(port)
    client.send({ type: 'publish', topic: 'a', payload: bytes('own') })
    expect(await client.drain()).toEqual([])
    other.send({ type: 'publish', topic: 'a', payload: bytes('other') })
    expect(text((await client.expect('publish')).payload)).toBe('other')
  })

  it('sees RETAIN only with Retain As Published [MQTT-3.3.1-12] [MQTT-3.3.1-13]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    const keeper = await RawClient.connect(port)
    await client.subscribe('a')
    await keeper.subscribe('a', 0, { retainAsPublished: true })
    client.send({ type: 'publish', topic: 'a', payload, retain: true })
    expect(await client.expect('publish')).toMatchObject({ retain: false })
    expect(await keeper.expect('publish')).toMatchObject({ retain: true })
  })

  it('has no more messages under way than its Receive Maximum [MQTT-3.3.4-9]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port, { properties: { receiveMaximum: 2 } })
    await client.subscribe('a', 1)
    const publisher = await RawClient.connect(port)
    for (let packetId = 1; packetId <= 5; packetId++) {
      publisher.send({ type: 'publish', topic: 'a', payload: bytes(`${packetId}`), qos: 1, packetId })
      await publisher.expect('puback')
    }
    expect(await client.drain()).toHaveLength(2)
    client.send({ type: 'puback', packetId: 1 })
    expect((await client.drain()).map((packet) => packet.type === 'publish' && text(packet.payload))).toEqual(['3'])
    client.send({ type: 'puback', packetId: 2 }, { type: 'puback', packetId: 3 })
    expect(await client.drain()).toHaveLength(2)
  })

  it('gets no packet above its Maximum Packet Size, and the next one all the same [MQTT-3.1.2-24] [MQTT-3.1.2-25]', async () => {
    const { port, broker } = await startBroker()
    const client = await RawClient.connect(port, { properties: { maximumPacketSize: 50, receiveMaximum: 1 } })
    await client.subscribe('a', 1)
    const publisher = await RawClient.connect(port)
    for (const [packetId, size] of [
      [1, 60],
      [2, 10],
    ] as const) {
      publisher.send({ type: 'publish', topic: 'a', payload: new Uint8Array(size), qos: 1, packetId })
      expect(await publisher.expect('puback')).toMatchObject({ reasonCode: 0 })
    }
    expect((await client.expect('publish')).payload).toHaveLength(10)
    expect(broker.metrics.dropped.tooLarge).toBe(1)
  })

  it('that does not read is not buffered for without end, and gets QoS 1 when it reads again', async () => {
    const { port, broker } = await startBroker({ limits: { maxBufferedBytes: 64 * 1024, maxInFlight: 2 } })
    const slow = await RawClient.connect(port)
    await slow.subscribe('fast', 0)
    await slow.subscribe('sure', 1)
    slow.pause()
    const publisher = await RawClient.connect(port)
    // More than the system keeps for a socket.
    for (let i = 0; i < 400; i++) {
      publisher.send({ type: 'publish', topic: 'fast', payload: new Uint8Array(65_000) })
      await publisher.drain()
    }
    expect(broker.metrics.dropped.slowConnection).toBeGreaterThan(0)
    for (let packetId = 1; packetId <= 10; packetId++) {
      publisher.send({ type: 'publish', topic: 'sure', payload: bytes(`${packetId}`), qos: 1, packetId })
      await publisher.expect('puback')
    }
    slow.resume()
    const sure: string[] = []
    while (sure.length < 10) {
      const packet = await slow.expect('publish')
      if (packet.topic !== 'sure') continue
      sure.push(text(packet.payload))
      slow.send({ type: 'puback', packetId: packet.packetId! })
    }
    expect(sure).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'])
  })

  it('gets messages of one publisher in their order, at each QoS [MQTT-4.6.0-5] [MQTT-4.6.0-6]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    await client.subscribe('#', 1)
    const publisher = await RawClient.connect(port)
    const count = 50
    for (let i = 1; i <= count; i++) {
      publisher.send({ type: 'publish', topic: 'a', payload: bytes(`${i}`), qos: 1, packetId: i })
    }
    for (let i = 1; i <= count; i++) {
      const message = await client.expect('publish')
      expect(text(message.payload)).toBe(`${i}`)
      client.send({ type: 'puback', packetId: message.packetId! })
    }
  })
})
