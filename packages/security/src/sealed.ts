/**
 * Payloads that the broker cannot read: sealed by who publishes, opened by who subscribes, as JSON Web Encryption
 * (RFC 7516) with AES-256-GCM. For browsers too.
 *
 * @packageDocumentation
 */

import {
  type CryptoKey,
  FlattenedEncrypt,
  type FlattenedJWE,
  flattenedDecrypt,
  GeneralEncrypt,
  importJWK,
  type JWK,
} from 'jose'
import { ReplayWindow } from './replay-window.js'

/** A key of others or of one's own, as a JWK or as WebCrypto has it. */
export type Key = JWK | CryptoKey

export interface SealOptions {
  /** Keys of 32 bytes that both sides have, by their ids. Those that are no longer used to seal still open. */
  readonly keys?: Readonly<Record<string, Uint8Array>>
  /** The id of the shared key that seals. Default: the first. */
  readonly sealWith?: string
  /**
   * Public keys of those who shall be able to open, by their ids: EC (P-256, P-384, P-521), X25519 or RSA. With them no
   * shared key seals. Everyone who has them can seal: they do not tell who it was.
   */
  readonly recipients?: Readonly<Record<string, Key>>
  /** Private keys that open what was sealed for them, by their ids. */
  readonly privateKeys?: Readonly<Record<string, Key>>
  /** Seconds after which a message is too old. Default 86,400. */
  readonly maxAge?: number
  /** How many messages of a sender may overtake one. Default 256. */
  readonly window?: number
  /** Senders that are remembered; what an older one has sent could come again. Default 1,000. */
  readonly maxSenders?: number
  /** Bytes of a payload that is opened. Default 1 MiB. */
  readonly maxSize?: number
  /** Milliseconds since 1970. Default: the system's. */
  readonly now?: () => number
}

export interface OpenOptions {
  /**
   * Of a retained message the age does not count, nor whether it came before: it comes again with each subscription.
   * Default false.
   */
  readonly retained?: boolean
}

/** Why something is not opened: `code` of the error. */
export type SealFault = 'ERR_SEAL_FORMAT' | 'ERR_SEAL_KEY' | 'ERR_SEAL_FORGED' | 'ERR_SEAL_OLD' | 'ERR_SEAL_REPLAYED'

export interface Seal {
  /**
   * Seals a payload for a topic: opened under another one it is taken for forged. Adds about 200 bytes, and a third.
   * Rejects with TypeError where there is no key to seal with.
   */
  seal(topic: string, payload: Uint8Array | string): Promise<Uint8Array>
  /**
   * Opens what was sealed for the topic. Rejects with an error with a `code`: `ERR_SEAL_FORMAT`, `ERR_SEAL_KEY` for a key
   * that is not known, `ERR_SEAL_FORGED`, `ERR_SEAL_OLD` and `ERR_SEAL_REPLAYED`.
   */
  open(topic: string, sealed: Uint8Array, options?: OpenOptions): Promise<Uint8Array>
}

const encryption = 'A256GCM'
// Senders' clocks may be ahead by so much, in seconds.
const tolerance = 300
const mostRecipients = 64

const utf8 = new TextEncoder()

/** Makes a seal. Rejects with TypeError or RangeError for keys and options that cannot be. */
export async function createSeal(options: SealOptions): Promise<Seal> {
  const { keys = {}, recipients = {}, privateKeys = {} } = options
  for (const [id, key] of Object.entries(keys)) {
    if (!(key instanceof Uint8Array) || key.length !== 32)
      throw new TypeError(`the shared key ${id} must have 32 bytes`)
  }
  for (const name of ['maxAge', 'window', 'maxSenders', 'maxSize'] as const) {
    const value = options[name]
    if (value !== undefined && !(value > 0)) throw new RangeError(`${name} must be a number above 0`)
  }
  const { sealWith = Object.keys(keys)[0] } = options
  if (sealWith !== undefined && !Object.hasOwn(keys, sealWith))
    throw new TypeError(`there is no shared key ${sealWith}`)
  return new JweSeal(
    options,
    sealWith,
    new Map(Object.entries(keys)),
    await imported(recipients),
    await imported(privateKeys),
  )
}

