import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import {
  type Access,
  type Authenticator,
  acl,
  allOf,
  anonymous,
  anyOf,
  connectionRate,
  failedLogins,
  flapping,
  type Grant,
  guard,
  hashPassword,
  http,
  type Method,
  passwords,
  type Verdict,
} from '@tidewire/security'
import { jwt } from '@tidewire/security/jwt'
import { policy } from '@tidewire/security/policy'
import { ScramFile, scram, scramClient, scramVerifier } from '@tidewire/security/scram'
import { serverTls } from '@tidewire/security/tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bytes, clientOf, recorder, temporaryFolder } from './fixture.js'

const says = (verdict: Verdict): Authenticator => ({ authenticate: () => verdict })
const no = { reasonCode: 0x86 }
const ann = clientOf('ann')

async function rulesOf(file: string, content: string): Promise<Access> {
  const path = join(temporaryFolder(), file)
  writeFileSync(path, content)
  return file === 'acl' ? acl({ file: path }) : policy({ file: path })
}

describe('parts that know clients', () => {
  it('let in whom any of them lets in, or all of them, and with what they grant', async () => {
    const ask = (part: Authenticator) => part.authenticate(ann, bytes('x'))
    const grant: Grant = { userName: 'ann', roles: ['a'], expiresAt: 2000 }
    expect(await ask(anyOf())).toBeUndefined()
    expect(await ask(anyOf(says(undefined), says(no)))).toEqual(no)
    expect(await ask(anyOf(says(no), says(grant)))).toEqual(grant)
    expect(await ask(allOf())).toBeUndefined()
    expect(await ask(allOf(says(grant), says(undefined)))).toBeUndefined()
    expect(await ask(allOf(says(grant), says(no)))).toEqual(no)
    expect(await ask(allOf(says(grant), says({ userName: 'bob' })))).toEqual({ reasonCode: 0x87 })
    expect(await ask(allOf(says(grant), says({ roles: ['b'], expiresAt: 1000 })))).toEqual({
      userName: 'ann',
      roles: ['a', 'b'],
      groups: [],
      expiresAt: 1000,
    })
  })

  it('let in who gives no credentials only if that is asked for', async () => {
    expect(await anonymous().authenticate(clientOf(undefined), undefined)).toEqual({})
    expect(await anonymous().authenticate(clientOf('ann'), undefined)).toBeUndefined()
    expect(await anonymous().authenticate(clientOf(undefined), bytes('x'))).toBeUndefined()
  })
})

