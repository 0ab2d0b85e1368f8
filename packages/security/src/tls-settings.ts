/** Defaults that servers and clients of TLS share. */

import { type SecureVersion, TLSSocket } from 'node:tls'

/** RFC 9325: ephemeral keys and authenticated ciphers; 1.3 has no others. */
export const modernCiphers: string = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** Those for pre-shared keys, with ephemeral keys first. Small devices have only the last ones. */
export const pskCiphers: string = [
  'ECDHE-PSK-CHACHA20-POLY1305',
  'ECDHE-PSK-AES128-CBC-SHA256',
  'DHE-PSK-AES128-GCM-SHA256',
  'PSK-AES128-GCM-SHA256',
  'PSK-AES256-GCM-SHA384',
  'PSK-CHACHA20-POLY1305',
  'PSK-AES128-CBC-SHA256',
].join(':')

export const leastVersion: SecureVersion = 'TLSv1.2'

/** The protocol of MQTT in ALPN (registered with IANA), and of a WebSocket's HTTP. */
export const alpnMqtt = 'mqtt'
export const alpnHttp = 'http/1.1'

export interface TlsSettings {
  /** Default TLSv1.2. */
  readonly minVersion?: SecureVersion
  /** Default: those with ephemeral keys and authenticated encryption. */
  readonly ciphers?: string
}

/** Who has which key: the identity with which a socket was opened. */
const identities: WeakMap<object, string> = new WeakMap()

export function rememberIdentity(socket: object, identity: string): void {
  identities.set(socket, identity)
}

/** The identity of the pre-shared key of a server's socket; undefined when it came with none. */
export function pskIdentity(socket: object): string | undefined {
  if (!(socket instanceof TLSSocket) || !identities.has(socket)) return undefined
  // Until the handshake is over it is only said, not proved; in TLS 1.3 also after it.
  const isProved = socket.getProtocol() !== null && socket.getCipher().name.includes('PSK')
  return isProved ? identities.get(socket) : undefined
}
