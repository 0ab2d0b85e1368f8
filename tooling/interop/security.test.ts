import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { type Client, createBroker } from '@tidewire/broker'
import { acl, anyOf, type GuardOptions, guard, hashPassword, passwords } from '@tidewire/security'
import { DevelopmentCa } from '@tidewire/security/certificates'
import { jwt } from '@tidewire/security/jwt'
import { ScramFile, scram, scramClient, scramVerifier } from '@tidewire/security/scram'
import { createSeal } from '@tidewire/security/sealed'
import {
  certificates as clientCertificates,
  clientTls,
  type IdentityKind,
  preSharedKeys,
  type ServerTlsOptions,
  serverTls,
} from '@tidewire/security/tls'
import { PacketSocket } from '@tidewire/testing/packet-socket'
import { SignJWT } from 'jose'
import mqtt from 'mqtt'
import { describe, expect, it, onTestFinished } from 'vitest'
import { has, hasPaho, Program } from './program.js'

const hasMosquitto = has('mosquitto_sub', '--help') && has('stdbuf', '--help')

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'interop-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

const nextMessage = (client: mqtt.MqttClient): Promise<[topic: string, payload: Buffer]> =>
  new Promise((resolve) => client.once('message', (topic, payload) => resolve([topic, payload])))

function written(folder: string, name: string, text: string): string {
  writeFileSync(join(folder, name), text, { mode: 0o600 })
  return join(folder, name)
}

function brokerWith(options: GuardOptions) {
  const broker = createBroker(guard(options))
  onTestFinished(() => broker.close())
  return broker
}

/** A file with ann, whose password is tide. */
async function annsFile(folder: string): Promise<string> {
  const hash = await hashPassword('tide', { format: 'pbkdf2-sha512', iterations: 1000 })
  return written(folder, 'passwd', `ann:${hash}\n`)
}

/** A CA, and files of it. */
async function certificates(folder: string) {
  const ca = await DevelopmentCa.create()
  const [server, client] = await Promise.all([ca.server(['localhost', '127.0.0.1']), ca.client('ann')])
  return {
    ca,
    cafile: written(folder, 'ca.crt', ca.pem.cert),
    key: written(folder, 'server.key', server.key),
    cert: written(folder, 'server.crt', server.cert),
    clientKey: written(folder, 'ann.key', client.key),
    clientCert: written(folder, 'ann.crt', client.cert),
  }
}

