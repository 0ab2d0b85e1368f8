/** The files of a directory, as the log needs them: all that it asks of the system. */

import { mkdir, open, readdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { lock } from './lock.js'

/** A file that is open for reading and writing. */
export interface LogFile {
  /** Bytes that it has. */
  size(): Promise<number>
  /** Reads as many bytes as there are, at most `length`. Resolves to their number. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>
  /** Resolves to the number of bytes that were written, which may be less than `length`. */
  write(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>
  /** What was written is on the disk when it settles, and so is the size. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** One directory. What rejects does so with the system's error. */
export interface LogFiles {
  /** What people know it by. */
  readonly name: string
  /**
   * Keeps all others out until the returned function is called. Rejects with a StoreError when one is in. Makes the
   * directory if it is not there, unless it may not.
   */
  lock(mayMake?: boolean): Promise<() => Promise<void>>
  list(): Promise<string[]>
  /** Opens a file; makes it first if it is said to be new and rejects if it is there then. */
  open(name: string, isNew: boolean): Promise<LogFile>
  unlink(name: string): Promise<void>
  rename(name: string, to: string): Promise<void>
  /** Files that were made, renamed or taken away are so on the disk when it settles. */
  sync(): Promise<void>
  /** Waits for so many milliseconds. */
  wait(milliseconds: number): Promise<void>
}

/** The files of a directory of the system, which is made if it is not there. Only its user may read them. */
export function systemFiles(directory: string): LogFiles {
  const at = (name: string): string => join(directory, name)
  return {
    name: directory,
    async lock(mayMake = true) {
      if (mayMake) await mkdir(directory, { recursive: true, mode: 0o700 })
      return lock(directory)
    },
    list: () => readdir(directory),
    async open(name, isNew) {
      const file = await open(at(name), isNew ? 'wx+' : 'r+', 0o600)
      return {
        size: async () => (await file.stat()).size,
        read: async (...args) => (await file.read(...args)).bytesRead,
        write: async (...args) => (await file.write(...args)).bytesWritten,
        sync: () => file.datasync(),
        close: () => file.close(),
      }
    },
    unlink: (name) => unlink(at(name)),
    rename: (name, to) => rename(at(name), at(to)),
    async sync() {
      if (process.platform === 'win32') return // a directory cannot be opened there
      const handle = await open(directory, 'r')
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    },
    wait: (milliseconds) => wait(milliseconds, undefined, { ref: false }),
  }
}
