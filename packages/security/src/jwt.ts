/**
 * JSON Web Tokens (RFC 7519) as passwords.
 *
 * @packageDocumentation
 */

import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose'
import {
  type Authenticator,
  badCredentials,
  type Client,
  type Grant,
  type Log,
  silent,
  unavailable,
  type Verdict,
} from './client.js'
import { Reloading, type ReloadOptions, readText } from './reloading.js'

export type { Authenticator, Client, Grant, Log, Refusal, Verdict } from './client.js'
export type { ReloadOptions } from './reloading.js'

/** Signed with a private key: who can check a token cannot make one. */
const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const symmetric = ['HS256', 'HS384', 'HS512']

// Characters: longer ones are not looked at.
const longest = 16_384

export interface JwtOptions extends ReloadOptions {
  /** Where the public keys are: a set of them (RFC 7517), the path of a file with one, or an `https:` URL. */
  readonly keys?: JSONWebKeySet | string
  /** A secret that both sides have, in place of keys: at least 32 bytes. */
  readonly secret?: Uint8Array
  /** Default: RS, PS, ES and EdDSA with keys; HS with a secret. */
  readonly algorithms?: readonly string[]
  /** What `iss` must be. Default: anything. */
  readonly issuer?: string | readonly string[]
  /** What must be in `aud`. Default: anything. */
  readonly audience?: string | readonly string[]
  /**
   * What `sub` must be: the user name, if the client says one, or its client identifier. For the broker it is the user
   * name. Default `userName`.
   */
  readonly subject?: 'userName' | 'clientId'
  /** Claims with the names of roles and groups. Default `roles` and `groups`. */
  readonly rolesClaim?: string
  readonly groupsClaim?: string
  /** Seconds by which clocks may differ. Default 5. */
  readonly tolerance?: number
  /** With a URL: milliseconds for an answer, default 3,000, and for which keys are kept, default 600,000. */
  readonly timeout?: number
  readonly keysMaxAge?: number
}

/**
 * Lets in clients whose password is a token. It must have `exp` and `sub`; when it expires, the connection ends. Rejects
 * when the file of keys is missing or broken, and with TypeError for options that do not fit.
 */
export async function jwt(options: JwtOptions): Promise<Jwt> {
  const { keys, secret, algorithms } = options
  if ((keys === undefined) === (secret === undefined))
    throw new TypeError('a token is checked with keys or with a secret')
  if (secret !== undefined && secret.length < 32) throw new TypeError('a secret has at least 32 bytes')
  // A public key taken for a secret would let everybody sign.
  const known = secret === undefined ? asymmetric : symmetric
  const other = algorithms?.find((name) => !known.includes(name))
  if (other !== undefined) throw new TypeError(`${other} is not among ${known.join(', ')}`)
  if (typeof keys === 'string' && !keys.includes('://')) {
    const load = async (): Promise<JWTVerifyGetKey> => keySet(await readText('keys', keys), keys)
    return new Jwt(options, await Reloading.open(`keys ${keys}`, [keys], load, options), known)
  }
  return new Jwt(options, { value: keyOf(options) }, known)
}

function keySet(text: string, file: string): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet)
  } catch {
    throw new Error(`keys ${file}: there is no JSON Web Key Set in it`) // the text may be a secret
  }
}

function keyOf({ keys, secret, timeout = 3000, keysMaxAge = 600_000 }: JwtOptions): JWTVerifyGetKey {
  if (secret !== undefined) return async () => secret
  if (typeof keys !== 'string') return createLocalJWKSet(keys!)
  const url = new URL(keys)
  const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal)) {
    throw new TypeError('keys come over https: only, unless the service is on this machine')
  }
  return createRemoteJWKSet(url, { timeoutDuration: timeout, cacheMaxAge: keysMaxAge })
}

export class Jwt implements Authenticator {
  readonly #options: JwtOptions
  readonly #key: { readonly value: JWTVerifyGetKey } | Reloading<JWTVerifyGetKey>
  readonly #algorithms: readonly string[]
  readonly #log: Log
  /** How often the service with the keys did not answer. */
  failures = 0

  constructor(
    options: JwtOptions,
    key: { readonly value: JWTVerifyGetKey } | Reloading<JWTVerifyGetKey>,
    algorithms: readonly string[],
  ) {
    this.#options = options
    this.#key = key
    this.#algorithms = options.algorithms ?? algorithms
    this.#log = options.log ?? silent
  }

  /** Reads the file of keys again; settles with whether they are in force. */
  async reload(): Promise<boolean> {
    return this.#key instanceof Reloading ? this.#key.reload() : true
  }

  close(): void {
    if (this.#key instanceof Reloading) this.#key.close()
  }

  async authenticate(client: Client, password: Uint8Array | undefined): Promise<Verdict> {
    const token = Buffer.from(password ?? []).toString('latin1')
    if (token.length > longest || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return undefined // no token: for others
    const { issuer, audience, tolerance = 5, subject = 'userName' } = this.#options
    try {
      const { payload } = await jwtVerify(token, this.#key.value, {
        algorithms: [...this.#algorithms],
        requiredClaims: ['exp', 'sub'],
        clockTolerance: tolerance,
        ...(issuer !== undefined && { issuer: [issuer].flat() }),
        ...(audience !== undefined && { audience: [audience].flat() }),
      })
      const { sub } = payload
      const isBound = sub === (subject === 'userName' ? (client.userName ?? sub) : client.clientId)
      return isBound && typeof sub === 'string' ? this.#grantOf(payload) : badCredentials
    } catch (error) {
      return this.#refuse(error as Error)
    }
  }

  #grantOf(payload: JWTPayload): Grant {
    const { rolesClaim = 'roles', groupsClaim = 'groups', tolerance = 5 } = this.#options
    return {
      userName: payload.sub!,
      roles: names(payload, rolesClaim),
      groups: names(payload, groupsClaim),
      expiresAt: (payload.exp! + tolerance) * 1000,
    }
  }

  #refuse(error: Error): Verdict {
    const isOfService =
      error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.name === 'TypeError'
    const isOfToken = error instanceof errors.JOSEError && error.code !== 'ERR_JOSE_GENERIC'
    if (isOfToken && !isOfService) return badCredentials
    this.failures++
    this.#log.error(`the keys of tokens are not to be had: ${error.message}`)
    return unavailable
  }
}

/** A list, or words as `scope` has them. */
function names(payload: JWTPayload, claim: string): readonly string[] {
  const value = Object.hasOwn(payload, claim) ? payload[claim] : undefined
  if (typeof value === 'string') return value.split(' ').filter((name) => name !== '')
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : []
}