describe.skipIf(!hasMosquitto)('mosquitto_pub and mosquitto_sub', () => {
  async function exchange(args: string[]): Promise<void> {
    const sub = new Program('stdbuf', ['-oL', 'mosquitto_sub', ...args, '-t', '#', '-F', '%t %p', '-C', '1', '-d'])
    await sub.line(/^Subscribed/)
    await new Program('mosquitto_pub', [...args, '-t', 'closed', '-m', 'no', '-q', '1']).done()
    await new Program('mosquitto_pub', [...args, '-t', 'secret/x', '-m', 'no', '-q', '1']).done()
    await new Program('mosquitto_pub', [...args, '-t', 'open/x', '-m', 'hello', '-q', '1']).done()
    await sub.line(/^open\/x hello$/) // the first that comes
    await sub.done()
  }

  it('exchange what an acl_file allows, with a password and a certificate over TLS, and get nowhere without', async () => {
    const folder = temporaryFolder()
    const { cafile, key, cert, clientKey, clientCert } = await certificates(folder)
    const broker = brokerWith({
      authenticate: await passwords({ file: await annsFile(folder) }),
      authorize: await acl({ file: written(folder, 'acl', 'user ann\ntopic open/#\ntopic write secret/#\n') }),
    })
    const tls = await serverTls({ key, cert, ca: cafile })
    const { port } = await broker.listen('mqtts://127.0.0.1:0', { tls })
    const trusting = ['-h', 'localhost', '-p', `${port}`, '--cafile', cafile, '--tls-alpn', 'mqtt']
    const known = [...trusting, '--cert', clientCert, '--key', clientKey]
    await exchange([...known, '-u', 'ann', '-P', 'tide'])
    const fails = (...args: string[]) =>
      expect(new Program('mosquitto_pub', [...args, '-t', 'open/x', '-m', 'x']).done()).rejects.toThrow('ended')
    await fails(...known, '-u', 'ann', '-P', 'ebb')
    await fails(...known, '-u', 'bob', '-P', 'tide')
    await fails(...known)
    await fails(...trusting, '-u', 'ann', '-P', 'tide') // no certificate
  })

  it('exchange messages with a pre-shared key, and not with another one', async () => {
    const folder = temporaryFolder()
    const key = '0123456789abcdef0123456789abcdef'
    const tls = await serverTls({ pskFile: written(folder, 'psk', `d1:${key}\n`) })
    const broker = brokerWith({
      authenticate: preSharedKeys(),
      authorize: await acl({ file: written(folder, 'acl', 'user d1\ntopic #\n') }),
    })
    const { port } = await broker.listen('mqtts://127.0.0.1:0', { tls })
    const args = ['-p', `${port}`, '--psk-identity', 'd1', '-t', 'a', '-m', 'x', '-q', '1']
    const messages = broker.subscribe('a')
    await new Program('mosquitto_pub', [...args, '--psk', key]).done()
    expect((await messages.next()).value?.topic).toBe('a')
    await expect(new Program('mosquitto_pub', [...args, '--psk', key, '-u', 'd2']).done()).rejects.toThrow('ended')
    await expect(new Program('mosquitto_pub', [...args, '--psk', key.replace('0', 'f')]).done()).rejects.toThrow(
      'ended',
    )
  })

  it('see a new certificate on the listener as soon as it is read, whether they name the server or not', async () => {
    const folder = temporaryFolder()
    const { cafile, key, cert } = await certificates(folder)
    const tls = await serverTls({ key, cert })
    const broker = brokerWith({ authenticate: { authenticate: () => ({}) } })
    const { port } = await broker.listen('mqtts://127.0.0.1:0', { tls })
    const argsFor = (host: string) => ['-h', host, '-p', `${port}`, '-t', 'a', '-m', 'x', '-q', '1', '--cafile']
    const hosts = ['localhost', '127.0.0.1'] // an address is not asked for (SNI)
    for (const host of hosts) await new Program('mosquitto_pub', [...argsFor(host), cafile]).done()
    const other = await DevelopmentCa.create({ name: 'another' })
    const renewed = await other.server(hosts)
    written(folder, 'server.key', renewed.key)
    written(folder, 'server.crt', renewed.cert)
    expect(await tls.reload()).toBe(true)
    const otherFile = written(folder, 'other.crt', other.pem.cert)
    for (const host of hosts) {
      await expect(new Program('mosquitto_pub', [...argsFor(host), cafile]).done()).rejects.toThrow('ended')
      await new Program('mosquitto_pub', [...argsFor(host), otherFile]).done()
    }
  })
})

