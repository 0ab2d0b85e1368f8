import { chmodSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashPassword, passwords, verifyPassword } from '@tidewire/security'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { PasswordFile } from '../src/password-file.js'
import { Turns } from '../src/turns.js'
import { VerdictCache } from '../src/verdict-cache.js'
import { bytes, clientOf, recorder, temporaryFolder } from './fixture.js'

const quick = { format: 'pbkdf2-sha512', iterations: 101 } as const

async function fileOf(...users: [name: string, password: string][]): Promise<string> {
  const file = join(temporaryFolder(), 'passwd')
  const lines = await Promise.all(
    users.map(async ([name, password]) => `${name}:${await hashPassword(password, quick)}\n`),
  )
  writeFileSync(file, lines.join(''), { mode: 0o600 })
  return file
}

describe('a hash', () => {
  it.each(['scrypt', 'pbkdf2-sha512', 'sha512', 'argon2id'] as const)(
    'in the format %s is that of its password',
    async (format) => {
      const hash = await hashPassword('tide', { format, iterations: 1000 })
      expect(await verifyPassword('tide', hash)).toBe(true)
      expect(await verifyPassword('tidE', hash)).toBe(false)
    },
  )

  it('has the key that PBKDF2 gives (vector of PBKDF2-HMAC-SHA-512, password and salt, 4096 rounds)', async () => {
    const key = Buffer.from(
      'd197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5',
      'hex',
    )
    const hash = `$7$4096$${Buffer.from('salt').toString('base64')}$${key.toString('base64')}`
    expect(await verifyPassword('password', hash)).toBe(true)
  })

  it.each([
    '$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo',
    '$argon2id$v=18$m=1024,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo',
    '$argon2i$v=19$m=1024,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo',
  ])('that asks too much or is of another kind is refused: %s', async (hash) => {
    await expect(verifyPassword('x', hash)).rejects.toThrow(TypeError)
  })

  it('has iterations in range', async () => {
    for (const iterations of [0, 1.5, 1e9]) {
      await expect(hashPassword('x', { format: 'pbkdf2-sha512', iterations })).rejects.toThrow(RangeError)
    }
  })
})

