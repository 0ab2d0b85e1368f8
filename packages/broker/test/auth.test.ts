import type { AuthenticationMethod, AuthenticationStep, Client } from '@tidewire/broker'
import { type PacketInput, ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { answer, bytes, startBroker, text, until } from './fixture.js'
import { RawClient } from './raw-client.js'

const { ContinueAuthentication, MaximumConnectTime, NotAuthorized, ProtocolError, ReAuthenticate, Success } = ReasonCode
const payload = bytes('x')

/** Asks for a number and then for the next one: a client is who knows how to count. */
const counting: AuthenticationMethod = ({ userName }) => {
  let asked: number | undefined
  return {
    next(data) {
      if (asked === undefined) {
        asked = Number(text(data ?? bytes('0')))
        return { state: 'continue', data: bytes(`${asked}?`) }
      }
      if (text(data!) !== `${asked + 1}`) return { state: 'failure', reasonString: 'wrong' }
      return { state: 'success', data: bytes('well done'), userName: userName ?? 'counter' }
    },
  }
}

const auth = (reasonCode: number, data?: string, authenticationMethod = 'COUNT'): PacketInput => ({
  type: 'auth',
  reasonCode,
  properties: { authenticationMethod, ...(data !== undefined && { authenticationData: bytes(data) }) },
})

const connect = (data?: string, more: object = {}): PacketInput => ({
  type: 'connect',
  protocolVersion: 5,
  clientId: 'c',
  properties: { authenticationMethod: 'COUNT', ...(data !== undefined && { authenticationData: bytes(data) }) },
  ...more,
})

async function start(
  method: AuthenticationMethod = counting,
  more: object = {},
): Promise<Awaited<ReturnType<typeof startBroker>>> {
  return startBroker({ authenticationMethods: { COUNT: method }, ...more })
}

/** A client that has been let in by counting. */
async function letIn(port: number, more: object = {}): Promise<RawClient> {
  const client = await RawClient.open(port)
  client.send(connect('1', more))
  await client.expect('auth')
  client.send(auth(ContinueAuthentication, '2'))
  expect(await client.expect('connack')).toMatchObject({ reasonCode: Success })
  return client
}

/** What a method may do wrong: each must count as no. */
const wrong: readonly (readonly [string, () => AuthenticationStep])[] = [
  ['throws', () => fail(new Error('broken'))],
  ['throws what is no error', () => fail(Object.create(null))],
  ['rejects', () => Promise.reject(new Error('broken')) as never],
  ['answers nothing', () => undefined as never],
  ['answers true', () => true as never],
  ['answers a state there is not', () => ({ state: 'fine' }) as never],
  ['succeeds with data that are no bytes', () => ({ state: 'success', data: 'x' }) as never],
  ['succeeds with too many data', () => ({ state: 'success', data: new Uint8Array(70_000) })],
  ['succeeds with an end that is none', () => ({ state: 'success', expiresAt: Number.NaN })],
  ['succeeds with a name that is none', () => ({ state: 'success', userName: 5 }) as never],
  ['succeeds with no name later', () => Promise.resolve({ state: 'success', userName: null }) as never],
  ['goes on with data that are no bytes', () => ({ state: 'continue', data: [1] }) as never],
  ['fails with a success', () => ({ state: 'failure', reasonCode: 0 })],
  ['fails with a reason that is no text', () => ({ state: 'failure', reasonString: 5 }) as never],
]

function fail(error: unknown): never {
  throw error
}

describe('enhanced authentication', () => {
  it('goes back and forth until the client is known [MQTT-4.12.0-2] [MQTT-4.12.0-5]', async () => {
    const names: unknown[] = []
    const { port } = await start(counting, { onConnect: ({ userName }: { userName?: string }) => names.push(userName) })
    const client = await RawClient.open(port)
    client.send(connect('41'))
    expect(await client.expect('auth')).toMatchObject({
      reasonCode: ContinueAuthentication,
      properties: { authenticationMethod: 'COUNT', authenticationData: bytes('41?') },
    })
    client.send(auth(ContinueAuthentication, '42'))
    expect(await client.expect('connack')).toMatchObject({
      reasonCode: Success,
      properties: { authenticationMethod: 'COUNT', authenticationData: bytes('well done') },
    })
    expect(names).toEqual(['counter'])
    expect(await client.drain()).toEqual([])
  })

  it('is refused in CONNACK, and the connection ends [MQTT-4.12.0-4]', async () => {
    const { port, broker } = await start()
    const client = await RawClient.open(port)
    client.send(connect('41'))
    await client.expect('auth')
    client.send(auth(ContinueAuthentication, '43'))
    expect(await client.expect('connack')).toMatchObject({
      reasonCode: NotAuthorized,
      properties: { reasonString: 'wrong' },
    })
    await client.expectEnd()
    expect(broker.metrics.connectionsRefused).toBe(1)
  })

  it.each(['OTHER', '__proto__', 'constructor', 'toString', ''])(
    'with a method that is not known is refused [MQTT-4.12.0-1] S-01 (%s)',
    async (authenticationMethod) => {
      const { port } = await start()
      const client = await RawClient.open(port)
      client.send(connect(undefined, { properties: { authenticationMethod } }))
      expect(await client.expect('connack')).toMatchObject({ reasonCode: ReasonCode.BadAuthenticationMethod })
      await client.expectEnd()
    },
  )

  it('takes nothing but AUTH and DISCONNECT before CONNACK [MQTT-3.1.2-30]', async () => {
    const { port } = await start()
    for (const packet of [
      { type: 'publish', topic: 'a', payload },
      { type: 'pingreq' },
      connect('1'),
      auth(ReAuthenticate, '1'),
      auth(Success, '1'),
      auth(ContinueAuthentication, '2', 'OTHER'),
    ] as const) {
      const client = await RawClient.open(port)
      client.send(connect('1'))
      await client.expect('auth')
      client.send(packet)
      expect(await client.expect('connack')).toMatchObject({ reasonCode: ProtocolError })
      await client.expectEnd()
    }
  })

  it('tells a client that sends what is malformed in the midst of it', async () => {
    const { port } = await start()
    const client = await RawClient.open(port)
    client.send(connect('1'))
    await client.expect('auth')
    client.sendBytes('f0 01')
    client.sendBytes('18')
    expect(await client.expect('connack')).toMatchObject({ reasonCode: expect.toSatisfy((code) => code >= 0x81) })
    await client.expectEnd()
  })

  it.each([undefined, 100])(
    'may be given up by DISCONNECT (Session Expiry Interval %s)',
    async (sessionExpiryInterval) => {
      const errors: string[] = []
      const { port, broker } = await start(counting, {
        log: { info() {}, warn() {}, error: (message: string) => errors.push(message) },
      })
      const client = await RawClient.open(port)
      client.send(connect('1'))
      await client.expect('auth')
      client.send({
        type: 'disconnect',
        properties: sessionExpiryInterval === undefined ? {} : { sessionExpiryInterval },
      })
      await client.expectEnd()
      await until(() => broker.metrics.connections === 0)
      expect(errors).toEqual([])
    },
  )

  it.each(wrong)('by a method that %s lets nobody in S-31', async (_, next) => {
    const { port, broker } = await start(() => ({ next }))
    const client = await RawClient.open(port)
    client.send(connect())
    expect(await client.expect('connack')).toMatchObject({ reasonCode: NotAuthorized })
    await client.expectEnd()
    expect(broker.metrics.hooksFailed).toBe(1)
    expect(broker.metrics.connectionsAccepted).toBe(0)
  })

  it.each([
    ['throws', () => fail('x')],
    ['is no exchange', () => ({}) as never],
    ['is a promise', () => Promise.resolve(counting({} as never)) as never],
  ])('by a method whose beginning %s lets nobody in S-31', async (_, method) => {
    const { port } = await start(method)
    const client = await RawClient.open(port)
    client.send(connect())
    expect(await client.expect('connack')).toMatchObject({ reasonCode: NotAuthorized })
    await client.expectEnd()
  })

  it('that takes too long lets nobody in S-29', async () => {
    let asked = false
    const next = (): Promise<never> => {
      asked = true
      return new Promise(() => {})
    }
    const { port, clock } = await start(() => ({ next }), { limits: { hookTimeout: 300 } })
    const client = await RawClient.open(port)
    client.send(connect())
    await until(() => asked)
    clock.advance(0.5)
    expect(await client.expect('connack')).toMatchObject({ reasonCode: NotAuthorized })
    await client.expectEnd()
  })

  it('must be over when a CONNECT must be S-13', async () => {
    const { port, clock } = await start()
    const client = await RawClient.open(port)
    client.send(connect('1'))
    await client.expect('auth')
    clock.advance(10.2)
    await client.expectEnd()
  })

  it('that ends when the client is gone begins no session', async () => {
    const { promise, resolve } = answer<AuthenticationStep>()
    let asked = 0
    const { port, broker } = await start(() => ({ next: () => promise }), {
      authorize: () => {
        asked++
        return true
      },
      onConnect: () => asked++,
    })
    const client = await RawClient.open(port)
    const will = { topic: 'will', payload, qos: 0, retain: false, properties: {} }
    client.send(connect('1', { will, cleanStart: false }))
    await until(() => broker.metrics.packetsReceived === 1)
    client.cut()
    await until(() => broker.metrics.connections === 0)
    resolve({ state: 'success' })
    await broker.close()
    expect(asked).toBe(0)
  })

  it('that takes longer than that of a later connection loses to it [MQTT-3.1.4-3]', async () => {
    const answers: ((step: AuthenticationStep) => void)[] = []
    const { port, broker } = await start(() => ({ next: () => new Promise((resolve) => answers.push(resolve)) }))
    const first = await RawClient.open(port)
    first.send(connect())
    await until(() => answers.length === 1)
    const second = await RawClient.open(port)
    second.send(connect())
    await until(() => answers.length === 2)
    answers[1]!({ state: 'success' })
    await second.expect('connack')
    answers[0]!({ state: 'success' })
    await first.expectEnd()
    expect(await second.drain()).toEqual([])
    expect(broker.metrics.connections).toBe(1)
  })

  it('decides whose session it is, not the CONNECT S-07', async () => {
    const { port } = await start(() => ({ next: (data) => ({ state: 'success', userName: text(data!) }) }))
    const kept = (name: string): PacketInput =>
      connect(undefined, {
        cleanStart: false,
        userName: 'ann',
        properties: {
          authenticationMethod: 'COUNT',
          authenticationData: bytes(name),
          sessionExpiryInterval: 100,
        },
      })
    for (const [name, reasonCode] of [
      ['ann', Success],
      ['bob', NotAuthorized],
      ['ann', Success],
    ] as const) {
      const client = await RawClient.open(port)
      client.send(kept(name))
      expect(await client.expect('connack')).toMatchObject({ reasonCode })
      client.cut()
    }
  })

  it('is not there for a client that did not ask for it [MQTT-4.12.0-6]', async () => {
    const { port } = await start()
    const client = await RawClient.open(port)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'c' })
    expect((await client.expect('connack')).properties.authenticationMethod).toBeUndefined()
    client.send(auth(ReAuthenticate, '1'))
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ProtocolError })
  })
})

