/** A Network Connection: packets out in batches, packets in one by one, and watch over its life. */

import {
  Decoder,
  encode,
  encodedLength,
  MqttError,
  mayCarry,
  type Packet,
  type PacketInput,
  PacketType,
  type ProtocolVersion,
  ReasonCode,
} from '@tidewire/codec'
import type { Stream, StreamHandler } from './transport.js'

/** Who is told what happens on a connection. */
export interface ConnectionHandler {
  /** A packet has come. What it throws ends the connection. */
  packet(packet: Packet): void
  /** The connection is over, with the reason unless it was asked for. Called once, last. */
  closedBecause(reason: Error | undefined): void
}

/** `open`: packets flow; `closing`: the last one has been sent; `closed`: the stream is gone. */
type State = 'open' | 'closing' | 'closed'

// Milliseconds.
const lingerTime = 2_000

export class Connection implements StreamHandler {
  readonly version: ProtocolVersion
  readonly #handler: ConnectionHandler
  readonly #decoder: Decoder
  #stream: Stream | undefined
  #state: State = 'open'
  #error: Error | undefined
  #outbox: Uint8Array[] = []
  #lastSent = performance.now()
  #pinged: number | undefined
  #pinging: ReturnType<typeof setInterval> | undefined
  #linger: ReturnType<typeof setTimeout> | undefined

  constructor(version: ProtocolVersion, maxPacketSize: number | undefined, handler: ConnectionHandler) {
    this.version = version
    this.#handler = handler
    this.#decoder = new Decoder({ protocolVersion: version, ...(maxPacketSize !== undefined && { maxPacketSize }) })
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** The number of bytes that a packet takes. */
  lengthOf(packet: PacketInput): number {
    return encodedLength(packet, this.version)
  }

  /** Takes the stream that this connection is the handler of. */
  open(stream: Stream): void {
    this.#stream = stream
    if (this.#state === 'open') this.#flush()
    else stream.destroy()
  }

  /** Sends a packet, with all others of this turn in one piece. */
  send(packet: PacketInput): void {
    if (this.#state !== 'open') return // [MQTT-3.14.4-1]
    if (this.#outbox.push(encode(packet, this.version)) === 1) queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    const pieces = this.#outbox
    if (pieces.length === 0 || this.#stream === undefined || this.#state === 'closed') return
    this.#outbox = []
    this.#lastSent = performance.now()
    this.#stream.write(pieces.length === 1 ? pieces[0]! : concat(pieces))
  }

  /** Sends PINGREQ when nothing was sent for so many seconds [MQTT-3.1.2-20], and gives up without an answer. */
  keepAlive(seconds: number): void {
    if (seconds === 0) return
    const period = seconds * 1000
    this.#pinging = setInterval(() => {
      const now = performance.now()
      if (this.#pinged !== undefined && now - this.#pinged >= period) {
        this.cut(new MqttError(ReasonCode.KeepAliveTimeout, 'the server does not answer'))
      } else if (this.#pinged === undefined && now - this.#lastSent >= period / 2) {
        this.#pinged = now
        this.send({ type: 'pingreq' })
      }
    }, period / 4)
  }

  data(bytes: Uint8Array): void {
    if (this.#state !== 'open') return
    this.#pinged = undefined // any packet shows that the server is there
    try {
      for (const packet of this.#decoder.push(bytes)) {
        this.#handler.packet(packet)
        if (this.#state !== 'open') return
      }
    } catch (error) {
      this.fail(error as Error)
    }
  }

  /** Says goodbye and closes. */
  close(): void {
    if (this.#state !== 'open') return
    this.send({ type: 'disconnect' })
    this.#end()
  }

  /** Closes because of what the server sent; an MQTT 5.0 server is told of it. */
  fail(error: Error): void {
    if (this.#state !== 'open') return
    this.#error = error
    if (this.version === 5 && error instanceof MqttError && mayCarry(PacketType.Disconnect, error.reasonCode)) {
      this.send({ type: 'disconnect', reasonCode: error.reasonCode })
    }
    this.#end()
  }

  /** Gives the connection up without a word. */
  cut(error: Error): void {
    if (this.#state === 'closed') return
    this.#error ??= error
    this.#state = 'closing'
    this.#stream?.destroy()
  }

  #end(): void {
    this.#flush()
    this.#state = 'closing'
    this.#stream?.end()
    // A server that does not end the stream from its side is not waited for long.
    this.#linger = setTimeout(() => this.#stream?.destroy(), lingerTime)
  }

  closed(error?: Error): void {
    clearInterval(this.#pinging)
    clearTimeout(this.#linger)
    // Before `end` or `cut` it came unasked.
    const reason = this.#error ?? (this.#state === 'open' ? (error ?? new Error('the connection was lost')) : undefined)
    this.#state = 'closed'
    this.#handler.closedBecause(reason)
  }
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}
