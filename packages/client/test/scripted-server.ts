/** A server that does what a test tells it, right or wrong. */

import { type AddressInfo, createServer, type Server } from 'node:net'
import type { Connack, Input, Packet, ProtocolVersion } from '@tidewire/codec'
import { PacketSocket } from '@tidewire/testing/packet-socket'
import { onTestFinished } from 'vitest'

/** One client's connection, from the server's side. */
export class Peer extends PacketSocket {
  /** Takes CONNECT and answers it. */
  async accept(connack: Partial<Input<Connack>> = {}): Promise<Extract<Packet, { type: 'connect' }>> {
    const connect = await this.expect('connect')
    this.send({ type: 'connack', ...connack })
    return connect
  }

  /** Takes SUBSCRIBE and grants what it asks for. */
  async grant(): Promise<Extract<Packet, { type: 'subscribe' }>> {
    const subscribe = await this.expect('subscribe')
    const { packetId, subscriptions } = subscribe
    this.send({ type: 'suback', packetId, reasonCodes: subscriptions.map(({ qos }) => qos) })
    return subscribe
  }
}

export class ScriptedServer {
  readonly #server: Server
  readonly #waiting: Peer[] = []
  #wake: () => void = () => {}

  private constructor(version: ProtocolVersion) {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#waiting.push(new Peer(socket, version))
      this.#wake()
    })
  }

  /** Starts a server that ends with the test. */
  static async start(version: ProtocolVersion = 5): Promise<ScriptedServer> {
    const server = new ScriptedServer(version)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.#server.close())
    return server
  }

  /** Takes no more connections. */
  stop(): void {
    this.#server.close()
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The next client that connects. */
  async peer(): Promise<Peer> {
    while (this.#waiting.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#waiting.shift()!
  }
}
