/** Files of pre-shared keys, as mosquitto's `psk_file`: a line `identity:key` for each, the key in hexadecimal digits. */

import { createHmac, randomBytes } from 'node:crypto'
import { type Authenticator, notAuthorized } from './client.js'

// RFC 4279: keys of 16 bytes at least are to be supported; OpenSSL takes 512 at most.
const shortest = 16
const longest = 512

export class PskFile {
  readonly #keys: ReadonlyMap<string, Buffer>
  readonly #secret: Buffer = randomBytes(32)

  /** Throws TypeError, with the number of the line, for what is no such line, and if there is none. */
  constructor(text: string, { file = 'psk_file' }: { readonly file?: string } = {}) {
    const keys = new Map<string, Buffer>()
    for (const [index, raw] of text.split('\n').entries()) {
      const line = raw.trim()
      if (line === '' || line.startsWith('#')) continue
      // The key may not come into the message.
      const fail = (why: string): never => {
        throw new TypeError(`${file}, line ${index + 1}: ${why}`)
      }
      const colon = line.lastIndexOf(':')
      const identity = line.slice(0, Math.max(0, colon)).trim()
      const digits = line.slice(colon + 1).trim()
      if (identity === '' || !/^(?:[0-9a-f]{2})+$/i.test(digits)) fail('expected identity:key in hexadecimal digits')
      const key = Buffer.from(digits, 'hex')
      if (key.length < shortest || key.length > longest) fail(`a key has from ${shortest} to ${longest} bytes`)
      if (keys.has(identity)) fail('the identity has a key already')
      keys.set(identity, key)
    }
    if (keys.size === 0) throw new TypeError(`${file}: there is no key in it`)
    this.#keys = keys
  }

  get size(): number {
    return this.#keys.size
  }

  has(identity: string): boolean {
    return this.#keys.has(identity)
  }

  /** Always a key: for who is unknown one that nobody has, so that a handshake does not tell who is known. */
  keyOf(identity: string): Buffer {
    return this.#keys.get(identity) ?? createHmac('sha256', this.#secret).update(identity).digest()
  }
}

/**
 * Lets in who came with a pre-shared key; its identity is the user name. A client that also gives a user name must give
 * that one.
 */
export function preSharedKeys(): Authenticator {
  return {
    authenticate({ pskIdentity, userName }) {
      if (pskIdentity === undefined) return undefined
      return userName === undefined || userName === pskIdentity ? { userName: pskIdentity } : notAuthorized
    },
  }
}
