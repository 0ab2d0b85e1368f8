import { once } from 'node:events'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { type Client, createBroker, type Listener, type ListenerLimits, type ListenOptions } from '@tidewire/broker'
import { encode, ReasonCode } from '@tidewire/codec'
import { credentials } from '@tidewire/testing/credentials'
import { describe, expect, it, onTestFinished } from 'vitest'
import { dial, openSocket, proxyHeader, secure, temporaryFolder, upgrade } from './dial.js'
import { type Fixture, startBroker, text } from './fixture.js'
import { RawClient } from './raw-client.js'

type Broker = Fixture['broker']
type Options = Pick<ListenOptions, 'name' | 'limits' | 'signal'>

interface Kind {
  listen(broker: Broker, options?: Options): Promise<Listener>
  /** What goes before everything else. */
  readonly header?: Uint8Array | string
  /** Who the client is then; undefined if it has no address. */
  readonly address: string | undefined
}

const proxyProtocol = ['127.0.0.1', '10.0.0.0/8']
const address = '127.0.0.1'
const header = 'PROXY TCP4 203.0.113.7 192.0.2.1 54321 1883\r\n'
const header2 = proxyHeader(0x21, 0x11, 'cb007107 c0000201 d431 075b', Buffer.from('0400020000', 'hex'))
const forwarded = '203.0.113.7'

async function attached(broker: Broker, options: Options, isSecure: boolean): Promise<Listener> {
  const serve = (_: unknown, response: ServerResponse): void => void response.writeHead(404).end()
  const server = isSecure ? createHttpsServer({ ...credentials }, serve) : createHttpServer(serve)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  return broker.attach(server, options)
}

const kinds: readonly [string, Kind][] = [
  ['mqtt', { address, listen: (broker, options) => broker.listen('mqtt://127.0.0.1:0', options) }],
  ['ws', { address, listen: (broker, options) => broker.listen('ws://127.0.0.1:0/mqtt', options) }],
  [
    'unix',
    {
      address: undefined,
      listen: (broker, options) => broker.listen(`unix://${join(temporaryFolder(), 'mqtt.sock')}`, options),
    },
  ],
  [
    'an HTTP server of the application',
    { address, listen: (broker, options = {}) => attached(broker, options, false) },
  ],
  [
    'mqtt behind a proxy',
    {
      address: forwarded,
      header,
      listen: (broker, options) => broker.listen('mqtt://127.0.0.1:0', { proxyProtocol, ...options }),
    },
  ],
  [
    'ws behind a proxy',
    {
      address: forwarded,
      header: header2,
      listen: (broker, options) => broker.listen('ws://127.0.0.1:0/mqtt', { proxyProtocol, ...options }),
    },
  ],
  [
    'unix behind a proxy',
    {
      address: forwarded,
      header,
      listen: (broker, options) =>
        broker.listen(`unix://${join(temporaryFolder(), 'mqtt.sock')}`, { proxyProtocol: [], ...options }),
    },
  ],
]

const tls: readonly [string, Kind][] = [
  [
    'mqtts',
    { address, listen: (broker, options) => broker.listen('mqtts://127.0.0.1:0', { tls: credentials!, ...options }) },
  ],
  [
    'wss',
    {
      address,
      listen: (broker, options) => broker.listen('wss://127.0.0.1:0/mqtt', { tls: credentials!, ...options }),
    },
  ],
  [
    'an HTTPS server of the application',
    { address, listen: (broker, options = {}) => attached(broker, options, true) },
  ],
  [
    'mqtts behind a proxy',
    {
      address: forwarded,
      header: header2,
      listen: (broker, options) =>
        broker.listen('mqtts://127.0.0.1:0', { tls: credentials!, proxyProtocol, ...options }),
    },
  ],
  [
    'wss behind a proxy',
    {
      address: forwarded,
      header,
      listen: (broker, options) =>
        broker.listen('wss://127.0.0.1:0/mqtt', { tls: credentials!, proxyProtocol, ...options }),
    },
  ],
]

let counter = 0

