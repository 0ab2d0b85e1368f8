import { type ClientState, type ConnectOptions, connect, isFinal, MqttError, ReasonCode } from '@tidewire/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { delayOf } from '../src/reconnect.js'
import { atOnce, bytes, start, subscribe } from './connected.js'
import { ScriptedServer } from './scripted-server.js'

describe('a connection that is lost', () => {
  it('is made again, and the session goes on [MQTT-3.1.2-4, MQTT-3.1.2-5]', async () => {
    const states: ClientState[] = []
    const { client, peer, server } = await start({ clientId: 'c' })
    client.on('state', (state) => states.push(state))
    peer.cut()
    const second = await server.peer()
    expect(await second.accept({ sessionPresent: true })).toMatchObject({ clientId: 'c', cleanStart: false })
    await client.publish('a', 'x')
    await second.expect('publish')
    expect(states.map(({ name }) => name)).toEqual(['waiting', 'connecting', 'online'])
    expect(states[0]?.reason?.message).toContain('lost')
  })

  it('has its messages sent again with DUP, in their order, all at once [MQTT-3.3.1-1, MQTT-4.4.0-1, MQTT-4.6.0-1, MQTT-2.2.1-5]', async () => {
    const { client, peer, again } = await start()
    const publishing = ['1', '2', '3'].map((n) => client.publish('a', n, { qos: 1 }))
    publishing.push(client.publish('a', '4', { qos: 2 }))
    for (const _ of publishing) expect(await peer.expect('publish')).toMatchObject({ dup: false })
    peer.cut()
    const second = await again({ sessionPresent: true })
    for (const packetId of [1, 2, 3, 4]) {
      expect(await second.expect('publish')).toMatchObject({ packetId, dup: true, payload: bytes(`${packetId}`) })
    }
    for (const packetId of [1, 2, 3]) second.send({ type: 'puback', packetId })
    second.send({ type: 'pubrec', packetId: 4 })
    await second.expect('pubrel')
    second.send({ type: 'pubcomp', packetId: 4 })
    expect(await Promise.all(publishing)).toEqual(publishing.map(() => ({ reasonCode: 0 })))
  })

  it('has PUBREL sent again, never the PUBLISH [MQTT-4.3.3-6]', async () => {
    const { client, peer, again } = await start()
    const publishing = client.publish('a', 'x', { qos: 2 })
    const { packetId = 0 } = await peer.expect('publish')
    peer.send({ type: 'pubrec', packetId })
    await peer.expect('pubrel')
    peer.cut()
    const second = await again({ sessionPresent: true })
    expect(await second.expect('pubrel')).toMatchObject({ packetId })
    second.send({ type: 'pubcomp', packetId })
    await publishing
  })

  it('sends again no more than the new Receive Maximum at once [MQTT-3.3.4-7, MQTT-4.9.0-1]', async () => {
    const { client, peer, again } = await start()
    const publishing = ['1', '2', '3'].map((n) => client.publish('a', n, { qos: 1 }))
    for (const _ of publishing) await peer.expect('publish')
    peer.cut()
    const second = await again({ sessionPresent: true, properties: { receiveMaximum: 2 } })
    await second.expect('publish')
    await second.expect('publish')
    await client.publish('mark', '')
    expect(await second.expect('publish')).toMatchObject({ topic: 'mark' })
    second.send({ type: 'puback', packetId: 1 }, { type: 'puback', packetId: 2 })
    expect(await second.expect('publish')).toMatchObject({ packetId: 3 })
    second.send({ type: 'puback', packetId: 3 })
    await Promise.all(publishing)
  })

  it('when the server forgot the session: subscribes again, sends QoS 1 as new, and tells which QoS 2 message it does not know of', async () => {
    const { client, peer, again } = await start()
    await subscribe(client, peer, 'a', { qos: 1 })
    const one = client.publish('a', '1', { qos: 1 })
    const unknown = client.publish('a', '2', { qos: 2 })
    const released = client.publish('a', '3', { qos: 2 })
    const refused = expect(unknown).rejects.toThrow('lost the session')
    await peer.expect('publish')
    await peer.expect('publish')
    const { packetId = 0 } = await peer.expect('publish')
    peer.send({ type: 'pubrec', packetId })
    await peer.expect('pubrel')
    peer.cut()
    const second = await again({ sessionPresent: false })
    expect(await second.grant()).toMatchObject({ subscriptions: [{ topicFilter: 'a', qos: 1 }] })
    const publish = await second.expect('publish')
    expect(publish).toMatchObject({ payload: bytes('1'), dup: false })
    second.send({ type: 'puback', packetId: publish.packetId! })
    await Promise.all([one, released, refused])
  })

  it('of MQTT 3.1.1 begins a new session each time, unless one is asked for [3.1.1 MQTT-3.1.2-6]', async () => {
    const { client, peer, server } = await start({ protocolVersion: 4 })
    const publishing = client.publish('a', 'x', { qos: 1 })
    await peer.expect('publish')
    peer.cut()
    const second = await server.peer()
    expect(await second.accept()).toMatchObject({ cleanStart: true })
    const { packetId = 0, dup } = await second.expect('publish')
    expect(dup).toBe(false)
    second.send({ type: 'puback', packetId })
    await publishing
  })

  it('makes requests again that were not answered', async () => {
    const { client, peer, again } = await start()
    const subscribing = client.subscribe('a', { qos: 1 })
    await peer.expect('subscribe')
    peer.cut()
    const second = await again({ sessionPresent: true })
    await second.grant()
    const subscription = await subscribing
    const closing = subscription.close()
    await second.expect('unsubscribe')
    second.cut()
    const third = await again({ sessionPresent: true })
    const { packetId } = await third.expect('unsubscribe')
    third.send({ type: 'unsuback', packetId, reasonCodes: [0] })
    await closing
  })

  it('acknowledges messages where they came again, and hands them over once', async () => {
    const { client, peer, again } = await start()
    const subscription = await subscribe(client, peer, 'a', { qos: 2 })
    peer.send({ type: 'publish', topic: 'a', payload: bytes('one'), qos: 1, packetId: 5 })
    peer.send({ type: 'publish', topic: 'a', payload: bytes('two'), qos: 2, packetId: 6 })
    expect((await subscription.next()).value).toMatchObject({ text: 'one' })
    peer.cut()
    const second = await again({ sessionPresent: true })
    second.send({ type: 'publish', topic: 'a', payload: bytes('one'), qos: 1, packetId: 5, dup: true })
    second.send({ type: 'publish', topic: 'a', payload: bytes('two'), qos: 2, packetId: 6, dup: true })
    second.send({ type: 'publish', topic: 'a', payload: bytes('three'), qos: 1, packetId: 7 })
    await client.publish('mark', '')
    await second.expect('publish')
    expect((await subscription.next()).value).toMatchObject({ text: 'two' })
    expect(await second.expect('puback')).toMatchObject({ packetId: 5 })
    expect((await subscription.next()).value).toMatchObject({ text: 'three' })
    expect(await second.expect('pubrec')).toMatchObject({ packetId: 6 })
  })
})