describe('a guard', () => {
  it('lets nobody in whom nothing lets in', async () => {
    expect(await guard({}).authenticate(clientOf('ann'), bytes('x'))).toEqual({ reasonCode: 0x86 })
    expect(await guard({}).authenticate(clientOf(undefined), undefined)).toEqual({ reasonCode: 0x87 })
    expect(await guard({ authenticate: says({}) }).authenticate(ann, undefined)).toBe(true)
  })

  it('S-31 lets nobody in when a part fails', async () => {
    const failing: Authenticator = { authenticate: () => Promise.reject(new Error('down')) }
    await expect(guard({ authenticate: anyOf(failing, says({})) }).authenticate(ann, undefined)).rejects.toThrow('down')
  })

  it('S-07 tells the broker who a client has proved to be, whatever it says, and until when', async () => {
    const { authenticate } = guard({ authenticate: says({ userName: 'ann', roles: ['r'], expiresAt: 5000 }) })
    for (const name of ['ann', 'bob', undefined])
      expect(await authenticate(clientOf(name), undefined)).toEqual({ userName: 'ann', expiresAt: 5000 })
  })

  it('knows by its proved name a client that comes and goes too often, and nobody else by that', async () => {
    const hooks = guard({ authenticate: says({ userName: 'ann' }), limits: [flapping({ most: 1 })] })
    const visit = async (said: string | undefined) => {
      const answer = await hooks.authenticate(clientOf(said), undefined)
      if ('userName' in Object(answer)) hooks.onDisconnect(clientOf('ann')) // as the broker calls it then
      return answer
    }
    for (let i = 0; i < 2; i++) expect(await visit(undefined)).toEqual({ userName: 'ann' })
    for (const said of [undefined, 'bob', 'ann']) expect(await visit(said)).toMatchObject({ reasonCode: 0x8a })
    const bob = guard({ authenticate: says({ userName: 'bob' }), limits: [flapping({ most: 1 })] })
    expect(await bob.authenticate(clientOf('ann'), undefined)).toEqual({ userName: 'bob' })
  })

  it('gives a client what a method of enhanced authentication grants, and something else when it is renewed', async () => {
    const rules = await rulesOf(
      'policy',
      'roles: { r: [{ allow: publish, topics: a }], s: [{ allow: publish, topics: b }] }',
    )
    let role = 'r'
    const method: Method = () => ({ next: () => ({ state: 'success', userName: 'ann', roles: [role] }) })
    const hooks = guard({ authorize: rules, methods: { M: method } })
    const prove = () => hooks.authenticationMethods['M']!(ann).next(undefined)
    const may = () => ['a', 'b'].map((topic) => hooks.authorize.authorize(ann, 'publish', topic))
    expect(await prove()).toMatchObject({ state: 'success', userName: 'ann' })
    expect(may()).toEqual([true, false])
    const { epoch } = hooks.authorize
    role = 's'
    await prove()
    expect(may()).toEqual([false, true])
    expect(hooks.authorize.epoch).not.toBe(epoch) // what a broker remembers counts no more
  })

  it('asks the rules, with the roles that were granted', async () => {
    const rules = await rulesOf(
      'policy',
      'roles: { r: [{ allow: publish, topics: a }, { allow: [publish, retain], topics: b }] }',
    )
    const hooks = guard({ authenticate: says({ roles: ['r'] }), authorize: rules })
    await hooks.authenticate(ann, undefined)
    expect([hooks.authorize.authorize(ann, 'publish', 'a'), hooks.authorize.authorize(ann, 'publish', 'c')]).toEqual([
      true,
      false,
    ])
    expect(hooks.authorize.authorize(clientOf('bob'), 'publish', 'a')).toBe(false)
    expect(['a', 'b'].map((topic) => hooks.authorize.authorize(ann, 'retain', topic))).toEqual([false, true])
    expect(hooks.authorize.checksRetain).toBe(true)
    const plain = guard({ authenticate: says({}), authorize: await rulesOf('acl', 'topic a') })
    expect(plain.authorize.checksRetain).toBe(false) // an acl_file says nothing about it: the broker need not ask
  })

  it('has an epoch that changes with the rules', async () => {
    const path = join(temporaryFolder(), 'acl')
    writeFileSync(path, 'topic a')
    const rules = await acl({ file: path })
    const { authorize } = guard({ authorize: rules })
    const { epoch } = authorize
    await rules.reload()
    expect(authorize.epoch).toBe(epoch + 1)
  })

  it('S-12 without rules lets nobody publish to topics that begin with $', () => {
    const { authorize } = guard({ authenticate: says({}) }).authorize
    expect([
      authorize(ann, 'publish', 'a'),
      authorize(ann, 'publish', '$SYS/x'),
      authorize(ann, 'receive', '$SYS/x'),
    ]).toEqual([true, false, true])
  })

  it('watches methods of enhanced authentication too', async () => {
    const users = new ScramFile(`ann:${await scramVerifier('tide')}`)
    const limits = [failedLogins({ most: 1 })]
    const { authenticationMethods } = guard({ methods: { 'SCRAM-SHA-256': scram({ users }) }, limits })
    const login = async (password: string) => {
      const client = scramClient({ userName: 'ann', password })
      const exchange = authenticationMethods['SCRAM-SHA-256']!({ ...ann, remoteAddress: '192.0.2.1' })
      const step = await exchange.next(await client.next())
      return step.state === 'continue' ? exchange.next(await client.next(step.data)) : step
    }
    expect((await login('tide')).state).toBe('success')
    expect(await login('ebb')).toMatchObject({ state: 'failure', reasonCode: 0x87 })
    expect(await login('ebb')).toMatchObject({ state: 'failure', reasonCode: 0x87 })
    expect(await login('tide')).toMatchObject({ state: 'failure', reasonCode: 0x8a })
  })
})

