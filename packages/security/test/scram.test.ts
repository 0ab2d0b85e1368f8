import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { scramUsers } from '@tidewire/security'
import {
  ScramFile,
  type ScramMechanism,
  type ScramUsers,
  scram,
  scramClient,
  scramVerifier,
} from '@tidewire/security/scram'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseVerifier, prepared } from '../src/scram-verifier.js'
import { bytes, temporaryFolder } from './fixture.js'

const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data)

const mechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

async function usersOf(
  ...entries: [name: string, password: string, mechanism?: ScramMechanism][]
): Promise<ScramUsers> {
  const lines = await Promise.all(
    entries.map(
      async ([name, password, mechanism = 'SCRAM-SHA-256']) =>
        `${name}:${await scramVerifier(password, { mechanism })}`,
    ),
  )
  return new ScramFile(lines.join('\n'))
}

/** Lets both ends talk to the end; returns the last step of the server, and whether the client trusts it. */
async function talk(client: ReturnType<typeof scramClient>, server: ReturnType<ReturnType<typeof scram>>) {
  let step = await server.next(await client.next())
  while (step.state === 'continue') step = await server.next(await client.next(step.data))
  if (step.state === 'success') await client.next(step.data)
  return { step, isDone: client.isDone }
}

describe('SCRAM', () => {
  it('has the messages of RFC 7677, section 3', async () => {
    const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
    const verifier = await scramVerifier('pencil', { salt, iterations: 4096 })
    const client = scramClient({ userName: 'user', password: 'pencil', nonce: 'rOprNGfwEbeRWgbNEkqO' })
    const server = scram({ users: { verifierOf: () => verifier }, nonce: () => '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0' })({
      userName: undefined,
    })
    const first = await client.next()
    expect(text(first)).toBe('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
    const answer = await server.next(first)
    expect(answer).toMatchObject({ state: 'continue' })
    const challenge = (answer as { data: Uint8Array }).data
    expect(text(challenge)).toBe(
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    )
    const proof = await client.next(challenge)
    expect(text(proof)).toBe(
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    )
    const end = await server.next(proof)
    expect(end).toMatchObject({ state: 'success', userName: 'user' })
    const signature = (end as { data: Uint8Array }).data
    expect(text(signature)).toBe('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
    expect(client.isDone).toBe(false)
    await client.next(signature)
    expect(client.isDone).toBe(true)
  })

  it.each(mechanisms)('%s keeps what RFC 5802 says, worked out with other functions', async (mechanism) => {
    const hash = mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512'
    const salt = Buffer.from('salt and more')
    const verifier = parseVerifier(await scramVerifier('tide', { mechanism, salt, iterations: 5000 }))!
    const salted = pbkdf2Sync('tide', salt, 5000, hash === 'sha256' ? 32 : 64, hash)
    const hmac = (key: Buffer, data: string) => createHmac(hash, key).update(data).digest()
    expect(Buffer.from(verifier.serverKey)).toEqual(hmac(salted, 'Server Key'))
    expect(Buffer.from(verifier.storedKey)).toEqual(createHash(hash).update(hmac(salted, 'Client Key')).digest())
  })

  it.each(mechanisms)(
    '%s lets in who knows the password, whatever the names, and each side knows the other',
    async (mechanism) => {
      for (const name of ['ann', 'a=b,c', 'ünï']) {
        const users: ScramUsers = {
          verifierOf: async (asked) => (asked === name ? scramVerifier('pässwörd ', { mechanism }) : undefined),
        }
        const client = scramClient({ userName: name, password: 'pässwörd ', mechanism })
        const { step, isDone } = await talk(client, scram({ users, mechanism })({ userName: undefined }))
        expect(step).toMatchObject({ state: 'success', userName: name })
        expect(isDone).toBe(true)
      }
    },
  )

  it('S-30 refuses a wrong password and an unknown user in the same way, with a salt that stays the same', async () => {
    const method = scram({ users: await usersOf(['ann', 'tide']) })
    const salts = new Set<string>()
    for (const userName of ['ann', 'nobody', 'nobody', 'constructor']) {
      const client = scramClient({ userName, password: 'ebb' })
      const server = method({ userName: undefined })
      const step = await server.next(await client.next())
      const challenge = (step as { data: Uint8Array }).data
      if (userName === 'nobody') salts.add(text(challenge).split(',')[1]!)
      expect(text(challenge)).toMatch(/^r=[^,]+,s=[A-Za-z0-9+/]{22}==,i=4096$/)
      expect(await server.next(await client.next(challenge))).toEqual({ state: 'failure', reasonCode: 0x87 })
    }
    expect(salts.size).toBe(1)
  })

  it('is bound to the user name of CONNECT, and to who is in when it is renewed', async () => {
    const method = scram({ users: await usersOf(['ann', 'tide'], ['bob', 'ebb']) })
    const login = async (userName: string, password: string, expected: string | undefined) =>
      (await talk(scramClient({ userName, password }), method({ userName: expected }))).step.state
    expect(await login('ann', 'tide', 'ann')).toBe('success')
    expect(await login('bob', 'ebb', 'ann')).toBe('failure')
  })

  it.each([
    '',
    'n=ann,r=x',
    'p=tls-unique,,n=ann,r=x',
    'n,a=bob,n=ann,r=x',
    'n,,m=x,n=ann,r=y',
    'n,,n=ann=2,r=x',
    'n,,n=a\u0001,r=x',
    'n,,n=,r=x',
    'n,,n=ann,r=',
    `n,,n=ann,r=${'x'.repeat(5000)}`,
  ])('refuses a first message %j', async (message) => {
    const server = scram({ users: await usersOf(['ann', 'tide']) })({ userName: undefined })
    expect(await server.next(bytes(message))).toEqual({ state: 'failure', reasonCode: 0x87 })
  })

  it('refuses another nonce, another binding, a proof of another length, and a second try', async () => {
    const method = scram({ users: await usersOf(['ann', 'tide']) })
    for (const change of [
      (proof: string) => proof.replace(/r=./, 'r=!'),
      (proof: string) => proof.replace('c=biws', 'c=eSws'),
      (proof: string) => proof.replace(/p=.*/, 'p=AAAA'),
      (proof: string) => proof.replace(/,p=.*/, ''),
      () => '',
    ]) {
      const client = scramClient({ userName: 'ann', password: 'tide' })
      const server = method({ userName: undefined })
      const step = (await server.next(await client.next())) as { data: Uint8Array }
      const proof = await client.next(step.data)
      expect((await server.next(bytes(change(text(proof))))).state).toBe('failure')
      expect((await server.next(proof)).state).toBe('failure')
    }
  })

  it('S-41 a client does not go on with a server that shortens the nonce, asks for too much or too little, or cannot prove itself', async () => {
    const salt = 'AAAAAAAAAAAAAAAAAAAAAA=='
    for (const challenge of [
      'r=xyz,s=AAAA,i=4096',
      `r=abc,s=${salt},i=4096`,
      `r=abcd,s=${salt},i=4095`,
      `r=abcd,s=${salt},i=99999999`,
      `r=abcd,s=${salt},i=-1`,
      'r=abcd,s=,i=4096',
      'e=other-error',
      '',
    ]) {
      const client = scramClient({ userName: 'ann', password: 'tide', nonce: 'abc' })
      await client.next()
      await expect(client.next(bytes(challenge))).rejects.toThrow('the server')
      await expect(client.next(bytes(challenge))).rejects.toThrow('over')
    }
    const client = scramClient({ userName: 'ann', password: 'tide', nonce: 'abc' })
    await client.next()
    await client.next(bytes(`r=abcd,s=${salt},i=4096`))
    await expect(client.next(bytes(`v=${Buffer.alloc(32).toString('base64')}`))).rejects.toThrow('not proved')
    expect(client.isDone).toBe(false)
  })

  it('takes names and passwords as SASLprep does (RFC 4013, section 3)', () => {
    expect(prepared('I\u00adX')).toBe('IX')
    expect(prepared('user')).toBe('user')
    expect(prepared('USER')).toBe('USER')
    expect(prepared('\u00aa')).toBe('a')
    expect(prepared('\u2168')).toBe('IX')
    expect(prepared('a\u00a0b')).toBe('a b')
    expect(() => prepared('\u0007')).toThrow(TypeError)
    expect(() => scramClient({ userName: 'ann', password: '\ud800' })).toThrow(TypeError)
  })

  it('S-31 messages of any kind end in a refusal, never in an error', async () => {
    const users = await usersOf(['ann', 'tide'])
    const piece = fc.constantFrom('n', 'y', ',', '=', 'n=ann', 'r=x', 'c=biws', 'p=AAAA', 'a', '\0', 'é')
    const message = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.array(piece, { maxLength: 12 }).map((pieces) => bytes(pieces.join(''))),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 3 }), async (messages) => {
        const server = scram({ users })({ userName: undefined })
        for (const each of messages) expect((await server.next(each)).state).not.toBe('success')
      }),
      { numRuns: 300 },
    )
  })
})

