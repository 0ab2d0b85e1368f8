/** A client that sends what it likes, right or wrong, and sees every packet and how the connection ends. */

import { createConnection } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  type Connack,
  decodeFrame,
  encode,
  Framer,
  MqttError,
  type Packet,
  type PacketInput,
  type ProtocolVersion,
  type Publish,
} from '@tidewire/codec'

/** What a broker did is not what the standard, or the test, asks for. */
export class Failure extends Error {}

/** A packet of the broker, with the bytes that it came in. */
export type Seen = Packet & { readonly bytes: Uint8Array }
export type SeenAs<T extends Packet['type']> = Extract<Packet, { type: T }> & { readonly bytes: Uint8Array }

/** A PUBLISH may do without payload. */
export type Sent =
  | Exclude<PacketInput, { readonly type: 'publish' }>
  | ({ readonly type: 'publish'; readonly topic: string } & Partial<Omit<Publish, 'type' | 'topic'>>)

const nothing = new Uint8Array(0)

/** Seconds in which something that must happen has to happen. */
export const patience = 5

export class Client {
  readonly version: ProtocolVersion
  readonly clientId: string
  /** Set when the broker has accepted the connection. */
  connack: (Connack & { readonly bytes: Uint8Array }) | undefined
  readonly #socket: Duplex
  readonly #framer = new Framer()
  readonly #packets: Seen[] = []
  #state: 'open' | 'ended' = 'open'
  /** What was wrong with the bytes of the broker. */
  #fault: Failure | undefined
  #wake: () => void = () => {}

  constructor(socket: Duplex, version: ProtocolVersion, clientId: string) {
    this.#socket = socket
    this.version = version
    this.clientId = clientId
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => {}) // `close` follows
    socket.on('end', () => this.#end())
    socket.on('close', () => this.#end())
  }

  /** Opens a connection, without a packet. */
  static async open(host: string, port: number, version: ProtocolVersion, clientId: string): Promise<Client> {
    const socket = createConnection({ host, port, noDelay: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new Client(socket, version, clientId)
  }

  #read(chunk: Buffer): void {
    try {
      this.#framer.push(chunk)
      while (this.#framer.next()) this.#packets.push(this.#decode())
    } catch (error) {
      if (!(error instanceof MqttError)) throw error
      this.#fault ??= new Failure(`sent a packet that is not right: ${error.message}`)
    }
    this.#wake()
  }

  #decode(): Seen {
    const { bytes: chunk, start, end } = this.#framer
    const packet = decodeFrame(this.#framer, this.version)
    const bytes = chunk.slice(start, end)
    if (packet.type !== 'publish') return { ...packet, bytes }
    const { type, topic, payload, qos, retain, dup, packetId, properties } = packet.check()
    const publish: Publish = { type, topic, payload: payload.slice(), qos, retain, dup, packetId, properties }
    return { ...publish, bytes }
  }

  get isEnded(): boolean {
    return this.#state === 'ended'
  }

  #end(): void {
    this.#state = 'ended'
    this.#wake()
  }

  send(...packets: Sent[]): void {
    const complete = packets.map((each) => (each.type === 'publish' ? { payload: nothing, ...each } : each))
    this.sendBytes(...complete.map((packet) => encode(packet, this.version)))
  }

  sendBytes(...parts: Uint8Array[]): void {
    if (this.#socket.writable) this.#socket.write(Buffer.concat(parts))
  }

  /** Waits until something that has come, or the end, is what is looked for. Throws Failure after `patience`. */
  async #until<T>(what: string, look: () => T | undefined, seconds = patience, toTheEnd = false): Promise<T> {
    const deadline = performance.now() + seconds * 1000
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      if (this.#fault !== undefined && !toTheEnd) throw this.#fault
      const left = deadline - performance.now()
      if (left <= 0) throw new Failure(`${what}: nothing of the kind came, but ${this.#describe()}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  #describe(): string {
    return this.#packets.map(describe).join(', ') || (this.#state === 'ended' ? 'the end' : 'nothing')
  }

  /** The next packet, which must be of the type. */
  async expect<T extends Packet['type']>(type: T): Promise<SeenAs<T>> {
    const packet = await this.#until(`expected ${type}`, () => this.#packets.shift() ?? this.#ended(type))
    if (packet.type !== type) throw new Failure(`expected ${type}, got ${describe(packet)}`)
    return packet as SeenAs<T>
  }

  /** The first packet of the type; others stay where they are. */
  take<T extends Packet['type']>(type: T): Promise<SeenAs<T>> {
    return this.#until(`expected ${type}`, () => {
      const index = this.#packets.findIndex((packet) => packet.type === type)
      if (index < 0) return this.#ended(type)
      return this.#packets.splice(index, 1)[0] as SeenAs<T>
    })
  }

  #ended(type: string): undefined {
    if (this.#state === 'open' || this.#fault !== undefined) return undefined
    throw new Failure(`expected ${type}, got ${this.#describe()}`)
  }

  /** All packets up to and without the first that fits. */
  before(what: string, fits: (packet: Seen) => boolean): Promise<Seen[]> {
    return this.#until(`expected ${what}`, () => {
      const index = this.#packets.findIndex(fits)
      if (index < 0) return this.#ended(what)
      return this.#packets.splice(0, index + 1).slice(0, -1)
    })
  }

  /** Waits for the broker to end the connection. Returns the packets that came before. */
  async ending(seconds?: number): Promise<Seen[]> {
    await this.#until('expected the end', () => this.isEnded || undefined, seconds, true)
    if (this.#fault !== undefined) throw this.#fault
    const packets = this.#packets.splice(0)
    const goodbye = packets.findIndex(({ type }) => type === 'disconnect')
    if (goodbye >= 0 && goodbye < packets.length - 1) throw new Failure('sent packets behind DISCONNECT')
    return packets
  }

  /** All packets that came before the answer to a PINGREQ: what had been on its way is among them. */
  async ping(): Promise<Seen[]> {
    this.send({ type: 'pingreq' })
    return this.before('pingresp', ({ type }) => type === 'pingresp')
  }

  /** Ends the connection without DISCONNECT, as a broken network does. */
  cut(): void {
    this.#socket.destroy()
  }

  /** Ends the connection with DISCONNECT, and waits until the broker has ended its side. */
  async leave(reasonCode = 0, sessionExpiryInterval?: number): Promise<void> {
    const properties = sessionExpiryInterval === undefined ? {} : { sessionExpiryInterval }
    this.send({ type: 'disconnect', reasonCode, properties })
    this.#socket.end()
    await this.ending()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }
}

export function describe(packet: Packet): string {
  const code = 'reasonCode' in packet && packet.reasonCode > 0 ? ` 0x${packet.reasonCode.toString(16)}` : ''
  return packet.type.toUpperCase() + code
}