describe('limits', () => {
  const from = (remoteAddress: string | undefined, clientId = 'c') => ({
    ...clientOf('ann', clientId),
    ...(remoteAddress !== undefined && { remoteAddress }),
  })

  it('S-29 keep out an address with too many failed logins, for a while, and nobody else', async () => {
    let now = 0
    const limit = failedLogins({ most: 2, seconds: 60, ban: 300, now: () => now })
    const hooks = guard({
      authenticate: { authenticate: (_, password) => (password === undefined ? no : {}) },
      limits: [limit],
    })
    const fail = (address: string | undefined) => hooks.authenticate(from(address), undefined)
    const succeed = (address: string | undefined) => hooks.authenticate(from(address), bytes('x'))
    for (let i = 0; i < 3; i++) expect(await fail('192.0.2.1')).toEqual(no)
    expect(await succeed('192.0.2.1')).toMatchObject({ reasonCode: 0x8a })
    expect(limit.refused).toBe(1)
    expect(await succeed('192.0.2.2')).toBe(true)
    now = 300_000
    expect(await succeed('192.0.2.1')).toBe(true)
    for (let i = 0; i < 20; i++) expect(await fail(undefined)).toEqual(no) // at a Unix socket
    for (let i = 0; i < 10; i++) {
      now += 61_000
      expect(await fail('192.0.2.3')).toEqual(no) // seldom enough
    }
  })

  it('S-29 take an IPv6 network of 64 bits for one, and that the broker is busy for no failure', async () => {
    const limit = failedLogins({ most: 1 })
    const hooks = guard({ authenticate: says(no), limits: [limit] })
    await hooks.authenticate(from('2001:db8::1'), undefined)
    await hooks.authenticate(from('2001:db8:0:0:ffff::2'), undefined)
    expect(await hooks.authenticate(from('2001:db8::3'), undefined)).toMatchObject({ reasonCode: 0x8a })
    expect(await hooks.authenticate(from('2001:db8:0:1::1'), undefined)).toEqual(no)
    const busy = guard({ authenticate: says({ reasonCode: 0x89 }), limits: [failedLogins({ most: 1 })] })
    for (let i = 0; i < 5; i++)
      expect(await busy.authenticate(from('192.0.2.1'), undefined)).toEqual({ reasonCode: 0x89 })
  })

  it('S-29 keep out a client that comes and goes too often; who was not let in cannot bring that about', async () => {
    let now = 0
    const hooks = guard({
      authenticate: { authenticate: (_, password) => (password === undefined ? no : {}) },
      limits: [flapping({ most: 3, now: () => now })],
    })
    for (let i = 0; i < 20; i++) await hooks.authenticate(from('192.0.2.1'), undefined)
    for (let i = 0; i < 4; i++) {
      const client = from('192.0.2.1')
      expect(await hooks.authenticate(client, bytes('x'))).toBe(true)
      hooks.onDisconnect(client)
    }
    expect(await hooks.authenticate(from('192.0.2.1'), bytes('x'))).toMatchObject({ reasonCode: 0x8a })
    expect(await hooks.authenticate(from('192.0.2.1', 'd'), bytes('x'))).toBe(true)
    now = 300_000
    expect(await hooks.authenticate(from('192.0.2.1'), bytes('x'))).toBe(true)
  })

  it('S-29 bound how often an address may connect', async () => {
    let now = 0
    const limit = connectionRate({ most: 2, seconds: 1, now: () => now })
    const hooks = guard({ authenticate: says({}), limits: [limit] })
    const codes = []
    for (let i = 0; i < 4; i++) codes.push(await hooks.authenticate(from('192.0.2.1'), undefined))
    expect(codes).toEqual([
      true,
      true,
      expect.objectContaining({ reasonCode: 0x9f }),
      expect.objectContaining({ reasonCode: 0x9f }),
    ])
    now = 1000
    expect(await hooks.authenticate(from('192.0.2.1'), undefined)).toBe(true)
    expect(limit.refused).toBe(2)
  })

  it('remember a bounded number of addresses, and take no nonsense', async () => {
    const hooks = guard({ authenticate: says(no), limits: [failedLogins({ most: 1 })] })
    const address = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
    for (let i = 0; i < 2; i++) await hooks.authenticate(from(address(0)), undefined)
    for (let i = 1; i <= 10_000; i++) await hooks.authenticate(from(address(i)), undefined)
    expect(await hooks.authenticate(from(address(0)), undefined)).toEqual(no) // forgotten
    expect(() => failedLogins({ most: 0 })).toThrow(RangeError)
    expect(() => flapping({ ban: Number.NaN })).toThrow(RangeError)
  })
})

