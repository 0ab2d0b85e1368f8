/** A socket of which a test sees every packet, and on which it sends what it likes, right or wrong. */

import type { Duplex } from 'node:stream'
import { Decoder, encode, type Packet, type PacketInput, type ProtocolVersion } from '@tidewire/codec'

export class PacketSocket {
  readonly version: ProtocolVersion
  readonly #socket: Duplex
  readonly #packets: Packet[] = []
  #ended = false
  #wake: () => void = () => {}

  constructor(socket: Duplex, version: ProtocolVersion) {
    this.#socket = socket
    this.version = version
    const decoder = new Decoder({ protocolVersion: version })
    socket.on('data', (chunk: Buffer) => {
      for (const packet of decoder.push(chunk)) this.#packets.push(packet)
      this.#wake()
    })
    socket.on('error', () => {}) // `close` follows
    socket.on('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  send(...packets: PacketInput[]): void {
    this.sendBytes(Buffer.concat(packets.map((packet) => encode(packet, this.version))))
  }

  /** Sends bytes, or hexadecimal digits with blanks where it helps to read. */
  sendBytes(bytes: Uint8Array | string): void {
    this.#socket.write(typeof bytes === 'string' ? Buffer.from(bytes.replaceAll(' ', ''), 'hex') : bytes)
  }

  /** The next packet, or undefined when the other side has ended the connection. */
  async next(): Promise<Packet | undefined> {
    while (this.#packets.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#packets.shift()
  }

  /** Packets that have come and were not asked for. */
  get unread(): number {
    return this.#packets.length
  }

  /** The next packet, which must be of the type. */
  async expect<T extends Packet['type']>(type: T): Promise<Extract<Packet, { type: T }>> {
    const packet = await this.next()
    if (packet?.type !== type) throw new Error(`expected ${type}, got ${JSON.stringify(packet) ?? 'the end'}`)
    return packet as Extract<Packet, { type: T }>
  }

  /** Waits until the other side has ended the connection; throws when a packet comes before. */
  async expectEnd(): Promise<void> {
    const packet = await this.next()
    if (packet !== undefined) throw new Error(`expected the end, got ${JSON.stringify(packet)}`)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Sends no more, and waits for the other side to end the connection too. */
  end(): void {
    this.#socket.end()
  }

  /** Ends the connection without DISCONNECT, as a broken network does. */
  cut(): void {
    this.#socket.destroy()
  }
}