it('PUBREC of a message that came before does not go out until the message comes again', async () => {
  const { client, peer, again } = await start()
  const subscription = await subscribe(client, peer, 'a', { qos: 2 })
  const publish = { type: 'publish', topic: 'a', payload: bytes('one'), qos: 2, packetId: 6 } as const
  peer.send(publish)
  await subscription.next()
  peer.cut()
  const second = await again({ sessionPresent: true })
  void subscription.next() // done with it
  await client.publish('mark', '')
  expect(await second.expect('publish')).toMatchObject({ topic: 'mark' })
  second.send({ ...publish, dup: true })
  expect(await second.expect('pubrec')).toMatchObject({ packetId: 6 })
  second.send({ type: 'pubrel', packetId: 6 })
  expect(await second.expect('pubcomp')).toMatchObject({ reasonCode: 0 })
})

describe('waiting', () => {
  it('doubles up to its maximum, and is a random part of it', () => {
    for (let failures = 0; failures < 2_000; failures++) {
      const delay = delayOf({ min: 100, max: 3_000 }, failures)
      expect(delay).toBeGreaterThanOrEqual(0)
      expect(delay).toBeLessThanOrEqual(Math.min(3_000, 100 * 2 ** failures))
    }
  })

  it('ends at once by `wake`, and by `close`', async () => {
    const { client, peer, again } = await start({ reconnect: { min: 1e9, max: 1e9 } })
    const waiting = (): Promise<void> =>
      new Promise((resolve) => client.on('state', ({ name }) => name === 'waiting' && resolve()))
    const first = waiting()
    peer.cut()
    await first
    client.wake()
    const second = await again()
    const publishing = expect(client.publish('a', 'x', { qos: 1 })).rejects.toThrow('closed')
    await second.expect('publish')
    const next = waiting()
    second.cut()
    await next
    await client.close()
    await publishing
    expect(client.state).toEqual({ name: 'closed', reason: undefined })
  })
})

