import { ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { bytes, startBroker } from './fixture.js'
import { RawClient } from './raw-client.js'

describe('CONNECT', () => {
  it('of MQTT 5.0 is told the conditions [MQTT-3.1.4-5]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.open(port)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'c', keepAlive: 60 })
    expect(await client.expect('connack')).toMatchObject({
      sessionPresent: false,
      reasonCode: 0,
      properties: {
        receiveMaximum: 64,
        maximumPacketSize: 1024 * 1024,
        topicAliasMaximum: 32,
      },
    })
  })

  it.each([3, 4] as const)('of protocol version %i gets CONNACK without properties', async (protocolVersion) => {
    const { port } = await startBroker()
    const client = await RawClient.open(port, protocolVersion)
    client.send({ type: 'connect', protocolVersion, clientId: 'c' })
    expect(await client.expect('connack')).toEqual({
      type: 'connack',
      sessionPresent: false,
      reasonCode: 0,
      properties: {},
    })
  })

  it('without Client Identifier is assigned one of its own [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]', async () => {
    const { port } = await startBroker()
    const assigned = new Set<string>()
    for (let i = 0; i < 2; i++) {
      const client = await RawClient.open(port)
      client.send({ type: 'connect', protocolVersion: 5, clientId: '' })
      assigned.add((await client.expect('connack')).properties.assignedClientIdentifier!)
    }
    expect(assigned.size).toBe(2)
    expect(assigned).not.toContain(undefined)
  })

  it('of MQTT 3.1.1 without Client Identifier may not keep a session [3.1.1 MQTT-3.1.3-8]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.open(port, 4)
    client.sendBytes('10 0c 0004 4d515454 04 00 0000 0000')
    expect(await client.expect('connack')).toMatchObject({ reasonCode: 2 })
    await client.expectEnd()
  })

  it('must be the first packet [MQTT-3.1.0-1]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.open(port)
    client.send({ type: 'pingreq' })
    await client.expectEnd()
  })

  it('may not come twice [MQTT-3.1.0-2]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'again' })
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.ProtocolError })
    await client.expectEnd()
  })

  it.each([
    ['a later version', '10 0d 0004 4d515454 06 02 0000 00 0000', '20 03 00 84'],
    ['an unknown version', '10 0c 0004 4d515454 01 02 0000 0000', '20 02 00 01'],
  ])('of %s is told so [MQTT-3.1.2-2] [3.1.1 MQTT-3.1.2-2]', async (_, connect, connack) => {
    const { port } = await startBroker()
    const client = await RawClient.open(port, connack.startsWith('20 02') ? 4 : 5)
    client.sendBytes(connect)
    expect(await client.expect('connack')).toMatchObject({ reasonCode: Number.parseInt(connack.slice(-2), 16) })
    await client.expectEnd()
  })

  it('of MQTT 5.0 that is malformed is told so, of MQTT 3.1.1 not [MQTT-3.1.4-1] [3.1.1 MQTT-3.1.4-1]', async () => {
    const { port } = await startBroker()
    const modern = await RawClient.open(port)
    modern.sendBytes('10 0d 0004 4d515454 05 03 0000 00 0000')
    expect(await modern.expect('connack')).toMatchObject({ reasonCode: ReasonCode.MalformedPacket })
    await modern.expectEnd()
    const old = await RawClient.open(port, 4)
    old.sendBytes('10 0c 0004 4d515454 04 03 0000 0000')
    await old.expectEnd()
  })

  it('is all that is listened to when it is refused [MQTT-3.1.4-6]', async () => {
    const { port, broker } = await startBroker({ authenticate: ({ clientId }) => clientId === 'good' })
    const watcher = await RawClient.connect(port, { clientId: 'good' })
    await watcher.subscribe('#')
    const client = await RawClient.open(port)
    client.send(
      { type: 'connect', protocolVersion: 5, clientId: 'bad' },
      { type: 'publish', topic: 'a', payload: bytes('x') },
    )
    expect(await client.expect('connack')).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
    await client.expectEnd()
    expect(await watcher.drain()).toEqual([])
    expect(broker.metrics.messagesReceived).toBe(0)
  })

  it('that does not come in time ends the connection', async () => {
    const { port, clock } = await startBroker()
    const client = await RawClient.open(port)
    client.sendBytes('10')
    const other = await RawClient.connect(port) // the first one has been accepted when this one has
    clock.advance(9.9)
    expect(await other.drain()).toEqual([])
    clock.advance(0.3)
    await client.expectEnd()
    expect(await other.drain()).toEqual([])
  })

  it('above its size ends the connection before it is there', async () => {
    const { port } = await startBroker()
    const client = await RawClient.open(port)
    client.sendBytes('10 ffff7f')
    await client.expectEnd()
  })

  it('with an Authentication Method that is not known is refused [MQTT-4.12.0-1]', async () => {
    const { port } = await startBroker()
    const client = await RawClient.open(port)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'c', properties: { authenticationMethod: 'X' } })
    expect(await client.expect('connack')).toMatchObject({ reasonCode: ReasonCode.BadAuthenticationMethod })
    await client.expectEnd()
  })
})

