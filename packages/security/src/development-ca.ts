/** A private CA for development, and certificates that it signs. Needs the packages `@peculiar/x509` and `reflect-metadata`. */

import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'

type X509 = typeof import('@peculiar/x509')

/** Both in PEM; the key in PKCS #8, without passphrase. */
export interface IssuedCertificate {
  readonly cert: string
  readonly key: string
}

export interface DevelopmentCaOptions {
  /** What it is called. Default `Tidewire development CA`. */
  readonly name?: string
  /** How long it is valid, from yesterday on: clocks differ. Default 825. */
  readonly days?: number
}

export interface IssueOptions {
  /** Default 397, and no longer than the CA. */
  readonly days?: number
  /** When it begins to be valid. Default: yesterday. */
  readonly from?: Date
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const day = 86_400_000

async function loadX509(): Promise<X509> {
  try {
    await import('reflect-metadata') // which the other one expects to be there
    return await import('@peculiar/x509')
  } catch {
    throw new Error('certificates are made with packages of others: npm install @peculiar/x509 reflect-metadata')
  }
}

/** Makes a CA of its own, or takes one that was made before. */
export class DevelopmentCa {
  readonly #x509: X509
  readonly #certificate: import('@peculiar/x509').X509Certificate
  readonly #key: webcrypto.CryptoKey
  /** The CA's own; its key signs whatever is wanted, and is to be kept. */
  readonly pem: IssuedCertificate

  private constructor(
    x509: X509,
    certificate: import('@peculiar/x509').X509Certificate,
    key: webcrypto.CryptoKey,
    pem: IssuedCertificate,
  ) {
    this.#x509 = x509
    this.#certificate = certificate
    this.#key = key
    this.pem = pem
  }

  static async create({
    name = 'Tidewire development CA',
    days = 825,
  }: DevelopmentCaOptions = {}): Promise<DevelopmentCa> {
    const x509 = await loadX509()
    const keys = await newKeys()
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: [{ CN: [name] }],
      notBefore: new Date(Date.now() - day),
      notAfter: new Date(Date.now() + days * day),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false),
      ],
    })
    return new DevelopmentCa(x509, certificate, keys.privateKey, {
      cert: pemOf(certificate),
      key: await exported(keys.privateKey),
    })
  }

  /** Rejects with TypeError for what such a CA has not written. */
  static async open(pem: IssuedCertificate): Promise<DevelopmentCa> {
    const x509 = await loadX509()
    try {
      const bytes = Buffer.from(pem.key.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
      const key = await webcrypto.subtle.importKey('pkcs8', bytes, algorithm, true, ['sign'])
      return new DevelopmentCa(x509, new x509.X509Certificate(pem.cert), key, pem)
    } catch {
      throw new TypeError('this is not the certificate and the key of a CA that was made here')
    }
  }

  /** A certificate for a server that is reached by these host names and IP addresses. */
  server(hosts: readonly string[], options: IssueOptions = {}): Promise<IssuedCertificate> {
    const [first] = hosts
    if (first === undefined) throw new TypeError('a server has a host name')
    const names = hosts.map((host) => ({ type: isIP(host) > 0 ? ('ip' as const) : ('dns' as const), value: host }))
    return this.#issue(first, this.#x509.ExtendedKeyUsage.serverAuth, names, options)
  }

  /** A certificate for a client, whose name is the common name. */
  client(
    name: string,
    options: IssueOptions & { readonly emails?: readonly string[] } = {},
  ): Promise<IssuedCertificate> {
    const names = options.emails?.map((value) => ({ type: 'email' as const, value })) ?? []
    return this.#issue(name, this.#x509.ExtendedKeyUsage.clientAuth, names, options)
  }

  /** A list in PEM of certificates that are no longer to be trusted, valid for a month. */
  async revoke(certificates: readonly string[]): Promise<string> {
    const x509 = this.#x509
    const list = await x509.X509CrlGenerator.create({
      issuer: this.#certificate.subjectName,
      thisUpdate: new Date(Date.now() - day),
      nextUpdate: new Date(Date.now() + 30 * day),
      signingAlgorithm: algorithm,
      signingKey: this.#key,
      entries: certificates.map((pem) => ({
        serialNumber: new x509.X509Certificate(pem).serialNumber,
        revocationDate: new Date(),
        reason: x509.X509CrlReason.cessationOfOperation, // without one, an empty list of extensions is written, which is none
      })),
    })
    return `${list.toString('pem').replaceAll(' CRL-----', ' X509 CRL-----')}\n` // as OpenSSL calls it
  }

  async #issue(
    name: string,
    usage: string,
    names: readonly { type: 'ip' | 'dns' | 'email'; value: string }[],
    { days = 397, from = new Date(Date.now() - day) }: IssueOptions,
  ): Promise<IssuedCertificate> {
    const x509 = this.#x509
    const keys = await newKeys()
    const end = Math.min(from.getTime() + days * day, this.#certificate.notAfter.getTime())
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: [{ CN: [name] }],
      issuer: this.#certificate.subjectName,
      notBefore: from,
      notAfter: new Date(end),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: this.#key,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension([...names])] : []),
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey, false),
      ],
    })
    return { cert: pemOf(certificate), key: await exported(keys.privateKey) }
  }
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function exported(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return `-----BEGIN PRIVATE KEY-----\n${bytes.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END PRIVATE KEY-----\n`
}

function pemOf(certificate: { toString(format: 'pem'): string }): string {
  return `${certificate.toString('pem')}\n`
}

/** Positive, and hard to guess (RFC 5280, section 4.1.2.2). */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(Buffer.alloc(16))
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes.toString('hex')
}