describe('a refusal', () => {
  it.each([
    [ReasonCode.BadUserNameOrPassword, true],
    [ReasonCode.NotAuthorized, true],
    [ReasonCode.Banned, true],
    [ReasonCode.ClientIdentifierNotValid, true],
    [ReasonCode.UnsupportedProtocolVersion, true],
    [ReasonCode.SessionTakenOver, true],
    [ReasonCode.ServerBusy, false],
    [ReasonCode.ServerUnavailable, false],
    [ReasonCode.QuotaExceeded, false],
    [ReasonCode.ConnectionRateExceeded, false],
  ])('of Reason Code %i is final: %s', async (reasonCode, final) => {
    expect(isFinal(reasonCode)).toBe(final)
    const { client, peer, server } = await start()
    if (reasonCode === ReasonCode.SessionTakenOver) peer.send({ type: 'disconnect', reasonCode })
    else {
      peer.cut()
      await (await server.peer()).accept({ reasonCode })
    }
    if (final) expect(await client.closed).toMatchObject({ reasonCode })
    else await (await server.peer()).accept()
  })

  it('is what the application says it is', async () => {
    const isFinal = (reason: Error): boolean => reason.message.includes('lost')
    const { client, peer } = await start({ reconnect: { isFinal } })
    peer.cut()
    expect((await client.closed)?.message).toContain('lost')
  })

  it('settles all promises: publish, subscribe, drained', async () => {
    const { client, peer, again } = await start({}, { properties: { receiveMaximum: 1 } })
    const pending = [
      client.publish('a', '1', { qos: 1 }),
      client.publish('a', '2', { qos: 2 }),
      client.publish('a', '3', { qos: 1 }),
      client.subscribe('a'),
    ]
    const outcomes = Promise.allSettled(pending)
    await peer.expect('publish')
    peer.cut()
    await again({ reasonCode: ReasonCode.NotAuthorized })
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { reasonCode: ReasonCode.NotAuthorized } })
    }
    await expect(client.drained()).rejects.toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
    expect(() => client.tryPublish('a', 'x')).toThrow(MqttError)
    await expect(client.publish('a', 'x')).rejects.toThrow('NotAuthorized')
  })
})

describe('several servers', () => {
  it('are tried in turn, and the next one when one is lost for good', async () => {
    const [one, two] = [await ScriptedServer.start(), await ScriptedServer.start()]
    const connecting = connect(['mqtt://127.0.0.1:1', one.url, two.url], { reconnect: atOnce })
    const peer = await one.peer()
    await peer.accept()
    const client = await connecting
    onTestFinished(() => client.close())
    one.stop()
    peer.cut()
    const other = await two.peer()
    await other.accept()
    onTestFinished(() => other.cut())
    await client.publish('a', 'x')
    await other.expect('publish')
  })

  it('that all refuse are told by the last', async () => {
    await expect(connect(['mqtt://127.0.0.1:1', 'mqtt://127.0.0.1:2'])).rejects.toThrow('127.0.0.1:2')
    await expect(connect([])).rejects.toThrow('no server')
  })

  it('are tried until the signal says so, when they are asked to', async () => {
    const signal = AbortSignal.timeout(50)
    const connecting = connect('mqtt://127.0.0.1:1', { reconnect: { ...atOnce, first: true }, signal })
    await expect(connecting).rejects.toThrow('timeout')
  })
})

describe('a Server Reference', () => {
  const moved = (to: ScriptedServer, reasonCode: number = ReasonCode.UseAnotherServer) => ({
    reasonCode,
    properties: { serverReference: to.url.replace('mqtt://', '') },
  })

  it.each([ReasonCode.UseAnotherServer, ReasonCode.ServerMoved])(
    'of CONNACK and DISCONNECT %i is followed',
    async (code) => {
      const [one, two] = [await ScriptedServer.start(), await ScriptedServer.start()]
      const connecting = connect(one.url.replace('//', '//u:p@'), { reconnect: atOnce })
      const first = await one.peer()
      await first.accept(moved(two, code))
      const second = await two.peer()
      expect(await second.accept()).toMatchObject({ userName: 'u' })
      const client = await connecting
      onTestFinished(() => client.close())
      second.send({ type: 'disconnect', ...moved(one, code) })
      const third = await one.peer()
      await third.accept()
      onTestFinished(() => third.cut())
    },
  )

  it('that leads on and on is not followed for ever', async () => {
    const server = await ScriptedServer.start()
    const connecting = connect(server.url, { reconnect: { redirects: 3 } })
    const serve = (async () => {
      for (let i = 0; i < 4; i++) await (await server.peer()).accept(moved(server))
    })()
    await expect(connecting).rejects.toThrow('too many Server References')
    await serve
  })

  it.each(['ws://127.0.0.1:1', '[::'])('to %s is not followed', async (serverReference) => {
    const server = await ScriptedServer.start()
    const connecting = connect(server.url)
    const peer = await server.peer()
    await peer.accept({ reasonCode: ReasonCode.ServerMoved, properties: { serverReference } })
    await expect(connecting).rejects.toMatchObject({ reasonCode: ReasonCode.ServerMoved })
  })
})

