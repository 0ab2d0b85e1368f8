/** Keys, certificates and lists of revoked ones, from files or as they are, checked with errors that name the file. */

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { readBytes } from './reloading.js'

/** The path of a PEM file, or PEM itself. */
export type Pem = string | Buffer

function isPath(pem: Pem): pem is string {
  return typeof pem === 'string' && !pem.includes('-----BEGIN')
}

/** Paths among them, to be watched. */
export function pathsOf(...pems: readonly (Pem | readonly Pem[] | undefined)[]): string[] {
  return pems.flat().filter((pem): pem is string => pem !== undefined && isPath(pem as Pem))
}

/** A name for errors, and the bytes. */
export interface Source {
  readonly name: string
  readonly bytes: Buffer
}

export async function read(what: string, pem: Pem): Promise<Source> {
  if (!isPath(pem)) return { name: what, bytes: Buffer.from(pem) }
  return { name: `${what} ${pem}`, bytes: await readBytes(what, pem) }
}

/** The certificates of a source, at least one. Throws an error that names it. */
export function certificatesOf({ name, bytes }: Source): X509Certificate[] {
  const blocks = bytes.toString().match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new Error(`${name}: there is no certificate in PEM in it`)
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw new Error(`${name}: certificate ${index + 1} is damaged`)
    }
  })
}

function checkDates(name: string, certificate: X509Certificate, now: number = Date.now()): void {
  const { validFrom, validTo } = certificate
  if (now > Date.parse(validTo)) throw new Error(`${name}: the certificate has expired on ${validTo}`)
  if (now < Date.parse(validFrom)) throw new Error(`${name}: the certificate is not valid before ${validFrom}`)
}

/** The private key, which must be that of the certificate. */
function keyOf({ name, bytes }: Source, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: bytes, ...(passphrase !== undefined && { passphrase }) })
  } catch {
    const isEncrypted = bytes.includes('ENCRYPTED')
    if (!isEncrypted) throw new Error(`${name}: there is no private key in PEM in it`)
    if (passphrase === undefined) throw new Error(`${name}: the key needs a passphrase`)
    throw new Error(`${name}: the passphrase is wrong, or the key is damaged`)
  }
}

export function checkPair(certificate: Source, key: Source, passphrase: string | undefined): void {
  const own = certificatesOf(certificate)[0]!
  checkDates(certificate.name, own)
  if (!own.checkPrivateKey(keyOf(key, passphrase))) throw new Error(`${key.name} is not the key of ${certificate.name}`)
}

/** Lists of revoked certificates. */
export function checkRevoked({ name, bytes }: Source): void {
  const isPem = /-----BEGIN X509 CRL-----/.test(bytes.toString())
  try {
    if (isPem) return void createSecureContext({ crl: bytes })
  } catch {} // said below
  throw new Error(`${name}: there is no list of revoked certificates in PEM in it`)
}
