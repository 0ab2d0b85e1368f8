import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { type Client, connect, type Transport, webSocket } from '@tidewire/client'
import { connect as connectAsBrowser } from '@tidewire/client/browser'
import { httpProxy, socks, tcp, tls, unix } from '@tidewire/client/node'
import { credentials } from '@tidewire/testing/credentials'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { Peer } from './scripted-server.js'

/** Listens, accepts each MQTT client, and echoes what is published. */
async function listen(server: Server, ...at: [path: string] | []): Promise<number> {
  await new Promise<void>((resolve) =>
    at.length > 0 ? server.listen(at[0], resolve) : server.listen(0, '127.0.0.1', resolve),
  )
  onTestFinished(() => void server.close())
  return typeof server.address() === 'string' ? 0 : (server.address() as AddressInfo).port
}

const serve = (socket: Socket): void => {
  const peer = new Peer(socket, 5)
  onTestFinished(() => peer.cut())
  void peer.accept().catch(() => {})
}

async function works(connecting: Promise<Client>): Promise<void> {
  const client = await connecting
  await client.publish('a', 'x')
  await client.close()
}

it('tcp: a transport, and an address of IPv6', async () => {
  const port = await listen(createServer(serve))
  await works(connect(tcp(`mqtt://127.0.0.1:${port}`)))
  await expect(connect('mqtt://[::1]:1')).rejects.toThrow('ECONNREFUSED')
  const own: Transport = tcp(`mqtt://127.0.0.1:${port}`)
  await works(connectAsBrowser(own))
  await expect(connectAsBrowser('mqtt://localhost')).rejects.toThrow('ws or wss')
})

it('unix', async () => {
  const path = join(tmpdir(), `tidewire-${process.pid}-${Math.random()}`)
  await listen(createServer(serve), path)
  await works(connect(`unix:${path}`))
  await works(connect(unix(path)))
  await expect(connect(unix(`${path}x`))).rejects.toThrow('ENOENT')
})

describe.skipIf(credentials === undefined)('tls (with openssl)', () => {
  it('checks the certificate, and takes the options of Node', async () => {
    const port = await listen(createTlsServer(credentials!, serve))
    const ca = credentials!.cert
    await works(connect(tls(`mqtts://localhost:${port}`, { ca })))
    await works(connect(tls(`mqtts://127.0.0.1:${port}`, { rejectUnauthorized: false })))
    await expect(connect(`mqtts://localhost:${port}`)).rejects.toThrow('self-signed')
    await expect(connect(tls(`mqtts://localhost:${port}`, { ca, servername: 'other' }))).rejects.toThrow('altnames')
  })

  it('that is cut in the handshake is told', async () => {
    const port = await listen(createServer((socket) => socket.once('data', () => socket.destroy())))
    await expect(connect(`mqtts://localhost:${port}`)).rejects.toThrow(/disconnected|ECONNRESET|closed/)
    const silent = await listen(createServer(() => {}))
    await expect(connect(`mqtts://localhost:${silent}`, { connectTimeout: 30 })).rejects.toThrow('did not answer')
  })
})

