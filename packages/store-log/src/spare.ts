/** The file that will be the next segment, filled with zeros. */

import type { LogFile, LogFiles } from './files.js'
import { writeAll } from './segment.js'

const name = 'spare'
const piece = 1024 * 1024
/** Bytes of the last group that are behind the end of a segment. */
const mostOver = 1024 * 1024

/** Whether an error says that the disk has no room. */
export const isFull = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')

/**
 * Has a segment ready. It is made before it is needed: a sync is faster where the system has nothing to note about the
 * file, and when the disk is full there is room in it for what takes messages away.
 */
// measured: 100 KiB written and synced: 0.23 ms in a file that is filled, 0.45 ms and more at the end of one that grows
export class Spare {
  readonly #files: LogFiles
  readonly #size: number
  #made: Promise<void> | undefined
  #isThere = false

  /** `segmentSize` is where the next segment begins, at the latest in the middle of a group. */
  constructor(files: LogFiles, segmentSize: number) {
    this.#files = files
    this.#size = segmentSize + Math.min(segmentSize >> 2, mostOver)
  }

  /** Settles when the file is there. Rejects with the system's error: then it can be tried again. */
  make(): Promise<void> {
    this.#made ??= this.#make().catch((error) => {
      this.#made = undefined
      throw error
    })
    return this.#made
  }

  async #make(): Promise<void> {
    if ((await this.#files.list()).includes(name)) await this.#files.unlink(name) // nobody knows whether it is whole
    const file = await this.#files.open(name, true)
    try {
      const zeros = Buffer.alloc(Math.min(this.#size, piece))
      for (let at = 0; at < this.#size; at += piece) {
        await writeAll(file, zeros, Math.min(piece, this.#size - at), at)
        await file.sync() // piece by piece: others want to sync too
      }
    } catch (error) {
      await file.close()
      await this.#files.unlink(name)
      throw error
    }
    await file.close()
    this.#isThere = true
  }

  /** Makes a segment of the file, with its header. Rejects with the system's error. */
  async take(segment: string, header: Uint8Array): Promise<LogFile> {
    // Where there is no room for all of it there may be room for what is to be written.
    await this.make().catch((error) => {
      if (!isFull(error)) throw error
    })
    const isFilled = this.#isThere
    this.#made = undefined
    this.#isThere = false
    const file = await this.#files.open(name, !isFilled)
    try {
      await writeAll(file, header, header.length, 0)
      await file.sync()
      await this.#files.rename(name, segment)
      await this.#files.sync()
    } catch (error) {
      await file.close()
      throw error // the next try begins with a new file
    }
    return file
  }

  /** Gives its room up, for something that cannot be anywhere else. Resolves to whether there was any. */
  async giveUp(): Promise<boolean> {
    if (!this.#isThere) return false
    this.#isThere = false
    this.#made = undefined
    await this.#files.unlink(name)
    return true
  }

  /** Waits until it is not being made. */
  async stop(): Promise<void> {
    await this.#made?.catch(() => {})
  }
}
