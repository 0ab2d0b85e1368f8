import { hashPassword, PasswordFile, verifyPassword } from '@tidewire/security'
import { describe, expect, it } from 'vitest'

// The password `tide`: as mosquitto_passwd 2.0.11 writes it, and in the format of mosquitto 1.6.
const mosquitto7 =
  '$7$101$zmiQ/UKZkTy6UBRx$zzPWDt/WY7GNzvuggZzjDf9/G3VzUuN3xeJpjmMuvu1y96tI8TSweb7R1VTKdTL80lHQsbPFx8MNs6LYvLQZ6w=='
const mosquitto6 =
  '$6$MDEyMzQ1Njc4OWFi$YztSVx3LtbM1OIMcfjT3Osd4/cnS9Gr7Yb08+GvOmi/kapzGbvg9RaNK6ynf2Covfnjs52REa5ByLk5a4bVHEg=='

describe('a password', () => {
  it('has the hash that was made of it, and no other password has', async () => {
    const hash = await hashPassword('tide')
    expect(hash).toMatch(/^\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+$/)
    expect(await verifyPassword('tide', hash)).toBe(true)
    expect(await verifyPassword(new TextEncoder().encode('tide'), hash)).toBe(true)
    expect(await verifyPassword('ebb', hash)).toBe(false)
    expect(await hashPassword('tide')).not.toBe(hash)
  })

  it.each([mosquitto7, mosquitto6])('has the hash that mosquitto made of it: %s', async (hash) => {
    expect(await verifyPassword('tide', hash)).toBe(true)
    expect(await verifyPassword('ebb', hash)).toBe(false)
  })

  it.each([
    '',
    'tide',
    '$5$abc$def',
    '$7$101$salt',
    `$7$0$${'A'.repeat(16)}$${'A'.repeat(86)}==`,
    `$7$999999999$${'A'.repeat(16)}$${'A'.repeat(86)}==`,
    `$7$101$not base64$${'A'.repeat(86)}==`,
    '$6$AAAA$AAAA',
    `$scrypt$ln=99,r=8,p=1$AAAA$${'A'.repeat(86)}==`,
    `$scrypt$ln=17,r=9,p=1$AAAA$${'A'.repeat(86)}==`,
    `x$6$AAAA$${'A'.repeat(86)}==`,
  ])('cannot be checked against a damaged hash: %s', async (hash) => {
    await expect(verifyPassword('tide', hash)).rejects.toThrow(TypeError)
  })
})

describe('a password file', () => {
  const text = `# users\n\nann:${mosquitto7}\r\n__proto__:${mosquitto6}\n`

  it('knows its users and their passwords', async () => {
    const file = new PasswordFile(text)
    expect(file.size).toBe(2)
    expect(await file.verify('ann', 'tide')).toBe(true)
    expect(await file.verify('__proto__', 'tide')).toBe(true)
    expect(await file.verify('ann', 'ebb')).toBe(false)
    expect(await file.verify('constructor', 'tide')).toBe(false)
  })

  it('without users lets nobody in', async () => {
    expect(await new PasswordFile('').verify('ann', '')).toBe(false)
  })

  it.each([
    ['ann', 1],
    [`# x\nann:${mosquitto7}\nann:${mosquitto6}`, 3],
    ['ann:plain text', 1],
    [`:${mosquitto7}`, 1],
  ])('names the line that is wrong: %j', (text, line) => {
    expect(() => new PasswordFile(text)).toThrow(`line ${line}`)
  })

  it('keeps the hash out of the error', () => {
    expect(() => new PasswordFile('ann:hunter2')).toThrow(expect.not.stringContaining('hunter2'))
  })
})
