/** Password hashes: made with scrypt, made and checked also in the formats of mosquitto's password files. */

import { createHash, pbkdf2, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derivePbkdf2 = promisify(pbkdf2)
const deriveScrypt = promisify<Buffer | string, Buffer, number, object, Buffer>(scrypt)

const keyLength = 64
// 32 MiB and about 0.1 s of one core of the thread pool.
const cost = 15
const blockSize = 8

// What a hash may ask of this machine: more is taken for a damaged or hostile file.
const mostIterations = 10_000_000
const mostCost = 17
const mostMemory = 128 * 1024 * 1024

export interface HashOptions {
  /**
   * `scrypt` is the default; mosquitto reads `pbkdf2-sha512` ($7$), of any version `sha512` ($6$), which is weak, and
   * 2.1 also `argon2id`, which needs the package `@node-rs/argon2`.
   */
  readonly format?: HashFormat
  /** Of `pbkdf2-sha512`. Default 210,000: mosquitto's 2.0 take 101, which a thief tries out in no time. */
  readonly iterations?: number
}

const hashFormats = ['scrypt', 'pbkdf2-sha512', 'sha512', 'argon2id'] as const
export type HashFormat = (typeof hashFormats)[number]

/**
 * Hashes a password with a random salt, off the event loop: with scrypt `$scrypt$ln=15,r=8,p=1$<salt>$<key>`, the PHC
 * string format with base64. Throws RangeError for iterations out of range, and TypeError for another format.
 */
export async function hashPassword(password: string | Uint8Array, options: HashOptions = {}): Promise<string> {
  const { format = 'scrypt', iterations = 210_000 } = options
  const bytes = bytesOf(password)
  if (format === 'scrypt') {
    const salt = randomBytes(16)
    const key = await scryptKey(bytes, salt, cost, blockSize, 1)
    return `$scrypt$ln=${cost},r=${blockSize},p=1$${salt.toString('base64')}$${key.toString('base64')}`
  }
  if (!Number.isInteger(iterations) || iterations < 1 || iterations > mostIterations) {
    throw new RangeError(`iterations must be a whole number from 1 to ${mostIterations}, not ${iterations}`)
  }
  const salt = randomBytes(12) // mosquitto 2.0 takes no other length
  if (format === 'pbkdf2-sha512') {
    const key = await derivePbkdf2(bytes, salt, iterations, keyLength, 'sha512')
    return `$7$${iterations}$${salt.toString('base64')}$${key.toString('base64')}`
  }
  if (format === 'sha512') return `$6$${salt.toString('base64')}$${sha512(bytes, salt).toString('base64')}`
  // As mosquitto 2.1 makes them.
  if (format === 'argon2id') return (await loadArgon2()).hash(bytes, { memoryCost: 47_104, timeCost: 1 })
  throw new TypeError(`there is no format ${JSON.stringify(format)}: ${hashFormats.join(', ')}`)
}

/**
 * Whether a password has the hash, told in constant time and off the event loop. Knows `$scrypt$`, and mosquitto's
 * `$7$` (PBKDF2 with SHA-512), `$6$` (SHA-512) and `$argon2id$`, for which the package `@node-rs/argon2` is needed.
 * Throws TypeError for a hash in another or in a damaged format.
 */
export async function verifyPassword(password: string | Uint8Array, hash: string): Promise<boolean> {
  return parseHash(hash).verify(bytesOf(password))
}

export interface ParsedHash {
  /** What a check takes, to be compared with others: about microseconds. */
  readonly cost: number
  /** A package without which it cannot be checked. */
  readonly needs?: string
  verify(password: Uint8Array): Promise<boolean>
}

/** Takes a hash apart. Throws TypeError for a hash in an unknown or damaged format. */
export function parseHash(hash: string): ParsedHash {
  const [before, format, ...fields] = hash.split('$')
  const parsed = before === '' ? parsers.get(format!)?.(fields, hash) : undefined
  // The hash itself is a secret and stays out of the message.
  if (parsed === undefined) throw new TypeError('not a password hash in the format $scrypt$, $7$, $6$ or $argon2id$')
  return parsed
}

const parsers: ReadonlyMap<string, (fields: readonly string[], hash: string) => ParsedHash | undefined> = new Map([
  ['7', parsePbkdf2],
  ['6', parseSha512],
  ['scrypt', parseScrypt],
  ['argon2id', parseArgon2],
])

function parsePbkdf2(fields: readonly string[]): ParsedHash | undefined {
  const iterations = wholeNumber(fields[0], mostIterations)
  const [salt, key] = saltAndKey(fields, 1)
  if (iterations === undefined || salt === undefined || key === undefined) return undefined
  return checked(key, iterations, (password) => derivePbkdf2(password, salt, iterations, keyLength, 'sha512'))
}

function parseSha512(fields: readonly string[]): ParsedHash | undefined {
  const [salt, key] = saltAndKey(fields, 0)
  if (salt === undefined || key === undefined) return undefined
  return checked(key, 1, (password) => sha512(password, salt))
}

function parseScrypt(fields: readonly string[]): ParsedHash | undefined {
  const parameters = /^ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})$/.exec(fields[0] ?? '')
  const [ln, r, p] = (parameters ?? []).slice(1).map((digits) => wholeNumber(digits, mostCost))
  const [salt, key] = saltAndKey(fields, 1)
  const isComplete = ln !== undefined && r !== undefined && p !== undefined && salt !== undefined && key !== undefined
  if (!isComplete || 128 * 2 ** ln * r > mostMemory) return undefined
  return checked(key, 2 ** ln * r * p, (password) => scryptKey(password, salt, ln, r, p))
}

