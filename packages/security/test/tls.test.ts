import { execFile, execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import {
  type ConnectionOptions,
  connect,
  createServer,
  type PeerCertificate,
  type Server,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls'
import { promisify } from 'node:util'
import { DevelopmentCa } from '@tidewire/security/certificates'
import {
  certificateIdentity,
  certificates,
  clientTls,
  explainTlsError,
  PskFile,
  pskIdentity,
  type ServerTls,
  type ServerTlsOptions,
  serverTls,
} from '@tidewire/security/tls'
import fc from 'fast-check'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { bytes, isMissing, recorder, temporaryFolder } from './fixture.js'

type Issued = { cert: string; key: string }

let ca: DevelopmentCa
let other: DevelopmentCa
let server: Issued
let ann: Issued
let bob: Issued
let stale: Issued
let revoked: string
let nobodyRevoked: string

beforeAll(async () => {
  ca = await DevelopmentCa.create()
  other = await DevelopmentCa.create({ name: 'another CA' })
  const yesterday = new Date(Date.now() - 2 * 86_400_000)
  ;[server, ann, bob, stale] = await Promise.all([
    ca.server(['localhost', '127.0.0.1']),
    ca.client('ann', { emails: ['ann@example.com'] }),
    other.client('bob'),
    ca.client('stale', { from: yesterday, days: 1 }),
  ])
  revoked = await ca.revoke([ann.cert])
  nobodyRevoked = await ca.revoke([])
})

interface Peer {
  readonly socket: TLSSocket
  /** To be resumed. */
  readonly session: Promise<Buffer>
  /** What the server sees. */
  readonly theirs: TLSSocket
}

/** A server that says `hello` to who comes in, and what tries to come in. */
async function start(tls: ServerTls | TlsOptions) {
  const isOurs = 'contextFor' in tls
  const node: Server = createServer(isOurs ? tls.options : tls)
  if (isOurs) onTestFinished(tls.attach(node))
  const sockets: TLSSocket[] = []
  node.on('secureConnection', (socket) => {
    sockets.push(socket.on('error', () => {}))
    socket.write('hello')
  })
  node.on('tlsClientError', () => {})
  await once(node.listen(0, '127.0.0.1'), 'listening')
  const { port } = node.address() as AddressInfo
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    node.close()
  })
  /** Settles when the server has said hello, with what is wrong otherwise. */
  const dial = async (options: ConnectionOptions = {}): Promise<Peer> => {
    const accepted = once(node, 'secureConnection')
    accepted.catch(() => {})
    const socket = connect({ port, host: '127.0.0.1', ca: ca.pem.cert, ALPNProtocols: ['mqtt'], ...options })
    onTestFinished(() => void socket.destroy())
    const session = new Promise<Buffer>((resolve) => socket.once('session', resolve))

    await new Promise<void>((resolve, reject) => {
      socket.once('data', () => resolve())
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('closed')))
    })
    socket.on('error', () => {})
    const [theirs] = (await accepted) as [TLSSocket]
    return { socket, theirs, session }
  }
  return { port, dial, node }
}

/** What should have been refused was not. */
const taken = (): never => expect.fail('it was taken')

const ours = (options: Partial<ServerTlsOptions> = {}): Promise<ServerTls> => serverTls({ ...server, ...options })