/** Goes all the way to CONNACK. */
async function connect(listener: Listener, kind: Pick<Kind, 'header'> = {}): Promise<RawClient> {
  const client = await dial(listener, kind.header)
  client.send({ type: 'connect', protocolVersion: 5, clientId: `c${counter++}` })
  expect(await client.expect('connack')).toMatchObject({ reasonCode: 0 })
  return client
}

/** Waits until something is so. */
async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition(); ) {
    if (Date.now() > end) throw new Error(`never: ${condition}`)
    await new Promise(setImmediate)
  }
}

const ended = (stream: Duplex): Promise<unknown> => {
  stream.resume()
  return stream.destroyed ? Promise.resolve() : once(stream, 'close')
}

function contract(kind: Kind): void {
  it('carries packets, however they are cut, and says who has come', async () => {
    let seen: Client | undefined
    const { broker } = await startBroker({
      authenticate(client) {
        seen = client
        return true
      },
    })
    const listener = await kind.listen(broker, { name: 'the door' })
    const client = await dial(listener, kind.header)
    for (const byte of encode({ type: 'connect', protocolVersion: 5, clientId: 'c' })) {
      client.sendBytes(new Uint8Array([byte]))
      await new Promise(setImmediate)
    }
    await client.expect('connack')
    expect(seen).toMatchObject({ listener: 'the door', remoteAddress: kind.address })
    if (kind.address === undefined) expect(seen?.remotePort).toBeUndefined()
    else if (kind.address === forwarded) expect(seen?.remotePort).toBe(54321)
    else expect(seen?.remotePort).toBeGreaterThan(0)
    await client.subscribe('a/#')
    const payload = new Uint8Array(200_000).fill(0x61)
    client.send({ type: 'publish', topic: 'a/b', payload })
    expect(text((await client.expect('publish')).payload)).toBe('a'.repeat(200_000))
    client.send({ type: 'disconnect' })
    await client.expectEnd()
    await until(() => broker.metrics.connections === 0)
  })

  it('ends who does not send a CONNECT in time, and lets others in meanwhile (S-13)', async () => {
    const { broker, clock } = await startBroker()
    const listener = await kind.listen(broker)
    const silent = await openSocket(listener)
    const client = await dial(listener, kind.header)
    const hello = encode({ type: 'connect', protocolVersion: 5, clientId: 'slow' })
    for (const byte of hello.subarray(0, 9)) {
      client.sendBytes(new Uint8Array([byte]))
      clock.advance(1)
      await (await connect(listener, kind)).drain()
    }
    expect(broker.metrics.refused.timeout).toBe(0)
    clock.advance(1.2)
    await client.expectEnd()
    // An HTTP server of the application has its own patience with who sends no request.
    const isOurs = !(await isAttached(kind))
    if (isOurs) await ended(silent)
    expect(broker.metrics.refused.timeout).toBe(isOurs ? 2 : 1)
  })

  it('has limits of its own, in number and in size', async () => {
    const { broker } = await startBroker({ limits: { maxPacketSize: 5000, receiveMaximum: 7 } })
    const other = await broker.listen('mqtt://127.0.0.1:0')
    const listener = await kind.listen(broker, { limits: { maxConnections: 2, maxPacketSize: 3000 } })
    const first = await dial(listener, kind.header)
    first.send({ type: 'connect', protocolVersion: 5, clientId: 'x' })
    expect(await first.expect('connack')).toMatchObject({
      properties: { maximumPacketSize: 3000, receiveMaximum: 7 },
    })
    const second = await connect(listener, kind)
    await expect(connect(listener, kind)).rejects.toThrow()
    expect(broker.metrics.refused.full).toBe(1)
    await connect(other)
    second.cut()
    await until(() => broker.metrics.connections === 2)
    await connect(listener, kind)
    first.send({ type: 'publish', topic: 'a', payload: new Uint8Array(3000) })
    expect(await first.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.PacketTooLarge })
  })

  it('can be closed while its clients stay', async () => {
    const { broker } = await startBroker()
    const listener = await kind.listen(broker)
    const client = await connect(listener, kind)
    await listener.close()
    expect(await client.drain()).toEqual([])
    await expect(connect(listener, kind)).rejects.toThrow()
    await listener.close()
    await broker.close()
    await client.expect('disconnect')
  })

  it('can be closed with its clients', async () => {
    const { broker, port } = await startBroker()
    const listener = await kind.listen(broker)
    const stranger = await RawClient.connect(port)
    const client = await connect(listener, kind)
    const closed = Promise.all([listener.close({ disconnect: true }), listener.close({ disconnect: true })])
    expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.ServerShuttingDown })
    await client.expectEnd()
    await closed
    expect(broker.metrics.connections).toBe(1)
    expect(await stranger.drain()).toEqual([])
  })

  it('can be closed by a signal', async () => {
    const { broker } = await startBroker()
    const controller = new AbortController()
    const listener = await kind.listen(broker, { signal: controller.signal })
    const client = await connect(listener, kind)
    controller.abort()
    await expect(connect(listener, kind)).rejects.toThrow()
    expect(await client.drain()).toEqual([])
  })
}