describe('a listener with serverTls', () => {
  /** What an application sees of who comes in, and what the broker says. */
  async function start(options: Partial<ServerTlsOptions>, parts: GuardOptions = {}) {
    const folder = temporaryFolder()
    const files = await certificates(folder)
    const lines: string[] = []
    const log = { info: (line: string) => void lines.push(line), warn() {}, error() {} }
    const clients: Client[] = []
    const broker = createBroker({
      ...guard({ authenticate: { authenticate: () => ({}) }, ...parts }),
      onConnect: (client) => void clients.push(client),
      log,
    })
    onTestFinished(() => broker.close())
    const { key, cert, cafile } = files
    const tls = await serverTls({ key, cert, ca: cafile, ...options })
    const { port } = await broker.listen('mqtts://127.0.0.1:0', { tls })
    /** Connects as MQTT 5.0; settles with the Reason Code, undefined when it is cut off. */
    const login = async (tlsOptions: ConnectionOptions, userName?: string): Promise<number | undefined> => {
      const stream = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...tlsOptions })
      onTestFinished(() => void stream.destroy())
      const packets = new PacketSocket(
        stream.on('error', () => {}),
        5,
      )
      const named = userName === undefined ? {} : { userName }
      packets.send({ type: 'connect', protocolVersion: 5, clientId: 'c', cleanStart: true, keepAlive: 0, ...named })
      const packet = await packets.next()
      return packet?.type === 'connack' ? packet.reasonCode : undefined
    }
    const issued = (cert: string, key: string) => ({ cert: readFileSync(cert), key: readFileSync(key) })
    const ann = issued(files.clientCert, files.clientKey)
    return { ...files, folder, broker, lines, clients, tls, port, login, ann }
  }

  it('S-34 tells why it takes no certificate, and counts it', async () => {
    const { ca, broker, lines, login, ann, tls, folder } = await start({})
    const refused = async (options: ConnectionOptions, why: string) => {
      const before = broker.metrics.refused.tls
      expect(await login(options)).toBeUndefined()
      while (broker.metrics.refused.tls === before) await new Promise(setImmediate)
      expect(lines.at(-1)).toContain(why)
    }
    expect(await login(ann)).toBe(0)
    await refused({}, 'it has no certificate')
    await refused({ maxVersion: 'TLSv1.2' }, 'it has no certificate')
    await refused(await (await DevelopmentCa.create()).client('ann'), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
    await refused(await ca.client('ann', { from: new Date(0), days: 1 }), 'CERT_HAS_EXPIRED')
    const crl = written(folder, 'crl', await ca.revoke([]))
    const other = await start({ ca: written(folder, 'same', ca.pem.cert), crl })
    expect(await other.login(ann)).toBe(0)
    written(folder, 'crl', await ca.revoke([ann.cert.toString()]))
    expect(await other.tls.reload()).toBe(true)
    expect(await other.login(ann)).toBeUndefined() // it does not name the server
    while (other.broker.metrics.refused.tls === 0) await new Promise(setImmediate)
    expect(other.lines.at(-1)).toContain('CERT_REVOKED')
    tls.close()
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'S-34 lets nobody in who resumes a session of %s that was begun without a certificate',
    async (maxVersion) => {
      const { broker, key, cert, cafile } = await start({})
      const [ticketKeys, sessionIdContext] = [Buffer.alloc(48, 1), 'both']
      const files = { key: readFileSync(key), cert: readFileSync(cert), ca: readFileSync(cafile) }
      const asking = { ...files, requestCert: true, ticketKeys, sessionIdContext }
      const open = await broker.listen('mqtts://127.0.0.1:0', { tls: { ...asking, rejectUnauthorized: false } })
      const closed = await broker.listen('mqtts://127.0.0.1:0', { tls: asking })
      const options = { host: '127.0.0.1', rejectUnauthorized: false, maxVersion } as const
      const first = connectTls({ ...options, port: open.port })
      const [session] = await once(first, 'session')
      first.destroy()
      const again = connectTls({ ...options, port: closed.port, session: session as Buffer }).on('error', () => {})
      await once(again.resume(), 'close')
      while (broker.metrics.refused.tls === 0) await new Promise(setImmediate)
    },
  )

  it('tells hooks of certificates that are verified, and of no others', async () => {
    const { clients, login, ann } = await start({ clients: 'optional' })
    for (const options of [ann, {}, await (await DevelopmentCa.create()).client('ann')])
      expect(await login(options)).toBe(0)
    expect(clients.map(({ certificate }) => certificate?.subject.CN)).toEqual(['ann', undefined, undefined])
  })

  it('S-34 tells hooks of the identity of a pre-shared key that is proved, and of no other', async () => {
    const folder = temporaryFolder()
    const key = '0123456789abcdef0123456789abcdef'
    const { broker, clients, login } = await start({ pskFile: written(folder, 'psk', `d1:${key}`), clients: 'none' })
    expect(await login(await clientTls({ psk: { identity: 'd1', key } }))).toBe(0)
    expect(await login({})).toBe(0)
    // In TLS 1.3 an identity may be offered, without its key, beside what the connection is made with.
    const { key: serverKey, cert } = await (await DevelopmentCa.create()).server(['localhost'])
    const pskCallback = () => Buffer.from(key, 'hex')
    const { port } = await broker.listen('mqtts://127.0.0.1:0', { tls: { key: serverKey, cert, pskCallback } })
    const offered = { pskCallback: () => ({ identity: 'd1', psk: Buffer.alloc(16) }) } as ConnectionOptions
    expect(await login({ ...offered, port, minVersion: 'TLSv1.3', ciphers: 'TLS_AES_256_GCM_SHA384' })).toBe(0)
    expect(clients.map(({ pskIdentity }) => pskIdentity)).toEqual(['d1', undefined, undefined])
  })

  it.skipIf(!has('openssl', 'version'))('staples an OCSP response, of which openssl s_client tells', async () => {
    const { port, tls } = await start({ clients: 'none', ocspFile: written(temporaryFolder(), 'ocsp', 'no response') })
    await new Program('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-status']).line(/OCSP response/)
    tls.close()
  })
})