describe('passwords of a file', () => {
  it('let in who has one, and nobody else', async () => {
    const users = await passwords({ file: await fileOf(['ann', 'tide'], ['__proto__', 'ebb']) })
    expect(users.size).toBe(2)
    const ask = (userName: string | undefined, password: string | undefined) =>
      users.authenticate(clientOf(userName), password === undefined ? undefined : bytes(password))
    expect(await ask('ann', 'tide')).toEqual({ userName: 'ann' })
    expect(await ask('__proto__', 'ebb')).toEqual({ userName: '__proto__' })
    for (const name of ['ann', 'constructor', 'toString', 'nobody', '']) {
      expect(await ask(name, 'wrong'), name).toEqual({ reasonCode: 0x86 })
    }
    expect(await ask(undefined, 'tide')).toBeUndefined() // left to others
    expect(await ask('ann', undefined)).toBeUndefined()
  })

  it('S-30 an unknown user costs a hash like a known one, and gets the same answer', async () => {
    const users = await passwords({ file: await fileOf(['ann', 'tide']), remember: 0 })
    const verify = vi.spyOn(PasswordFile.prototype, 'verify')
    const answers = [
      await users.authenticate(clientOf('ann'), bytes('x')),
      await users.authenticate(clientOf('bob'), bytes('x')),
    ]
    expect(answers[0]).toEqual(answers[1])
    expect(verify).toHaveBeenCalledTimes(2)
    verify.mockRestore()
  })

  it('are hashed once for the same password in a short time, and anew after the file has changed', async () => {
    const file = await fileOf(['ann', 'tide'])
    const users = await passwords({ file })
    const verify = vi.spyOn(PasswordFile.prototype, 'verify')
    for (let i = 0; i < 3; i++) {
      await users.authenticate(clientOf('ann'), bytes('tide'))
      await users.authenticate(clientOf('ann'), bytes('wrong'))
    }
    expect(verify).toHaveBeenCalledTimes(2)
    writeFileSync(file, `ann:${await hashPassword('ebb', quick)}\n`)
    expect(await users.reload()).toBe(true)
    expect(await users.authenticate(clientOf('ann'), bytes('tide'))).toEqual({ reasonCode: 0x86 })
    expect(await users.authenticate(clientOf('ann'), bytes('ebb'))).toEqual({ userName: 'ann' })
    verify.mockRestore()
  })

  it('S-29 no more are hashed at once than may be, and who finds no room is told so', async () => {
    const users = await passwords({ file: await fileOf(['ann', 'tide']), maxHashing: 1, maxWaiting: 2 })
    const flood = Array.from({ length: 10 }, (_, i) => users.authenticate(clientOf('ann'), bytes(`wrong ${i}`)))
    const codes = (await Promise.all(flood)).map((verdict) => (verdict as { reasonCode: number }).reasonCode)
    expect(codes.filter((code) => code === 0x86)).toHaveLength(3)
    expect(codes.filter((code) => code === 0x89)).toHaveLength(7)
    expect(users.refused).toBe(7)
  })

  it.each([
    ['is missing', undefined, /does not exist/],
    ['is empty', '', /it is empty/],
    ['has nobody in it', '# nobody\n', /no user/],
    ['has a line that is wrong', 'ann:plain\n', /line 1/],
  ])('S-31 a file that %s is refused at the start, by its name', async (_, text, why) => {
    const file = join(temporaryFolder(), 'passwd')
    if (text !== undefined) writeFileSync(file, text)
    const error: Error = await passwords({ file }).then(
      () => expect.fail('it was taken'),
      (reason) => reason,
    )
    expect(error.message).toMatch(why)
    expect(error.message).toContain(file)
  })

  it('S-31 a file that breaks later is not taken, said and counted; the users stay', async () => {
    const file = await fileOf(['ann', 'tide'])
    const log = recorder()
    const users = await passwords({ file, log })
    for (const spoil of [
      () => writeFileSync(file, 'ann:hunter2\n'),
      () => writeFileSync(file, ''),
      () => rmSync(file),
    ]) {
      spoil()
      expect(await users.reload()).toBe(false)
    }
    expect(users.failures).toBe(3)
    expect(log.lines.filter((line) => line.includes('stays as it was'))).toHaveLength(3)
    expect(log.lines.join()).not.toContain('hunter2')
    expect(await users.authenticate(clientOf('ann'), bytes('tide'))).toEqual({ userName: 'ann' })
  })

  it('are read again when the file changes, if that is asked for', async () => {
    const file = await fileOf(['ann', 'tide'])
    const users = await passwords({ file, watch: true })
    const old = statSync(file).mtimeMs
    while (statSync(file).mtimeMs === old) writeFileSync(file, `bob:${await hashPassword('ebb', quick)}\n`)
    while ('reasonCode' in (await users.authenticate(clientOf('bob'), bytes('ebb')))!) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    users.close()
  })

  it('S-42 a file that everybody may read is warned of', async () => {
    const file = await fileOf(['ann', 'tide'])
    const log = recorder()
    chmodSync(file, 0o644)
    await passwords({ file, log })
    expect(log.lines).toEqual([expect.stringContaining('chmod o-rwx')])
  })
})

it('text that is no password file is refused with a TypeError, whatever it is', () => {
  const piece = fc.constantFrom(
    'ann',
    ':',
    '$',
    '7',
    '6',
    'scrypt',
    'ln=15,r=8,p=1',
    'argon2id',
    '101',
    'AAAA',
    '\n',
    ' ',
    '#',
    '=',
  )
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(text, (some) => {
      try {
        new PasswordFile(some)
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError)
      }
    }),
    { numRuns: 500 },
  )
})

describe('turns', () => {
  it('go to who waits longest, and are given back by work that fails', async () => {
    const turns = new Turns(1, 10)
    const order: number[] = []
    const work = (n: number) => turns.take(async () => void order.push(n))
    const failing = turns.take(() => Promise.reject(new Error('failed')))
    const all = [1, 2, 3].map(work)
    await expect(failing).rejects.toThrow('failed')
    await Promise.all(all)
    expect(order).toEqual([1, 2, 3])
  })
})

describe('what is remembered of passwords', () => {
  it('is forgotten in time, bounded, and tells names and passwords apart', () => {
    let now = 0
    const cache = new VerdictCache<number>(10, 2, () => now)
    expect(cache.key('ab', bytes('c'), '')).not.toBe(cache.key('a', bytes('bc'), ''))
    cache.set('1', 1)
    expect(cache.get('1')).toBe(1)
    now = 10
    expect(cache.get('1')).toBeUndefined()
    for (const key of ['2', '3', '4']) cache.set(key, Number(key))
    expect(['2', '3', '4'].map((key) => cache.get(key))).toEqual([undefined, 3, 4])
  })

  it('has no password in it', () => {
    expect(new VerdictCache(1, 1, () => 0).key('ann', bytes('tide'), '')).toMatch(/^[A-Za-z0-9+/]{43}=$/)
  })
})
