import { connect, ReasonCode } from '@tidewire/client'
import { decode, encode, MqttError, type PacketInput, type ProtocolVersion } from '@tidewire/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { bytes, start, subscribe } from './connected.js'
import { ScriptedServer } from './scripted-server.js'

const versions = [4, 5] as const
const publish = (qos: 1 | 2, packetId: number, text = 'x') =>
  ({ type: 'publish', topic: 'a', payload: bytes(text), qos, packetId }) as const

describe.each(versions)('a client of protocol version %i', (protocolVersion) => {
  const session = { protocolVersion, clientId: 'c', session: { expiry: 60 } } as const

  it('sends CONNECT first, and nothing else before CONNACK [MQTT-3.1.0-1, 3.1.1 MQTT-3.1.0-1, MQTT-3.1.2-30]', async () => {
    const server = await ScriptedServer.start(protocolVersion)
    const connecting = connect(server.url, { protocolVersion, reconnect: false })
    const peer = await server.peer()
    await peer.expect('connect')
    peer.send({ type: 'connack' })
    const client = await connecting
    const closing = client.close()
    await peer.expect('disconnect')
    await closing
  })

  it('identifies its state by its Client Identifier, keeps it, and resumes it [MQTT-3.1.3-2, MQTT-3.1.2-23, 3.1.1 MQTT-3.1.3-2, 3.1.1 MQTT-3.1.2-4, 3.1.1 MQTT-4.1.0-1, 3.1.1 MQTT-4.4.0-1, 3.1.1 MQTT-3.3.1-1, 3.1.1 MQTT-4.6.0-1, 3.1.1 MQTT-2.3.1-3]', async () => {
    const { client, peer, server } = await start(session)
    const publishing = [client.publish('a', '1', { qos: 1 }), client.publish('a', '2', { qos: 2 })]
    const ids = [(await peer.expect('publish')).packetId, (await peer.expect('publish')).packetId]
    peer.cut()
    const second = await server.peer()
    expect(await second.accept({ sessionPresent: true })).toMatchObject({ clientId: 'c', cleanStart: false })
    for (const [i, packetId] of ids.entries()) {
      expect(await second.expect('publish')).toMatchObject({ packetId, dup: true, payload: bytes(`${i + 1}`) })
    }
    second.send({ type: 'puback', packetId: ids[0]! }, { type: 'pubrec', packetId: ids[1]! })
    await second.expect('pubrel')
    second.send({ type: 'pubcomp', packetId: ids[1]! })
    await Promise.all(publishing)
  })

  it('discards its state when the server has none [MQTT-3.2.2-5]', async () => {
    const { client, peer, again } = await start(session)
    const subscription = await subscribe(client, peer, 'a', { qos: 2 })
    const seen: string[] = []
    void (async () => {
      for await (const { text } of subscription) seen.push(text)
    })()
    peer.send(publish(2, 7, 'one'))
    await peer.expect('pubrec')
    peer.cut()
    const second = await again({ sessionPresent: false })
    await second.grant()
    second.send(publish(2, 7, 'two'))
    await second.expect('pubrec')
    expect(seen).toEqual(['one', 'two'])
  })

  it('takes an unused identifier for each message, sends it without DUP, and treats it as unacknowledged until the end [MQTT-4.3.2-1, MQTT-4.3.2-2, MQTT-4.3.2-3, MQTT-4.3.3-1, MQTT-4.3.3-2, MQTT-4.3.3-3, MQTT-4.3.3-5, 3.1.1 MQTT-4.3.2-1, 3.1.1 MQTT-4.3.3-1, 3.1.1 MQTT-2.3.1-2, 3.1.1 MQTT-2.3.1-6]', async () => {
    const { client, peer } = await start({ protocolVersion })
    let settled = 0
    const send = (qos: 1 | 2) => client.publish('a', 'x', { qos }).then(() => settled++)
    const publishing = [send(1), send(2), send(1), send(2)]
    const ids: number[] = []
    for (const qos of [1, 2, 1, 2]) {
      const { packetId = 0, dup, qos: sent } = await peer.expect('publish')
      expect([dup, sent, ids.includes(packetId)]).toEqual([false, qos, false])
      ids.push(packetId)
    }
    const subscribing = client.subscribe('a')
    expect(ids).not.toContain((await peer.grant()).packetId)
    await subscribing
    expect(settled).toBe(0)
    peer.send({ type: 'pubrec', packetId: ids[1]! }, { type: 'pubrec', packetId: ids[3]! })
    for (const at of [1, 3]) expect(await peer.expect('pubrel')).toMatchObject({ packetId: ids[at] })
    expect(settled).toBe(0)
    for (const at of [0, 2]) peer.send({ type: 'puback', packetId: ids[at]! })
    for (const at of [1, 3]) peer.send({ type: 'pubcomp', packetId: ids[at]! })
    await Promise.all(publishing)
  })

  it('sends PUBREL in the order of PUBREC, on the next connection too [MQTT-4.6.0-4, 3.1.1 MQTT-4.6.0-4]', async () => {
    const { client, peer, again } = await start(session)
    const publishing = [1, 2, 3].map(() => client.publish('a', 'x', { qos: 2 }))
    for (const _ of publishing) await peer.expect('publish')
    const order = [2, 3, 1]
    for (const packetId of order) peer.send({ type: 'pubrec', packetId })
    for (const packetId of order) expect(await peer.expect('pubrel')).toMatchObject({ packetId })
    peer.cut()
    const second = await again({ sessionPresent: true })
    for (const packetId of order) expect(await second.expect('pubrel')).toMatchObject({ packetId })
    for (const packetId of order) second.send({ type: 'pubcomp', packetId })
    await Promise.all(publishing)
  })

  it('answers PUBLISH by its QoS, with its identifier, in order, whatever the application makes of it [MQTT-3.3.4-1, MQTT-4.3.3-8, MQTT-4.3.3-11, 3.1.1 MQTT-3.3.4-1, 3.1.1 MQTT-4.3.2-2, 3.1.1 MQTT-4.3.3-2, 3.1.1 MQTT-4.5.0-2, 3.1.1 MQTT-4.6.0-2, 3.1.1 MQTT-4.6.0-3]', async () => {
    const { peer } = await start({ protocolVersion })
    peer.send(publish(1, 9), publish(2, 8), publish(1, 7), publish(2, 6))
    expect(await peer.expect('puback')).toMatchObject({ packetId: 9 })
    expect(await peer.expect('pubrec')).toMatchObject({ packetId: 8 })
    expect(await peer.expect('puback')).toMatchObject({ packetId: 7 })
    expect(await peer.expect('pubrec')).toMatchObject({ packetId: 6 })
    peer.send({ type: 'pubrel', packetId: 8 })
    expect(await peer.expect('pubcomp')).toMatchObject({ packetId: 8 })
  })

  it('takes an identifier as that of a new message after PUBACK and PUBCOMP, not after PUBREC [MQTT-4.3.2-5, MQTT-4.3.3-12]', async () => {
    const { client, peer } = await start({ protocolVersion })
    const subscription = await subscribe(client, peer, 'a', { qos: 2 })
    const seen: string[] = []
    void (async () => {
      for await (const { text } of subscription) seen.push(text)
    })()
    for (const text of ['1', '2']) {
      peer.send(publish(1, 5, text))
      await peer.expect('puback')
    }
    for (const text of ['3', '4']) {
      peer.send(publish(2, 5, text))
      await peer.expect('pubrec')
      peer.send({ ...publish(2, 5, text), dup: true })
      await peer.expect('pubrec')
      peer.send({ type: 'pubrel', packetId: 5 })
      await peer.expect('pubcomp')
    }
    expect(seen).toEqual(['1', '2', '3', '4'])
  })

  it('goes on with QoS 2 though the message has expired [MQTT-4.3.3-7, MQTT-4.3.3-13]', async () => {
    const { client, peer, again } = await start(session)
    const publishing = client.publish('a', 'x', { qos: 2, properties: { messageExpiryInterval: 0 } })
    await peer.expect('publish')
    peer.cut()
    const second = await again({ sessionPresent: true })
    const { packetId = 0 } = await second.expect('publish')
    second.send({ type: 'pubrec', packetId })
    await second.expect('pubrel')
    second.send({ type: 'pubcomp', packetId })
    await publishing
    second.send({ ...publish(2, 3), properties: { messageExpiryInterval: 0 } })
    await second.expect('pubrec')
    second.send({ type: 'pubrel', packetId: 3 })
    await second.expect('pubcomp')
  })

  it('sends nothing after DISCONNECT, and closes [MQTT-3.14.4-1, MQTT-3.14.4-2, 3.1.1 MQTT-3.14.4-1, 3.1.1 MQTT-3.14.4-2]', async () => {
    const { client, peer } = await start({ protocolVersion })
    const closing = client.close()
    const late = expect(client.publish('a', 'late')).rejects.toThrow('closed')
    await peer.expect('disconnect')
    peer.send(publish(1, 1))
    expect(await peer.next()).toBeUndefined()
    await Promise.all([closing, late])
  })

  it('pings in time, by its own Keep Alive [MQTT-3.1.2-20, 3.1.1 MQTT-3.1.2-23]', async () => {
    const { peer } = await start({ protocolVersion, keepAlive: 1 })
    const since = performance.now()
    await peer.expect('pingreq')
    expect(performance.now() - since).toBeLessThan(1_500)
  })

  it('closes the connection on which the protocol is broken, and connects again [MQTT-4.13.1-1, 3.1.1 MQTT-4.8.0-1, 3.1.1 MQTT-4.8.0-2]', async () => {
    const { client, peer, again } = await start({ protocolVersion })
    peer.sendBytes('f1 00')
    if (protocolVersion === 5) await peer.expect('disconnect')
    expect(await peer.next()).toBeUndefined()
    const second = await again({ sessionPresent: protocolVersion === 5 })
    await client.publish('a', 'x')
    await second.expect('publish')
  })

  it('lives as long as its connection [3.1.1 MQTT-4.1.0-2], and needs nothing beside the standard [3.1.1 MQTT-7.0.0-2, MQTT-4.2.0-1, 3.1.1 MQTT-7.1.2-1]', async () => {
    const { client, peer } = await start({ protocolVersion })
    const subscription = await subscribe(client, peer, 'a', { qos: 1 })
    peer.send(publish(1, 1))
    expect((await subscription.next()).value).toMatchObject({ text: 'x' })
  })

  it('offers the subprotocol mqtt, and binary frames [MQTT-6.0.0-3, 3.1.1 MQTT-6.0.0-3, 3.1.1 MQTT-6.0.0-1, MQTT-6.0.0-1]', async () => {
    const offered: string[][] = []
    const handleProtocols = (protocols: Set<string>) => {
      offered.push([...protocols])
      return 'mqtt'
    }
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols })
    const binary = new Promise<boolean>((resolve) => {
      server.on('connection', (socket) => {
        socket.on('message', (_, isBinary) => {
          socket.send(encode({ type: 'connack' }, protocolVersion))
          resolve(isBinary)
        })
      })
    })
    await new Promise((resolve) => server.once('listening', resolve))
    const client = await connect(`ws://127.0.0.1:${(server.address() as { port: number }).port}`, { protocolVersion })
    expect([offered, await binary]).toEqual([[['mqtt']], true])
    await client.close()
    server.close()
  })
})