describe('certificates as the only credentials', () => {
  const names: [IdentityKind, string][] = [
    ['cn', 'ann'],
    ['subject', 'CN=ann'],
    ['email', 'ann@example.com'],
  ]

  it.skipIf(!hasMosquitto).each(names)(
    'let mosquitto_pub in by %s as %s, whom the rules and the session know by that name',
    async (identity, name) => {
      const folder = temporaryFolder()
      const { ca, key, cert, cafile } = await certificates(folder)
      const ann = await ca.client('ann', { emails: ['ann@example.com'] })
      const known = ['--cert', written(folder, 'c', ann.cert), '--key', written(folder, 'k', ann.key)]
      const broker = brokerWith({
        authenticate: clientCertificates({ identity }),
        authorize: await acl({ file: written(folder, 'acl', `user ${name}\ntopic write open/#\n`) }),
      })
      const { port } = await broker.listen('mqtts://127.0.0.1:0', { tls: await serverTls({ key, cert, ca: cafile }) })
      const messages = broker.subscribe('#')
      const args = ['-h', 'localhost', '-p', `${port}`, '--cafile', cafile, ...known, '-q', '1', '-m', 'x']
      await new Program('mosquitto_pub', [...args, '-t', 'closed']).done()
      await new Program('mosquitto_pub', [...args, '-t', 'open/1']).done()
      await expect(new Program('mosquitto_pub', [...args, '-t', 'open/2', '-u', 'bob']).done()).rejects.toThrow('ended')
      await new Program('mosquitto_pub', [...args, '-t', 'open/3', '-u', name]).done()
      const topics = [await messages.next(), await messages.next()].map(({ value }) => value?.topic)
      expect(topics).toEqual(['open/1', 'open/3'])
    },
  )
})

const pahoScript = `
import sys, paho.mqtt.client as mqtt
port, cafile, cert, key, password, tls_host = sys.argv[1:]
client = mqtt.Client(client_id="paho", protocol=4)
client.tls_set(cafile, cert, key)
client.username_pw_set("ann", password)
codes = []
def on_connect(client, *args):
    codes.append(args[2])
    client.disconnect()
client.on_connect = on_connect
client.connect(tls_host, int(port))
client.loop_forever()
print("code", codes[0])
`

it.skipIf(!hasPaho)('Paho connects with a certificate and a password, and not with a wrong one', async () => {
  const folder = temporaryFolder()
  const { cafile, key, cert, clientKey, clientCert } = await certificates(folder)
  const broker = brokerWith({ authenticate: await passwords({ file: await annsFile(folder) }) })
  const tls = await serverTls({ key, cert, ca: cafile })
  const { port } = await broker.listen('mqtts://127.0.0.1:0', { tls })
  for (const [password, code] of [
    ['tide', 0],
    ['ebb', 4],
  ] as const) {
    const args = ['-c', pahoScript, `${port}`, cafile, clientCert, clientKey, password, 'localhost']
    await new Program('/usr/bin/python3', args).line(new RegExp(`^code ${code}$`))
  }
})

