/** Clients that come with a user name and a password of a file. */

import { availableParallelism } from 'node:os'
import { type Authenticator, badCredentials, busy, type Client, type Verdict } from './client.js'
import { loadArgon2 } from './password.js'
import { PasswordFile } from './password-file.js'
import { checkSecrecy, Reloading, type ReloadOptions, readText } from './reloading.js'
import { Turns } from './turns.js'
import { VerdictCache } from './verdict-cache.js'

export interface PasswordsOptions extends ReloadOptions {
  /** The path of a password file. */
  readonly file: string
  /** Passwords hashed at once, each on a thread of the pool, which has four. Default 2, but 1 on one or two cores. */
  readonly maxHashing?: number
  /** Clients that wait for that; more are told that the broker is busy (0x89). Default 256. */
  readonly maxWaiting?: number
  /** Seconds for which it is remembered whether a password was right. Default 30; 0 for never. */
  readonly remember?: number
}

// A core is left to the event loop. measured: in a flood, on two busy cores, the p99 of other clients is 32 ms with two
// at once and 10 ms with one, and as many passwords are hashed.
const defaultHashing = Math.max(1, Math.min(2, availableParallelism() - 1))

// Each takes about 150 bytes. Right ones are kept apart, so that a flood of wrong ones does not push them out.
const mostRemembered = 4096

/**
 * Opens a password file. Rejects when it is missing, empty or broken, or has nobody in it. Later, a broken one is
 * not taken: who was in the one before stays.
 */
export async function passwords(options: PasswordsOptions): Promise<Passwords> {
  const { file, log } = options
  const load = async (): Promise<PasswordFile> => {
    const text = await readText('password file', file)
    const users = namingFile(file, () => new PasswordFile(text))
    if (users.size === 0) throw new Error(`password file ${file}: there is no user in it`)
    if (users.needs !== undefined) await loadArgon2()
    await checkSecrecy('password file', file, log)
    return users
  }
  return new Passwords(await Reloading.open(`password file ${file}`, [file], load, options), options)
}

function namingFile<T>(file: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`)
  }
}

export class Passwords implements Authenticator {
  readonly #users: Reloading<PasswordFile>
  readonly #turns: Turns
  readonly #right: VerdictCache<boolean>
  readonly #wrong: VerdictCache<boolean>

  constructor(users: Reloading<PasswordFile>, options: PasswordsOptions) {
    const { maxHashing = defaultHashing, maxWaiting = 256, remember = 30 } = options
    this.#users = users
    this.#turns = new Turns(maxHashing, maxWaiting)
    const now = (): number => performance.now()
    this.#right = new VerdictCache(remember * 1000, mostRemembered, now)
    this.#wrong = new VerdictCache(remember * 1000, mostRemembered, now)
  }

  /** How many users there are. */
  get size(): number {
    return this.#users.value.size
  }

  /** How often a broken file was not taken. */
  get failures(): number {
    return this.#users.failures
  }

  /** How many clients were told that too many wait. */
  get refused(): number {
    return this.#turns.refused
  }

  /** Reads the file again; settles with whether what it now says is in force. */
  reload(): Promise<boolean> {
    return this.#users.reload()
  }

  close(): void {
    this.#users.close()
  }

  async authenticate({ userName }: Client, password: Uint8Array | undefined): Promise<Verdict> {
    if (userName === undefined || password === undefined) return undefined
    const users = this.#users.value
    // With the hash in it, the key of a changed password is another one.
    const key = this.#right.key(userName, password, users.hashOf(userName) ?? '')
    const known = this.#right.get(key) ?? this.#wrong.get(key)
    const isRight = known ?? (await this.#turns.take(() => users.verify(userName, password)))
    if (isRight === undefined) return busy
    if (known === undefined) (isRight ? this.#right : this.#wrong).set(key, isRight)
    return isRight ? { userName } : badCredentials
  }
}
