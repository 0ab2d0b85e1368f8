/** What is read from files, and kept when a newer one is broken. */

import { unwatchFile, watchFile } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { type Log, silent } from './client.js'

/** Bytes of a file; one that is larger is taken for a mistake. */
const largest = 16 * 1024 * 1024
const interval = 1000

export interface ReloadOptions {
  /** Read the files again when they change: looked for each second. Default false. */
  readonly watch?: boolean
  /** Default: nothing is logged. */
  readonly log?: Log
}

/** Text of a file. Throws an error that names the file if it is missing, empty or larger than 16 MiB. */
export async function readText(what: string, path: string): Promise<string> {
  return (await readBytes(what, path)).toString()
}

/** The same, of any content. */
export async function readBytes(what: string, path: string): Promise<Buffer> {
  const fail = (why: string): never => {
    throw new Error(`${what} ${path}: ${why}`)
  }
  const { size } = await stat(path).catch((error: NodeJS.ErrnoException) =>
    fail(error.code === 'ENOENT' ? 'it does not exist' : `it cannot be read: ${error.code}`),
  )
  if (size > largest) fail(`it is larger than ${largest} bytes`)
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => fail(`it cannot be read: ${error.code}`))
  return bytes.length > 0 ? bytes : fail('it is empty')
}

/** Warns of a file with secrets that everybody on the machine may read. */
export async function checkSecrecy(what: string, path: string, log: Log = silent): Promise<void> {
  const { mode } = await stat(path)
  if ((mode & 0o007) !== 0) log.warn(`${what} ${path}: everybody on this machine may use it: chmod o-rwx`)
}

/** A value of files. */
export class Reloading<T> {
  readonly #what: string
  readonly #paths: readonly string[]
  readonly #load: () => Promise<T>
  readonly #log: Log
  readonly #listeners: Set<() => void> = new Set()
  #value: T
  #pending: Promise<boolean> | undefined
  /** Counts the values that there were: what was worked out from one of another epoch is out of date. */
  epoch = 0
  /** How often what was new was broken. */
  failures = 0
  /** Why, the last time; undefined when the value is that of the files. */
  lastError: Error | undefined

  private constructor(
    what: string,
    paths: readonly string[],
    load: () => Promise<T>,
    value: T,
    options: ReloadOptions,
  ) {
    const { watch = false, log = silent } = options
    this.#what = what
    this.#paths = watch ? paths : []
    this.#load = load
    this.#value = value
    this.#log = log
    // Not taken: fs.watch, which loses sight of a file that is replaced.
    for (const path of this.#paths) watchFile(path, { interval, persistent: false }, this.#changed)
  }

  /** Loads it for the first time. Rejects with why that cannot be. */
  static async open<T>(
    what: string,
    paths: readonly string[],
    load: () => Promise<T>,
    options: ReloadOptions = {},
  ): Promise<Reloading<T>> {
    return new Reloading(what, paths, load, await load(), options)
  }

  get value(): T {
    return this.#value
  }

  readonly #changed = (): void => {
    void this.reload() // settles with false when it fails
  }

  /** Loads it again; settles with whether that went well: if not, the value stays, the log is told, and it is counted. */
  reload(): Promise<boolean> {
    // Who asks while it loads is to get what is there now: it loads once more.
    const before = this.#pending ?? Promise.resolve(true)
    const pending = before.then(() => this.#reload())
    this.#pending = pending
    return pending
  }

  async #reload(): Promise<boolean> {
    try {
      this.#value = await this.#load()
    } catch (error) {
      this.failures++
      this.lastError = error as Error
      this.#log.error(`${this.#what} stays as it was: ${(error as Error).message}`)
      return false
    }
    this.epoch++
    this.lastError = undefined
    this.#log.info(`${this.#what} is loaded again`)
    for (const tell of this.#listeners) tell()
    return true
  }

  /** Calls a function after each change; returns what ends that. */
  onChange(tell: () => void): () => void {
    this.#listeners.add(tell)
    return () => void this.#listeners.delete(tell)
  }

  /** Watches no more. */
  close(): void {
    for (const path of this.#paths) unwatchFile(path, this.#changed)
  }
}
