// hot: runs per packet
/** A Network Connection: packets out in batches, packets in one by one, and watch over its life. */

import {
  decodeFrame,
  encodedLength,
  encodeInto,
  Framer,
  MqttError,
  type PacketInput,
  type ProtocolVersion,
  type Received,
} from '@tidewire/codec'
import type { Stream, StreamHandler } from './transport.js'

/** Who is told what happens on a connection. */
export interface ConnectionHandler {
  /** A packet has come. What it throws ends the connection. */
  packet(packet: Received): void
  /** Packets are about to go out, which a promise holds back. */
  beforeWrite(): Promise<void> | undefined
  /** There is room for more. */
  hasRoom(): void
}

/** `open`: packets flow; `closing`: the last one has been sent; `closed`: the stream is gone. */
type State = 'open' | 'closing' | 'closed'

// Milliseconds.
const lingerTime = 2_000
// Bytes of packets that are written together, at first and at most.
const leastBlock = 1024
const mostBlock = 64 * 1024
// Bytes that may wait for the network before those who send should wait.
const highWaterMark = 256 * 1024
// Bytes that a message that is kept keeps in memory beside itself, at most.
const keptTogether = 8 * 1024

const empty = /* @__PURE__ */ new Uint8Array()

/** Runs something when all that has come is dealt with. A microtask is too early: loops over messages run in such. */
const later: (run: () => void) => void =
  (globalThis as { setImmediate?: (run: () => void) => void }).setImmediate ??
  ((run) => {
    const { port1, port2 } = new MessageChannel() as unknown as Channel
    port1.onmessage = () => {
      port1.close()
      run()
    }
    port2.postMessage(0)
  })

/** A MessageChannel as browsers have it. */
interface Channel {
  readonly port1: { onmessage: () => void; close(): void }
  readonly port2: { postMessage(message: unknown): void }
}