it('MQTT.js connects over wss with a token as password, and not with one of another', async () => {
  const folder = temporaryFolder()
  const { ca, key, cert } = await certificates(folder)
  const secret = new Uint8Array(32).fill(1)
  const broker = brokerWith({
    authenticate: anyOf(await passwords({ file: await annsFile(folder) }), await jwt({ secret })),
  })
  const tls = await serverTls({ key, cert, webSocket: true })
  const { url } = await broker.listen('wss://127.0.0.1:0/mqtt', { tls })
  const token = await new SignJWT({ sub: 'zoe' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1m')
    .sign(secret)
  const login = (username: string, password: string) =>
    mqtt.connectAsync(url, { username, password, ca: ca.pem.cert, reconnectPeriod: 0 })
  for (const [username, password] of [
    ['zoe', token],
    ['ann', 'tide'],
  ] as const) {
    const client = await login(username, password)
    await client.endAsync()
  }
  await expect(login('bob', token)).rejects.toThrow()
})

it('a token ends the connection when it does', async () => {
  const secret = new Uint8Array(32).fill(1)
  const broker = brokerWith({ authenticate: await jwt({ secret, tolerance: 0 }) })
  const { port } = await broker.listen('mqtt://127.0.0.1:0')
  const exp = Math.floor(Date.now() / 1000) + 2
  const token = await new SignJWT({ sub: 'zoe', exp }).setProtectedHeader({ alg: 'HS256' }).sign(secret)
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    username: 'zoe',
    password: token,
    protocolVersion: 5,
    reconnectPeriod: 0,
  })
  const packet = await new Promise<{ reasonCode?: number }>((resolve) => client.once('disconnect', resolve))
  expect(packet.reasonCode).toBe(0xa0)
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000)
})

describe('SCRAM with the broker', () => {
  async function start() {
    const users = new ScramFile(`ann:${await scramVerifier('tide')}\nbob:${await scramVerifier('ebb')}`)
    const broker = brokerWith({ methods: { 'SCRAM-SHA-256': scram({ users }) } })
    const { port } = await broker.listen('mqtt://127.0.0.1:0')
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    onTestFinished(() => void socket.destroy())
    return new PacketSocket(socket, 5)
  }

  async function login(connection: PacketSocket, userName: string, password: string): Promise<number> {
    const client = scramClient({ userName, password })
    const properties = async (data?: Uint8Array) => {
      const authenticationData = await client.next(data)
      return { authenticationMethod: client.method, ...(authenticationData && { authenticationData }) }
    }
    connection.send({
      type: 'connect',
      protocolVersion: 5,
      clientId: 'c',
      cleanStart: true,
      keepAlive: 0,
      properties: await properties(),
    })
    const challenge = await connection.expect('auth')
    expect(challenge.reasonCode).toBe(0x18)
    connection.send({
      type: 'auth',
      reasonCode: 0x18,
      properties: await properties(challenge.properties.authenticationData),
    })
    const connack = await connection.expect('connack')
    if (connack.reasonCode === 0) await client.next(connack.properties.authenticationData)
    else await connection.expectEnd()
    expect(client.isDone).toBe(connack.reasonCode === 0)
    return connack.reasonCode
  }

  async function renew(connection: PacketSocket, userName: string, password: string) {
    const client = scramClient({ userName, password })
    const send = async (reasonCode: number, data?: Uint8Array) => {
      const authenticationData = (await client.next(data))!
      connection.send({
        type: 'auth',
        reasonCode,
        properties: { authenticationMethod: client.method, authenticationData },
      })
      return connection.next()
    }
    const challenge = await send(0x19)
    if (challenge?.type !== 'auth') return challenge
    return send(0x18, challenge.properties.authenticationData)
  }

  it('lets in who knows the password, and nobody else [MQTT-4.12.0-2] [MQTT-4.12.0-4]', async () => {
    expect(await login(await start(), 'ann', 'tide')).toBe(0)
    expect(await login(await start(), 'ann', 'ebb')).toBe(0x87)
    expect(await login(await start(), 'zoe', 'tide')).toBe(0x87)
  })

  it('is renewed by the same user, and by no other [MQTT-4.12.1-1] [MQTT-4.12.1-2]', async () => {
    const connection = await start()
    await login(connection, 'ann', 'tide')
    expect(await renew(connection, 'ann', 'tide')).toMatchObject({ type: 'auth', reasonCode: 0 })
    expect(await renew(connection, 'bob', 'ebb')).toMatchObject({ type: 'disconnect', reasonCode: 0x87 })
    await connection.expectEnd()
  })
})

