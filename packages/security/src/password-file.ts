/** Password files: a line `user:hash` for each user, as mosquitto_passwd writes them. */

import { hashPassword, type ParsedHash, parseHash } from './password.js'

interface Entry {
  readonly parsed: ParsedHash
  readonly hash: string
}

/** The users of a password file. */
export class PasswordFile {
  readonly #entries: ReadonlyMap<string, Entry>
  /** Checked in place of an unknown user's hash: the costliest of all. */
  #dummy: Promise<ParsedHash> | undefined

  /**
   * Takes the text of a password file. Blank lines and lines that begin with `#` are passed over. Throws TypeError,
   * with the number of the line, for any other line that is not `user:hash`, and for a user who comes twice.
   */
  constructor(text: string) {
    const entries = new Map<string, Entry>()
    for (const [index, raw] of text.split('\n').entries()) {
      const line = raw.trim()
      if (line === '' || line.startsWith('#')) continue
      const colon = line.indexOf(':')
      const name = line.slice(0, Math.max(0, colon)).trim()
      const hash = line.slice(colon + 1).trim()
      const parsed = parsedOrNot(hash)
      if (name === '' || entries.has(name) || parsed === undefined) {
        throw new TypeError(`password file, line ${index + 1}: expected user:hash of a user not named before`)
      }
      entries.set(name, { hash, parsed })
    }
    this.#entries = entries
  }

  /** The number of users. */
  get size(): number {
    return this.#entries.size
  }

  /** A package that one of the hashes needs. */
  get needs(): string | undefined {
    for (const { parsed } of this.#entries.values()) if (parsed.needs !== undefined) return parsed.needs
    return undefined
  }

  has(userName: string): boolean {
    return this.#entries.has(userName)
  }

  /** What a user's password is compared with; undefined for who is unknown. */
  hashOf(userName: string): string | undefined {
    return this.#entries.get(userName)?.hash
  }

  /**
   * Whether the user exists and has the password. For a user who does not exist it takes as long as for the one whose
   * hash takes longest: a file with hashes of one kind does not tell who exists.
   */
  async verify(userName: string, password: string | Uint8Array): Promise<boolean> {
    const bytes = typeof password === 'string' ? Buffer.from(password) : password
    const entry = this.#entries.get(userName)
    if (entry !== undefined) return entry.parsed.verify(bytes)
    this.#dummy ??= this.#makeDummy()
    await (await this.#dummy).verify(bytes)
    return false
  }

  async #makeDummy(): Promise<ParsedHash> {
    const costliest = [...this.#entries.values()].sort((a, b) => b.parsed.cost - a.parsed.cost)[0]
    return costliest?.parsed ?? parseHash(await hashPassword(''))
  }
}

function parsedOrNot(hash: string): ParsedHash | undefined {
  try {
    return parseHash(hash)
  } catch {
    return undefined
  }
}

/** Whether it can stand before the colon of a line. */
export function isUserName(name: string): boolean {
  return name.trim() === name && /^[^#:\p{Cc}][^:\p{Cc}]*$/u.test(name) && Buffer.byteLength(name) <= 0xffff
}

/** The text of a file with a line for a user, in place of the one that there was; without, when there is no hash. */
export function withUser(text: string, userName: string, hash: string | undefined): string {
  const isOf = (line: string): boolean => !line.startsWith('#') && line.split(':', 1)[0]!.trim() === userName
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  const at = lines.findIndex(isOf)
  const others = lines.filter((line) => !isOf(line))
  if (hash !== undefined) others.splice(at < 0 ? others.length : at, 0, `${userName}:${hash}`)
  return others.map((line) => `${line}\n`).join('')
}
