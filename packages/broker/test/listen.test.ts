import { connect as connectTcp } from 'node:net'
import { createBroker } from '@tidewire/broker'
import { decode, encode, ReasonCode } from '@tidewire/codec'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { startBroker } from './fixture.js'
import { RawClient } from './raw-client.js'

const hello = encode({ type: 'connect', protocolVersion: 5, clientId: 'w' })

/** The next event of a kind, with what it brought. */
function once(socket: WebSocket, event: 'open' | 'message' | 'close'): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    socket.once(event, (...args: unknown[]) => resolve(args))
    socket.once('error', reject)
  })
}

async function webSocketBroker(): Promise<number> {
  const { broker } = await startBroker()
  return (await broker.listen('ws://127.0.0.1:0')).port
}

describe('a WebSocket', () => {
  it.each(['mqtt', 'mqttv3.1'])('of the subprotocol %s carries packets [MQTT-6.0.0-4]', async (subprotocol) => {
    const socket = new WebSocket(`ws://127.0.0.1:${await webSocketBroker()}/any/path`, subprotocol)
    await once(socket, 'open')
    expect(socket.protocol).toBe(subprotocol)
    socket.send(hello)
    const [bytes] = await once(socket, 'message')
    expect(decode(bytes as Uint8Array)).toMatchObject({ type: 'connack', reasonCode: 0 })
    socket.send(encode({ type: 'disconnect' }))
    await once(socket, 'close')
  })

  it('may cut packets anywhere and put several in a frame [MQTT-6.0.0-2]', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${await webSocketBroker()}`, 'mqtt')
    await once(socket, 'open')
    const ping = encode({ type: 'pingreq' })
    const stream = Buffer.concat([hello, ping, ping])
    for (const piece of [stream.subarray(0, 1), stream.subarray(1, 9), stream.subarray(9)]) socket.send(piece)
    let received = Buffer.alloc(0)
    while (!received.subarray(-4).equals(Buffer.from('d000d000', 'hex'))) {
      const [bytes] = await once(socket, 'message')
      received = Buffer.concat([received, bytes as Buffer])
    }
    socket.terminate()
  })

  it('with a text frame is closed [MQTT-6.0.0-1]', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${await webSocketBroker()}`, 'mqtt')
    await once(socket, 'open')
    socket.send('text')
    expect((await once(socket, 'close'))[0]).toBe(1003)
  })

  it.each([[[]], [['other']]])('that offers the subprotocols %j is refused [MQTT-6.0.0-3]', async (subprotocols) => {
    const socket = new WebSocket(`ws://127.0.0.1:${await webSocketBroker()}`, subprotocols)
    await expect(once(socket, 'open')).rejects.toThrow('400')
  })

  it('with a frame far above the size of a packet is closed', async () => {
    const { broker } = await startBroker({ limits: { maxPacketSize: 1000 } })
    const { port } = await broker.listen('ws://127.0.0.1:0')
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, 'mqtt')
    await once(socket, 'open')
    socket.send(hello)
    await once(socket, 'message')
    socket.send(new Uint8Array(1000 + 1024 * 1024 + 1))
    expect((await once(socket, 'close'))[0]).toBe(1009)
  })

  it('is not what another HTTP request gets', async () => {
    const response = await fetch(`http://127.0.0.1:${await webSocketBroker()}/`)
    expect(response.status).toBe(426)
  })
})

describe('a broker', () => {
  it('refuses a URL of another kind', async () => {
    const { broker } = await startBroker()
    await expect(broker.listen('http://127.0.0.1:0')).rejects.toThrow(TypeError)
  })

  it.each(['mqtt', 'ws'])('says when the port of %s is taken', async (scheme) => {
    const { broker, port } = await startBroker()
    await expect(broker.listen(`${scheme}://127.0.0.1:${port}`)).rejects.toThrow('EADDRINUSE')
  })

  it.each([
    ['an unknown limit', { noSuchLimit: 1 }],
    ['a limit of 0', { maxPacketSize: 0 }],
    ['a limit that is no number', { maxPacketSize: '1' }],
  ])('cannot be made with %s', (_, limits) => {
    expect(() => createBroker({ limits: limits as object })).toThrow(RangeError)
  })

  it('says goodbye when it closes, publishes no Will, and frees its ports', async () => {
    const { broker, port } = await startBroker()
    const { port: webSocketPort } = await broker.listen('ws://127.0.0.1:0')
    const watcher = await RawClient.connect(port)
    await watcher.subscribe('#')
    const will = { topic: 'will', payload: new Uint8Array(1), qos: 0, retain: false, properties: {} } as const
    const client = await RawClient.connect(port, { will })
    const old = await RawClient.connect(port, { protocolVersion: 4 })
    const socket = new WebSocket(`ws://127.0.0.1:${webSocketPort}`, 'mqtt')
    await once(socket, 'open')
    const closed = once(socket, 'close')
    await Promise.all([broker.close(), broker.close()])
    for (const one of [watcher, client]) {
      expect(await one.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.ServerShuttingDown })
      await one.expectEnd()
    }
    await old.expectEnd() // a Server of MQTT 3.1.1 has no DISCONNECT
    await closed
    await expect(broker.listen('mqtt://127.0.0.1:0')).rejects.toThrow('closed')
    const next = createBroker()
    onTestFinished(() => next.close())
    await next.listen(`mqtt://127.0.0.1:${port}`)
    await next.listen(`ws://127.0.0.1:${webSocketPort}`)
  })

  it('does not wait for ever for a client that does not end its side', async () => {
    const { broker, clock, port } = await startBroker()
    const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {})
    socket.write(hello)
    await new Promise((resolve) => socket.once('data', resolve))
    socket.pause()
    const closed = broker.close()
    clock.advance(2.2)
    await closed
    socket.destroy()
  })

  it('survives what is thrown at it, and answers others meanwhile', async () => {
    const { port } = await startBroker()
    const witness = await RawClient.connect(port)
    let seed = 1
    const random = (): number => {
      seed = (seed * 48271) % 0x7fffffff
      return seed
    }
    for (let i = 0; i < 300; i++) {
      const client = await RawClient.open(port)
      const noise = Buffer.from(Array.from({ length: random() % 60 }, () => random() & 0xff))
      client.sendBytes(Buffer.concat(i % 2 === 0 ? [noise] : [hello, noise]))
      client.cut()
    }
    expect(await witness.drain()).toEqual([])
  })
})