describe('what the server said in CONNACK', () => {
  it('has the Client use its Keep Alive [MQTT-3.1.2-21]', async () => {
    const { peer } = await start({ keepAlive: 0 }, { properties: { serverKeepAlive: 1 } })
    await peer.expect('pingreq')
  })

  it.each([
    ['no aliases [MQTT-3.2.2-18]', {}, [undefined, undefined, undefined]],
    ['one alias at most [MQTT-3.2.2-17]', { topicAliasMaximum: 1 }, [undefined, 1, undefined, 1]],
  ])('has it send %s', async (_, properties, expected) => {
    const { client, peer } = await start({}, { properties })
    for (const [i, alias] of expected.entries()) {
      client.tryPublish(i < 2 ? 'some/topic' : 'another/topic', '')
      const { properties } = await peer.expect('publish')
      expect(properties.topicAlias).toBe(alias)
      expect(properties.subscriptionIdentifier).toBeUndefined()
    }
  })

  it('of Receive Maximum holds back PUBLISH and nothing else [MQTT-3.3.4-8, MQTT-4.9.0-2, MQTT-4.9.0-3, MQTT-3.3.4-6]', async () => {
    const { client, peer } = await start({}, { properties: { receiveMaximum: 1 } })
    const publishing = [client.publish('a', '1', { qos: 2 }), client.publish('a', '2', { qos: 1 })]
    const subscribing = client.subscribe('a')
    expect(await peer.expect('publish')).toMatchObject({ payload: bytes('1'), properties: {} })
    await peer.grant()
    await subscribing
    peer.send({ ...publish(1, 9), topic: 'b' })
    await peer.expect('puback')
    peer.send({ type: 'pubrec', packetId: 1 })
    await peer.expect('pubrel')
    peer.send({ type: 'pubcomp', packetId: 1 })
    const { packetId = 0, payload } = await peer.expect('publish')
    expect(payload).toEqual(bytes('2'))
    peer.send({ type: 'puback', packetId })
    await Promise.all(publishing)
  })

  it('of Maximum Packet Size holds for every packet: a reason string is never sent [MQTT-3.4.2-2, MQTT-3.4.2-3, MQTT-3.5.2-2, MQTT-3.5.2-3, MQTT-3.6.2-2, MQTT-3.6.2-3, MQTT-3.7.2-2, MQTT-3.7.2-3, MQTT-3.14.2-3, MQTT-3.14.2-4, MQTT-3.15.2-2, MQTT-3.15.2-3]', async () => {
    const { client, peer } = await start({ reconnect: false }, { properties: { maximumPacketSize: 12 } })
    await expect(client.subscribe('a/long/filter')).rejects.toMatchObject({ reasonCode: ReasonCode.PacketTooLarge })
    const subscription = await subscribe(client, peer, 'a', { qos: 1, manualAck: true })
    peer.send(publish(1, 1))
    const { value: message } = await subscription.next()
    message?.ack(ReasonCode.NotAuthorized)
    expect((await peer.expect('puback')).properties).toEqual({})
    peer.sendBytes('f1 00')
    expect((await peer.expect('disconnect')).properties).toEqual({})
  })

  it.each([
    ['Maximum QoS', { maximumQoS: 1 }, { qos: 2 }, 'QoS 1 at most'],
    ['Retain Available', { retainAvailable: false }, { retain: true }, 'keeps no messages'],
  ] as const)(
    'of %s holds for messages that wait, too [PE-3.2.2.3.4-2, PE-3.2.2.3.5-2]',
    async (_, properties, options, text) => {
      const { client, peer, again } = await start()
      peer.cut()
      await new Promise<void>((resolve) => client.on('state', () => resolve()))
      const publishing = client.publish('a', '', options)
      const refused = expect(publishing).rejects.toThrow(text)
      await again({ sessionPresent: true, properties })
      await refused
    },
  )

  it.each([
    ['wildcards [PE-3.2.2.3.11-2]', 'a/+', { wildcardSubscriptionAvailable: false }, 0xa2],
    ['Shared Subscriptions [PE-3.2.2.3.13-2]', '$share/g/a', { sharedSubscriptionAvailable: false }, 0x9e],
  ])('of %s holds', async (_, filter, properties, reasonCode) => {
    const { client } = await start({}, { properties })
    await expect(client.subscribe(filter)).rejects.toMatchObject({ reasonCode })
  })

  it('of Subscription Identifiers holds [PE-3.2.2.3.12-2]', async () => {
    const { client, peer } = await start({}, { properties: { subscriptionIdentifierAvailable: false } })
    const subscribing = client.subscribe('a')
    expect((await peer.grant()).properties).toEqual({})
    await subscribing
  })
})

