/** What a proxy answers, before the connection is what it is for. */

import type { Socket } from 'node:net'

/** Reads as many bytes as `length` tells, which returns 0 while it does not know. What comes behind them stays to be read. */
export function readUntil(socket: Socket, signal: AbortSignal, length: (bytes: Buffer) => number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const done = (error?: Error): void => {
      signal.removeEventListener('abort', abort)
      socket.off('readable', read).off('error', done).off('close', close)
      if (error !== undefined) socket.destroy()
      if (error !== undefined) reject(error)
    }
    const abort = (): void => done(signal.reason)
    const close = (): void => done(new Error('the proxy closed the connection'))
    const read = (): void => {
      const chunk: Buffer | null = socket.read()
      if (chunk === null) return
      bytes = Buffer.concat([bytes, chunk])
      try {
        const end = length(bytes)
        if (end === 0 || end > bytes.length) return
        done()
        if (end < bytes.length) socket.unshift(bytes.subarray(end))
        resolve(bytes.subarray(0, end))
      } catch (error) {
        done(error as Error)
      }
    }
    signal.addEventListener('abort', abort)
    socket.on('readable', read).on('error', done).on('close', close)
  })
}