const isAttached = async (kind: Kind): Promise<boolean> =>
  [...kinds, ...tls].some(([name, each]) => each === kind && name.startsWith('an '))

describe.each(kinds)('%s', (_, kind) => contract(kind))
describe.skipIf(credentials === undefined).each(tls)('%s (needs openssl)', (_, kind) => contract(kind))

/** One step on the way to MQTT that is begun and never ended. */
type Stall = (socket: Socket, tick: () => Promise<void>) => Promise<void>

const request = 'GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
const clientHello = Buffer.from('16030100c8010000c40303', 'hex')

const stalls: readonly [string, string, Stall][] = [
  ['no byte', 'mqtt', async () => {}],
  ['no byte of a PROXY header', 'mqtt+proxy', async () => {}],
  ['half a PROXY header', 'mqtt+proxy', async (socket) => void socket.write('PROXY TCP4 203.0')],
  ['half a PROXY header of version 2', 'mqtt+proxy', async (socket) => void socket.write(header2.subarray(0, 20))],
  ['a PROXY header byte by byte', 'mqtt+proxy', async (socket, tick) => trickle(socket, header.slice(0, 9), tick)],
  ['half a request', 'ws', async (socket) => void socket.write(request)],
  ['a request byte by byte', 'ws', async (socket, tick) => trickle(socket, request.slice(0, 9), tick)],
  ['half a frame', 'ws', (socket) => upgradeAndSend(socket, '82ff0000')],
  ['a ping and no CONNECT', 'ws', (socket) => upgradeAndSend(socket, '898000000000')],
  ['half a handshake', 'mqtts', async (socket) => void socket.write(clientHello)],
  ['a handshake byte by byte', 'mqtts', async (socket, tick) => trickle(socket, clientHello.subarray(0, 9), tick)],
  ['a handshake and no CONNECT', 'mqtts', async (socket) => void (await secure(socket))],
  [
    'half a handshake after a PROXY header',
    'wss+proxy',
    async (socket) => void socket.write(Buffer.concat([header2, clientHello])),
  ],
  [
    'each step late, and the last too late',
    'wss+proxy',
    async (socket, tick) => {
      for (let i = 0; i < 3; i++) await tick()
      socket.write(header2)
      for (let i = 0; i < 3; i++) await tick()
      const secured = await secure(socket)
      for (let i = 0; i < 3; i++) await tick()
      ;(await upgrade(secured)).write(encode({ type: 'connect', protocolVersion: 5, clientId: 'x' }).subarray(0, 5))
    },
  ],
]

async function upgradeAndSend(socket: Socket, hex: string): Promise<void> {
  await upgrade(socket)
  socket.write(Buffer.from(hex, 'hex'))
}

async function trickle(socket: Socket, bytes: Uint8Array | string, tick: () => Promise<void>): Promise<void> {
  for (const byte of Buffer.from(bytes)) {
    socket.write(new Uint8Array([byte]))
    await tick()
  }
}

