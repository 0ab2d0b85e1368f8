import { type Client, type ConnectOptions, connect, MqttError, ReasonCode, type Subscription } from '@tidewire/client'
import type { Connack, Input } from '@tidewire/codec'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Peer, ScriptedServer } from './scripted-server.js'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A client that is connected to a scripted server, and the server's side of it. */
async function connected(options: ConnectOptions = {}, connack: Partial<Input<Connack>> = {}): Promise<[Client, Peer]> {
  const server = await ScriptedServer.start(options.protocolVersion)
  const [peer, client] = await Promise.all([
    server.peer().then(async (peer) => {
      await peer.accept(connack)
      return peer
    }),
    connect(server.url, { reconnect: false, ...options }),
  ])
  onTestFinished(() => peer.cut())
  return [client, peer]
}

async function subscribed(client: Client, peer: Peer, filter: string, qos: 0 | 1 | 2 = 2): Promise<Subscription> {
  const subscription = client.subscribe(filter, { qos })
  const { packetId } = await peer.expect('subscribe')
  peer.send({ type: 'suback', packetId, reasonCodes: [qos] })
  return subscription
}

describe('connect', () => {
  it('says who it is, and tells what the server said', async () => {
    const server = await ScriptedServer.start()
    const options = { clientId: 'c', userName: 'u', password: 'p', keepAlive: 5 } as const
    const connecting = connect(server.url, { ...options, will: { topic: 'w', payload: 'gone', qos: 1 } })
    const peer = await server.peer()
    expect(await peer.accept({ properties: { serverKeepAlive: 9 } })).toMatchObject({
      protocolVersion: 5,
      clientId: 'c',
      userName: 'u',
      password: bytes('p'),
      keepAlive: 5,
      cleanStart: true,
      will: { topic: 'w', payload: bytes('gone'), qos: 1, retain: false },
    })
    expect(await connecting).toMatchObject({
      clientId: 'c',
      serverProperties: { serverKeepAlive: 9 },
    })
    peer.cut()
  })

  it('takes user name and password from the URL', async () => {
    const server = await ScriptedServer.start()
    const connecting = connect(server.url.replace('//', '//us%20er:p%40ss@'))
    const peer = await server.peer()
    expect(await peer.accept()).toMatchObject({ userName: 'us er', password: bytes('p@ss') })
    await connecting
    peer.cut()
  })

  it('knows the Client Identifier that the server assigned', async () => {
    const [client] = await connected({}, { properties: { assignedClientIdentifier: 'given' } })
    expect(client.clientId).toBe('given')
  })

  it.each([
    [5, 0x8a, 0x8a],
    [4, 2, ReasonCode.ClientIdentifierNotValid],
    [4, 5, ReasonCode.NotAuthorized],
  ] as const)(
    'of protocol version %i rejects with the reason of CONNACK %i',
    async (protocolVersion, reasonCode, expected) => {
      const server = await ScriptedServer.start(protocolVersion)
      void server.peer().then((peer) => peer.accept({ reasonCode }))
      await expect(connect(server.url, { protocolVersion })).rejects.toMatchObject({
        name: 'MqttError',
        reasonCode: expected,
      })
    },
  )

  it.each([
    ['the server ends the connection', (peer: Peer) => peer.cut(), 'lost'],
    ['the first packet is another one [MQTT-3.2.0-1]', (peer: Peer) => peer.send({ type: 'pingresp' }), 'CONNACK'],
    ['the answer is malformed', (peer: Peer) => peer.sendBytes('20 03 02 00 00'), 'MQTT-3.2.2-1'],
    [
      'there is a session after Clean Start [MQTT-3.2.2-4]',
      (peer: Peer) => peer.send({ type: 'connack', sessionPresent: true }),
      'Session Present',
    ],
  ])('rejects when %s', async (_, answer, message) => {
    const server = await ScriptedServer.start()
    void server.peer().then(answer)
    await expect(connect(server.url)).rejects.toThrow(message)
  })

  it('rejects when nobody listens', async () => {
    const server = await ScriptedServer.start()
    const { url } = server
    await expect(connect(url.replace(/\d+$/, '1'))).rejects.toThrow('ECONNREFUSED')
    await expect(connect('ws://127.0.0.1:1')).rejects.toThrow('ECONNREFUSED')
  })

  it('rejects a URL of another kind', async () => {
    await expect(connect('http://127.0.0.1')).rejects.toThrow(TypeError)
  })

  it('gives up in time, and when it is told to', async () => {
    const server = await ScriptedServer.start()
    await expect(connect(server.url, { connectTimeout: 20 })).rejects.toThrow('did not answer in 20 ms')
    const controller = new AbortController()
    const connecting = connect(server.url, { signal: controller.signal })
    const gone = server.peer().then(async () => {
      const peer = await server.peer()
      await peer.expect('connect')
      controller.abort(new Error('enough'))
      expect(await peer.next()).toBeUndefined()
    })
    await expect(connecting).rejects.toThrow('enough')
    await gone
    await expect(connect(server.url, { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
  })

  it('is not ended by a signal once it is there', async () => {
    const controller = new AbortController()
    const [client, peer] = await connected({ signal: controller.signal })
    controller.abort()
    await client.publish('a', 'x')
    await peer.expect('publish')
  })
})

describe('publish', () => {
  it('settles at QoS 0 when the message is sent', async () => {
    const [client, peer] = await connected()
    expect(await client.publish('a', 'x', { retain: true })).toEqual({ reasonCode: 0 })
    expect(await peer.expect('publish')).toMatchObject({ topic: 'a', payload: bytes('x'), qos: 0, retain: true })
  })

  it('settles at QoS 1 with PUBACK', async () => {
    const [client, peer] = await connected()
    const publishing = client.publish('a', bytes('x'), { qos: 1 })
    expect(await peer.expect('publish')).toMatchObject({ packetId: 1, dup: false })
    peer.send({ type: 'puback', packetId: 1, reasonCode: 0x10 })
    expect(await publishing).toEqual({ reasonCode: 0x10 })
  })

  it('settles at QoS 2 with PUBCOMP and the code of PUBREC [MQTT-4.3.3-4]', async () => {
    const [client, peer] = await connected()
    const publishing = client.publish('a', 'x', { qos: 2 })
    await peer.expect('publish')
    peer.send({ type: 'pubrec', packetId: 1, reasonCode: 0x10 })
    expect(await peer.expect('pubrel')).toMatchObject({ packetId: 1 })
    peer.send({ type: 'pubcomp', packetId: 1 })
    expect(await publishing).toEqual({ reasonCode: 0x10 })
  })

  it.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)('rejects at QoS %i with the reason of the server', async (qos, type) => {
    const [client, peer] = await connected()
    const publishing = client.publish('a', 'x', { qos })
    await peer.expect('publish')
    peer.send({ type, packetId: 1, reasonCode: 0x97 })
    await expect(publishing).rejects.toMatchObject({ reasonCode: ReasonCode.QuotaExceeded })
  })

  it('has no more messages under way than the server allows [MQTT-3.3.4-7]', async () => {
    const [client, peer] = await connected({}, { properties: { receiveMaximum: 2 } })
    const publishing = [1, 2, 3].map((n) => client.publish('a', `${n}`, { qos: 1 }))
    await client.publish('last', '') // sent behind what may be sent
    for (const topic of ['a', 'a', 'last']) expect(await peer.expect('publish')).toMatchObject({ topic })
    peer.send({ type: 'puback', packetId: 1 })
    expect(await peer.expect('publish')).toMatchObject({ payload: bytes('3') })
    peer.send({ type: 'puback', packetId: 2 }, { type: 'puback', packetId: 3 })
    await Promise.all(publishing)
  })

  it.each([
    ['a packet above the maximum [MQTT-3.2.2-15]', { maximumPacketSize: 20 }, {}, ReasonCode.PacketTooLarge],
    ['a QoS above the maximum [MQTT-3.2.2-11]', { maximumQoS: 0 }, { qos: 1 }, ReasonCode.QoSNotSupported],
    [
      'RETAIN where it is not available [MQTT-3.2.2-14]',
      { retainAvailable: false },
      { retain: true },
      ReasonCode.RetainNotSupported,
    ],
  ] as const)('rejects %s and sends nothing', async (_, properties, options, reasonCode) => {
    const [client, peer] = await connected({}, { properties })
    await expect(client.publish('a', 'x'.repeat(30), options)).rejects.toMatchObject({ reasonCode })
    void client.close()
    await peer.expect('disconnect')
  })

  it.each(['', 'a/+', 'a\0'])('rejects the topic %j', async (topic) => {
    const [client] = await connected()
    await expect(client.publish(topic, 'x')).rejects.toThrow(TypeError)
  })

  it('rejects what is under way or waits when the connection is lost', async () => {
    const [client, peer] = await connected({}, { properties: { receiveMaximum: 1 } })
    const publishing = [1, 2, 2].map((qos) => client.publish('a', 'x', { qos: qos as 1 | 2 }))
    await peer.expect('publish')
    peer.cut()
    for (const one of publishing) await expect(one).rejects.toThrow('lost')
    await expect(client.publish('a', 'x')).rejects.toThrow('lost')
    expect((await client.closed)?.message).toContain('lost')
  })
})

describe('subscribe', () => {
  it('gives each subscription its own messages', async () => {
    const [client, peer] = await connected()
    const all = await subscribed(client, peer, '#')
    const some = await subscribed(client, peer, 'a/+')
    peer.send(
      { type: 'publish', topic: 'a/b', payload: bytes('1'), properties: { contentType: 'text' } },
      { type: 'publish', topic: 'c', payload: bytes('2') },
    )
    expect((await all.next()).value).toMatchObject({ topic: 'a/b', text: '1', properties: { contentType: 'text' } })
    expect((await all.next()).value).toMatchObject({ topic: 'c' })
    expect((await some.next()).value).toMatchObject({ topic: 'a/b', payload: bytes('1') })
  })

  it('gives each subscription its messages once, in one copy for all or one for each [MQTT-3.3.4-4] [MQTT-3.3.4-5]', async () => {
    const [client, peer] = await connected()
    const all = await subscribed(client, peer, '#')
    const some = await subscribed(client, peer, 'a/+')
    const publish = { type: 'publish', topic: 'a/b' } as const
    peer.send(
      { ...publish, payload: bytes('1'), properties: { subscriptionIdentifier: [1, 2] } },
      { ...publish, payload: bytes('2'), properties: { subscriptionIdentifier: [1] } },
      { ...publish, payload: bytes('2'), properties: { subscriptionIdentifier: [2] } },
      { ...publish, payload: bytes('3') },
    )
    for (const text of ['1', '2', '3']) {
      expect((await all.next()).value).toMatchObject({ text })
      expect((await some.next()).value).toMatchObject({ text })
    }
  })

  it('gives messages that come before SUBACK', async () => {
    const [client, peer] = await connected()
    const subscribing = client.subscribe('a')
    const { packetId } = await peer.expect('subscribe')
    peer.send({ type: 'publish', topic: 'a', payload: bytes('early') }, { type: 'suback', packetId, reasonCodes: [0] })
    expect((await (await subscribing).next()).value).toMatchObject({ text: 'early' })
  })

  it('acknowledges a message when the next one is asked for, in the order of arrival [MQTT-4.6.0-2] [MQTT-4.6.0-3]', async () => {
    const [client, peer] = await connected()
    const slow = await subscribed(client, peer, 'slow')
    const fast = await subscribed(client, peer, 'fast')
    peer.send(
      { type: 'publish', topic: 'slow', payload: bytes('1'), qos: 1, packetId: 1 },
      { type: 'publish', topic: 'fast', payload: bytes('2'), qos: 2, packetId: 2 },
      { type: 'publish', topic: 'nobody', payload: bytes('3'), qos: 1, packetId: 3 },
    )
    await slow.next()
    await fast.next()
    fast.next().catch(() => {}) // the test ends before
    await client.publish('mark', '')
    expect(await peer.expect('publish')).toMatchObject({ topic: 'mark' })
    slow.next().catch(() => {})
    expect(await peer.expect('puback')).toMatchObject({ packetId: 1 })
    expect(await peer.expect('pubrec')).toMatchObject({ packetId: 2 })
    expect(await peer.expect('puback')).toMatchObject({ packetId: 3 })
    peer.send({ type: 'pubrel', packetId: 2 })
    expect(await peer.expect('pubcomp')).toMatchObject({ packetId: 2, reasonCode: 0 })
  })

  it('gives a QoS 2 message once [MQTT-4.3.3-10]', async () => {
    const [client, peer] = await connected()
    const subscription = await subscribed(client, peer, 'a')
    const publish = { type: 'publish', topic: 'a', payload: bytes('x'), qos: 2, packetId: 1 } as const
    peer.send(publish, { ...publish, dup: true }, { type: 'publish', topic: 'a', payload: bytes('y') })
    expect((await subscription.next()).value).toMatchObject({ text: 'x' })
    expect((await subscription.next()).value).toMatchObject({ text: 'y' })
  })

  it('rejects with the reason of the server', async () => {
    const [client, peer] = await connected()
    const subscribing = client.subscribe('a')
    const { packetId } = await peer.expect('subscribe')
    peer.send({ type: 'suback', packetId, reasonCodes: [0x87] })
    await expect(subscribing).rejects.toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
  })

  it.each([
    ['#', { wildcardSubscriptionAvailable: false }, ReasonCode.WildcardSubscriptionsNotSupported],
    ['$share/g/a', { sharedSubscriptionAvailable: false }, ReasonCode.SharedSubscriptionsNotSupported],
  ])('rejects %j where the server has no such thing', async (filter, properties, reasonCode) => {
    const [client] = await connected({}, { properties })
    await expect(client.subscribe(filter)).rejects.toMatchObject({ reasonCode })
  })

  it('rejects what is not a Topic Filter', async () => {
    const [client] = await connected()
    await expect(client.subscribe('a#')).rejects.toThrow(TypeError)
  })

  it('ends with the loop, and acknowledges what the loop had', async () => {
    const [client, peer] = await connected()
    const subscription = await subscribed(client, peer, 'a')
    peer.send({ type: 'publish', topic: 'a', payload: bytes('x'), qos: 1, packetId: 1 })
    const loop = (async () => {
      for await (const _ of subscription) break
    })()
    await peer.expect('puback')
    const { packetId, topicFilters } = await peer.expect('unsubscribe')
    expect(topicFilters).toEqual(['a'])
    peer.send({ type: 'unsuback', packetId, reasonCodes: [0] })
    await loop
    expect(await subscription.next()).toEqual({ done: true, value: undefined })
  })

  it('throws in the loop when the connection is lost, after the messages that have come', async () => {
    const [client, peer] = await connected()
    const subscription = await subscribed(client, peer, 'a')
    const waiting = await subscribed(client, peer, 'b')
    const next = waiting.next()
    peer.send({ type: 'publish', topic: 'a', payload: bytes('x') }, { type: 'disconnect', reasonCode: 0x8b })
    await expect(next).rejects.toMatchObject({ reasonCode: ReasonCode.ServerShuttingDown })
    expect(await client.closed).toBeInstanceOf(MqttError)
    expect((await subscription.next()).value).toMatchObject({ text: 'x' })
    await expect(subscription.next()).rejects.toMatchObject({ reasonCode: ReasonCode.ServerShuttingDown })
    expect(await subscription.next()).toEqual({ done: true, value: undefined })
  })

  it('keeps no more QoS 0 messages than its buffer takes', async () => {
    const [client, peer] = await connected()
    const subscribing = client.subscribe('a', { buffer: 2 })
    const { packetId } = await peer.expect('subscribe')
    peer.send({ type: 'suback', packetId, reasonCodes: [0] })
    const subscription = await subscribing
    for (const n of ['1', '2', '3']) peer.send({ type: 'publish', topic: 'a', payload: bytes(n) })
    const closed = client.closed
    peer.send({ type: 'disconnect' })
    await closed
    expect(subscription.dropped).toBe(1)
  })
})

describe('close', () => {
  it('says goodbye, ends the loops and settles when the connection is gone', async () => {
    const [client, peer] = await connected()
    const subscription = await subscribed(client, peer, 'a')
    const next = subscription.next()
    const closing = client.close()
    expect(await peer.expect('disconnect')).toMatchObject({ reasonCode: 0 })
    expect(await peer.next()).toBeUndefined()
    await closing
    expect(await next).toEqual({ done: true, value: undefined })
    expect(await client.closed).toBeUndefined()
    await client.close()
    await expect(client.publish('a', 'x')).rejects.toThrow('closed')
  })
})

describe('a server that breaks the standard', () => {
  it.each([
    ['QoS 3', '36 06 000161 0001 00', ReasonCode.MalformedPacket],
    ['a Topic Name with a wildcard', '30 04 000123 00', ReasonCode.MalformedPacket],
    ['a Topic Alias that was not allowed [MQTT-3.3.2-11]', '30 07 000161 03 230021', ReasonCode.TopicAliasInvalid],
    ['PUBACK of a QoS 2 message', '40 02 0002', ReasonCode.ProtocolError],
    ['SUBACK to nothing', '90 04 0009 00 00', ReasonCode.ProtocolError],
    ['SUBSCRIBE', '82 07 0001 00 000161 00', ReasonCode.ProtocolError],
    ['a second CONNACK', '20 03 00 00 00', ReasonCode.ProtocolError],
    [
      'more messages than the Receive Maximum [MQTT-3.3.4-9]',
      '32 06 000161 0001 00 32 06 000161 0002 00',
      ReasonCode.ReceiveMaximumExceeded,
    ],
  ])('by %s is told so and left', async (_, packet, reasonCode) => {
    const [client, peer] = await connected({ properties: { receiveMaximum: 1 } })
    await subscribed(client, peer, '#')
    const refused = expect(client.publish('a', 'x', { qos: 2 })).rejects.toMatchObject({ reasonCode })
    await peer.expect('publish')
    peer.sendBytes(packet)
    expect(await peer.expect('disconnect')).toMatchObject({ reasonCode })
    expect(await peer.next()).toBeUndefined()
    expect(await client.closed).toMatchObject({ reasonCode })
    await refused
  })

  it('by a packet above the maximum is left before the packet is there', async () => {
    const [client, peer] = await connected({ properties: { maximumPacketSize: 100 } })
    peer.sendBytes('30 ffff7f')
    expect(await peer.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.PacketTooLarge })
    await client.closed
  })
})

describe('keep alive', () => {
  it('pings when nothing is sent, and leaves a server that does not answer [MQTT-3.1.2-20] [MQTT-3.2.2-21]', async () => {
    const [client, peer] = await connected({ keepAlive: 600 }, { properties: { serverKeepAlive: 1 } })
    await peer.expect('pingreq')
    peer.send({ type: 'pingresp' })
    await peer.expect('pingreq')
    expect(await client.closed).toMatchObject({ reasonCode: ReasonCode.KeepAliveTimeout })
  })
})
