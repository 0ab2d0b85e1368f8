/** The lock of a directory: a socket at which its owner listens, for the system ends that when the owner dies. */

import { createHash, randomUUID } from 'node:crypto'
import { link, open, realpath, rename, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { StoreError } from '@tidewire/broker/store'

/**
 * Keeps other processes, and others in this one, out of a directory until the returned function is called or the process
 * ends, however it does. Rejects with a StoreError while another one has it.
 */
// not taken: a file with the number of the process: in a container it is the same after each start.
export async function lock(directory: string): Promise<() => Promise<void>> {
  if (process.platform === 'win32') {
    const name = createHash('sha256')
      .update(await realpath(directory))
      .digest('hex')
    const pipe = await listen(`\\\\.\\pipe\\tidewire-${name}`, directory)
    return () => close(pipe)
  }
  const handle = await open(directory, 'r')
  try {
    return await lockSocket(directory, shortPath(directory, handle.fd))
  } finally {
    await handle.close()
  }
}

/** A path of a socket has about 100 characters at most: Linux has a shorter one for a directory that is open. */
function shortPath(directory: string, fd: number): string {
  return process.platform === 'linux' ? `/proc/self/fd/${fd}` : directory
}

async function lockSocket(directory: string, path: string): Promise<() => Promise<void>> {
  const own = `lock-${randomUUID().slice(0, 8)}`
  const server = await listen(join(path, own), directory)
  try {
    // Only one can make the link. A dead one is put aside first, and looked at again: it may be another by then.
    for (let isFree = await tryLink(directory, own); !isFree; isFree = await tryLink(directory, own)) {
      if (await isAlive(join(path, 'lock'))) throw locked(directory)
      const aside = `lock-${randomUUID().slice(0, 8)}`
      await rename(join(directory, 'lock'), join(directory, aside)).catch(ignoreMissing)
      const wasAlive = await isAlive(join(path, aside))
      if (wasAlive) await tryLink(directory, aside)
      await unlink(join(directory, aside)).catch(ignoreMissing)
      if (wasAlive) throw locked(directory)
    }
  } catch (error) {
    await close(server)
    throw error
  } finally {
    await unlink(join(directory, own)).catch(ignoreMissing)
  }
  return async () => {
    await unlink(join(directory, 'lock')).catch(ignoreMissing)
    await close(server)
  }
}

const locked = (directory: string): StoreError =>
  new StoreError('locked', `the store in ${directory} is open already, here or in another process`)

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

/** Gives the socket the name of the lock, if nothing has it. */
async function tryLink(directory: string, name: string): Promise<boolean> {
  try {
    await link(join(directory, name), join(directory, 'lock'))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function listen(path: string, directory: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.unref()
    server.on('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? locked(directory) : error),
    )
    server.listen(path, () => resolve(server))
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

/** Whether somebody listens at a socket. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT' && error.code !== 'ENOTSOCK'),
    )
  })
}