function written(name: string, text: string): string {
  const path = join(temporaryFolder(), name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

describe('a TLS server', () => {
  it('speaks TLS 1.3 and 1.2 with ALPN mqtt, and nothing older', async () => {
    const { dial } = await start(await ours())
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
      const { socket } = await dial({ maxVersion })
      expect([socket.getProtocol(), socket.alpnProtocol]).toEqual([maxVersion, 'mqtt'])
      expect(socket.getCipher().standardName).toMatch(/GCM|CHACHA20/)
    }
    await expect(dial({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })).rejects.toThrow()
  })

  it('takes who does not ask for a protocol, and refuses who asks for others alone', async () => {
    const { dial } = await start(await ours())
    await dial({ ALPNProtocols: [] })
    const error: Error = await dial({ ALPNProtocols: ['http/1.1'] }).then(taken, (reason) => reason)
    expect(explainTlsError(error).message).toBe('TLS: the other side does not speak MQTT there (ALPN)')
    const webSocket = await start(await ours({ webSocket: true }))
    expect((await webSocket.dial({ ALPNProtocols: ['h2', 'http/1.1'] })).socket.alpnProtocol).toBe('http/1.1')
  })

  it('has a certificate for each name that is asked for, and its own for the others', async () => {
    const one = await ca.server(['one.example'])
    const wild = await ca.server(['*.two.example'])
    const { dial } = await start(await ours({ servers: { 'One.example': one, '*.two.example': wild } }))
    const subjectFor = async (servername: string) => {
      const { socket } = await dial({ servername, checkServerIdentity: () => undefined })
      return socket.getPeerCertificate().subject.CN
    }
    expect(await subjectFor('one.example')).toBe('one.example')
    expect(await subjectFor('a.two.example')).toBe('*.two.example')
    expect(await subjectFor('a.b.two.example')).toBe('localhost')
    expect(await subjectFor('__proto__')).toBe('localhost')
  })

  it.skipIf(isMissing('openssl'))('is what openssl s_client trusts, and it resumes sessions', async () => {
    const { port } = await start(await ours())
    const file = written('ca.crt', ca.pem.cert)
    const session = join(temporaryFolder(), 'session')
    const run = async (...args: string[]) => {
      const common = [
        's_client',
        '-connect',
        `127.0.0.1:${port}`,
        '-CAfile',
        file,
        '-verify_return_error',
        '-alpn',
        'mqtt',
      ]
      const promise = promisify(execFile)('openssl', [...common, ...args])
      promise.child.stdin!.end()
      return (await promise).stdout
    }
    for (const version of ['-tls1_2', '-tls1_3']) {
      const full = await run(version, '-verify_hostname', 'localhost', '-sess_out', session)
      expect(full).toContain('Verify return code: 0 (ok)')
      expect(full).toContain('ALPN protocol: mqtt')
      if (version === '-tls1_2') expect(await run(version, '-sess_in', session)).toMatch(/^Reused/m)
    }
  })

  it('staples the OCSP response of its file', async () => {
    const tls = await ours({ ocspFile: written('ocsp.der', 'as the CA gave it') })
    const { port } = await start(tls)
    let response: Buffer | undefined
    const stapled = { port, host: '127.0.0.1', ca: ca.pem.cert, requestOCSP: true } // unknown to the types of Node 20
    const socket = connect(stapled as ConnectionOptions)
    onTestFinished(() => void socket.destroy())
    socket.on('OCSPResponse', (bytes: Buffer) => {
      response = bytes
    })
    await once(socket, 'secureConnect')
    expect(response?.toString()).toBe('as the CA gave it')
  })
})

describe('certificates of clients', () => {
  it('are required where there is a CA for them, and must be of that CA and valid', async () => {
    const { dial } = await start(await ours({ ca: ca.pem.cert }))
    expect((await dial(ann)).theirs.getPeerCertificate().subject.CN).toBe('ann')
    for (const client of [{}, bob, stale]) await expect(dial(client)).rejects.toThrow()
    const why = (error: Error) => explainTlsError(error).message
    expect(await dial({}).then(taken, why)).toBe('TLS: the other side wants a certificate')
  })

  it('may be optional: then the server is told whether there is a good one', async () => {
    const { dial } = await start(await ours({ ca: ca.pem.cert, clients: 'optional' }))
    expect((await dial(ann)).theirs.authorized).toBe(true)
    expect((await dial({})).theirs.authorized).toBe(false)
    expect(String((await dial(bob)).theirs.authorizationError)).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
    expect(String((await dial(stale)).theirs.authorizationError)).toBe('CERT_HAS_EXPIRED')
  })

  it('S-34 that are revoked are refused', async () => {
    const { dial } = await start(await ours({ ca: ca.pem.cert, crl: revoked }))
    await expect(dial(ann)).rejects.toThrow()
    const optional = await start(await ours({ ca: ca.pem.cert, crl: revoked, clients: 'optional' }))
    expect(String((await optional.dial(ann)).theirs.authorizationError)).toBe('CERT_REVOKED')
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'S-34 in %s a session from before does not get past a list of revoked ones that came later',
    async (maxVersion) => {
      const crl = written('crl', nobodyRevoked)
      const tls = await ours({ ca: ca.pem.cert, crl, resume: true })
      const { dial } = await start(tls)
      const first = await dial({ ...ann, maxVersion })
      const resumed = await dial({ ...ann, maxVersion, session: await first.session })
      expect([resumed.socket.isSessionReused(), resumed.theirs.authorized]).toEqual([true, true])
      expect(resumed.theirs.getPeerCertificate().subject.CN).toBe('ann')
      writeFileSync(crl, revoked)
      expect(await tls.reload()).toBe(true)
      await expect(dial({ ...ann, maxVersion, session: await first.session })).rejects.toThrow()
      expect(first.socket.destroyed).toBe(false) // who is in stays
    },
  )

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'S-34 in %s are shown again each time, unless it is said otherwise',
    async (maxVersion) => {
      const { dial } = await start(await ours({ ca: ca.pem.cert }))
      const first = await dial({ ...ann, maxVersion })
      const session = maxVersion === 'TLSv1.2' ? first.socket.getSession()! : await first.session
      expect((await dial({ ...ann, maxVersion, session })).socket.isSessionReused()).toBe(false)
    },
  )

  it('give a user name: the common name, the whole subject, or one of the alternative names', async () => {
    const { dial } = await start(await ours({ ca: ca.pem.cert }))
    const certificate = (await dial(ann)).theirs.getPeerCertificate()
    expect(certificateIdentity(certificate, 'cn')).toBe('ann')
    expect(certificateIdentity(certificate, 'subject')).toBe('CN=ann')
    expect(certificateIdentity(certificate, 'email')).toBe('ann@example.com')
    expect(certificateIdentity(certificate, 'dns')).toBeUndefined()
  })

  it.skipIf(isMissing('openssl'))(
    'have the subject that openssl prints in the form of RFC 2253, as mosquitto has it',
    () => {
      const file = join(temporaryFolder(), 'x')
      const subject = '/C=DE/O=Ebbe, Flut + "Söhne"/OU=#1;<2>/CN=ann\\\\b '
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-utf8',
          '-subj',
          subject,
          '-keyout',
          `${file}.key`,
          '-out',
          file,
        ],
        { stdio: 'ignore' },
      )
      const printed = execFileSync('openssl', [
        'x509',
        '-in',
        file,
        '-noout',
        '-subject',
        '-nameopt',
        'RFC2253',
      ]).toString()
      const { raw } = new X509Certificate(execFileSync('openssl', ['x509', '-in', file]))
      expect(`subject=${certificateIdentity({ raw } as PeerCertificate, 'subject')}\n`).toBe(printed)
    },
  )

  it.each([
    ['cn', { subject: { CN: 'ann\0.example' } }],
    ['cn', { subject: { CN: ['ann', 'bob'] } }],
    ['cn', { subject: {} }],
    ['cn', {}],
    ['cn', { subject: { CN: 'x'.repeat(70_000) } }],
    ['dns', { subjectaltname: 'DNS:a.example, DNS:b.example' }],
    ['uri', { subjectaltname: 'URI:"a\\u0000b"' }],
    ['email', { subjectaltname: 'DNS:"x, email:ann@example.com"' }],
  ] as const)('S-34 give no user name as %s: %j', (kind, certificate) => {
    expect(certificateIdentity(certificate as unknown as PeerCertificate, kind)).toBeUndefined()
  })

  it('S-34 with wildcards or levels in the common name give that name, for which patterns grant nothing', () => {
    const certificate = { subject: { CN: 'a/+/#' } } as PeerCertificate
    expect(certificateIdentity(certificate, 'cn')).toBe('a/+/#')
  })

  it('let a client in, which may say no other name', async () => {
    const certificate = { subject: { CN: 'ann' } } as PeerCertificate
    const part = certificates()
    const ask = (userName: string | undefined, shown: PeerCertificate | undefined) =>
      part.authenticate({ clientId: 'c', userName, certificate: shown }, undefined)
    expect(ask(undefined, certificate)).toEqual({ userName: 'ann' })
    expect(ask('ann', certificate)).toEqual({ userName: 'ann' })
    expect(ask('bob', certificate)).toEqual({ reasonCode: 0x87 })
    expect(ask('ann', undefined)).toBeUndefined()
    expect(ask('ann', {} as PeerCertificate)).toBeUndefined() // what node:tls gives when there is none
  })
})