it('credentials are asked for anew at each attempt', async () => {
  let asked = 0
  const credentials = async () => ({ userName: 'u', password: `${++asked}` })
  const server = await ScriptedServer.start()
  const connecting = connect(server.url, { credentials, reconnect: atOnce })
  for (const password of ['1', '2']) {
    const peer = await server.peer()
    expect(await peer.accept()).toMatchObject({ userName: 'u', password: bytes(password) })
    await connecting
    if (password === '1') peer.cut()
  }
  await (await connecting).close()
})

it('credentials that never come do not hold the client up', async () => {
  const server = await ScriptedServer.start()
  const options: ConnectOptions = { credentials: () => new Promise(() => {}), connectTimeout: 20 }
  await expect(connect(server.url, options)).rejects.toThrow('did not answer in 20 ms')
})

describe('the offline queue', () => {
  it('is sent when there is a connection, in its order', async () => {
    const { client, peer, again } = await start()
    peer.cut()
    await new Promise<void>((resolve) => client.on('state', () => resolve()))
    const publishing = [0, 1, 2].map((qos) => client.publish('a', `${qos}`, { qos: qos as 0 | 1 | 2 }))
    expect(client.tryPublish('a', 'not kept')).toBe(false)
    const second = await again({ sessionPresent: true })
    for (const qos of [0, 1, 2]) expect(await second.expect('publish')).toMatchObject({ qos, dup: false })
    second.send({ type: 'puback', packetId: 1 }, { type: 'pubrec', packetId: 2 })
    await second.expect('pubrel')
    second.send({ type: 'pubcomp', packetId: 2 })
    await Promise.all(publishing)
  })

  it.each([
    ['rejectNewest', ['1', '2'], '3'],
    ['rejectOldest', ['2', '3'], '1'],
  ] as const)('that is full with %s keeps %j', async (overflow, kept, refused) => {
    const { client, peer, again } = await start({ queue: { maxMessages: 2, overflow } })
    peer.cut()
    await new Promise<void>((resolve) => client.on('state', () => resolve()))
    const outcomes = ['1', '2', '3'].map((n) => client.publish('a', n).catch((error) => [n, error.reasonCode]))
    const second = await again()
    for (const n of kept) expect(await second.expect('publish')).toMatchObject({ payload: bytes(n) })
    expect(await Promise.all(outcomes)).toContainEqual([refused, ReasonCode.QuotaExceeded])
  })

  it('counts bytes, and is told at once what cannot be sent', async () => {
    const { client, peer } = await start({ queue: { maxBytes: 100 }, reconnect: { min: 1e9, max: 1e9 } })
    peer.cut()
    await new Promise<void>((resolve) => client.on('state', ({ name }) => name === 'waiting' && resolve()))
    await expect(client.publish('a', new Uint8Array(101))).rejects.toMatchObject({ reasonCode: 0x97 })
    await expect(client.publish('a#', '')).rejects.toThrow(TypeError)
    const controller = new AbortController()
    const publishing = client.publish('a', new Uint8Array(90), { qos: 1, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(publishing).rejects.toThrow('enough')
    const other = client.publish('a', new Uint8Array(90)) // there is room again
    const refused = expect(other).rejects.toThrow('closed')
    await client.close()
    await refused
  })
})

describe('close', () => {
  it('with drain waits for what is under way, and no longer', async () => {
    const { client, peer } = await start()
    const publishing = client.publish('a', 'x', { qos: 1 })
    const { packetId = 0 } = await peer.expect('publish')
    const closing = client.close({ drain: 10_000 })
    await expect(client.publish('a', 'y')).rejects.toThrow('closed')
    peer.send({ type: 'puback', packetId })
    await publishing
    await peer.expect('disconnect')
    await closing
    const { client: other, peer: silent } = await start()
    const lost = expect(other.publish('a', 'x', { qos: 1 })).rejects.toThrow('closed')
    await silent.expect('publish')
    await other.close({ drain: 20 })
    await lost
  })

  it('discards the session that nobody asked for', async () => {
    const { client, peer } = await start()
    const closing = client.close()
    expect(await peer.expect('disconnect')).toMatchObject({ properties: { sessionExpiryInterval: 0 } })
    await closing
    const asked = await start({ clientId: 'c', session: { expiry: 60 } })
    const leaving = asked.client.close()
    expect((await asked.peer.expect('disconnect')).properties).toEqual({})
    await leaving
  })

  it('is what `await using` does', async () => {
    const { client, peer } = await start()
    await client[Symbol.asyncDispose]()
    await peer.expect('disconnect')
    expect(client.state.name).toBe('closed')
  })
})