describe('re-authentication', () => {
  /** Grants so many seconds for `1`, and no end for anything else. */
  const granting: AuthenticationMethod = () => ({
    next: (data) => ({ state: 'success', ...(text(data!) === '1' && { expiresAt: Date.now() + 60_000 }) }),
  })

  it('is what keeps a client whose grant ends; without it the connection does with 0xA0', async () => {
    const { port, clock } = await start(granting)
    const [one, two, three] = await Promise.all(['1', '2', '3'].map(() => RawClient.open(port)))
    for (const [client, clientId] of [
      [one, 'one'],
      [two, 'two'],
      [three, 'three'],
    ] as const) {
      client!.send(connect('1', { clientId }))
      await client!.expect('connack')
    }
    clock.advance(59)
    two!.send(auth(ReAuthenticate, '1'))
    expect(await two!.expect('auth')).toMatchObject({ reasonCode: Success })
    three!.send(auth(ReAuthenticate, '2'))
    expect(await three!.expect('auth')).toMatchObject({ reasonCode: Success })
    clock.advance(2)
    expect(await one!.expect('disconnect')).toMatchObject({ reasonCode: MaximumConnectTime })
    await one!.expectEnd()
    expect(await two!.drain()).toEqual([])
    clock.advance(60)
    expect(await two!.expect('disconnect')).toMatchObject({ reasonCode: MaximumConnectTime })
    clock.advance(3000)
    expect(await three!.drain()).toEqual([])
  })

  it('leaves hooks the same client object, from the first step of the first exchange on', async () => {
    const seen = new Set<Client>()
    const names: (string | undefined)[] = []
    const method: AuthenticationMethod = (client) => {
      seen.add(client)
      return counting(client)
    }
    const onConnect = (client: Client): void => void names.push(seen.has(client) ? client.userName : 'somebody')
    const { port } = await start(method, { onConnect })
    const client = await letIn(port)
    client.send(auth(ReAuthenticate, '1'))
    await client.expect('auth')
    expect([seen.size, names]).toEqual([1, ['counter']])
  })

  it('goes on beside all else, and again [MQTT-4.12.1-1]', async () => {
    const { port } = await start()
    const client = await letIn(port)
    await client.subscribe('a')
    for (let i = 5; i < 8; i++) {
      client.send(auth(ReAuthenticate, `${i}`))
      expect(await client.expect('auth')).toMatchObject({ reasonCode: ContinueAuthentication })
      client.send({ type: 'publish', topic: 'a', payload })
      await client.expect('publish')
      client.send(auth(ContinueAuthentication, `${i + 1}`))
      expect(await client.expect('auth')).toMatchObject({
        reasonCode: Success,
        properties: { authenticationMethod: 'COUNT', authenticationData: bytes('well done') },
      })
    }
  })

  it.each([
    ['fails', [auth(ReAuthenticate, '1'), auth(ContinueAuthentication, '3')], NotAuthorized],
    ['begins twice', [auth(ReAuthenticate, '1'), auth(ReAuthenticate, '1')], ProtocolError],
    ['begins with another method', [auth(ReAuthenticate, '1', 'OTHER')], ProtocolError],
    ['begins in the middle', [auth(ContinueAuthentication, '1')], ProtocolError],
    ['begins with its end', [auth(Success, '1')], ProtocolError],
  ])('that %s ends the connection, and the Will is published [MQTT-4.12.1-2]', async (_, packets, reasonCode) => {
    const { port } = await start()
    const watcher = await RawClient.connect(port)
    await watcher.subscribe('will')
    const will = { topic: 'will', payload, qos: 0, retain: false, properties: {} }
    const client = await letIn(port, { will })
    client.send(...packets)
    let last = await client.next()
    while (last?.type === 'auth') last = await client.next()
    expect(last).toMatchObject({ type: 'disconnect', reasonCode })
    await client.expectEnd()
    await watcher.expect('publish')
  })

  it.each(wrong)('by a method that %s ends the connection', async (_, next) => {
    let times = 0
    const { port } = await start(() => ({ next: () => (times++ === 0 ? { state: 'success' } : next()) }))
    const client = await RawClient.open(port)
    client.send(connect())
    await client.expect('connack')
    client.send(auth(ReAuthenticate))
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: NotAuthorized })
    await client.expectEnd()
  })

  it('does not make another user of the client', async () => {
    const { port } = await start(() => ({ next: (data) => ({ state: 'success', userName: text(data!) }) }))
    const client = await RawClient.open(port)
    client.send(connect('ann'))
    await client.expect('connack')
    client.send(auth(ReAuthenticate, 'ann'))
    expect(await client.expect('auth')).toMatchObject({ reasonCode: Success })
    client.send(auth(ReAuthenticate, 'root'))
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: NotAuthorized })
  })

  it('that is answered when the session has another connection does nothing to it', async () => {
    const { promise, resolve } = answer<AuthenticationStep>()
    let times = 0
    const next = (): AuthenticationStep | Promise<AuthenticationStep> =>
      times++ === 1 ? promise : { state: 'success', userName: 'ann' }
    const { port, broker } = await start(() => ({ next }))
    const first = await RawClient.open(port)
    first.send(connect())
    await first.expect('connack')
    first.send(auth(ReAuthenticate))
    await until(() => times === 2)
    const second = await RawClient.open(port)
    second.send(connect())
    await second.expect('connack')
    expect(await first.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.SessionTakenOver })
    resolve({ state: 'failure' })
    await first.expectEnd()
    expect(await second.drain()).toEqual([])
    expect(broker.metrics.connections).toBe(1)
  })
})
