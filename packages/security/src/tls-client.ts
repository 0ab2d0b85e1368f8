/** The client's side of TLS. */

import type { ConnectionOptions } from 'node:tls'
import { certificatesOf, checkPair, checkRevoked, type Pem, read } from './pem.js'
import { alpnHttp, alpnMqtt, leastVersion, modernCiphers, pskCiphers, type TlsSettings } from './tls-settings.js'

export interface ClientTlsOptions extends TlsSettings {
  /** Who signs the certificate of the server. Default: those that Node knows. */
  readonly ca?: Pem | readonly Pem[]
  readonly crl?: Pem | readonly Pem[]
  /** A certificate of its own, with its key. */
  readonly cert?: Pem
  readonly key?: Pem
  readonly passphrase?: string
  /** The name that must stand in the server's certificate. Default: the host that is connected to. */
  readonly serverName?: string
  /** A pre-shared key in place of certificates, in hexadecimal digits. */
  readonly psk?: { readonly identity: string; readonly key: string }
  /** For WebSocket: in ALPN the protocol is then `http/1.1`, not `mqtt`. Default false. */
  readonly webSocket?: boolean
}

/** Options for `connect` of `node:tls`. Rejects, with the name of the file, when something is missing or does not fit. */
export async function clientTls(options: ClientTlsOptions = {}): Promise<ConnectionOptions> {
  const { ca, crl, cert, key, passphrase, serverName, psk, webSocket = false } = options
  const { minVersion = leastVersion, ciphers = psk === undefined ? modernCiphers : pskCiphers } = options
  if ((key === undefined) !== (cert === undefined)) throw new TypeError('key and cert come together')
  const authorities = await Promise.all([ca ?? []].flat().map((pem) => read('CA', pem as Pem)))
  for (const source of authorities) certificatesOf(source)
  const revoked = await Promise.all([crl ?? []].flat().map((pem) => read('CRL', pem as Pem)))
  for (const source of revoked) checkRevoked(source)
  const pair = key === undefined ? undefined : { key: await read('key', key), cert: await read('certificate', cert!) }
  if (pair !== undefined) checkPair(pair.cert, pair.key, passphrase)
  return {
    minVersion,
    ciphers,
    ALPNProtocols: [webSocket ? alpnHttp : alpnMqtt],
    ...(authorities.length > 0 && { ca: authorities.map(({ bytes }) => bytes) }),
    ...(revoked.length > 0 && { crl: revoked.map(({ bytes }) => bytes) }),
    ...(pair !== undefined && { key: pair.key.bytes, cert: pair.cert.bytes }),
    ...(passphrase !== undefined && { passphrase }),
    ...(serverName !== undefined && { servername: serverName }),
    ...(psk !== undefined && pskOptions(psk)),
  }
}

function pskOptions({ identity, key }: { identity: string; key: string }): ConnectionOptions {
  if (!/^(?:[0-9a-f]{2})+$/i.test(key)) throw new TypeError('a pre-shared key has hexadecimal digits, two for a byte')
  return {
    pskCallback: () => ({ identity, psk: Buffer.from(key, 'hex') }),
    // Both ends know the key: there is no certificate to have a name in.
    checkServerIdentity: () => undefined,
    maxVersion: 'TLSv1.2', // the suites of 1.3 have no pre-shared keys in Node
  }
}

const causes: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT: 'no CA that is trusted has signed it',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'no CA that is trusted has signed it',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'no CA that is trusted has signed it',
  SELF_SIGNED_CERT_IN_CHAIN: 'its CA is not one that is trusted',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it has signed itself, and is not trusted',
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet',
  CERT_REVOKED: 'it has been revoked',
  CRL_HAS_EXPIRED: 'the list of revoked certificates has expired',
  UNABLE_TO_GET_CRL: 'there is no list of revoked certificates of its CA',
  INVALID_PURPOSE: 'it is not for this purpose',
}

const alerts: readonly (readonly [RegExp, string])[] = [
  [/certificate required/i, 'the other side wants a certificate'],
  [/bad certificate|unknown ca|certificate unknown/i, 'the other side does not trust the certificate'],
  [/certificate expired/i, 'the certificate has expired, says the other side'],
  [/certificate revoked/i, 'the certificate has been revoked, says the other side'],
  [/no application protocol/i, 'the other side does not speak MQTT there (ALPN)'],
  [
    /unsupported protocol|protocol version|wrong version number/i,
    'there is no version of TLS that both sides speak, or the other side speaks none',
  ],
  [/no shared cipher|handshake failure/i, 'there is no cipher suite that both sides have'],
  [
    /unknown psk identity|decryption failed|decrypt error|bad record mac|psk/i,
    'the pre-shared key is not that of the other side',
  ],
]

/**
 * Says what went wrong with TLS in words for people, with the host and the file of the CA; the error of Node is the
 * cause. Other errors stay as they are.
 */
export function explainTlsError(error: Error, { host, ca }: { readonly host?: string; readonly ca?: Pem } = {}): Error {
  const { code = '' } = error as NodeJS.ErrnoException
  const where = host === undefined ? '' : ` ${host}`
  const trusted = typeof ca === 'string' && !ca.includes('\n') ? ` (trusted are those of ${ca})` : ''
  const explain = (why: string): Error => Object.assign(new Error(why, { cause: error }), { code })
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const { cert } = error as Error & { cert?: { subjectaltname?: string } }
    return explain(`the certificate of${where || ' the server'} is for another host: ${cert?.subjectaltname ?? 'none'}`)
  }
  const cause = causes[code]
  if (cause !== undefined)
    return explain(`the certificate of${where || ' the other side'} is not accepted: ${cause}${trusted}`)
  const alert = alerts.find(([pattern]) => pattern.test(error.message))
  return alert === undefined || !/^ERR_SSL|^EPROTO|^ERR_TLS/.test(code) ? error : explain(`TLS${where}: ${alert[1]}`)
}
