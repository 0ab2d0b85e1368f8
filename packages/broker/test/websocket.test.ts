import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect as connectNet } from 'node:net'
import { Readable } from 'node:stream'
import type { AttachOptions, Client, ListenOptions, RefusalReason } from '@tidewire/broker'
import { encode } from '@tidewire/codec'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type Fixture, startBroker } from './fixture.js'
import { RawClient } from './raw-client.js'

const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const hello = encode({ type: 'connect', protocolVersion: 5, clientId: 'x' })

/** Asks for an upgrade in plain HTTP; a header set to undefined is left out. Returns all of the answer. */
function ask(port: number, path = '/mqtt', headers: object = {}, method = 'GET', body = ''): Promise<string> {
  const all = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': key,
    'Sec-WebSocket-Protocol': 'mqtt',
    ...headers,
  }
  const socket = connectNet({ port, host: '127.0.0.1' }).setEncoding('latin1')
  onTestFinished(() => void socket.destroy())
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]))
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
  let text = ''
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk) => {
      text += chunk
      if (text.startsWith('HTTP/1.1 101')) resolve(text) // this one stays open
    })
    socket.on('end', () => resolve(text)).on('error', reject)
  })
}

async function listen(options: ListenOptions = {}, path = ''): Promise<Fixture & { readonly web: number }> {
  const fixture = await startBroker()
  const { port } = await fixture.broker.listen(`ws://127.0.0.1:0${path}`, options)
  return { ...fixture, web: port }
}

/** An application with a broker at /mqtt. */
async function application(options: AttachOptions = {}, serve?: RequestListener) {
  const server: Server = createServer(serve ?? ((request, response) => void response.end(`app ${request.url}`)))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  let seen: Client | undefined
  const fixture = await startBroker({
    authenticate(client) {
      seen = client
      return true
    },
  })
  const listener = fixture.broker.attach(server, options)
  return { ...fixture, server, listener, web: (server.address() as AddressInfo).port, seen: () => seen }
}

