import { type Authentication, connect, ReasonCode } from '@tidewire/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bytes, start } from './connected.js'
import { type Peer, ScriptedServer } from './scripted-server.js'

const method = 'ECHO'
const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data)

/** Says what it is told, and believes all but `wrong`. */
const echo = (): Authentication => ({
  method,
  start: () => bytes('hello'),
  continue(data) {
    if (text(data) === 'wrong') throw new Error('not the server')
    return bytes(`re: ${text(data)}`)
  },
})

async function attempt(serve: (peer: Peer) => Promise<void>) {
  const server = await ScriptedServer.start()
  const connecting = connect(server.url, { authentication: echo(), reconnect: false })
  connecting.catch(() => {})
  const peer = await server.peer()
  onTestFinished(() => peer.cut())
  await serve(peer)
  return { connecting, peer }
}

const auth = (data: string, reasonCode = 0x18) =>
  ({ type: 'auth', reasonCode, properties: { authenticationMethod: method, authenticationData: bytes(data) } }) as const
const proof = { authenticationMethod: method, authenticationData: bytes('proof') }

describe('enhanced authentication', () => {
  it('is a conversation before CONNACK [MQTT-4.12.0-3, MQTT-4.12.0-5]', async () => {
    const { connecting } = await attempt(async (peer) => {
      const { properties } = await peer.expect('connect')
      expect(properties).toMatchObject({ authenticationMethod: method, authenticationData: bytes('hello') })
      peer.send(auth('one'))
      const answer = await peer.expect('auth')
      expect(answer.reasonCode).toBe(ReasonCode.ContinueAuthentication)
      expect(text(answer.properties.authenticationData)).toBe('re: one')
      peer.send({ type: 'connack', properties: proof })
    })
    await (await connecting).close()
  })

  it('ends with the proof of the server: what comes behind it waits', async () => {
    const { connecting, peer } = await attempt(async (peer) => {
      await peer.expect('connect')
      const early = { type: 'publish', topic: 'a', payload: bytes('x'), qos: 1, packetId: 1 } as const
      peer.send({ type: 'connack', properties: proof }, early)
      await peer.expect('puback')
    })
    const client = await connecting
    await client.publish('a', 'x')
    await peer.expect('publish')
    await client.close()
  })

  it.each([
    [
      'the proof is wrong',
      { type: 'connack', properties: { ...proof, authenticationData: bytes('wrong') } },
      'not the server',
    ],
    ['an answer is wrong', auth('wrong'), 'not the server'],
    ['CONNACK has no method [MQTT-4.12.0-5]', { type: 'connack' }, 'Method'],
    [
      'AUTH has another method',
      { type: 'auth', reasonCode: 0x18, properties: { authenticationMethod: 'X' } },
      'Method',
    ],
    ['AUTH is of re-authentication', auth('', 0x19), 'AUTH'],
    ['AUTH says success before CONNACK', auth('', 0), 'AUTH'],
  ] as const)('fails when %s', async (_, packet, message) => {
    const { connecting } = await attempt(async (peer) => {
      await peer.expect('connect')
      peer.send(packet)
    })
    await expect(connecting).rejects.toThrow(message)
  })

  it('is done again on the same connection [MQTT-4.12.1-1]', async () => {
    const { connecting, peer } = await attempt(async (peer) => {
      await peer.expect('connect')
      peer.send({ type: 'connack', properties: { authenticationMethod: method } })
    })
    const client = await connecting
    const again = client.reauthenticate()
    expect(await peer.expect('auth')).toMatchObject({ reasonCode: 0x19, properties: { authenticationMethod: method } })
    peer.send(auth('two'))
    await peer.expect('auth')
    peer.send(auth('done', 0))
    await again
    const refused = client.reauthenticate()
    await peer.expect('auth')
    peer.send({ type: 'disconnect', reasonCode: ReasonCode.NotAuthorized })
    await expect(refused).rejects.toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
    await client.closed
  })

  it('that is done again and fails ends the connection, with the reason [MQTT-4.12.1-2]', async () => {
    const { connecting, peer } = await attempt(async (peer) => {
      await peer.expect('connect')
      peer.send({ type: 'connack', properties: { authenticationMethod: method } })
    })
    const client = await connecting
    const refused = expect(client.reauthenticate()).rejects.toThrow('not the server')
    await peer.expect('auth')
    peer.send(auth('wrong'))
    expect(await peer.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
    await refused
    expect(await client.closed).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
  })

  it('is not there unless it was asked for [MQTT-4.12.0-6, MQTT-4.12.0-7]', async () => {
    const { client, peer } = await start({ reconnect: false })
    await expect(client.reauthenticate()).rejects.toThrow(TypeError)
    peer.send(auth('x'))
    expect(await peer.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.ProtocolError })
  })
})