it('a refused message is done, and not sent again [MQTT-4.4.0-2]', async () => {
  const { client, peer, again } = await start()
  const publishing = Promise.allSettled([1, 2].map((qos) => client.publish('a', 'x', { qos: qos as 1 | 2 })))
  peer.send({ type: 'puback', packetId: 1, reasonCode: 0x87 }, { type: 'pubrec', packetId: 2, reasonCode: 0x87 })
  expect((await publishing).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  peer.cut()
  const second = await again({ sessionPresent: true })
  await client.publish('mark', '')
  expect(await second.expect('publish').then(({ topic }) => topic)).toBe('mark')
})

/** What no server may send to a client that is connected, and the reason that it is told. */
const forbidden: readonly [name: string, packet: PacketInput, reasonCode: number, only?: ProtocolVersion][] = [
  ['CONNECT', { type: 'connect', protocolVersion: 5, clientId: '' }, 0x82],
  ['a second CONNACK', { type: 'connack' }, 0x82],
  ['PUBACK of a QoS 2 message', { type: 'puback', packetId: 2 }, 0x82],
  ['PUBREC of a QoS 1 message', { type: 'pubrec', packetId: 1 }, 0x82],
  ['PUBCOMP before PUBREC', { type: 'pubcomp', packetId: 2 }, 0x82],
  ['SUBSCRIBE', { type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 'a', qos: 0 }] }, 0x82],
  ['SUBACK to nothing', { type: 'suback', packetId: 99, reasonCodes: [0] }, 0x82],
  ['SUBACK to a PUBLISH', { type: 'suback', packetId: 1, reasonCodes: [0] }, 0x82],
  ['UNSUBSCRIBE', { type: 'unsubscribe', packetId: 1, topicFilters: ['a'] }, 0x82],
  ['UNSUBACK to nothing', { type: 'unsuback', packetId: 99, reasonCodes: [0] }, 0x82],
  ['PINGREQ', { type: 'pingreq' }, 0x82],
  ['DISCONNECT 0x04', { type: 'disconnect', reasonCode: 4 }, 0x82, 5],
  [
    'DISCONNECT with Session Expiry [PE-3.14.2.2.2-2]',
    { type: 'disconnect', properties: { sessionExpiryInterval: 1 } },
    0x82,
    5,
  ],
  ['DISCONNECT of MQTT 3.1.1', { type: 'disconnect' }, 0x82, 4],
  ['AUTH that nobody asked for [PE-3.15-1]', { type: 'auth', properties: { authenticationMethod: 'x' } }, 0x82, 5],
  ['a Topic Alias 33', { type: 'publish', topic: 'a', payload: bytes(''), properties: { topicAlias: 33 } }, 0x94, 5],
  [
    'an unknown Topic Alias',
    { type: 'publish', topic: '', payload: bytes(''), properties: { topicAlias: 3 } },
    0x82,
    5,
  ],
  [
    'a reason that was not asked for [PE-3.1.2.11.7-2]',
    { type: 'puback', packetId: 1, properties: { reasonString: 'x' } },
    0x82,
    5,
  ],
]

