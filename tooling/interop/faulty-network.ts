/** A network between a client and a server that splits, stalls and cuts. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export class FaultyNetwork {
  readonly #pairs: Set<readonly [client: Socket, server: Socket]> = new Set()
  #port = 0
  #isStalled = false
  /** Pieces in which bytes are passed on. */
  pieceSize: number = Number.POSITIVE_INFINITY
  /** Bytes after which each of the next connections is cut, in turn. */
  readonly cutAfter: number[] = []
  cuts = 0

  /** Stands before a port, until the test is finished. */
  static async before(port: number): Promise<FaultyNetwork> {
    const network = new FaultyNetwork()
    const server = createServer({ noDelay: true }, (client) => network.#connect(client, port)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    network.#port = (server.address() as AddressInfo).port
    onTestFinished(() => {
      server.close()
      network.cut()
    })
    return network
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`
  }

  #connect(client: Socket, port: number): void {
    const server = connect({ port, host: '127.0.0.1', noDelay: true })
    const pair = [client, server] as const
    this.#pairs.add(pair)
    let left = this.cutAfter.shift() ?? Number.POSITIVE_INFINITY
    const pass = (from: Socket, to: Socket): void => {
      from.on('data', (bytes: Buffer) => {
        const passed = bytes.subarray(0, left)
        left -= passed.length
        for (let at = 0; at < passed.length; at += this.pieceSize) to.write(passed.subarray(at, at + this.pieceSize))
        if (left > 0) return
        this.cuts++
        client.destroy()
        server.destroy()
      })
      from.on('error', () => {})
      from.on('close', () => {
        to.destroy()
        this.#pairs.delete(pair)
      })
      if (this.#isStalled) from.pause()
    }
    pass(client, server)
    pass(server, client)
  }

  /** Ends all connections without a word. */
  cut(): void {
    for (const [client, server] of this.#pairs) {
      client.destroy()
      server.destroy()
    }
  }

  /** Passes nothing on, and says nothing. */
  stall(): void {
    this.#isStalled = true
    for (const sockets of this.#pairs) for (const socket of sockets) socket.pause()
  }

  resume(): void {
    this.#isStalled = false
    for (const sockets of this.#pairs) for (const socket of sockets) socket.resume()
  }
}