describe('a service asked over HTTP', () => {
  async function service(answer: (request: object, response: ServerResponse) => void) {
    const requests: { headers: IncomingMessage['headers']; body: Record<string, unknown> }[] = []
    const server = createServer(async (request, response) => {
      const body = JSON.parse(await text(request))
      requests.push({ headers: request.headers, body })
      answer(body, response)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close().closeAllConnections())
    return { requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth` }
  }
  const replies = (status: number, body: unknown) => (_: object, response: ServerResponse) => {
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
  }

  it('is told who asks, and decides', async () => {
    const { requests, url } = await service(replies(200, { result: 'allow', roles: ['r'], expiresIn: 60 }))
    const part = http({ url, headers: { 'X-Key': 'k' } })
    const client = { ...ann, remoteAddress: '192.0.2.1', listener: 'mqtt' }
    const verdict = (await part.authenticate(client, bytes('tide'))) as Grant
    expect(verdict).toMatchObject({ userName: 'ann', roles: ['r'], groups: [] })
    expect(verdict.expiresAt! - Date.now()).toBeGreaterThan(50_000)
    expect(requests[0]!.body).toEqual({
      clientId: 'c',
      userName: 'ann',
      password: 'tide',
      remoteAddress: '192.0.2.1',
      listener: 'mqtt',
    })
    expect(requests[0]!.headers).toMatchObject({ 'x-key': 'k', 'content-type': 'application/json' })
    await part.authenticate(client, Uint8Array.of(0xff))
    expect(requests[1]!.body).toMatchObject({ passwordBase64: '/w==' })
  })

  it('is asked once for the same in a short time, and anew for anything else', async () => {
    const { requests, url } = await service(replies(200, { result: 'deny' }))
    const part = http({ url })
    for (let i = 0; i < 3; i++) expect(await part.authenticate(ann, bytes('tide'))).toEqual(no)
    expect(requests).toHaveLength(1)
    await part.authenticate(ann, bytes('ebb'))
    await part.authenticate(ann, undefined)
    await part.authenticate(clientOf('ann', 'd'), bytes('tide'))
    expect(requests).toHaveLength(4)
  })

  it.each<[string, number, unknown, Verdict]>([
    ['deny', 200, { result: 'deny' }, no],
    ['ignore', 200, { result: 'ignore' }, undefined],
    ['401', 401, '', no],
    ['403', 403, '', no],
  ])('answers %s', async (_, status, body, verdict) => {
    const { url } = await service(replies(status, body))
    const part = http({ url })
    expect(await part.authenticate(ann, bytes('x'))).toEqual(verdict)
    expect(part.failures).toBe(0)
  })

  it.each<[string, number, unknown]>([
    ['500', 500, { result: 'allow' }],
    ['204', 204, ''],
    ['302', 302, ''],
    ['no JSON', 200, 'allow'],
    ['nothing', 200, ''],
    ['null', 200, 'null'],
    ['another result', 200, { result: true }],
    ['roles that are none', 200, { result: 'allow', roles: 'r' }],
    ['a time that is none', 200, { result: 'allow', expiresIn: -1 }],
    ['too much', 200, { result: 'allow', x: 'x'.repeat(70_000) }],
  ])('S-31 lets nobody in with %s, and remembers that not', async (_, status, body) => {
    const { requests, url } = await service(replies(status, body))
    const log = recorder()
    const part = http({ url, log })
    for (let i = 1; i <= 2; i++) {
      expect(await part.authenticate(ann, bytes('hunter2'))).toEqual({ reasonCode: 0x88 })
      expect([part.failures, requests.length]).toEqual([i, i])
    }
    expect(log.lines.join()).not.toContain('hunter2')
  })

  it('S-29 S-31 lets nobody in without an answer in time, and asks no more at once than it may', async () => {
    const { requests, url } = await service(() => {})
    const part = http({ url, timeout: 50, maxRequests: 1 })
    const codes = await Promise.all(
      Array.from({ length: 18 }, (_, i) => part.authenticate(clientOf('ann', String(i)), bytes('x'))),
    )
    expect(codes.filter((code) => (code as { reasonCode: number }).reasonCode === 0x88)).toHaveLength(17)
    expect(codes.filter((code) => (code as { reasonCode: number }).reasonCode === 0x89)).toHaveLength(1)
    expect(requests.length).toBeLessThanOrEqual(17)
    const gone = http({ url: 'http://127.0.0.1:1/', timeout: 1000 })
    expect(await gone.authenticate(ann, bytes('x'))).toEqual({ reasonCode: 0x88 })
  })

  it('is reached by TLS, or on this machine', () => {
    expect(() => http({ url: 'http://auth.example/' })).toThrow('https: only')
    expect(() => http({ url: 'ftp://127.0.0.1/' })).toThrow('https: only')
    expect(() => http({ url: 'nonsense' })).toThrow(TypeError)
    http({ url: 'https://auth.example/' })
    http({ url: 'http://auth.example/', insecure: true })
  })
})

it('S-35 no secret comes into a log or an error', async () => {
  const secrets = ['hunter2', 'a'.repeat(64), 'c2VjcmV0LXNhbHQ', 'deadbeefdeadbeefdeadbeefdeadbeef']
  const said: string[] = []
  const log = {
    info: (line: string) => void said.push(line),
    warn: (line: string) => void said.push(line),
    error: (line: string) => void said.push(line),
  }
  const folder = temporaryFolder()
  const fileOf = (name: string, content: string) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const attempts: (() => unknown)[] = [
    () => passwords({ file: fileOf('1', 'ann:hunter2'), log }),
    () => passwords({ file: fileOf('2', `ann:$7$101$c2VjcmV0LXNhbHQ$${'a'.repeat(64)}`), log }),
    () => serverTls({ pskFile: fileOf('3', 'd1:deadbeefdeadbeefdeadbeefdeadbeefx'), log }),
    () =>
      serverTls({
        pskFile: fileOf('4', 'd1:deadbeefdeadbeefdeadbeefdeadbeef\nd1:deadbeefdeadbeefdeadbeefdeadbeef'),
        log,
      }),
    () =>
      serverTls({
        key: fileOf('5', `-----BEGIN PRIVATE KEY-----\n${'a'.repeat(64)}\n-----END PRIVATE KEY-----`),
        cert: fileOf('6', 'hunter2'),
        log,
      }),
    () => new ScramFile(`ann:SCRAM-SHA-256$4096:c2VjcmV0LXNhbHQ$${'a'.repeat(64)}:x`),
    () => jwt({ keys: fileOf('7', '{"keys": [{"kty": "oct", "k": "hunter2"}'), log }),
    async () => (await jwt({ secret: new Uint8Array(32), log })).authenticate(ann, bytes('hunter2.hunter2.hunter2')),
    () => hashPassword('hunter2', { format: 'hunter3' as never }),
    () => scramVerifier('hunter2\u0000'),
    () => scramClient({ userName: 'ann', password: 'hunter2\u0000' }),
  ]
  for (const attempt of attempts) {
    try {
      said.push(JSON.stringify(await attempt()) ?? '')
    } catch (error) {
      const { message, stack = '', cause } = error as Error
      said.push(message, stack.split('\n')[0]!, String(cause ?? ''))
    }
  }
  expect(said.length).toBeGreaterThan(attempts.length)
  for (const secret of secrets) expect(said.join('\n')).not.toContain(secret)
})