describe('the one deadline from the first byte to CONNECT (S-13)', () => {
  for (const [name, way, stall] of stalls) {
    const [scheme = '', proxy] = way.split('+')
    const isSecure = scheme === 'mqtts' || scheme === 'wss'
    it.skipIf(isSecure && credentials === undefined)(`ends who sends ${name} (${way})`, async () => {
      const { broker, clock } = await startBroker()
      const witness = await broker.listen('mqtt://127.0.0.1:0')
      const listener = await broker.listen(`${scheme}://127.0.0.1:0`, {
        ...(isSecure && { tls: credentials! }),
        ...(proxy !== undefined && { proxyProtocol }),
      })
      const socket = await openSocket(listener)
      const settle = async (): Promise<void> => void (await connect(witness))
      await settle()
      let seconds = 0
      await stall(socket, async () => {
        await settle()
        clock.advance(1)
        seconds++
      })
      await settle()
      clock.advance(9.9 - seconds)
      await settle()
      expect(socket.destroyed).toBe(false)
      expect(broker.metrics.refused.timeout).toBe(0)
      clock.advance(0.3)
      await ended(socket)
      expect(broker.metrics.refused.timeout).toBe(1)
      expect(broker.metrics.connectionsRefused).toBe(1)
    })
  }

  it('may be another one for a listener', async () => {
    const { broker, clock } = await startBroker()
    const listener = await broker.listen('ws://127.0.0.1:0', { limits: { connectTimeout: 1000 } })
    const early = await dial(listener)
    clock.advance(1.2)
    await early.expectEnd()
  })
})

describe('a proxy (S-33)', () => {
  it('that is not listed gets nothing, whatever it says', async () => {
    const { broker } = await startBroker()
    const listener = await broker.listen('mqtt://127.0.0.1:0', { proxyProtocol: ['10.0.0.0/8', '::1'] })
    const client = await dial(listener, header)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'x' })
    await client.expectEnd()
    expect(broker.metrics.refused.proxy).toBe(1)
  })

  it.each([
    ['no header', Buffer.alloc(0)],
    ['a malformed header', 'PROXY TCP4 1.2.3.4\r\n'],
    ['a header without end', `PROXY ${'x'.repeat(200)}`],
  ])('that is listed must send its header: %s', async (_, bytes) => {
    const { broker } = await startBroker()
    const listener = await broker.listen('mqtt://127.0.0.1:0', { proxyProtocol })
    const client = await dial(listener, bytes)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'x' })
    await client.expectEnd()
    expect(broker.metrics.refused.proxy).toBe(1)
  })

  it.each([
    ['looks whether the broker is there', proxyHeader(0x20, 0, ''), '127.0.0.1'],
    ['does not know the client', 'PROXY UNKNOWN\r\n', undefined],
    ['has it from a Unix socket', proxyHeader(0x21, 0x31, '00'.repeat(216)), undefined],
    ['has it from IPv6', 'PROXY TCP6 2001:DB8::0:1 ::1 1 2\r\n', '2001:db8::1'],
  ])('that %s is not mistaken for the client', async (_, bytes, remoteAddress) => {
    let seen: Client | undefined
    const { broker } = await startBroker({
      authenticate(client) {
        seen = client
        return true
      },
    })
    await connect(await broker.listen('mqtt://127.0.0.1:0', { proxyProtocol }), { header: bytes })
    expect(seen?.remoteAddress).toBe(remoteAddress)
  })

  it('is nothing that a listener without proxies knows', async () => {
    const { broker, port } = await startBroker()
    const client = await RawClient.open(port)
    client.sendBytes(Buffer.from(header.repeat(2))) // as long as the packet that it begins with, read as MQTT
    await client.expectEnd()
    await until(() => broker.metrics.connections === 0)
  })
})

it('a broker that closes does not wait for who is still on the way', async () => {
  const { broker } = await startBroker()
  const web = await broker.listen('ws://127.0.0.1:0')
  const sockets = [await openSocket(web), await openSocket(web)]
  sockets[1]!.write(request)
  await connect(await broker.listen('mqtt://127.0.0.1:0'))
  await broker.close()
  for (const socket of sockets) await ended(socket)
})

