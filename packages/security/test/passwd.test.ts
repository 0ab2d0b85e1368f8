import { spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PasswordFile } from '@tidewire/security'
import { describe, expect, it } from 'vitest'
import { passwd } from '../src/passwd.js'
import { parseVerifier } from '../src/scram-verifier.js'
import { isMissing, temporaryFolder } from './fixture.js'

const run = (...args: string[]): Promise<string> => passwd(args, async () => 'tide')

describe('tidewire-passwd', () => {
  it('makes a file that only its owner may read, adds users and changes them in place', async () => {
    const file = join(temporaryFolder(), 'passwd')
    await run('-c', file, 'ann')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    await run('-b', file, 'bob', 'ebb')
    writeFileSync(file, `# staff\n${readFileSync(file, 'utf8')}`)
    await run('-b', file, 'ann', 'flood')
    const text = readFileSync(file, 'utf8')
    expect(text.split('\n').map((line) => line.split(':')[0])).toEqual(['# staff', 'ann', 'bob', ''])
    const users = new PasswordFile(text)
    expect(await users.verify('ann', 'flood')).toBe(true)
    expect(await users.verify('ann', 'tide')).toBe(false)
    await run('-D', file, 'ann')
    expect(new PasswordFile(readFileSync(file, 'utf8')).has('ann')).toBe(false)
  })

  it('hashes the passwords of a plain file, once', async () => {
    const file = join(temporaryFolder(), 'passwd')
    writeFileSync(file, '# plain\nann:tide\nbob:with:colon\n')
    await run('-U', '--compat', file)
    const users = new PasswordFile(readFileSync(file, 'utf8'))
    expect(await users.verify('bob', 'with:colon')).toBe(true)
    await expect(run('-U', file)).rejects.toThrow('hashed already')
  })

  it('writes what a server needs for SCRAM', async () => {
    const file = join(temporaryFolder(), 'scram')
    await run('-c', '-H', 'scram-sha-256', '-I', '5000', file, 'ann')
    const verifier = readFileSync(file, 'utf8').trim().slice('ann:'.length)
    expect(parseVerifier(verifier)).toMatchObject({ mechanism: 'SCRAM-SHA-256', iterations: 5000 })
  })

  it.each([
    [['-c', '-D', 'FILE', 'ann'], 'only one of'],
    [['FILE'], 'expected FILE USER'],
    [['-b', 'FILE', 'ann'], 'expected FILE USER PASSWORD'],
    [['-c', 'FILE', 'a:b'], 'a user name'],
    [['-c', 'FILE', 'a\nb'], 'a user name'],
    [['-c', '-H', 'md5', 'FILE', 'ann'], 'no such format'],
    [['-c', '-I', 'many', 'FILE', 'ann'], '-I needs'],
    [['--no-such'], 'no-such'],
    [['FILE', 'ann'], 'ENOENT'],
    [['-b', '-c', 'FILE', 'ann', ''], 'empty'],
  ])('refuses %j', async (args, why) => {
    const file = join(temporaryFolder(), 'passwd')
    await expect(run(...args.map((arg) => (arg === 'FILE' ? file : arg)))).rejects.toThrow(why)
  })

  it('says how it is used', async () => {
    expect(await run('--help')).toContain('-U')
  })

  it.skipIf(isMissing('mosquitto_passwd'))(
    'reads what mosquitto_passwd has written, with each of its formats',
    async () => {
      const file = join(temporaryFolder(), 'passwd')
      const theirs = (...args: string[]) => expect(spawnSync('mosquitto_passwd', args).status).toBe(0)
      theirs('-c', '-b', file, 'ann', 'tide')
      theirs('-H', 'sha512', '-b', file, 'bob', 'ebb')
      theirs('-b', file, 'ünï côdé', 'pässwörd ')
      const users = new PasswordFile(readFileSync(file, 'utf8'))
      expect(await users.verify('ann', 'tide')).toBe(true)
      expect(await users.verify('bob', 'ebb')).toBe(true)
      expect(await users.verify('ünï côdé', 'pässwörd ')).toBe(true)
      expect(await users.verify('bob', 'tide')).toBe(false)
      await run('--compat', '-I', '101', file, 'carl') // and it can go on with what ours has written
      theirs('-D', file, 'ann')
      const after = new PasswordFile(readFileSync(file, 'utf8'))
      expect([after.has('ann'), await after.verify('carl', 'tide')]).toEqual([false, true])
    },
  )
})