describe('a request for MQTT over WebSocket (S-32)', () => {
  const cases: readonly [string, number, RefusalReason, object, string?][] = [
    ['without a subprotocol [MQTT-6.0.0-3]', 400, 'upgrade', { 'Sec-WebSocket-Protocol': undefined }],
    ['of another subprotocol [MQTT-6.0.0-3]', 400, 'upgrade', { 'Sec-WebSocket-Protocol': 'mqttx, chat' }],
    ['with a malformed subprotocol', 400, 'upgrade', { 'Sec-WebSocket-Protocol': 'mqtt, mqtt' }],
    ['without a key', 400, 'upgrade', { 'Sec-WebSocket-Key': undefined }],
    ['with a wrong key', 400, 'upgrade', { 'Sec-WebSocket-Key': 'x' }],
    ['of another version', 400, 'upgrade', { 'Sec-WebSocket-Version': '7' }],
    ['to something else', 400, 'upgrade', { Upgrade: 'h2c' }],
    ['by another method', 400, 'upgrade', {}, 'POST'],
    ['with a body that is none of ours', 400, 'upgrade', { 'Content-Length': '20' }],
    ['with a body in chunks', 400, 'upgrade', { 'Transfer-Encoding': 'chunked' }],
    ['that is no upgrade', 426, 'upgrade', { Connection: 'close', Upgrade: undefined }],
    ['with a header without end', 400, 'upgrade', { Cookie: 'x'.repeat(20_000) }],
  ]

  it.each(cases)('is refused %s', async (_, status, reason, headers, method) => {
    const { web, broker } = await listen()
    expect(await ask(web, '/', headers, method)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(broker.metrics.refused[reason]).toBe(1)
    expect(broker.metrics.connections).toBe(0)
  })

  it('is refused when it is not HTTP', async () => {
    const { web, broker } = await listen()
    const socket = connectNet({ port: web, host: '127.0.0.1' })
    socket.end(hello)
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 400 /)
    expect(broker.metrics.refused.upgrade).toBe(1)
  })

  it('gets no compression', async () => {
    const { web } = await listen()
    const answer = await ask(web, '/', { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' })
    expect(answer).toMatch(/^HTTP\/1.1 101 /)
    expect(answer).not.toMatch(/extensions/i)
  })

  it.each([
    ['', '/', 101],
    ['', '/any/path?x', 101],
    ['/mqtt', '/mqtt', 101],
    ['/mqtt', '/mqtt?x=y', 101],
    ['/mqtt', '/', 404],
    ['/mqtt', '/mqtt/', 404],
    ['/mqtt', '/MQTT', 404],
    ['/mqtt', '/x/../mqtt', 404],
    ['/mqtt', '//mqtt', 404],
  ])('for a listener at "%s" may ask for %s: %i', async (at, path, status) => {
    const { web } = await listen({}, at)
    expect(await ask(web, path)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })

  it('that is followed by the CONNECT at once loses nothing', async () => {
    const { web } = await listen()
    const socket = connectNet({ port: web, host: '127.0.0.1' })
    onTestFinished(() => void socket.destroy())
    const frame = Buffer.concat([Buffer.from([0x82, 0x80 | hello.length, 0, 0, 0, 0]), hello])
    const lines = ['Host: x', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
    const head = [...lines, `Sec-WebSocket-Key: ${key}`, 'Sec-WebSocket-Protocol: mqtt', '', ''].join('\r\n')
    socket.write(Buffer.concat([Buffer.from(`GET / HTTP/1.1\r\n${head}`), frame]))
    let answer = Buffer.alloc(0)
    while (!answer.includes(Buffer.from([0x82]))) answer = Buffer.concat([answer, (await once(socket, 'data'))[0]])
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1.1 101 /)
  })
})

describe('a frame (S-32)', () => {
  async function open(options: ListenOptions = {}): Promise<{ socket: WebSocket; fixture: Fixture }> {
    const fixture = await listen(options)
    const socket = new WebSocket(`ws://127.0.0.1:${fixture.web}`, 'mqtt')
    onTestFinished(() => socket.terminate())
    await once(socket, 'open')
    return { socket, fixture }
  }
  const raw = (socket: WebSocket): { write(bytes: Buffer): void } =>
    (socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket

  it.each([
    ['of text', '8180 00000000', 1003],
    ['of text in pieces', '0180 00000000 8080 00000000', 1003],
    ['compressed', 'c280 00000000', 1002],
    ['with reserved bits', 'b280 00000000', 1002],
    ['of an unknown kind', '8380 00000000', 1002],
    ['without mask', '8200', 1002],
    ['that goes on where nothing began', '8080 00000000', 1002],
    ['with a length beyond all numbers', '82ff ffffffffffffffff', 1009],
    ['longer than a packet may be', '82ff 0000000010000000', 1009],
    ['a control frame that is too long', '89fe 0100 00000000', 1002],
  ])('%s ends the connection', async (_, hex, code) => {
    const { socket, fixture } = await open()
    raw(socket).write(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
    expect((await once(socket, 'close'))[0]).toBe(code)
    while (fixture.broker.metrics.connections > 0) await new Promise(setImmediate)
  })

  it('before CONNECT may bring no more than a CONNECT', async () => {
    const { socket } = await open({ limits: { maxConnectSize: 1000 } })
    raw(socket).write(Buffer.from('82ff0000000000100000000000000000', 'hex'))
    raw(socket).write(Buffer.alloc(1000 + 4 * 1024))
    expect((await once(socket, 'close'))[0]).toBe(1006)
  })

  it('in more pieces than anyone needs ends the connection', async () => {
    const { socket } = await open()
    socket.send(hello)
    await once(socket, 'message')
    const piece = Buffer.from('008000000000', 'hex')
    raw(socket).write(Buffer.concat([Buffer.from('028000000000', 'hex'), ...Array.from({ length: 1100 }, () => piece)]))
    expect((await once(socket, 'close'))[0]).toBe(1008)
  })
})

describe('a web page (S-32)', () => {
  const foreign = 'PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n'

  it.each([
    [undefined, undefined, 'localhost:8083', 101],
    [undefined, 'http://localhost:5173', 'localhost:8083', 101],
    [undefined, 'http://LOCALHOST:5173', 'localhost:8083', 101],
    [undefined, 'https://app.localhost', 'app.localhost:8083', 101],
    [undefined, 'http://127.0.0.1:5173', '127.0.0.1:8083', 101],
    [undefined, 'http://[::1]:5173', '[::1]:8083', 101],
    [undefined, 'https://evil.example', 'localhost:8083', 403],
    [undefined, 'https://localhost.evil.example', 'localhost:8083', 403],
    // A name of an attacker that leads to 127.0.0.1.
    [undefined, 'http://evil.example:8083', 'evil.example:8083', 403],
    [undefined, 'null', 'localhost:8083', 403],
    [undefined, '', 'localhost:8083', 403],
    [undefined, 'http://undefined', undefined, 403],
    [undefined, 'file://', 'localhost:8083', 403],
    [undefined, 'localhost', 'localhost', 403],
    [['https://a.example'], 'https://a.example', 'b.example', 101],
    [['https://a.example'], undefined, 'b.example', 101],
    [['https://a.example'], 'http://a.example', 'a.example', 403],
    [['https://a.example'], 'https://a.example:444', 'a.example', 403],
    [['https://a.example'], 'https://a.example.evil.example', 'a.example', 403],
    [['https://a.example'], 'http://localhost', 'localhost', 403],
    [['https://a.example'], 'null', 'a.example', 403],
    [['null'], 'null', 'a.example', 101],
    [['*'], 'https://evil.example', 'localhost', 101],
    [[], 'http://localhost', 'localhost', 403],
    [[], undefined, 'localhost', 101],
  ])('where %j may connect comes from %s to %s: %i', async (origins, origin, host, status) => {
    const { web, broker } = await listen({ ...(origins && { origins }) })
    expect(await ask(web, '/', { Host: host, Origin: origin })).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(broker.metrics.refused.origin).toBe(status === 403 ? 1 : 0)
  })

  it('of the host name of the broker may connect from another machine', async () => {
    const { web } = await listen({ proxyProtocol: ['127.0.0.1'] })
    const socket = connectNet({ port: web, host: '127.0.0.1' })
    onTestFinished(() => void socket.destroy())
    const lines = [
      'Host: mqtt.example:8083',
      'Origin: https://mqtt.example',
      'Connection: Upgrade',
      'Upgrade: websocket',
    ]
    const rest = ['Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${key}`, 'Sec-WebSocket-Protocol: mqtt', '', '']
    socket.write(`${foreign}GET / HTTP/1.1\r\n${[...lines, ...rest].join('\r\n')}`)
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 101 /)
  })
})

describe('X-Forwarded-For (S-33)', () => {
  async function addressOf(options: AttachOptions, header: string | undefined): Promise<Client | undefined> {
    const { web, seen } = await application(options)
    const headers = header === undefined ? {} : { 'X-Forwarded-For': header }
    const socket = new WebSocket(`ws://127.0.0.1:${web}/mqtt`, 'mqtt', { headers })
    onTestFinished(() => socket.terminate())
    await once(socket, 'open')
    socket.send(hello)
    await once(socket, 'message')
    return seen()
  }

  it.each([
    ['of a proxy that is trusted is the address', ['127.0.0.1'], '203.0.113.7', '203.0.113.7'],
    ['of a chain of proxies', ['127.0.0.1', '10.0.0.0/8'], '6.6.6.6, 203.0.113.7, 10.0.0.1', '203.0.113.7'],
    ['that is nonsense leaves it unknown', ['127.0.0.1'], 'localhost', undefined],
    ['that is missing is of the proxy itself', ['127.0.0.1'], undefined, '127.0.0.1'],
    ['of somebody else is nothing', ['10.0.0.0/8'], '203.0.113.7', '127.0.0.1'],
    ['is nothing by default', undefined, '203.0.113.7', '127.0.0.1'],
  ])('%s', async (_, forwardedFor, header, address) => {
    const client = await addressOf({ ...(forwardedFor && { forwardedFor }) }, header)
    expect(client?.remoteAddress).toBe(address)
    if (address !== '127.0.0.1') expect(client?.remotePort).toBeUndefined()
  })

  it('is what the limits of addresses count', async () => {
    const options = { forwardedFor: ['127.0.0.1'], limits: { maxConnectionsPerAddress: 1 } }
    for (const { web, broker } of [await application(options), await listen(options)]) {
      expect(await ask(web, '/mqtt', { 'X-Forwarded-For': '203.0.113.7' })).toMatch(/^HTTP\/1.1 101 /)
      expect(await ask(web, '/mqtt', { 'X-Forwarded-For': '203.0.113.7' })).toMatch(/^HTTP\/1.1 429 /)
      expect(await ask(web, '/mqtt', { 'X-Forwarded-For': '203.0.113.8' })).toMatch(/^HTTP\/1.1 101 /)
      expect(broker.metrics.refused.addressFull).toBe(1)
    }
  })
})

describe('an HTTP server of the application', () => {
  const plain = { Connection: 'close', Upgrade: undefined }

  it('keeps all that is not an upgrade to the path', async () => {
    const { web, listener } = await application()
    expect(listener.url).toBe(`ws://127.0.0.1:${web}/mqtt`)
    for (const path of ['/', '/mqtt', '/mqtt/x']) expect(await ask(web, path, plain)).toContain(`app ${path}`)
    expect(await ask(web, '/mqtt')).toMatch(/^HTTP\/1.1 101 /)
  })

  it('answers upgrades elsewhere as if nobody knew them, in all their length', async () => {
    const long = 'long '.repeat(1_000_000)
    const pieces = (): Readable => Readable.from(long.match(/.{1,100000}/g)!)
    const { web } = await application(
      {},
      (_, response) => void pieces().pipe(response.setHeader('Content-Length', long.length)),
    )
    expect((await ask(web, '/other', { Upgrade: 'h2c' })).split('\r\n\r\n', 2)[1]).toBe(long)
    expect(await ask(web, '/other', { 'Content-Length': 3 }, 'POST', 'abc')).toMatch(/^HTTP\/1.1 501 /)
  })

  it('may have WebSockets of its own', async () => {
    const { web, server } = await application()
    const own = new WebSocketServer({ noServer: true })
    server.on('upgrade', (request, socket, head) => {
      if (request.url === '/chat') own.handleUpgrade(request, socket, head, (chat) => chat.send('welcome'))
    })
    const chat = new WebSocket(`ws://127.0.0.1:${web}/chat`)
    onTestFinished(() => chat.terminate())
    expect(String((await once(chat, 'message'))[0])).toBe('welcome')
    expect(await ask(web, '/mqtt')).toMatch(/^HTTP\/1.1 101 /)
  })

  it('has its own path for MQTT', async () => {
    const { web, listener } = await application({ path: '/a/b' })
    expect(listener.name).toBe(`ws://127.0.0.1:${web}/a/b`)
    expect(await ask(web, '/a/b')).toMatch(/^HTTP\/1.1 101 /)
    expect(await ask(web, '/mqtt')).toContain('app /mqtt')
  })

  it('is as before when the broker is closed', async () => {
    const { web, broker, server } = await application()
    await broker.close()
    expect(server.listenerCount('upgrade')).toBe(0)
    expect(await ask(web, '/mqtt', { Connection: 'Upgrade, close' })).toContain('app /mqtt')
    expect(() => broker.attach(server)).toThrow('closed')
  })

  it('has its limit told in HTTP', async () => {
    const { web } = await application({ limits: { maxConnections: 1 } })
    expect(await ask(web)).toMatch(/^HTTP\/1.1 101 /)
    expect(await ask(web)).toMatch(/^HTTP\/1.1 503 /)
  })

  it('need not listen yet', async () => {
    const { broker } = await startBroker()
    const server = createServer()
    onTestFinished(() => void server.close())
    const listener = broker.attach(server)
    expect([listener.url, listener.port]).toEqual(['ws:/mqtt', 0])
    await once(server.listen(0, '127.0.0.1'), 'listening')
    expect(listener.url).toBe(`ws://127.0.0.1:${listener.port}/mqtt`)
  })

  it.each<[string, object]>([
    ['an option that is not known', { proxyProtocol: [] }],
    ['a path without /', { path: 'mqtt' }],
    ['a path with a query', { path: '/mqtt?x' }],
    ['a path that is none', { path: 1 }],
    ['TLS, which is the server’s', { tls: {} }],
  ])('is not attached to with %s', async (_, options) => {
    const { broker } = await startBroker()
    const server = createServer()
    expect(() => broker.attach(server, options)).toThrow(TypeError)
    expect(server.listenerCount('upgrade')).toBe(0)
  })

  it('survives who resets the connection in the middle of everything', async () => {
    let tell: () => void
    const gone = new Promise<void>((resolve) => {
      tell = resolve
    })
    const { web, port } = await application({ limits: { maxConnections: 1 } }, ({ socket }, response) => {
      const timer = setInterval(() => response.write('more'), 1)
      socket.once('close', () => {
        clearInterval(timer)
        tell()
      })
    })
    expect(await ask(web)).toMatch(/^HTTP\/1.1 101 /)
    for (const [path, upgrade] of [
      ['/mqtt', 'websocket'],
      ['/other', 'h2c'],
      ['/mqtt', 'h2c'],
    ] as const) {
      const socket = connectNet({ port: web, host: '127.0.0.1' })
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`)
      await once(socket, 'data')
      socket.resetAndDestroy()
    }
    await gone
    const witness = await RawClient.connect(port)
    expect(await witness.drain()).toEqual([])
  })
})
