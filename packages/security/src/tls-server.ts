/** The server's side of TLS: contexts of files, read again without a connection lost. */

import { constants, randomBytes } from 'node:crypto'
import {
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TlsOptions,
} from 'node:tls'
import { certificatesOf, checkPair, checkRevoked, type Pem, pathsOf, read, type Source } from './pem.js'
import { PskFile } from './psk-file.js'
import { checkSecrecy, Reloading, type ReloadOptions, readBytes, readText } from './reloading.js'
import {
  alpnHttp,
  alpnMqtt,
  leastVersion,
  modernCiphers,
  pskCiphers,
  rememberIdentity,
  type TlsSettings,
} from './tls-settings.js'

/** A key with its certificate. */
export interface KeyPair {
  readonly key: Pem
  /** With those between it and the CA, if there are any. */
  readonly cert: Pem
  readonly passphrase?: string
}

export interface ServerTlsOptions extends Partial<KeyPair>, TlsSettings, ReloadOptions {
  /** Other keys by the host name that clients ask for (SNI); `*.example.com` stands for one level. */
  readonly servers?: Readonly<Record<string, KeyPair>>
  /** Whether clients come with a certificate that `ca` has signed. Default: `required` with `ca`, or else `none`. */
  readonly clients?: 'none' | 'optional' | 'required'
  /** Who signs the certificates of clients. */
  readonly ca?: Pem | readonly Pem[]
  /** Lists of revoked certificates of clients. */
  readonly crl?: Pem | readonly Pem[]
  /**
   * Whether clients may resume sessions. Who does shows no certificate again, and would get past a new CRL: with
   * certificates of clients it is for servers that are attached. Default: only without them.
   */
  readonly resume?: boolean
  /** Pre-shared keys: a file as mosquitto's `psk_file`. With them no key and certificate are needed, and TLS is 1.2. */
  readonly pskFile?: string
  /** Tells clients which of their keys is meant. */
  readonly pskHint?: string
  /** For WebSocket: in ALPN the protocol is then `http/1.1`, not `mqtt`. Default false. */
  readonly webSocket?: boolean
  /** An OCSP response in DER, stapled to the handshake. It is for another program to renew the file. */
  readonly ocspFile?: string
}

interface Material {
  readonly context: SecureContextOptions
  /** The context as OpenSSL has it, and those of other names. */
  readonly secure: SecureContext
  readonly byName: ReadonlyMap<string, SecureContext>
  readonly psk: PskFile | undefined
  readonly ocsp: Buffer | undefined
}

/**
 * Reads what a TLS server needs. Rejects, with the name of the file, when something is missing, broken, expired, or does
 * not fit; when it is read again later, that is told, counted, and nothing changes.
 */
export async function serverTls(options: ServerTlsOptions): Promise<ServerTls> {
  const { key, cert, servers = {}, ca, crl, pskFile, ocspFile } = options
  if ((key === undefined) !== (cert === undefined)) throw new TypeError('key and cert come together')
  if (key === undefined && pskFile === undefined) throw new TypeError('TLS needs key and cert, or pskFile')
  if (requestOf(options) !== 'none' && ca === undefined) throw new TypeError('certificates of clients need ca')
  if (pskFile !== undefined && options.minVersion === 'TLSv1.3') throw new TypeError('pskFile is for TLS 1.2')
  if (crl !== undefined && ca === undefined) throw new TypeError('crl needs ca')
  const pairs = Object.values(servers).flatMap((pair) => [pair.key, pair.cert])
  const paths = pathsOf(key, cert, ca, crl, pskFile, ocspFile, ...pairs)
  return new ServerTls(await Reloading.open('TLS', paths, () => load(options), options), options)
}

function requestOf({ clients, ca }: ServerTlsOptions): 'none' | 'optional' | 'required' {
  return clients ?? (ca === undefined ? 'none' : 'required')
}

function mayResume(options: ServerTlsOptions): boolean {
  return options.resume ?? requestOf(options) === 'none'
}

async function readAll(what: string, pems: Pem | readonly Pem[] = []): Promise<Source[]> {
  return Promise.all([pems].flat().map((pem) => read(what, pem as Pem)))
}

async function readPair(pair: KeyPair, { log }: ReloadOptions): Promise<SecureContextOptions> {
  const { passphrase } = pair
  const [key, cert] = [await read('key', pair.key), await read('certificate', pair.cert)]
  checkPair(cert, key, passphrase)
  for (const path of pathsOf(pair.key)) await checkSecrecy('key', path, log)
  return { key: key.bytes, cert: cert.bytes, ...(passphrase !== undefined && { passphrase }) }
}