describe('a SCRAM file', () => {
  it('is opened, and read again', async () => {
    const file = join(temporaryFolder(), 'scram')
    writeFileSync(
      file,
      `# users\nann:${await scramVerifier('tide')}\nann:${await scramVerifier('tide', { mechanism: 'SCRAM-SHA-512' })}\n`,
    )
    const users = await scramUsers({ file })
    for (const mechanism of mechanisms) {
      const client = scramClient({ userName: 'ann', password: 'tide', mechanism })
      expect((await talk(client, scram({ users, mechanism })({ userName: 'ann' }))).isDone).toBe(true)
    }
    writeFileSync(file, 'broken')
    expect(await users.reload()).toBe(false)
    expect(await users.verifierOf('ann', 'SCRAM-SHA-256')).toContain('SCRAM-SHA-256$4096:')
    users.close()
  })

  it('S-31 is refused when it is broken', async () => {
    const good = await scramVerifier('tide')
    for (const [broken, why] of [
      ['', 'no user'],
      ['ann', 'line 1: expected user'],
      ['ann:tide', 'line 1: expected user'],
      [`:${good}`, 'the name of a user'],
      [`ann:${good}\nann:${good}`, 'line 2: the user has come before'],
      [`ann:${good.replace('4096', '4095')}`, 'line 1: expected user'],
      [`ann:${good.replace('256', '512')}`, 'line 1: expected user'],
    ]) {
      expect(() => new ScramFile(broken!)).toThrow(why)
    }
    await expect(scramVerifier('x', { iterations: 1 })).rejects.toThrow(RangeError)
  })
})