describe.each(versions)('a server of protocol version %i that sends', (protocolVersion) => {
  it.each(forbidden.filter(([, , , only]) => (only ?? protocolVersion) === protocolVersion))(
    '%s is told so, left, and tried again [MQTT-4.13.2-1]',
    async (_, packet, reasonCode) => {
      const properties = { requestProblemInformation: false }
      const { client, peer, again } = await start({ protocolVersion, properties })
      const publishing = [1, 2].map((qos) => client.publish('a', 'x', { qos: qos as 1 | 2 }).catch(() => {}))
      await peer.expect('publish')
      await peer.expect('publish')
      const lost = new Promise<unknown>((resolve) => client.on('state', ({ reason }) => reason && resolve(reason)))
      peer.send(packet)
      if (protocolVersion === 5) expect(await peer.expect('disconnect')).toMatchObject({ reasonCode })
      expect(await peer.next()).toBeUndefined()
      expect(await lost).toMatchObject({ reasonCode })
      const second = await again({ sessionPresent: protocolVersion === 5 })
      expect(await second.expect('publish')).toMatchObject({ dup: protocolVersion === 5 })
      await client.close()
      await Promise.all(publishing)
    },
  )

  it.each([
    ['SUBACK of two codes [MQTT-3.9.3-1]', '90 05 0001 00 00 00', '90 04 0001 00 00'],
    ['SUBACK without code', '90 03 0001 00', '90 02 0001'],
  ])('%s is left', async (_, five, four) => {
    const { client, peer } = await start({ protocolVersion, reconnect: false })
    const refused = expect(client.subscribe('a')).rejects.toMatchObject({ name: 'MqttError' })
    await peer.expect('subscribe')
    peer.sendBytes(protocolVersion === 5 ? five : four)
    await refused
    await client.closed
  })

  it('anything that is not MQTT is told the reason that the codec has, and tried again', {
    timeout: 60_000,
  }, async () => {
    const { client, server, peer: first } = await start({ protocolVersion })
    const valid: PacketInput[] = [
      publish(1, 1),
      publish(2, 2),
      { ...publish(1, 3), properties: { userProperty: [['a', 'b']], contentType: 'x', topicAlias: 1 } },
      { type: 'suback', packetId: 1, reasonCodes: [0] },
      { type: 'pubrel', packetId: 1 },
      { type: 'pingresp' },
      { type: 'disconnect' },
    ]
    const mutated = fc
      .tuple(fc.constantFrom(...valid), fc.nat(), fc.integer({ min: 0, max: 255 }))
      .map(([packet, at, byte]) => {
        const bytes = encode(packet, protocolVersion).slice()
        bytes[at % bytes.length] = byte
        return bytes
      })
      .map((bytes) => {
        try {
          decode(bytes, { protocolVersion })
          return undefined
        } catch (error) {
          return { bytes, error: error as MqttError }
        }
      })
      .filter((malformed) => malformed !== undefined)
    let peer = first
    await fc.assert(
      fc.asyncProperty(mutated, async ({ bytes, error }) => {
        expect(error).toBeInstanceOf(MqttError)
        peer.sendBytes(bytes)
        if (protocolVersion === 5)
          expect(await peer.expect('disconnect')).toMatchObject({ reasonCode: error.reasonCode })
        expect(await peer.next()).toBeUndefined()
        peer = await server.peer()
        await peer.accept({ sessionPresent: protocolVersion === 5 })
      }),
      { numRuns: 150 },
    )
    await client.close()
    peer.cut()
  })
})