async function load(options: ServerTlsOptions): Promise<Material> {
  const { key, cert, passphrase, servers = {}, pskFile, ocspFile, log } = options
  const { minVersion = leastVersion, ciphers = key === undefined ? pskCiphers : modernCiphers } = options
  const [authorities, revoked] = [await readAll('CA', options.ca), await readAll('CRL', options.crl)]
  for (const source of authorities) certificatesOf(source)
  for (const source of revoked) checkRevoked(source)
  const shared: SecureContextOptions = {
    minVersion,
    ciphers:
      pskFile === undefined || key === undefined || options.ciphers !== undefined
        ? ciphers
        : `${ciphers}:${pskCiphers}`,
    honorCipherOrder: true,
    // In TLS 1.3 nothing tells whether an identity that was offered is the one whose key was used.
    ...(pskFile !== undefined && { maxVersion: 'TLSv1.2' }),
    ...(!mayResume(options) && { secureOptions: constants.SSL_OP_NO_TICKET }),
    ...(authorities.length > 0 && { ca: authorities.map(({ bytes }) => bytes) }),
    ...(revoked.length > 0 && { crl: revoked.map(({ bytes }) => bytes) }),
  }
  const own =
    key === undefined
      ? {}
      : await readPair({ key, cert: cert!, ...(passphrase !== undefined && { passphrase }) }, options)
  const byName = new Map<string, SecureContext>()
  for (const [name, pair] of Object.entries(servers)) {
    byName.set(name.toLowerCase(), createSecureContext({ ...shared, ...(await readPair(pair, options)) }))
  }
  const psk = pskFile === undefined ? undefined : new PskFile(await readText('psk_file', pskFile), { file: pskFile })
  if (pskFile !== undefined) await checkSecrecy('psk_file', pskFile, log)
  const ocsp = ocspFile === undefined ? undefined : await readBytes('OCSP response', ocspFile)
  const context = { ...shared, ...own }
  return { context, secure: createSecureContext(context), byName, psk, ocsp }
}

/** What a listener needs for TLS. */
export class ServerTls {
  /** For `node:tls`, and for the option `tls` of a broker's listener. */
  readonly options: TlsOptions
  readonly #material: Reloading<Material>
  readonly #knowsClients: boolean
  #ticketKeys: Buffer = randomBytes(48)

  constructor(material: Reloading<Material>, options: ServerTlsOptions) {
    const request = requestOf(options)
    const { pskFile, pskHint, webSocket = false } = options
    this.#material = material
    this.#knowsClients = request !== 'none'
    this.options = {
      ...material.value.context,
      ALPNProtocols: [webSocket ? alpnHttp : alpnMqtt],
      requestCert: request !== 'none',
      rejectUnauthorized: request === 'required',
      ticketKeys: this.#ticketKeys,
      SNICallback: (name, done) => {
        const context = this.contextFor(name)
        // Node takes none without a certificate: with pre-shared keys alone the server's own is left in place.
        const { context: own, secure } = this.#material.value
        done(null, context === secure && own.cert === undefined ? undefined : context)
      },
      ...(pskFile !== undefined && {
        pskCallback: (socket: object, identity: string) => {
          rememberIdentity(socket, identity)
          return this.#material.value.psk!.keyOf(identity)
        },
        ...(pskHint !== undefined && { pskIdentityHint: pskHint }),
      }),
    } as TlsOptions
    material.onChange(() => {
      // Who resumes a session shows no certificate again: those of before must not get past a new CA or CRL.
      if (this.#knowsClients) this.#ticketKeys = randomBytes(48)
    })
  }

  /** How often files that are broken were not taken. */
  get failures(): number {
    return this.#material.failures
  }

  /** Why, the last time; undefined when the files are in force. */
  get lastError(): Error | undefined {
    return this.#material.lastError
  }

  /** The context for a server name that a client has asked for, as the files are now. */
  contextFor(name: string): SecureContext {
    const { byName, secure } = this.#material.value
    const lower = name.toLowerCase()
    return byName.get(lower) ?? byName.get(lower.replace(/^[^.]+/, '*')) ?? secure
  }

  /**
   * Lets a server of `node:tls` or `node:https`, made with the options, take over what is read later; without that only
   * clients that name the server do. Staples OCSP responses. Returns what ends that.
   */
  attach(server: Server): () => void {
    const refresh = (): void => {
      server.setSecureContext(this.#material.value.context)
      server.setTicketKeys(this.#ticketKeys)
    }
    const staple = (
      _certificate: Buffer,
      _issuer: Buffer,
      done: (error: Error | null, response: Buffer) => void,
    ): void => done(null, this.#material.value.ocsp as Buffer)
    if (this.#material.value.ocsp !== undefined) server.on('OCSPRequest', staple)
    refresh() // it may have been read again since the options were made
    const stop = this.#material.onChange(refresh)
    return () => {
      stop()
      server.off('OCSPRequest', staple)
    }
  }

  /** Reads the files again; settles with whether they are now in force. Connections stay; new ones see it. */
  reload(): Promise<boolean> {
    return this.#material.reload()
  }

  close(): void {
    this.#material.close()
  }
}
