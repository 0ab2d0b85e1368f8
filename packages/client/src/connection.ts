/** A Network Connection: packets out in batches, packets in one by one, and watch over its life. */

import {
  Decoder,
  encode,
  MqttError,
  mayCarry,
  type PacketInput,
  type ProtocolVersion,
  ReasonCode,
  type Received,
} from '@tidewire/codec'
import type { Stream, StreamHandler } from './transport.js'

/** Who is told what happens on a connection. */
export interface ConnectionHandler {
  /** A packet has come. What it throws ends the connection. */
  packet(packet: Received): void
  /** The connection is over, with the reason unless it was asked for. Called once, last. */
  closedBecause(reason: Error | undefined): void
}

/** `open`: packets flow; `closing`: the last one has been sent; `closed`: the stream is gone. */
type State = 'open' | 'closing' | 'closed'

// Milliseconds.
const lingerTime = 2_000
// Bytes of small packets that are written together.
const batchSize = 64 * 1024
// Bytes that may wait for the network before those who send should wait.
const highWaterMark = 256 * 1024

export class Connection implements StreamHandler {
  readonly version: ProtocolVersion
  readonly #handler: ConnectionHandler
  readonly #decoder: Decoder
  #stream: Stream | undefined
  #state: State = 'open'
  #error: Error | undefined
  #outbox: Uint8Array[] = []
  #outboxBytes = 0
  /** Who waits for room. */
  #waiting: (() => void)[] = []
  #lastSent = performance.now()
  #lastReceived = performance.now()
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

  /** Why nothing more can be sent; undefined while it can. */
  get over(): Error | undefined {
    return this.#state === 'open' ? undefined : (this.#error ?? new Error('the client is closed'))
  }

  /** Takes the stream that this connection is the handler of. */
  open(stream: Stream): void {
    this.#stream = stream
    if (this.#state === 'open') this.#flush()
    else stream.destroy()
  }

  /** Sends a packet, with all others of this turn. */
  send(packet: PacketInput): void {
    if (this.#state !== 'open') return // [MQTT-3.14.4-1]
    const bytes = encode(packet, this.version)
    if (this.#outbox.push(bytes) === 1) queueMicrotask(() => this.#flush())
    this.#outboxBytes += bytes.length
  }

  #flush(): void {
    const stream = this.#stream
    if (stream === undefined || this.#state === 'closed') return
    const pieces = this.#outbox
    this.#outbox = []
    this.#outboxBytes = 0
    this.#lastSent = performance.now()
    for (let from = 0, to = 0; from < pieces.length; from = to) {
      let length = pieces[to++]!.length
      while (to < pieces.length && length + pieces[to]!.length <= batchSize) length += pieces[to++]!.length
      stream.write(to === from + 1 ? pieces[from]! : concat(pieces, from, to, length))
    }
  }

  /** Settles when there is room for more, also when the connection is over; undefined when there is room already. */
  room(): Promise<void> | undefined {
    const waiting = this.#outboxBytes + (this.#stream?.backlog ?? 0)
    if (waiting < highWaterMark || this.#state !== 'open') return undefined
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  drained(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /**
   * Sends PINGREQ when for half of so many seconds nothing was sent [MQTT-3.1.2-20] or nothing has come, and gives up
   * when no answer comes in that many seconds.
   */
  keepAlive(seconds: number): void {
    if (seconds === 0) return
    const period = seconds * 1000
    this.#pinging = setInterval(() => {
      const now = performance.now()
      const idle = now - Math.min(this.#lastSent, this.#lastReceived) >= period / 2
      if (this.#pinged !== undefined && now - this.#pinged >= period) {
        this.cut(new MqttError(ReasonCode.KeepAliveTimeout, 'the server does not answer'))
      } else if (this.#pinged === undefined && idle) {
        this.#pinged = now
        this.send({ type: 'pingreq' })
      }
    }, period / 4)
  }

  data(bytes: Uint8Array): void {
    if (this.#state !== 'open') return
    // Any packet shows that the server is there.
    this.#pinged = undefined
    this.#lastReceived = performance.now()
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
    if (this.version === 5 && error instanceof MqttError && mayCarry('disconnect', error.reasonCode)) {
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
    if (this.#state === 'open') this.#error ??= error ?? new Error('the connection was lost')
    this.#state = 'closed'
    this.#handler.closedBecause(this.#error)
    this.drained()
  }
}

function concat(pieces: readonly Uint8Array[], from: number, to: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = from, at = 0; i < to; i++) {
    bytes.set(pieces[i]!, at)
    at += pieces[i]!.length
  }
  return bytes
}
