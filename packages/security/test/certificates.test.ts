import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DevelopmentCa } from '@tidewire/security/certificates'
import { describe, expect, it } from 'vitest'
import { certificatesCommand } from '../src/certificates-command.js'
import { isMissing, temporaryFolder } from './fixture.js'

describe('tidewire-certificates', () => {
  it('makes a CA, a server and clients, whose keys only their owner may read, and adds more later', async () => {
    const out = join(temporaryFolder(), 'tls')
    const said = await certificatesCommand(['-o', out, '--client', 'ann'])
    expect(said.trim().split('\n')).toEqual(
      ['ca.key', 'ca.crt', 'server.key', 'server.crt', 'ann.key', 'ann.crt'].map((name) => join(out, name)),
    )
    expect(statSync(join(out, 'ca.key')).mode & 0o777).toBe(0o600)
    const ca = new X509Certificate(readFileSync(join(out, 'ca.crt')))
    const server = new X509Certificate(readFileSync(join(out, 'server.crt')))
    expect([server.checkHost('localhost'), server.checkIP('127.0.0.1'), server.checkIP('::1')]).toEqual([
      'localhost',
      '127.0.0.1',
      '::1',
    ])
    await certificatesCommand(['-o', out, '--client', 'bob', '--revoke', 'ann'])
    const bob = new X509Certificate(readFileSync(join(out, 'bob.crt')))
    expect([bob.subject, bob.verify(ca.publicKey), bob.checkIssued(ca)]).toEqual(['CN=bob', true, true])
    await expect(certificatesCommand(['-o', out, '--client', 'bob'])).rejects.toThrow('EEXIST')
    await certificatesCommand(['-o', out, '--client', 'bob', '--force'])
    expect(new X509Certificate(readFileSync(join(out, 'bob.crt'))).serialNumber).not.toBe(bob.serialNumber)
    expect(new X509Certificate(readFileSync(join(out, 'ca.crt'))).serialNumber).toBe(ca.serialNumber)
  })

  it.skipIf(isMissing('openssl'))(
    'makes what openssl verifies, for its purpose only, until it is revoked',
    async () => {
      const out = temporaryFolder()
      await certificatesCommand(['-o', out, '--client', 'ann', '--client', 'bob', '--revoke', 'bob'])
      const at = (name: string) => join(out, name)
      const verify = (...args: string[]) =>
        execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', at('ca.crt'), ...args], {
          stdio: ['ignore', 'pipe', 'pipe'],
        }).toString()
      expect(verify('-purpose', 'sslserver', at('server.crt'))).toContain('OK')
      expect(verify('-purpose', 'sslclient', '-crl_check', '-CRLfile', at('ca.crl'), at('ann.crt'))).toContain('OK')
      expect(() => verify('-purpose', 'sslserver', at('ann.crt'))).toThrow('purpose')
      expect(() => verify('-crl_check', '-CRLfile', at('ca.crl'), at('bob.crt'))).toThrow('revoked')
    },
  )

  it.each([
    [['--days', 'x'], '--days'],
    [['--client', '../x'], 'name of a file'],
    [['--revoke', 'nobody'], 'ENOENT'],
    [['--no-such'], 'no-such'],
  ])('refuses %j', async (args, why) => {
    await expect(certificatesCommand(['-o', temporaryFolder(), ...args])).rejects.toThrow(why)
  })

  it('refuses half of a CA, and what is none', async () => {
    const out = temporaryFolder()
    writeFileSync(join(out, 'ca.key'), 'x')
    await expect(certificatesCommand(['-o', out])).rejects.toThrow('the certificate is missing')
    writeFileSync(join(out, 'ca.crt'), 'x')
    await expect(certificatesCommand(['-o', out])).rejects.toThrow('not the certificate and the key of a CA')
    await expect(DevelopmentCa.open({ cert: '', key: '' })).rejects.toThrow(TypeError)
  })

  it('says how it is used', async () => {
    expect(await certificatesCommand(['-h'])).toContain('--revoke')
  })
})
