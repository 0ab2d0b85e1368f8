/** What a client has proved of itself with TLS. */

import { type PeerCertificate, TLSSocket, type TlsOptions } from 'node:tls'

/** Identities of pre-shared keys that were asked for, by the sockets of those who said them. */
const identities: WeakMap<object, string> = new WeakMap()

/** Options of TLS with which `pskIdentityOf` knows who came. */
export function rememberIdentities(options: TlsOptions): TlsOptions {
  const { pskCallback } = options
  if (pskCallback === undefined) return options
  return {
    ...options,
    pskCallback(socket, identity) {
      identities.set(socket, identity)
      return pskCallback.call(this, socket, identity)
    },
  }
}

/** The identity of a pre-shared key; undefined when the connection is not made with one. */
export function pskIdentityOf(socket: TLSSocket): string | undefined {
  const identity = identities.get(socket)
  // In TLS 1.3 an identity may be offered beside what the connection is made with: there it proves nothing.
  return identity !== undefined && socket.getCipher().name.includes('PSK') ? identity : undefined
}

/** The certificate of a peer; undefined when it has none, or it is not verified. */
export function verifiedCertificate(socket: object): PeerCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const certificate = socket.getPeerCertificate()
  // Empty where there is none, as in a resumed session of TLS 1.3 or with a pre-shared key.
  return Object.keys(certificate ?? {}).length > 0 ? certificate : undefined
}