describe('the number of connections (S-14, S-29)', () => {
  const from = (ip: string): { header: string } => {
    return { header: `PROXY TCP${ip.includes(':') ? 6 : 4} ${ip} ${ip} 1 2\r\n` }
  }

  async function listen(limits: ListenerLimits): Promise<Fixture & { listener: Listener; warnings: string[] }> {
    const warnings: string[] = []
    const fixture = await startBroker({ log: { info() {}, warn: (line) => warnings.push(line), error() {} } })
    const listener = await fixture.broker.listen('mqtt://127.0.0.1:0', { proxyProtocol, limits })
    return { ...fixture, listener, warnings }
  }

  const refused = async (listener: Listener, ip: string): Promise<void> => {
    const client = await dial(listener, from(ip).header)
    client.send({ type: 'connect', protocolVersion: 5, clientId: 'refused' })
    await client.expectEnd()
  }

  it('is limited for one address, and for one network of IPv6', async () => {
    const { listener, broker, lose } = await listen({ maxConnectionsPerAddress: 2 })
    const first = await connect(listener, from('203.0.113.7'))
    await connect(listener, from('203.0.113.7'))
    await refused(listener, '203.0.113.7')
    await connect(listener, from('203.0.113.8'))
    await connect(listener, from('2001:db8::1'))
    await connect(listener, from('2001:db8::2'))
    await refused(listener, '2001:db8::3')
    await connect(listener, from('2001:db8:0:1::1'))
    await lose(first)
    await connect(listener, from('203.0.113.7'))
    expect(broker.metrics.refused.addressFull).toBe(2)
  })

  it('is limited in a second, for one address and for a listener', async () => {
    const { listener, broker, clock } = await listen({
      maxConnectionRate: 5,
      maxConnectionRatePerAddress: 2,
      maxConnectionsPerAddress: 6,
    })
    for (let i = 0; i < 2; i++) await connect(listener, from('203.0.113.7'))
    for (let i = 0; i < 9; i++) await refused(listener, '203.0.113.7') // takes nothing from the others
    for (let i = 0; i < 3; i++) await connect(listener, from(`203.0.113.10${i}`))
    for (let i = 0; i < 6; i++) await refused(listener, `203.0.113.${110 + (i >> 1)}`)
    expect(broker.metrics.refused).toMatchObject({ addressRate: 9, rate: 6 })
    clock.advance(0.5)
    await connect(listener, from('203.0.113.7'))
    await refused(listener, '203.0.113.7')
    clock.advance(5)
    for (let i = 0; i < 2; i++) await connect(listener, from('203.0.113.7'))
    await refused(listener, '203.0.113.7')
    for (let i = 0; i < 5; i++) {
      clock.advance(5)
      await connect(listener, from('203.0.113.110')) // those that were refused do not count
    }
    expect(broker.metrics.refused.addressFull).toBe(0)
  })

  it('is not limited so for the machine itself', async () => {
    const { listener } = await listen({
      maxConnectionRate: 1,
      maxConnectionRatePerAddress: 1,
      maxConnectionsPerAddress: 1,
    })
    for (const ip of ['127.0.0.1', '127.0.0.1', '::1', '::1']) await connect(listener, from(ip))
  })

  it('that is refused does not flood the log (S-35)', async () => {
    const { listener, warnings, clock } = await listen({ maxConnectionsPerAddress: 1 })
    await connect(listener, from('203.0.113.7'))
    for (let i = 0; i < 20; i++) await refused(listener, '203.0.113.7')
    expect(warnings).toEqual([expect.stringContaining('203.0.113.7')])
    clock.advance(11)
    await refused(listener, '203.0.113.7')
    expect(warnings).toHaveLength(2)
  })

  it('is limited for the broker, whether they have become clients or not', async () => {
    const { broker, port } = await startBroker({ limits: { maxConnections: 3 } })
    const web = await broker.listen('ws://127.0.0.1:0')
    const silent = await openSocket(web)
    await openSocket(web)
    await RawClient.connect(port)
    const fourth = await RawClient.open(port)
    await fourth.expectEnd()
    expect(broker.metrics.refused.full).toBe(1)
    silent.end()
    await ended(silent)
    await RawClient.connect(port)
  })
})

