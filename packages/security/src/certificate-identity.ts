/** Who a client is, by its certificate. */

import { X509Certificate } from 'node:crypto'
import type { PeerCertificate } from 'node:tls'
import { type Authenticator, type Client, notAuthorized, type Verdict } from './client.js'

/** The common name; the whole subject, as mosquitto has it; or a name of the Subject Alternative Name. */
export type IdentityKind = 'cn' | 'subject' | 'dns' | 'email' | 'uri'

/**
 * Reads a user name out of a certificate; undefined when it has none of the kind, more than one, or one that cannot be a
 * user name. The certificate must have been verified.
 */
export function certificateIdentity(certificate: PeerCertificate, kind: IdentityKind): string | undefined {
  const name =
    kind === 'cn'
      ? one(certificate.subject?.CN)
      : kind === 'subject'
        ? subjectOf(certificate)
        : alternativeOf(certificate, kind)
  // U+0000 ends a name in C: "ann\0.example" would be ann elsewhere.
  return name === undefined || name === '' || /\p{Cc}|\p{Cs}/u.test(name) || Buffer.byteLength(name) > 0xffff
    ? undefined
    : name
}

function one(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** As RFC 2253 has it, the last part first: `CN=ann,O=Example`; mosquitto has the bytes of other letters as `\\C3\\A9`. */
function subjectOf({ raw }: PeerCertificate): string | undefined {
  // Not taken: `subject`, which has lost the order. The lines of X509Certificate are escaped already.
  const parts = new X509Certificate(raw).subject.split('\n').map((part) => part.replaceAll(' + ', '+'))
  const hexadecimal = (letter: string): string =>
    [...Buffer.from(letter)].map((byte) => `\\${byte.toString(16).toUpperCase()}`).join('')
  return parts
    .reverse()
    .join(',')
    .replace(/[\u0080-\u{10ffff}]/gu, hexadecimal)
}

const prefixes: Readonly<Record<Exclude<IdentityKind, 'cn' | 'subject'>, string>> = {
  dns: 'DNS:',
  email: 'email:',
  uri: 'URI:',
}

function alternativeOf({ subjectaltname }: PeerCertificate, kind: keyof typeof prefixes): string | undefined {
  // Node puts what could be misread in quotes, as JSON.
  const names = subjectaltname?.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []
  const found = names.map((name) => name.trim()).filter((name) => name.startsWith(prefixes[kind]))
  const text = found.length === 1 ? found[0]!.slice(prefixes[kind].length) : undefined
  return text?.startsWith('"') ? parsedOrNot(text) : text
}

function parsedOrNot(text: string): string | undefined {
  try {
    return String(JSON.parse(text))
  } catch {
    return undefined
  }
}

/**
 * Lets in who has a verified certificate with an identity. A client that also gives a user name must give that one.
 */
export function certificates({ identity = 'cn' }: { readonly identity?: IdentityKind } = {}): Authenticator {
  return {
    authenticate({ certificate, userName }: Client): Verdict {
      if (certificate === undefined || Object.keys(certificate).length === 0) return undefined
      const name = certificateIdentity(certificate, identity)
      if (name === undefined || (userName !== undefined && userName !== name)) return notAuthorized
      return { userName: name }
    },
  }
}
