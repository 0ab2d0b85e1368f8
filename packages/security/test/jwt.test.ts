import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { jwt } from '@tidewire/security/jwt'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { bytes, clientOf, recorder, temporaryFolder } from './fixture.js'

type Pair = Awaited<ReturnType<typeof generateKeyPair>>

const secret = new Uint8Array(32).fill(7)
const now = Math.floor(Date.now() / 1000)
let pairs: Record<'RS256' | 'ES256' | 'EdDSA', Pair>
let keys: { keys: object[] }

beforeAll(async () => {
  const [rs, es, ed] = await Promise.all([generateKeyPair('RS256'), generateKeyPair('ES256'), generateKeyPair('EdDSA')])
  pairs = { RS256: rs, ES256: es, EdDSA: ed }
  keys = {
    keys: await Promise.all(
      Object.entries(pairs).map(async ([alg, { publicKey }]) => ({ ...(await exportJWK(publicKey)), alg, kid: alg })),
    ),
  }
})

const sign = (alg: string, key: Parameters<SignJWT['sign']>[0], claims: JWTPayload = {}): Promise<string> =>
  new SignJWT({ sub: 'ann', exp: now + 60, ...claims }).setProtectedHeader({ alg, kid: alg }).sign(key)

describe('a token as password', () => {
  it.each(['RS256', 'ES256', 'EdDSA'] as const)('lets in whose name it has, signed with %s', async (alg) => {
    const part = await jwt({ keys: keys as never })
    const token = await sign(alg, pairs[alg].privateKey, { roles: ['operator'], groups: 'a b' })
    expect(await part.authenticate(clientOf('ann'), bytes(token))).toEqual({
      userName: 'ann',
      roles: ['operator'],
      groups: ['a', 'b'],
      expiresAt: (now + 65) * 1000,
    })
    expect(await part.authenticate(clientOf('bob'), bytes(token))).toEqual({ reasonCode: 0x86 })
    expect(await part.authenticate(clientOf(undefined), bytes(token))).toMatchObject({ userName: 'ann' })
  })

  it('may be signed with a secret, and be bound to the client identifier', async () => {
    const part = await jwt({ secret, subject: 'clientId' })
    const token = await sign('HS256', secret, { sub: 'c' })
    for (const said of [undefined, 'root'])
      expect(await part.authenticate(clientOf(said), bytes(token))).toMatchObject({ userName: 'c', roles: [] })
    expect(await part.authenticate(clientOf(undefined, 'd'), bytes(token))).toEqual({ reasonCode: 0x86 })
  })

  it('is refused when it is expired, not valid yet, of another issuer or for others, changed, or without what it needs', async () => {
    const part = await jwt({ keys: keys as never, issuer: 'https://id.example', audience: 'mqtt' })
    const good: JWTPayload = { iss: 'https://id.example', aud: 'mqtt' }
    const key = pairs.ES256.privateKey
    const of = async (claims: JWTPayload) =>
      part.authenticate(clientOf('ann'), bytes(await sign('ES256', key, { ...good, ...claims })))
    expect(await of({})).toMatchObject({ userName: 'ann' })
    const no = { reasonCode: 0x86 }
    expect(await of({ exp: now - 10 })).toEqual(no)
    expect(await of({ nbf: now + 60 })).toEqual(no)
    expect(await of({ iss: 'https://other.example' })).toEqual(no)
    expect(await of({ aud: 'http' })).toEqual(no)
    expect(await of({ exp: undefined as never })).toEqual(no)
    expect(await of({ sub: undefined as never })).toEqual(no)
    const token = await sign('ES256', key, good)
    const [head, , signature] = token.split('.')
    const forged = Buffer.from(JSON.stringify({ ...good, sub: 'bob', exp: now + 60 })).toString('base64url')
    expect(await part.authenticate(clientOf('bob'), bytes(`${head}.${forged}.${signature}`))).toEqual(no)
  })

  it('is refused with another algorithm: none, or a public key taken for a secret', async () => {
    const part = await jwt({ keys: keys as never })
    const none = new UnsecuredJWT({ sub: 'ann', exp: now + 60 }).encode()
    expect(await part.authenticate(clientOf('ann'), bytes(none))).toBeUndefined() // no signature: no token
    const confused = await sign('HS256', bytes(JSON.stringify(keys)))
    expect(await part.authenticate(clientOf('ann'), bytes(confused))).toEqual({ reasonCode: 0x86 })
    const other = await sign('RS256', (await generateKeyPair('RS256')).privateKey)
    expect(await part.authenticate(clientOf('ann'), bytes(other))).toEqual({ reasonCode: 0x86 })
  })

  it.each(['', 'tide', 'a.b', 'a.b.c.d', '..', 'a.b.é', `${'a'.repeat(20_000)}.b.c`])(
    'leaves %.20j to others',
    async (password) => {
      const part = await jwt({ secret })
      expect(await part.authenticate(clientOf('ann'), bytes(password))).toBeUndefined()
      expect(await part.authenticate(clientOf('ann'), undefined)).toBeUndefined()
    },
  )

  it('S-01 takes no claims from the prototype of objects', async () => {
    const part = await jwt({ secret, rolesClaim: 'constructor', groupsClaim: '__proto__' })
    const token = await sign('HS256', secret)
    expect(await part.authenticate(clientOf('ann'), bytes(token))).toMatchObject({ roles: [], groups: [] })
  })

  it('S-31 is checked with the keys of a file, and a broken one is not taken', async () => {
    const file = join(temporaryFolder(), 'keys.json')
    await expect(jwt({ keys: file })).rejects.toThrow('does not exist')
    writeFileSync(file, '{"keys": "secret"}')
    await expect(jwt({ keys: file })).rejects.toThrow('no JSON Web Key Set')
    writeFileSync(file, JSON.stringify(keys))
    const part = await jwt({ keys: file })
    const token = await sign('ES256', pairs.ES256.privateKey)
    writeFileSync(file, 'broken')
    expect(await part.reload()).toBe(false)
    expect(await part.authenticate(clientOf('ann'), bytes(token))).toMatchObject({ userName: 'ann' })
    const later = await generateKeyPair('ES256')
    writeFileSync(file, JSON.stringify({ keys: [{ ...(await exportJWK(later.publicKey)), kid: 'ES256' }] }))
    expect(await part.reload()).toBe(true)
    expect(await part.authenticate(clientOf('ann'), bytes(token))).toEqual({ reasonCode: 0x86 })
    part.close()
  })

  it('is checked with the keys of a URL, asked once; without an answer nobody is let in', async () => {
    let asked = 0
    let answer: (end: (text: string) => void) => void = (end) => end(JSON.stringify(keys))
    const server = createServer((_, response) => {
      asked++
      answer((text) => response.end(text))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close().closeAllConnections())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
    const token = bytes(await sign('ES256', pairs.ES256.privateKey))
    const part = await jwt({ keys: url })
    for (let i = 0; i < 3; i++)
      expect(await part.authenticate(clientOf('ann'), token)).toMatchObject({ userName: 'ann' })
    expect(asked).toBe(1)
    const log = recorder()
    for (const broken of [
      (end: (text: string) => void) => end('{}'),
      (end: (text: string) => void) => end('nothing'),
      () => {},
    ]) {
      answer = broken
      const other = await jwt({ keys: url, timeout: 100, log })
      expect(await other.authenticate(clientOf('ann'), token)).toEqual({ reasonCode: 0x88 })
      expect(other.failures).toBe(1)
    }
    expect(log.lines).toHaveLength(3)
  })

  it('has options that fit', async () => {
    await expect(jwt({})).rejects.toThrow('keys or with a secret')
    await expect(jwt({ secret: new Uint8Array(31) })).rejects.toThrow('32 bytes')
    await expect(jwt({ secret, algorithms: ['RS256'] })).rejects.toThrow('RS256 is not among')
    await expect(jwt({ keys: keys as never, algorithms: ['none'] })).rejects.toThrow('none is not among')
    await expect(jwt({ keys: 'http://id.example/keys' })).rejects.toThrow('https: only')
  })
})
