/** Room on the disk that is kept for the time when it is full. */

import type { LogFiles } from './files.js'
import { writeAll } from './segment.js'

const name = 'reserve'

/** Whether an error says that the disk has no room. */
export const isFull = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')

/** A file that can be given up, so that something else can be written: records that take others away. */
export class Reserve {
  readonly #files: LogFiles
  readonly #size: number
  #isThere = false

  /** `size` in bytes; with 0 nothing is kept. */
  constructor(files: LogFiles, size: number) {
    this.#files = files
    this.#size = size
  }

  /** Makes the file, if it is not there. Resolves to whether there was room for it. */
  async make(): Promise<boolean> {
    if (this.#isThere || this.#size === 0) return true
    if ((await this.#files.list()).includes(name)) await this.#files.unlink(name) // of another size, or not whole
    const file = await this.#files.open(name, true)
    try {
      const zeros = Buffer.alloc(Math.min(this.#size, 1024 * 1024))
      for (let at = 0; at < this.#size; at += zeros.length) {
        await writeAll(file, zeros, Math.min(zeros.length, this.#size - at), at)
      }
      await file.sync()
      this.#isThere = true
    } catch (error) {
      if (!isFull(error)) throw error
    } finally {
      await file.close()
    }
    if (!this.#isThere) await this.#files.unlink(name)
    return this.#isThere
  }

  /** Gives the room up. Resolves to whether there was any. */
  async giveUp(): Promise<boolean> {
    if (!this.#isThere) return false
    this.#isThere = false
    await this.#files.unlink(name)
    return true
  }
}