describe('TLS', () => {
  it.skipIf(credentials === undefined)('is all that is spoken where it is asked for (needs openssl)', async () => {
    const { broker } = await startBroker()
    const listener = await broker.listen('mqtts://127.0.0.1:0', { tls: credentials! })
    const plain = await openSocket(listener)
    plain.write(encode({ type: 'connect', protocolVersion: 5, clientId: 'x' }))
    await ended(plain)
    await until(() => broker.metrics.refused.tls === 1)
    const gone = await openSocket(listener)
    gone.write(clientHello)
    gone.destroy()
    await connect(listener)
    expect(broker.metrics.connections).toBe(1)
  })

  it.skipIf(credentials === undefined)(
    'lets nobody in without the certificate that is asked for (needs openssl)',
    async () => {
      const { broker } = await startBroker()
      const asked = { ...credentials!, ca: credentials!.cert, requestCert: true, rejectUnauthorized: true }
      const listener = await broker.listen('mqtts://127.0.0.1:0', { tls: asked })
      const client = await dial(listener)
      client.send({ type: 'connect', protocolVersion: 5, clientId: 'x' })
      await client.expectEnd()
      expect(broker.metrics.connections).toBe(0)
      await until(() => broker.metrics.refused.tls === 1)
    },
  )
})

describe('what cannot be listened to', () => {
  it.each([
    'http://127.0.0.1:0',
    '127.0.0.1:0',
    'mqtt://:1883',
    'mqtt://127.0.0.1:65536',
    'mqtt://127.0.0.1:0/path',
    'mqtt://user@127.0.0.1:0',
    'ws://127.0.0.1:0/mqtt?x',
    'unix://host/run/mqtt.sock',
    'unix:mqtt.sock',
    'unix:///',
    'unix:///run/',
    'unix:///a%00b',
    'unix:///%',
    `unix:///${'x'.repeat(107)}`,
    '__proto__://127.0.0.1',
  ])('is the URL %s', async (url) => {
    await expect(createBroker().listen(url)).rejects.toThrow(TypeError)
  })

  const some = { key: 'x', cert: 'x' }

  it.each<[string, string, object]>([
    ['an option that is not known', 'mqtt', { tsl: some }],
    ['the path of attach', 'ws', { path: '/mqtt' }],
    ['TLS without the scheme', 'mqtt', { tls: some }],
    ['TLS without the scheme, for WebSocket', 'ws', { tls: some }],
    ['TLS without options', 'mqtts', {}],
    ['TLS without a key', 'wss', { tls: { cert: 'x' } }],
    ['an Origin for TCP', 'mqtt', { origins: ['https://example.com'] }],
    ['X-Forwarded-For for TCP', 'mqtt', { forwardedFor: ['10.0.0.0/8'] }],
    ['an Origin with a path', 'ws', { origins: ['https://example.com/'] }],
    ['an Origin that is a name', 'ws', { origins: ['example.com'] }],
    ['an Origin that is no list', 'ws', { origins: 'https://example.com' }],
    ['proxies that are no list', 'mqtt', { proxyProtocol: '10.0.0.0/8' }],
    ['a proxy by its name', 'mqtt', { proxyProtocol: ['localhost'] }],
    ['proxies of a Unix socket', 'unix', { proxyProtocol: ['10.0.0.0/8'] }],
    ['the mode of no file', 'mqtt', { mode: 0o600 }],
    ['a mode that is none', 'unix', { mode: 0o1777 }],
    ['a backlog of nobody', 'mqtt', { backlog: 0 }],
    ['a name that is none', 'mqtt', { name: '' }],
    ['a signal that is none', 'mqtt', { signal: {} }],
    ['a limit that is not known', 'mqtt', { limits: { maxConnection: 1 } }],
    ['a limit out of range', 'mqtt', { limits: { maxConnections: 0 } }],
    ['a limit of the whole broker', 'mqtt', { limits: { maxSessions: 1 } }],
  ])('is told why: %s', async (_, scheme, options) => {
    const url = scheme === 'unix' ? `unix://${join(temporaryFolder(), 's')}` : `${scheme}://127.0.0.1:0`
    const error = await createBroker()
      .listen(url, options)
      .then(
        () => expect.unreachable(),
        (reason: unknown) => reason,
      )
    expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
  })

  it('is what is aborted before', async () => {
    const { broker } = await startBroker()
    await expect(broker.listen('mqtt://127.0.0.1:0', { signal: AbortSignal.abort() })).rejects.toThrow('abort')
    const controller = new AbortController()
    const listening = broker.listen('mqtt://127.0.0.1:0', { signal: controller.signal })
    controller.abort(new Error('changed my mind'))
    await expect(listening).rejects.toThrow('changed my mind')
  })
})