describe('the hook authenticate', () => {
  it('may take its time, and what the client sends meanwhile is not lost', async () => {
    let allow: (allowed: boolean) => void = () => {}
    const asked = new Promise<void>((ask) => {
      allow = () => ask()
    })
    let settle: (allowed: boolean) => void = () => {}
    const { port } = await startBroker({
      authenticate: ({ userName }, password) => {
        expect(userName).toBe('ann')
        expect(password).toEqual(bytes('tide'))
        return new Promise((resolve) => {
          settle = resolve
          allow(true)
        })
      },
    })
    const client = await RawClient.open(port)
    client.send(
      { type: 'connect', protocolVersion: 5, clientId: 'c', userName: 'ann', password: bytes('tide') },
      { type: 'pingreq' },
    )
    await asked
    client.send({ type: 'pingreq' })
    settle(true)
    await client.expect('connack')
    await client.expect('pingresp')
    await client.expect('pingresp')
  })

  it.each([
    ['says no', () => false],
    ['says no later', async () => false],
    [
      'throws',
      () => {
        throw new Error('broken')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('broken')
      },
    ],
    ['answers nonsense', () => 1 as unknown as boolean],
  ])('that %s refuses', async (_, authenticate) => {
    const { port } = await startBroker({ authenticate })
    const client = await RawClient.open(port)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'c', userName: 'u' })
    expect(await client.expect('connack')).toMatchObject({ reasonCode: ReasonCode.BadUserNameOrPassword })
    await client.expectEnd()
  })

  it('refuses MQTT 3.1.1 clients with its return codes', async () => {
    const { port } = await startBroker({ authenticate: () => false })
    for (const [userName, reasonCode] of [
      ['u', 4],
      [undefined, 5],
    ] as const) {
      const client = await RawClient.open(port, 4)
      client.send({ type: 'connect', protocolVersion: 4, clientId: 'c', userName })
      expect(await client.expect('connack')).toMatchObject({ reasonCode })
      await client.expectEnd()
    }
  })

  it('may be left behind by a client that goes', async () => {
    let asked: (settle: (allowed: boolean) => void) => void = () => {}
    const question = new Promise<(allowed: boolean) => void>((resolve) => {
      asked = resolve
    })
    const { port, broker, lose } = await startBroker({ authenticate: () => new Promise((resolve) => asked(resolve)) })
    const client = await RawClient.open(port)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'c' })
    const settle = await question
    await lose(client)
    settle(true)
    await broker.close()
  })
})

describe('Keep Alive', () => {
  it('of one and a half times its length without a packet ends the connection [MQTT-3.1.2-22]', async () => {
    const { port, clock } = await startBroker()
    const client = await RawClient.connect(port, { keepAlive: 10 })
    clock.advance(14)
    client.send({ type: 'pingreq' })
    await client.expect('pingresp')
    clock.advance(14.9)
    expect(await client.drain()).toEqual([])
    clock.advance(15.2)
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.KeepAliveTimeout })
    await client.expectEnd()
  })

  it('of 0 is replaced, of which MQTT 5.0 clients are told [MQTT-3.2.2-22] S-14', async () => {
    const { port, clock } = await startBroker()
    const modern = await RawClient.open(port)
    modern.send({ type: 'connect', protocolVersion: 5, clientId: 'm', keepAlive: 0 })
    expect((await modern.expect('connack')).properties).toMatchObject({ serverKeepAlive: 3600 })
    const old = await RawClient.connect(port, { protocolVersion: 4, keepAlive: 0 })
    clock.advance(5_399)
    expect(await old.drain()).toEqual([])
    clock.advance(2)
    await modern.expect('disconnect')
    clock.advance(5_400)
    await old.expectEnd()
  })
})
