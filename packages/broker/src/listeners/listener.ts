/** What all listeners have in common. */

import type { Server } from 'node:net'
import type { Log } from '../options.js'
import type { Transport } from '../transport.js'

/** An open door. */
export interface Listener {
  /** Where clients reach it, such as `mqtt://127.0.0.1:1883`. */
  readonly url: string
  readonly port: number
  /** Takes no more connections; those that are there stay. Settles when the port is free. */
  close(): Promise<void>
}

/** Takes each new stream. */
export type Accept = (transport: Transport) => void

// Connections waiting to be accepted; the system may allow fewer.
const backlog = 1024

/** Binds a server. Rejects with the system's error, such as EADDRINUSE; later errors go to the log. */
export function bind(server: Server, scheme: string, host: string, port: number, log: Log): Promise<Listener> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog }, () => {
      server.off('error', reject)
      server.on('error', (error) => log.error(`accepting connections failed: ${error.message}`))
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new Error('the server has no port'))
      const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
      resolve({
        url: `${scheme}://${shown}:${address.port}`,
        port: address.port,
        close: () => new Promise((done) => server.close(() => done())),
      })
    })
  })
}