describe('pre-shared keys', () => {
  const key = '000102030405060708090a0b0c0d0e0f'

  it('let in who has one, without certificates, and tell who that is', async () => {
    const { dial } = await start(
      await serverTls({ pskFile: written('psk', `# devices\nd1:${key}\nd2:${'ff'.repeat(32)}\n`), pskHint: 'plant' }),
    )
    const { theirs, socket } = await dial(await clientTls({ psk: { identity: 'd1', key } }))
    expect([pskIdentity(theirs), socket.getCipher().name]).toEqual(['d1', expect.stringMatching(/ECDHE-PSK/)])
    const other = await dial(await clientTls({ psk: { identity: 'd2', key: 'ff'.repeat(32) } }))
    expect(pskIdentity(other.theirs)).toBe('d2')
    const named = await dial({ ...(await clientTls({ psk: { identity: 'd1', key } })), servername: 'localhost' })
    expect(pskIdentity(named.theirs)).toBe('d1')
    expect(pskIdentity({})).toBeUndefined()
  })

  it('S-30 a wrong key and an unknown identity are refused in the same way', async () => {
    const { dial } = await start(await serverTls({ pskFile: written('psk', `d1:${key}`) }))
    const errors: string[] = []
    for (const psk of [
      { identity: 'd1', key: 'ff'.repeat(16) },
      { identity: 'nobody', key },
    ]) {
      errors.push(await dial(await clientTls({ psk })).then(taken, (error) => explainTlsError(error).message))
    }
    expect(errors[0]).toBe(errors[1])
    expect(errors[0]).toContain('pre-shared key')
  })

  it('S-34 are for TLS 1.2: in 1.3 an identity may be offered without its key', async () => {
    const pskFile = written('psk', `d1:${key}`)
    await expect(ours({ pskFile, minVersion: 'TLSv1.3' })).rejects.toThrow('TLS 1.2')
    const { dial } = await start(await ours({ pskFile }))
    const offered = { pskCallback: () => ({ identity: 'd1', psk: Buffer.alloc(16) }) } as ConnectionOptions
    await expect(dial({ ...offered, minVersion: 'TLSv1.3', ciphers: 'TLS_AES_256_GCM_SHA384' })).rejects.toThrow()
  })

  it('and certificates may be at the same door', async () => {
    const { dial } = await start(await ours({ pskFile: written('psk', `d1:${key}`) }))
    expect(pskIdentity((await dial(await clientTls({ psk: { identity: 'd1', key } }))).theirs)).toBe('d1')
    expect(pskIdentity((await dial()).theirs)).toBeUndefined()
  })

  it.skipIf(isMissing('openssl'))('let openssl s_client in', async () => {
    const { port } = await start(await serverTls({ pskFile: written('psk', `d1:${key}`) }))
    const promise = promisify(execFile)('openssl', [
      's_client',
      '-connect',
      `127.0.0.1:${port}`,
      '-tls1_2',
      '-psk_identity',
      'd1',
      '-psk',
      key,
    ])
    promise.child.stdin!.end()
    expect((await promise).stdout).toMatch(/Cipher is .*PSK/)
  })

  it.each([
    ['', 'no key'],
    ['d1', 'line 1: expected identity:key'],
    ['d1:xyz', 'line 1: expected identity:key'],
    [`d1:${'00'.repeat(15)}`, 'line 1: a key has'],
    [`:${key}`, 'line 1: expected'],
    [`d1:${key}\nd1:${key}`, 'line 2: the identity has a key already'],
  ])('S-31 a file %j is refused', (text, why) => {
    expect(() => new PskFile(text)).toThrow(why)
    expect(() => new PskFile(text)).not.toThrow(key)
  })

  it('S-31 text that is no such file is refused with a TypeError, whatever it is', () => {
    const piece = fc.constantFrom('d', ':', '00', key, '\n', '\r', '#', ' ', '\0')
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
        (text) => {
          try {
            new PskFile(text)
          } catch (error) {
            expect(error).toBeInstanceOf(TypeError)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('files of TLS that are read again', () => {
  it('are in force for new connections, with and without a server name, and the old ones stay', async () => {
    const [key, cert] = [written('key', server.key), written('cert', server.cert)]
    const tls = await serverTls({ key, cert })
    const { dial } = await start(tls)
    const serial = async (options: ConnectionOptions) => (await dial(options)).socket.getPeerCertificate().serialNumber
    const first = await dial()
    const renewed = await ca.server(['localhost', '127.0.0.1'])
    writeFileSync(key, renewed.key)
    writeFileSync(cert, renewed.cert)
    expect(await tls.reload()).toBe(true)
    const expected = new X509Certificate(renewed.cert).serialNumber
    expect(await serial({})).toBe(expected)
    expect(await serial({ servername: 'localhost' })).toBe(expected)
    first.theirs.write('still here')
    expect(String((await once(first.socket, 'data'))[0])).toBe('still here')
  })

  it('keep sessions of clients without certificates', async () => {
    const tls = await ours()
    const { dial } = await start(tls)
    const { socket } = await dial({ maxVersion: 'TLSv1.2' })
    await tls.reload()
    const again = await dial({ maxVersion: 'TLSv1.2', session: socket.getSession()! })
    expect(again.socket.isSessionReused()).toBe(true)
  })

  it('S-31 and broken change nothing, which is said and counted', async () => {
    const [key, cert] = [written('key', server.key), written('cert', server.cert)]
    const log = recorder()
    const tls = await serverTls({ key, cert, log })
    const { dial } = await start(tls)
    const spoilers = [
      () => writeFileSync(cert, 'nothing'),
      () => writeFileSync(cert, ''),
      () => rmSync(cert),
      () => writeFileSync(cert, ann.cert),
    ]
    for (const spoil of spoilers) {
      spoil()
      expect(await tls.reload()).toBe(false)
    }
    expect([tls.failures, log.lines.length]).toEqual([4, 4])
    expect(tls.lastError?.message).toBe(`key ${key} is not the key of certificate ${cert}`)
    expect((await dial({ servername: 'localhost' })).socket.getPeerCertificate().subject.CN).toBe('localhost')
  })
})

describe('an error', () => {
  it('at the start names the file', async () => {
    const expired = await ca.server(['localhost'], { from: new Date(0), days: 1 })
    const early = await ca.server(['localhost'], { from: new Date(Date.now() + 86_400_000) })
    const cases: [string, (path: string) => Partial<ServerTlsOptions>, string, string][] = [
      ['no certificate', (cert) => ({ cert }), 'x', 'no certificate in PEM'],
      ['damaged', (cert) => ({ cert }), server.cert.replace(/MI.{20}/, 'AAAA'), 'certificate 1 is damaged'],
      ['expired', (cert) => ({ cert, key: expired.key }), expired.cert, 'has expired on'],
      ['not valid yet', (cert) => ({ cert, key: early.key }), early.cert, 'not valid before'],
      ['no key', (key) => ({ key }), server.cert, 'no private key in PEM'],
      ['another key', (key) => ({ key }), ann.key, 'is not the key of'],
      ['no CA', (file) => ({ ca: file }), 'x', 'no certificate in PEM'],
      ['no CRL', (crl) => ({ ca: ca.pem.cert, crl }), 'x', 'no list of revoked certificates'],
      [
        'damaged CRL',
        (crl) => ({ ca: ca.pem.cert, crl }),
        revoked.replace(/MI.{20}/, 'AAAA'),
        'no list of revoked certificates',
      ],
      ['no key of PSK', (pskFile) => ({ pskFile }), 'x:secret', 'line 1: expected'],
      ['empty', (ocspFile) => ({ ocspFile }), '', 'it is empty'],
    ]
    for (const [name, options, text, why] of cases) {
      const path = written('broken', text)
      const error: Error = await ours(options(path)).then(
        () => expect.fail(`${name} is taken`),
        (reason) => reason,
      )
      expect(error.message, name).toContain(path)
      expect(error.message, name).toContain(why)
      expect(error.message).not.toContain('secret')
    }
    await expect(ours({ cert: '/no/such/file' })).rejects.toThrow('certificate /no/such/file: it does not exist')
  })

  it('tells options that do not fit each other', async () => {
    await expect(serverTls({})).rejects.toThrow('key and cert')
    await expect(serverTls({ key: 'x' })).rejects.toThrow('come together')
    await expect(ours({ clients: 'required' })).rejects.toThrow('need ca')
    await expect(ours({ crl: 'x' })).rejects.toThrow('needs ca')
    await expect(clientTls({ key: 'x' })).rejects.toThrow('come together')
    await expect(clientTls({ psk: { identity: 'x', key: 'no' } })).rejects.toThrow('hexadecimal')
  })

  it.skipIf(isMissing('openssl'))('names a passphrase that is missing or wrong', async () => {
    const path = written(
      'key',
      execFileSync('openssl', ['pkcs8', '-topk8', '-passout', 'pass:tide'], { input: server.key }).toString(),
    )
    await ours({ key: path, passphrase: 'tide' })
    await expect(ours({ key: path })).rejects.toThrow(`${path}: the key needs a passphrase`)
    await expect(ours({ key: path, passphrase: 'ebb' })).rejects.toThrow('the passphrase is wrong')
  })

  it('of a client says what is wrong with the server: host, CA, time, version', async () => {
    const { dial } = await start(await ours())
    const trusted = written('ca.crt', ca.pem.cert)
    const say = async (options: ConnectionOptions, about: Parameters<typeof explainTlsError>[1] = {}) =>
      dial(options).then(taken, (error) => explainTlsError(error, about))
    const wrongHost = await say(await clientTls({ ca: trusted, serverName: 'other.example' }), {
      host: 'other.example',
    })
    expect(wrongHost.message).toBe(
      'the certificate of other.example is for another host: DNS:localhost, IP Address:127.0.0.1',
    )
    expect(wrongHost.cause).toBeInstanceOf(Error)
    const strange = written('strange.crt', other.pem.cert)
    const unknownCa = await say(await clientTls({ ca: strange }), { host: 'localhost', ca: strange })
    expect(unknownCa.message).toBe(
      `the certificate of localhost is not accepted: no CA that is trusted has signed it (trusted are those of ${strange})`,
    )
    const old = await say({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
    expect(old.message).toContain('no version of TLS that both sides speak')
    const expired = await ca.server(['localhost'], { from: new Date(0), days: 1 })
    const stale = await start({ ...expired })
    const error = await stale.dial().then(taken, (reason) => explainTlsError(reason, { host: 'h' }))
    expect(error.message).toBe('the certificate of h is not accepted: it has expired')
    const plain = new Error('ECONNREFUSED')
    expect(explainTlsError(plain)).toBe(plain)
  })

  it('is what comes of text that is no PEM, whatever it is', async () => {
    const piece = fc.constantFrom(
      '-----BEGIN CERTIFICATE-----',
      '-----END CERTIFICATE-----',
      '-----BEGIN PRIVATE KEY-----',
      'AAAA',
      '\n',
      '=',
      '-',
    )
    const text = fc.array(piece, { maxLength: 10 }).map((pieces) => `-----BEGIN CERTIFICATE-----${pieces.join('')}`)
    await fc.assert(
      fc.asyncProperty(text, fc.constantFrom('key', 'cert', 'ca', 'crl'), async (pem, name) => {
        const options = name === 'crl' ? { ca: ca.pem.cert, crl: pem } : { [name]: Buffer.from(bytes(pem)) }
        await expect(ours(options)).rejects.toThrow(/PEM|damaged|key of/)
      }),
      { numRuns: 100 },
    )
  })
})