function parseArgon2(fields: readonly string[], hash: string): ParsedHash | undefined {
  const [, m, t] = /^m=(\d{1,6}),t=(\d{1,2}),p=\d{1,2}$/.exec(fields[1] ?? '') ?? []
  const isBase64 = [fields[2], fields[3]].every((field) => /^[A-Za-z0-9+/]{8,172}=*$/.test(field ?? ''))
  const kibibytes = Number(m)
  const isBounded = kibibytes >= 8 && kibibytes <= mostMemory / 1024 && Number(t) >= 1
  if (fields.length !== 4 || fields[0] !== 'v=19' || !isBase64 || !isBounded) return undefined
  return {
    cost: kibibytes * Number(t) * 1.5,
    needs: argon2,
    verify: async (password) => (await loadArgon2()).verify(hash, password),
  }
}

function checked(key: Buffer, cost: number, derive: (password: Uint8Array) => Buffer | Promise<Buffer>): ParsedHash {
  return { cost, verify: async (password) => timingSafeEqual(await derive(password), key) }
}

const argon2 = '@node-rs/argon2'

/** Loads the optional package. Rejects with how to install it. */
export async function loadArgon2(): Promise<typeof import('@node-rs/argon2')> {
  try {
    return await import('@node-rs/argon2')
  } catch {
    throw new Error(`hashes that begin with $argon2id$ need a package: npm install ${argon2}`)
  }
}

function sha512(password: Uint8Array, salt: Uint8Array): Buffer {
  return createHash('sha512').update(password).update(salt).digest()
}

function scryptKey(password: Uint8Array, salt: Buffer, ln: number, r: number, p: number): Promise<Buffer> {
  const N = 2 ** ln
  return deriveScrypt(Buffer.from(password), salt, keyLength, { N, r, p, maxmem: 128 * N * r * 2 })
}

function bytesOf(password: string | Uint8Array): Uint8Array {
  return typeof password === 'string' ? Buffer.from(password) : password
}

function wholeNumber(digits = '', most: number): number | undefined {
  const number = /^\d{1,9}$/.test(digits) ? Number(digits) : 0
  return number >= 1 && number <= most ? number : undefined
}

/** The last two fields, if they are the last. */
function saltAndKey(fields: readonly string[], at: number): [salt?: Buffer, key?: Buffer] {
  const [salt, key] = [fields[at], fields[at + 1]].map(base64)
  return fields.length === at + 2 && salt !== undefined && key?.length === keyLength ? [salt, key] : []
}

function base64(text = ''): Buffer | undefined {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
}
