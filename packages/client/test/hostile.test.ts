import { type Client, type ConnectOptions, connect, ReasonCode } from '@tidewire/client'
import type { Connack, Input } from '@tidewire/codec'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocketServer } from 'ws'
import { type Peer, ScriptedServer } from './scripted-server.js'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

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

describe('a mistake of the caller', () => {
  it.each([
    ['a payload', (client: Client) => client.publish('a', 5 as never), 'string or a Uint8Array'],
    ['no payload', (client: Client) => client.publish('a', undefined as never), 'string or a Uint8Array'],
    ['a Topic Filter', (client: Client) => client.subscribe(['a'] as never), 'a string is needed'],
    ['a QoS', (client: Client) => client.publish('a', '', { qos: 3 as never }), 'qos'],
    [
      'a property',
      (client: Client) => client.publish('a', '', { qos: 1, properties: { contentType: '\0' } }),
      'U\\+0000',
    ],
  ])('in %s is told and leaves the connection alone', async (_, act, message) => {
    const [client, peer] = await connected({}, { properties: { receiveMaximum: 1 } })
    for (let i = 0; i < 3; i++) await expect(act(client)).rejects.toThrow(new RegExp(message))
    const publishing = client.publish('a', 'x', { qos: 1 })
    const { packetId = 0 } = await peer.expect('publish')
    peer.send({ type: 'puback', packetId })
    await publishing
  })

  it.each([
    ['localhost', {}, 'not a URL such as'],
    ['mqtt://localhost', { clean: true }, 'no option called clean'],
    ['mqtt://localhost', { protocolVersion: 6 }, 'protocolVersion must be'],
    ['mqtt://localhost', { clientId: 5 }, 'must be strings'],
  ])('in connect(%j, %j) is told', async (url, options, message) => {
    await expect(connect(url, options as ConnectOptions)).rejects.toThrow(message)
  })
})

describe('a server that does not read', () => {
  it('is not sent more than the network takes, and is given up in time', async () => {
    const [client, peer] = await connected({ keepAlive: 1 })
    peer.pause()
    const payload = new Uint8Array(64 * 1024)
    let sent = 0
    const publishing = (async () => {
      for (;;) {
        await client.publish('a', payload)
        sent++
      }
    })()
    await expect(publishing).rejects.toMatchObject({ reasonCode: ReasonCode.KeepAliveTimeout })
    expect(sent * payload.length).toBeLessThan(64 * 1024 * 1024) // what the system keeps for a socket, and a little more
  })
})

describe('a subscription that is given up', () => {
  it('does not hold up the acknowledgements of others', async () => {
    const [client, peer] = await connected()
    const subscribe = async (filter: string, reasonCode: number): Promise<Awaited<ReturnType<Client['subscribe']>>> => {
      const subscribing = client.subscribe(filter, { qos: 1 })
      const { packetId } = await peer.expect('subscribe')
      const properties = {}
      peer.send({ type: 'publish', topic: filter, payload: bytes('x'), qos: 1, packetId: packetId + 100, properties })
      peer.send({ type: 'suback', packetId, reasonCodes: [reasonCode] })
      return subscribing
    }
    const closed = await subscribe('closed', 1)
    await closed.next()
    const closing = closed.close()
    expect(await peer.expect('puback')).toMatchObject({ packetId: 101 })
    const { packetId } = await peer.expect('unsubscribe')
    peer.send({ type: 'unsuback', packetId, reasonCodes: [0] })
    await closing
    await expect(subscribe('refused', 0x87)).rejects.toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
    await peer.expect('puback')
  })

  it('leaves another one of the same Topic Filter alone', async () => {
    const [client, peer] = await connected()
    const streams = []
    for (let i = 0; i < 2; i++) {
      const subscribing = client.subscribe('a', { qos: 1 })
      const { packetId, properties } = await peer.expect('subscribe')
      expect(properties.subscriptionIdentifier).toBe(1)
      peer.send({ type: 'suback', packetId, reasonCodes: [1] })
      streams.push(await subscribing)
    }
    await streams[0]!.close()
    peer.send({ type: 'publish', topic: 'a', payload: bytes('x'), properties: { subscriptionIdentifier: [1] } })
    expect((await streams[1]!.next()).value).toMatchObject({ text: 'x' })
    await client.publish('mark', '')
    expect(await peer.expect('publish')).toMatchObject({ topic: 'mark' }) // and no UNSUBSCRIBE before it
  })
})

it('messages of QoS 1 are not dropped when the buffer is full, and their acknowledgements free the Receive Maximum', async () => {
  const [client, peer] = await connected({ properties: { receiveMaximum: 2 } })
  const subscribing = client.subscribe('a', { qos: 1, buffer: 1 })
  const { packetId } = await peer.expect('subscribe')
  peer.send({ type: 'suback', packetId, reasonCodes: [1] })
  const subscription = await subscribing
  const publish = { type: 'publish', topic: 'a', payload: bytes('x'), qos: 1 } as const
  peer.send({ ...publish, packetId: 1 }, { ...publish, packetId: 2 })
  for (let packetId = 3; packetId < 7; packetId++) {
    await subscription.next()
    if (packetId > 3) await peer.expect('puback')
    if (packetId > 3) peer.send({ ...publish, packetId })
  }
  expect(subscription.dropped).toBe(0)
})

describe('a WebSocket', () => {
  it('on which a text frame comes is closed [MQTT-6.0.0-1]', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'mqtt' })
    onTestFinished(() => void server.close())
    server.on('connection', (socket) => {
      socket.once('message', () => {
        socket.send(Buffer.from('2003000000', 'hex'))
        socket.send('text')
      })
    })
    await new Promise((resolve) => server.once('listening', resolve))
    const client = await connect(`ws://127.0.0.1:${(server.address() as { port: number }).port}`, { reconnect: false })
    expect((await client.closed)?.message).toContain('text frame')
  })

  it('is written to in pieces of bounded size', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'mqtt' })
    onTestFinished(() => void server.close())
    const sizes: number[] = []
    let received = 0
    const all = new Promise<void>((resolve) => {
      server.on('connection', (socket) => {
        socket.on('message', (data: Buffer) => {
          if (sizes.push(data.length) === 1) socket.send(Buffer.from('2003000000', 'hex'))
          else received += data.length
          if (received > 200 * 1000) resolve()
        })
      })
    })
    await new Promise((resolve) => server.once('listening', resolve))
    const client = await connect(`ws://127.0.0.1:${(server.address() as { port: number }).port}`)
    onTestFinished(() => client.close())
    await Promise.all(Array.from({ length: 200 }, () => client.publish('a', new Uint8Array(1000))))
    await all
    expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024)
    expect(sizes.length).toBeLessThan(10)
  })
})

it('a signal does not keep the time-out from going off', async () => {
  const server = await ScriptedServer.start()
  const { signal } = new AbortController()
  await expect(connect(server.url, { connectTimeout: 50, signal })).rejects.toThrow('did not answer in 50 ms')
})