export class Connection implements StreamHandler {
  readonly version: ProtocolVersion
  /** Bytes of a packet that the server takes. */
  maximumPacketSize: number = Number.POSITIVE_INFINITY
  readonly #handler: ConnectionHandler
  readonly #onEnd: (reason: Error | undefined) => void
  readonly #framer: Framer
  #stream: Stream | undefined
  #state: State = 'open'
  #error: Error | undefined
  /** Where packets are written to: those from `start` to `used` wait to be sent. */
  #block: Uint8Array = empty
  #start = 0
  #used = 0
  /** Full blocks that wait. */
  #pieces: Uint8Array[] = []
  #pieceBytes = 0
  #isScheduled = false
  /** Whether `beforeWrite` holds packets back. */
  #isHeld = false
  #lastSent: number = performance.now()
  #lastReceived: number = performance.now()
  #pinged: number | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `onEnd` is called once, last, with the reason unless the end was asked for. */
  constructor(
    version: ProtocolVersion,
    maximumPacketSize: number | undefined,
    handler: ConnectionHandler,
    onEnd: (reason: Error | undefined) => void,
  ) {
    this.version = version
    this.#handler = handler
    this.#onEnd = onEnd
    this.#framer = new Framer(maximumPacketSize)
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Whether there is room for more. */
  get hasRoom(): boolean {
    return this.#used - this.#start + this.#pieceBytes + (this.#stream?.backlog ?? 0) < highWaterMark
  }

  /** Takes the stream that this connection is the handler of. */
  open(stream: Stream): void {
    this.#stream = stream
    if (this.#state === 'open') this.#flush()
    else stream.destroy()
  }

  /** Sends a packet, with all others of this turn. Throws MqttError when it is too large for the server, 0x95. */
  send(packet: PacketInput): void {
    if (this.#state !== 'open') return // [MQTT-3.14.4-1]
    let end = encodeInto(packet, this.#block, this.#used, this.version)
    if (end < 0) {
      const size = encodedLength(packet, this.version)
      this.#nextBlock(size)
      end = encodeInto(packet, this.#block, 0, this.version)
    }
    if (end - this.#used > this.maximumPacketSize) {
      throw new MqttError(0x95, `the server takes packets of ${this.maximumPacketSize} bytes at most`, '3.2.2-15')
    }
    this.#used = end
    if (this.#isScheduled) return
    this.#isScheduled = true
    later(() => this.#flush())
  }

  /** Begins a new block, of which the packet takes so many bytes. */
  #nextBlock(size: number): void {
    this.#take()
    if (this.#pieceBytes >= mostBlock) this.#flush()
    const length = Math.min(Math.max(this.#block.length * 2, leastBlock), mostBlock)
    this.#block = new Uint8Array(Math.max(length, size))
    this.#start = 0
    this.#used = 0
  }

  /** Takes what waits in the block to the pieces. */
  #take(): void {
    if (this.#used === this.#start) return
    this.#pieces.push(this.#block.subarray(this.#start, this.#used))
    this.#pieceBytes += this.#used - this.#start
    this.#start = this.#used
  }

  #flush(): void {
    this.#isScheduled = false
    const stream = this.#stream
    if (stream === undefined || this.#state === 'closed' || this.#isHeld) return
    this.#take()
    const pieces = this.#pieces
    this.#pieces = []
    const bytes = this.#pieceBytes
    const held = this.#handler.beforeWrite()
    if (held === undefined) {
      this.#write(stream, pieces, bytes)
    } else {
      this.#isHeld = true
      held.then(
        () => {
          this.#isHeld = false
          this.#write(stream, pieces, bytes)
          this.#flush()
        },
        (error) => this.cut(error),
      )
    }
  }

  #write(stream: Stream, pieces: readonly Uint8Array[], bytes: number): void {
    this.#pieceBytes -= bytes
    this.#lastSent = performance.now()
    for (const piece of pieces) stream.write(piece)
    if (this.#state === 'closing' && this.#pieceBytes === 0) stream.end()
  }

  drained(): void {
    this.#handler.hasRoom()
  }

  /**
   * Sends PINGREQ when for half of so many seconds nothing was sent [MQTT-3.1.2-20] or nothing has come, and gives up
   * when no answer comes in that many seconds. Looks at the clock, for a timer may be late by hours.
   */
  keepAlive(seconds: number): void {
    if (seconds > 0) this.#watch(seconds * 1000, performance.now())
  }

  #watch(period: number, before: number): void {
    this.#timer = setTimeout(() => {
      const now = performance.now()
      // After a sleep the answer may be there and not be read yet: ask anew.
      const isLate = now - before > period
      if (this.#pinged !== undefined && now - this.#pinged >= period && !isLate) {
        return this.cut(new MqttError(0x8d, 'the server does not answer'))
      }
      const idle = now - Math.min(this.#lastSent, this.#lastReceived)
      if (isLate || (this.#pinged === undefined && idle >= period / 2)) this.ping()
      this.#watch(period, now)
    }, period / 4)
  }

  /** Asks whether the server is there. */
  ping(): void {
    this.#pinged = performance.now()
    this.send({ type: 'pingreq' })
  }

  data(bytes: Uint8Array): void {
    this.#pinged = undefined // any packet shows that the server is there
    this.#lastReceived = performance.now()
    const framer = this.#framer
    try {
      for (let at = 0; at < bytes.length && this.#state === 'open'; at += keptTogether) {
        framer.push(bytes.length > keptTogether ? bytes.slice(at, at + keptTogether) : bytes)
        while (this.#state === 'open' && framer.next()) {
          const packet = decodeFrame(framer, this.version)
          if (packet.type === 'publish') packet.check()
          this.#handler.packet(packet)
        }
      }
    } catch (error) {
      this.fail(error as Error)
    }
  }

  /** Says goodbye and closes. */
  close(packet: PacketInput): void {
    if (this.#state !== 'open') return
    this.send(packet)
    this.#end()
  }

  /** Closes because of what the server sent; an MQTT 5.0 server is told of it. */
  fail(error: Error): void {
    if (this.#state !== 'open') return
    this.#error = error
    if (this.version === 5 && error instanceof MqttError)
      this.send({ type: 'disconnect', reasonCode: error.reasonCode })
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
    this.#state = 'closing'
    clearTimeout(this.#timer)
    // A server that does not end the stream from its side is not waited for long.
    this.#timer = setTimeout(() => this.#stream?.destroy(), lingerTime)
    this.#flush()
  }

  closed(error?: Error): void {
    clearTimeout(this.#timer)
    // Before `end` or `cut` it came unasked.
    if (this.#state === 'open') this.#error ??= error ?? new Error('the connection was lost')
    this.#state = 'closed'
    this.#onEnd(this.#error)
  }
}
