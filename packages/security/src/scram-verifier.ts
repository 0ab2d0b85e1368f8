/** What a server keeps of a password for SCRAM (RFC 5802 and 7677): enough to check it, too little to log in with. */

/** Names of the mechanisms, which are Authentication Methods of MQTT too. */
export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

const scramMechanisms: readonly ScramMechanism[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512']

/** As a command line has them. */
export const scramFormats: ReadonlyMap<string, ScramMechanism> = new Map(
  scramMechanisms.map((mechanism) => [mechanism.toLowerCase(), mechanism]),
)

/** Rounds that an end takes part in: fewer are too cheap to try out (RFC 7677, section 4), more stop it. */
export const leastIterations = 4096
export const mostIterations = 1_000_000

export interface ScramVerifierOptions {
  /** Default SCRAM-SHA-256. */
  readonly mechanism?: ScramMechanism
  /** From 4,096 to 1,000,000. Default 4,096. */
  readonly iterations?: number
  /** Default: 16 random bytes. */
  readonly salt?: Uint8Array
}

/** Makes a line's part for a user, `SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>`, as PostgreSQL keeps it. */
export async function scramVerifier(password: string, options: ScramVerifierOptions = {}): Promise<string> {
  const { mechanism = 'SCRAM-SHA-256', iterations = leastIterations } = options
  const { salt = crypto.getRandomValues(new Uint8Array(16)) } = options
  checkIterations(iterations)
  const salted = await saltedPassword(mechanism, password, salt, iterations)
  const storedKey = await digest(mechanism, await mac(mechanism, salted, 'Client Key'))
  const serverKey = await mac(mechanism, salted, 'Server Key')
  return `${mechanism}$${iterations}:${toBase64(salt)}$${toBase64(storedKey)}:${toBase64(serverKey)}`
}

export interface Verifier {
  readonly mechanism: ScramMechanism
  readonly iterations: number
  readonly salt: Uint8Array
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** Reads what `scramVerifier` made; undefined for anything else. */
export function parseVerifier(text: string): Verifier | undefined {
  const match = /^(SCRAM-SHA-(?:256|512))\$(\d{1,7}):([^$:]+)\$([^$:]+):([^$:]+)$/.exec(text)
  if (match === null) return undefined
  const mechanism = match[1] as ScramMechanism
  const iterations = Number(match[2])
  const [salt, storedKey, serverKey] = match.slice(3).map(fromBase64)
  const length = mechanism === 'SCRAM-SHA-256' ? 32 : 64
  if (salt === undefined || storedKey?.length !== length || serverKey?.length !== length) return undefined
  if (iterations < leastIterations || iterations > mostIterations) return undefined
  return { mechanism, iterations, salt, storedKey, serverKey }
}

function checkIterations(iterations: number): void {
  if (Number.isInteger(iterations) && iterations >= leastIterations && iterations <= mostIterations) return
  throw new RangeError(`iterations must be a whole number from ${leastIterations} to ${mostIterations}`)
}

function hashName(mechanism: ScramMechanism): string {
  return mechanism === 'SCRAM-SHA-256' ? 'SHA-256' : 'SHA-512'
}

/** Hi() of RFC 5802, which is PBKDF2; off the event loop. */
export async function saltedPassword(
  mechanism: ScramMechanism,
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<Uint8Array> {
  const hash = hashName(mechanism)
  const key = await crypto.subtle.importKey('raw', bytesOf(prepared(password)), 'PBKDF2', false, ['deriveBits'])
  const parameters = { name: 'PBKDF2', hash, salt: plain(salt), iterations }
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, hash === 'SHA-256' ? 256 : 512))
}

export async function mac(mechanism: ScramMechanism, key: Uint8Array, text: string): Promise<Uint8Array> {
  const algorithm = { name: 'HMAC', hash: hashName(mechanism) }
  const imported = await crypto.subtle.importKey('raw', plain(key), algorithm, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, bytesOf(text)))
}

export async function digest(mechanism: ScramMechanism, bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(hashName(mechanism), plain(bytes)))
}

/**
 * SASLprep (RFC 4013) as far as JavaScript knows the tables: other spaces become a space, what is not seen goes, and
 * compatible characters become one. Throws TypeError for control characters and halves of a pair.
 */
export function prepared(text: string): string {
  const mapped = text
    .replace(/\p{Zs}/gu, ' ')
    .replace(/\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200b-\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/g, '')
    .normalize('NFKC')
  if (/[\p{Cc}\p{Cs}\p{Co}]/u.test(mapped)) throw new TypeError('there is a character that SASLprep forbids')
  return mapped
}

/** Whether they are the same, told in a time that depends on their lengths alone. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  let difference = 0
  for (let i = 0; i < one.length; i++) difference |= one[i]! ^ other[i]!
  return difference === 0
}

export function xor(one: Uint8Array, other: Uint8Array): Uint8Array {
  return one.map((byte, i) => byte ^ other[i]!)
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return plain(new TextEncoder().encode(text))
}

/** A copy in memory of its own, which is what WebCrypto's types ask for. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

/** Undefined for what is not base64 of at least a byte. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) || text === '') return undefined
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