it('S-02 S-05 S-10 a rule that is taken back holds at once for live and retained messages', async () => {
  const folder = temporaryFolder()
  const file = written(folder, 'acl', 'topic #\n')
  const rules = await acl({ file })
  const broker = brokerWith({ authenticate: { authenticate: () => ({}) }, authorize: rules })
  const { port } = await broker.listen('mqtt://127.0.0.1:0')
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 })
  onTestFinished(() => client.endAsync())
  const received: string[] = []
  client.on('message', (topic) => void received.push(topic))
  await client.subscribeAsync('#')
  const tell = (topic: string, retain = false) => broker.publish(topic, 'x', { retain, qos: 1 })
  await tell('secret/1', true)
  await tell('news')
  written(folder, 'acl', 'topic news\n')
  expect(await rules.reload()).toBe(true)
  await tell('secret/2')
  await tell('news')
  await client.subscribeAsync('secret/#') // whose retained message does not come
  await tell('news')
  while (received.filter((topic) => topic === 'news').length < 3) await nextMessage(client)
  expect(received).toEqual(['secret/1', 'news', 'news', 'news'])
})

it('S-08 the session of a device that was sold is not for who knows the old password', async () => {
  const folder = temporaryFolder()
  const users = await passwords({ file: await annsFile(folder) })
  const broker = brokerWith({ authenticate: users })
  const { port } = await broker.listen('mqtt://127.0.0.1:0')
  const login = async (userName: string, password: string) => {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    onTestFinished(() => void socket.destroy())
    const packets = new PacketSocket(socket, 5)
    const properties = { sessionExpiryInterval: 1000 }
    const who = { clientId: 'device', userName, password: Buffer.from(password) }
    packets.send({ type: 'connect', protocolVersion: 5, cleanStart: false, keepAlive: 0, ...who, properties })
    const { reasonCode, sessionPresent } = await packets.expect('connack')
    return { reasonCode, sessionPresent }
  }
  expect(await login('ann', 'tide')).toEqual({ reasonCode: 0, sessionPresent: false })
  const hashOf = (password: string) => hashPassword(password, { format: 'pbkdf2-sha512', iterations: 1000 })
  written(folder, 'passwd', `ann:${await hashOf('surf')}\nbob:${await hashOf('ebb')}\n`)
  expect(await users.reload()).toBe(true)
  expect((await login('ann', 'tide')).reasonCode).toBe(0x86)
  expect((await login('bob', 'ebb')).reasonCode).toBe(0x87)
  expect(await login('ann', 'surf')).toEqual({ reasonCode: 0, sessionPresent: true })
})

it('a sealed payload passes the broker unread', async () => {
  const key = { k1: new Uint8Array(32).fill(3) }
  const seen: string[] = []
  const broker = createBroker({ onPublish: (_, { payload }) => void seen.push(Buffer.from(payload).toString()) })
  onTestFinished(() => broker.close())
  const { port } = await broker.listen('mqtt://127.0.0.1:0')
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`)
  onTestFinished(() => client.endAsync())
  await client.subscribeAsync('a')
  const message = nextMessage(client)
  await client.publishAsync('a', Buffer.from(await (await createSeal({ keys: key })).seal('a', 'high tide')))
  const [topic, payload] = await message
  expect(Buffer.from(await (await createSeal({ keys: key })).open(topic, payload)).toString()).toBe('high tide')
  expect(seen).toHaveLength(1)
  expect(seen[0]).not.toContain('tide')
})
