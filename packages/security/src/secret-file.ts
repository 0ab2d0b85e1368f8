/** Files with secrets: written whole or not at all, for their owner alone. */

import { randomBytes } from 'node:crypto'
import { chmod, open, rename, rm, stat } from 'node:fs/promises'

const ownerOnly = 0o600

/** Puts a file in the place of another one, whose permissions and owner it takes over. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const before = await stat(path).catch(() => undefined)
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  const file = await open(temporary, 'wx', ownerOnly)
  try {
    try {
      await file.writeFile(text)
      if (before !== undefined) {
        await chmod(temporary, before.mode & 0o777)
        if (process.getuid?.() === 0) await file.chown(before.uid, before.gid)
      }
      await file.sync() // what is in the place of the old file is all there, whenever the power fails
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Writes a file that there is not yet. */
export async function createFile(path: string, text: string, mode: number = ownerOnly): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.writeFile(text)
  } finally {
    await file.close()
  }
}