describe('an HTTP proxy', () => {
  const proxy = async (answer?: string): Promise<[port: number, seen: string[]]> => {
    const seen: string[] = []
    const server = createHttpServer().on('connect', ({ url = '', headers }, socket: Socket) => {
      seen.push(`${url} ${headers['proxy-authorization'] ?? ''}`.trim())
      socket.on('error', () => {})
      if (answer !== undefined) return void socket.end(answer)
      const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(url) ?? []
      const target = connectTcp({ host, port: Number(port) }, () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
        socket.pipe(target).pipe(socket)
      })
      target.on('error', () => socket.destroy())
    })
    return [await listen(server as unknown as Server), seen]
  }

  it('connects, with user and password', async () => {
    const [port, seen] = await proxy()
    const target = await listen(createServer(serve))
    await works(connect(tcp(`mqtt://127.0.0.1:${target}`, { via: httpProxy(`http://u:p@127.0.0.1:${port}`) })))
    expect(seen).toEqual([`127.0.0.1:${target} Basic ${btoa('u:p')}`])
  })

  it.skipIf(credentials === undefined)('has TLS within (with openssl)', async () => {
    const [port] = await proxy()
    const target = await listen(createTlsServer(credentials!, serve))
    const via = httpProxy(`http://127.0.0.1:${port}`)
    await works(connect(tls(`mqtts://localhost:${target}`, { ca: credentials!.cert, via })))
  })

  it.each([
    ['HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', '407'],
    [`HTTP/1.1 200 OK\r\n${'x'.repeat(20_000)}`, 'too long'],
    ['HTTP/1.1 200', 'closed the connection'],
    ['garbage\r\n\r\n', 'garbage'],
  ])('that answers %j is told', async (answer, message) => {
    const [port] = await proxy(answer)
    const via = httpProxy(`http://127.0.0.1:${port}`)
    await expect(connect(tcp('mqtt://127.0.0.1:1883', { via }))).rejects.toThrow(message)
  })

  it('that says nothing is given up, and one of another kind refused', async () => {
    const port = await listen(createServer(() => {}))
    const via = httpProxy(`http://127.0.0.1:${port}`)
    await expect(connect(tcp('mqtt://a:1', { via }), { connectTimeout: 30 })).rejects.toThrow('did not answer')
    expect(() => httpProxy('ftp://a')).toThrow(TypeError)
    expect(() => socks('http://a')).toThrow(TypeError)
  })
})

describe('a SOCKS proxy', () => {
  /** Speaks SOCKS 5 with what it is told to say instead of what is right. */
  const proxy = async (answers: { method?: number; auth?: number; reply?: number } = {}): Promise<number> => {
    const server = createServer(async (socket) => {
      onTestFinished(() => void socket.destroy())
      socket.on('error', () => {})
      const next = (): Promise<Buffer> => new Promise((resolve) => socket.once('data', resolve))
      const [, , method = 0] = await next()
      socket.write(Buffer.from([5, answers.method ?? method]))
      if (method === 2) {
        expect(await next()).toEqual(Buffer.from('\x01\x01u\x01p'))
        socket.write(Buffer.from([1, answers.auth ?? 0]))
      }
      const request = await next()
      const host = request.subarray(5, 5 + request[4]!).toString()
      const port = request.readUInt16BE(5 + request[4]!)
      if (answers.reply !== undefined) return void socket.end(Buffer.from([5, answers.reply, 0, 1, 0, 0, 0, 0, 0, 0]))
      const target = connectTcp({ host, port }, () => {
        socket.write(Buffer.from([5, 0, 0, 3, 1, 120, 0, 0])) // bound to the name "x"
        socket.pipe(target).pipe(socket)
      })
      target.on('error', () => socket.destroy())
    })
    return listen(server)
  }

  it.each(['', 'u:p@'])('connects, with %j before its name', async (user) => {
    const port = await proxy()
    const target = await listen(createServer(serve))
    await works(connect(tcp(`mqtt://localhost:${target}`, { via: socks(`socks5://${user}127.0.0.1:${port}`) })))
  })

  it.each([
    ['', { method: 0xff }, 'another kind of authentication'],
    ['u:p@', { auth: 1 }, 'does not accept user name'],
    ['', { reply: 5 }, 'connection refused'],
    ['', { reply: 99 }, '99'],
  ])('with %j that says %j is told', async (user, answers, message) => {
    const port = await proxy(answers)
    const via = socks(`socks5://${user}127.0.0.1:${port}`)
    await expect(connect(tcp('mqtt://127.0.0.1:1883', { via }))).rejects.toThrow(message)
  })
})

describe('webSocket', () => {
  it('takes a WebSocket of the application, and tells why there is none', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    onTestFinished(() => void server.close())
    server.on('connection', (socket) => socket.once('message', () => socket.send(Buffer.from('2003000000', 'hex'))))
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    const create = (at: string) => new WebSocket(at, 'mqtt', { headers: { 'x-token': 't' } }) as never
    await works(connectAsBrowser(webSocket(url, create)))
    await expect(connect('ws://127.0.0.1:1')).rejects.toThrow('ECONNREFUSED')
    const silent = await listen(createServer(() => {}))
    await expect(connect(`ws://127.0.0.1:${silent}`, { connectTimeout: 30 })).rejects.toThrow('did not answer')
  })
})
