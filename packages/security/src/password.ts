/** Password hashes: made with scrypt, checked also in the formats of mosquitto's password files. */

import { createHash, pbkdf2, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derivePbkdf2 = promisify(pbkdf2)
const deriveScrypt = promisify<Buffer | string, Buffer, number, object, Buffer>(scrypt)

const keyLength = 64
const saltLength = 16
// 32 MiB and about 0.1 s of one core of the thread pool.
const cost = 15
const blockSize = 8

// What a hash may ask of this machine: more is taken for a damaged or hostile file.
const mostIterations = 10_000_000
const mostCost = 17
const mostMemory = 128 * 1024 * 1024

/**
 * Hashes a password with scrypt and a random salt, off the event loop: `$scrypt$ln=15,r=8,p=1$<salt>$<key>`, the PHC
 * string format with base64.
 */
export async function hashPassword(password: string | Uint8Array): Promise<string> {
  const salt = randomBytes(saltLength)
  const key = await scryptKey(bytesOf(password), salt, cost, blockSize, 1)
  return `$scrypt$ln=${cost},r=${blockSize},p=1$${salt.toString('base64')}$${key.toString('base64')}`
}

/**
 * Whether a password has the hash, told in constant time and off the event loop. Knows `$scrypt$`, and mosquitto's
 * `$7$` (PBKDF2 with SHA-512) and `$6$` (SHA-512). Throws TypeError for a hash in another or in a damaged format.
 */
export async function verifyPassword(password: string | Uint8Array, hash: string): Promise<boolean> {
  const { derive, key } = parseHash(hash)
  const candidate = await derive(bytesOf(password))
  return candidate.length === key.length && timingSafeEqual(candidate, key)
}

interface ParsedHash {
  readonly key: Buffer
  /** What a check takes, to be compared with others: about microseconds. */
  readonly cost: number
  derive(password: Uint8Array): Promise<Buffer> | Buffer
}

/** Takes a hash apart. Throws TypeError for a hash in an unknown or damaged format. */
export function parseHash(hash: string): ParsedHash {
  const [before, format, ...fields] = hash.split('$')
  if (before === '' && format === '7' && fields.length === 3) {
    const iterations = wholeNumber(fields[0]!, mostIterations)
    const salt = base64(fields[1]!)
    const key = base64(fields[2]!)
    if (iterations !== undefined && salt !== undefined && key?.length === keyLength) {
      return {
        key,
        cost: iterations,
        derive: (password) => derivePbkdf2(password, salt, iterations, keyLength, 'sha512'),
      }
    }
  }
  if (before === '' && format === '6' && fields.length === 2) {
    const salt = base64(fields[0]!)
    const key = base64(fields[1]!)
    if (salt !== undefined && key?.length === keyLength) {
      return { key, cost: 1, derive: (password) => createHash('sha512').update(password).update(salt).digest() }
    }
  }
  if (before === '' && format === 'scrypt' && fields.length === 3) {
    const parameters = /^ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})$/.exec(fields[0]!)
    const [ln, r, p] = (parameters ?? []).slice(1).map((digits) => wholeNumber(digits, mostCost))
    const salt = base64(fields[1]!)
    const key = base64(fields[2]!)
    const isComplete = ln !== undefined && r !== undefined && p !== undefined && salt !== undefined
    if (isComplete && key?.length === keyLength && 128 * 2 ** ln * r <= mostMemory) {
      return { key, cost: 2 ** ln * r * p, derive: (password) => scryptKey(password, salt, ln, r, p) }
    }
  }
  // The hash itself is a secret and stays out of the message.
  throw new TypeError('not a password hash in the format $scrypt$, $7$ or $6$')
}

function scryptKey(password: Uint8Array, salt: Buffer, ln: number, r: number, p: number): Promise<Buffer> {
  const N = 2 ** ln
  return deriveScrypt(Buffer.from(password), salt, keyLength, { N, r, p, maxmem: 128 * N * r * 2 })
}

function bytesOf(password: string | Uint8Array): Uint8Array {
  return typeof password === 'string' ? Buffer.from(password) : password
}

function wholeNumber(digits: string, most: number): number | undefined {
  const number = /^\d{1,9}$/.test(digits) ? Number(digits) : 0
  return number >= 1 && number <= most ? number : undefined
}

function base64(text: string): Buffer | undefined {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
}
