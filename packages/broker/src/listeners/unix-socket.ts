/** The file of a Unix socket, which stays behind when a program is killed. */

import { lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'

/** Removes the file if it is a socket at which nobody listens; says whether it is gone. */
export async function removeStale(path: string): Promise<boolean> {
  const before = await lstat(path).catch(() => undefined)
  if (before === undefined) return true
  if (!before.isSocket() || !(await isRefused(path))) return false
  const after = await lstat(path).catch(() => undefined)
  if (after?.ino !== before.ino) return false // another one has begun to listen meanwhile
  await unlink(path)
  return true
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(false)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}
