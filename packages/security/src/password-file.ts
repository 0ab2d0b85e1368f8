/** Password files: a line `user:hash` for each user, as mosquitto_passwd writes them. */

import { hashPassword, parseHash, verifyPassword } from './password.js'

/** The users of a password file. */
export class PasswordFile {
  readonly #hashes: ReadonlyMap<string, string>
  /** Checked in place of an unknown user's hash: the costliest of all. */
  #dummy: Promise<string> | undefined

  /**
   * Takes the text of a password file. Blank lines and lines that begin with `#` are passed over. Throws TypeError,
   * with the number of the line, for any other line that is not `user:hash`, and for a user who comes twice.
   */
  constructor(text: string) {
    const hashes = new Map<string, string>()
    for (const [index, raw] of text.split('\n').entries()) {
      const line = raw.trim()
      if (line === '' || line.startsWith('#')) continue
      const colon = line.indexOf(':')
      const name = line.slice(0, colon)
      const hash = line.slice(colon + 1)
      if (colon < 1 || hashes.has(name) || !isHash(hash)) {
        throw new TypeError(`password file, line ${index + 1}: expected user:hash of a user not named before`)
      }
      hashes.set(name, hash)
    }
    this.#hashes = hashes
  }

  /** The number of users. */
  get size(): number {
    return this.#hashes.size
  }

  /**
   * Whether the user exists and has the password. For a user who does not exist it takes as long as for the one whose
   * hash takes longest: a file with hashes of one kind does not tell who exists.
   */
  async verify(userName: string, password: string | Uint8Array): Promise<boolean> {
    const hash = this.#hashes.get(userName)
    if (hash !== undefined) return verifyPassword(password, hash)
    this.#dummy ??= this.#makeDummy()
    await verifyPassword(password, await this.#dummy)
    return false
  }

  async #makeDummy(): Promise<string> {
    const costliest = [...this.#hashes.values()].sort((a, b) => parseHash(b).cost - parseHash(a).cost)[0]
    return costliest ?? hashPassword('')
  }
}

function isHash(text: string): boolean {
  try {
    parseHash(text)
    return true
  } catch {
    return false
  }
}