interface ManagedKey {
  readonly key: CryptoKey
  readonly alg: string
}

async function imported(keys: Readonly<Record<string, Key>>): Promise<Map<string, ManagedKey>> {
  const found = new Map<string, ManagedKey>()
  for (const [id, key] of Object.entries(keys)) found.set(id, await importKey(id, key))
  return found
}

async function importKey(id: string, key: Key): Promise<ManagedKey> {
  const name = 'kty' in key ? key.kty : (key as CryptoKey).algorithm.name
  const alg = name === 'RSA' || name === 'RSA-OAEP' ? 'RSA-OAEP-256' : 'ECDH-ES+A256KW'
  if (!('kty' in key)) return { key: key as CryptoKey, alg }
  if (key.kty === 'oct') throw new TypeError(`the key ${id} is a shared one: it belongs into keys`)
  try {
    return { key: (await importJWK(key, alg)) as CryptoKey, alg }
  } catch {
    throw new TypeError(`the key ${id} is not one to seal for`) // without the key in the message
  }
}

function fault(code: SealFault, message: string): Error {
  return Object.assign(new Error(message), { code })
}

const notSealed = (): Error => fault('ERR_SEAL_FORMAT', 'this is nothing that was sealed')

class JweSeal implements Seal {
  readonly #sealWith: string | undefined
  readonly #keys: ReadonlyMap<string, Uint8Array>
  readonly #recipients: ReadonlyMap<string, ManagedKey>
  readonly #privateKeys: ReadonlyMap<string, ManagedKey>
  readonly #maxAge: number
  readonly #maxSize: number
  readonly #now: () => number
  readonly #window: ReplayWindow
  /** Tells the messages of this seal from those of another one with the same key. */
  readonly #sender: string = base64url(crypto.getRandomValues(new Uint8Array(12)))
  #number = 0

  constructor(
    options: SealOptions,
    sealWith: string | undefined,
    keys: ReadonlyMap<string, Uint8Array>,
    recipients: ReadonlyMap<string, ManagedKey>,
    privateKeys: ReadonlyMap<string, ManagedKey>,
  ) {
    const { maxAge = 86_400, window = 256, maxSenders = 1000, maxSize = 1024 * 1024, now = Date.now } = options
    this.#sealWith = sealWith
    this.#keys = keys
    this.#recipients = recipients
    this.#privateKeys = privateKeys
    this.#maxAge = maxAge
    this.#maxSize = maxSize
    this.#now = now
    this.#window = new ReplayWindow(window, maxSenders)
  }

  async seal(topic: string, payload: Uint8Array | string): Promise<Uint8Array> {
    const bytes = typeof payload === 'string' ? utf8.encode(payload) : payload
    const header = { enc: encryption, iat: Math.floor(this.#now() / 1000), sid: this.#sender, seq: this.#number++ }
    const associated = utf8.encode(topic)
    const { aad: _, ...jwe } = await (this.#recipients.size > 0
      ? this.#sealForRecipients(bytes, header, associated)
      : this.#sealWithKey(bytes, header, associated))
    return utf8.encode(JSON.stringify(jwe)) // the topic is told by MQTT already
  }

  #sealWithKey(bytes: Uint8Array, header: Fields, associated: Uint8Array): Promise<FlattenedJWE> {
    const kid = this.#sealWith
    if (kid === undefined) throw new TypeError('there is no key to seal with')
    return new FlattenedEncrypt(bytes)
      .setProtectedHeader({ alg: 'dir', kid, ...header })
      .setAdditionalAuthenticatedData(associated)
      .encrypt(this.#keys.get(kid)!)
  }

  #sealForRecipients(bytes: Uint8Array, header: Fields, associated: Uint8Array): Promise<FlattenedJWE> {
    const encrypt = new GeneralEncrypt(bytes).setProtectedHeader(header).setAdditionalAuthenticatedData(associated)
    for (const [kid, { key, alg }] of this.#recipients) encrypt.addRecipient(key).setUnprotectedHeader({ alg, kid })
    return encrypt.encrypt() as Promise<object> as Promise<FlattenedJWE>
  }

  async open(topic: string, sealed: Uint8Array, { retained = false }: OpenOptions = {}): Promise<Uint8Array> {
    if (sealed.length > this.#maxSize * 2 + 16_384) throw fault('ERR_SEAL_FORMAT', 'this is too large')
    const [jwe, key, alg, kid] = this.#read(sealed)
    const options = { keyManagementAlgorithms: [alg], contentEncryptionAlgorithms: [encryption] }
    const opened = await flattenedDecrypt({ ...jwe, aad: base64url(utf8.encode(topic)) }, key, options).catch(() => {
      throw fault('ERR_SEAL_FORGED', 'this was not sealed with that key for that topic')
    })
    const { iat, sid, seq } = opened.protectedHeader as Record<string, unknown>
    if (typeof iat !== 'number' || typeof sid !== 'string' || !Number.isSafeInteger(seq) || (seq as number) < 0)
      throw notSealed()
    if (!retained) this.#checkFresh(`${kid} ${sid}`, iat, seq as number)
    if (opened.plaintext.length > this.#maxSize) throw fault('ERR_SEAL_FORMAT', 'this is too large')
    return opened.plaintext
  }

  #checkFresh(sender: string, iat: number, seq: number): void {
    const age = this.#now() / 1000 - iat
    if (!(age <= this.#maxAge && age >= -tolerance)) throw fault('ERR_SEAL_OLD', 'this is too old, or from the future')
    if (!this.#window.take(sender, seq)) throw fault('ERR_SEAL_REPLAYED', 'this has come before')
  }

  /** What it is, and the key that opens it. */
  #read(sealed: Uint8Array): [jwe: FlattenedJWE, key: Uint8Array | CryptoKey, alg: string, kid: string] {
    const jwe = parsed(sealed)
    const { recipients, aad: _, header: __, unprotected: ___, ...common } = jwe
    if (recipients === undefined) {
      const kid = textIn(protectedHeader(jwe['protected']), 'kid')
      const key = this.#keys.get(kid)
      if (key === undefined) throw fault('ERR_SEAL_KEY', `the shared key ${JSON.stringify(kid)} is not known`)
      return [common as unknown as FlattenedJWE, key, 'dir', kid]
    }
    if (!Array.isArray(recipients) || recipients.length > mostRecipients) throw notSealed()
    for (const recipient of recipients) {
      if (!isObject(recipient) || !isObject(recipient['header'])) throw notSealed()
      const { header, encrypted_key } = recipient
      const own = this.#privateKeys.get(textIn(header, 'kid'))
      if (own !== undefined)
        return [{ ...common, header, encrypted_key } as FlattenedJWE, own.key, own.alg, textIn(header, 'kid')]
    }
    throw fault('ERR_SEAL_KEY', 'this was sealed for others')
  }
}

type Fields = Record<string, unknown>

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parsed(sealed: Uint8Array): Fields {
  try {
    const jwe: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(sealed))
    if (isObject(jwe)) return jwe
  } catch {} // said below
  throw notSealed()
}

function protectedHeader(text: unknown): Fields {
  try {
    const binary = atob(String(text).replaceAll('-', '+').replaceAll('_', '/'))
    const header: unknown = JSON.parse(binary)
    if (isObject(header)) return header
  } catch {} // said below
  throw notSealed()
}

function textIn(fields: Fields, name: string): string {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (typeof value === 'string') return value
  throw notSealed()
}

function base64url(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
