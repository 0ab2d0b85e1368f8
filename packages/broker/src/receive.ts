// hot: runs per packet
/** The incoming half of a connection: bytes to packets, packets to handlers, errors to an end. */

import { Framer, MqttError, PacketType, ReasonCode } from '@tidewire/codec'
import { Connection } from './connection.js'
import type { Core } from './core.js'
import { dispatch } from './dispatch.js'
import { refuseMalformed } from './handlers/connect.js'
import type { Transport, TransportHandler } from './transport.js'

/** Takes a new stream and serves it to its end. */
export function receive(core: Core, transport: Transport): Connection {
  const connection = new Connection(core, transport)
  transport.handler = new Incoming(connection)
  return connection
}

class Incoming implements TransportHandler {
  readonly #connection: Connection
  readonly #framer: Framer
  /** Whether a handler is not done: what comes meanwhile is kept. */
  #waiting = false
  /** Whether reading has been stopped because the client does not read. */
  #held = false

  constructor(connection: Connection) {
    this.#connection = connection
    this.#framer = new Framer(connection.core.environment.limits.maxConnectSize)
  }

  data(bytes: Uint8Array): void {
    const connection = this.#connection
    if (connection.state === 'closing' || connection.state === 'closed') return // [MQTT-3.1.4-6]
    const { clock, metrics } = connection.core.environment
    connection.lastReceived = clock.now()
    metrics.bytesReceived += bytes.length
    this.#framer.push(bytes)
    if (this.#waiting) this.#framer.hold()
    else this.#run()
  }

  #run(): void {
    const connection = this.#connection
    const framer = this.#framer
    try {
      while (connection.state !== 'closing' && connection.state !== 'closed' && framer.next()) {
        connection.core.environment.metrics.packetsReceived++
        const unfinished = dispatch(connection, framer)
        if (unfinished !== undefined) return this.#wait(unfinished)
        framer.maxPacketSize = connection.core.environment.limits.maxPacketSize
      }
    } catch (error) {
      this.#fail(error)
    }
    // A client that sends and does not read is not read from either.
    if (connection.congested && connection.state === 'open') this.#hold()
  }

  #wait(unfinished: Promise<void>): void {
    this.#waiting = true
    this.#framer.hold()
    this.#connection.transport.pause()
    unfinished
      .then(() => {
        this.#waiting = false
        this.#framer.maxPacketSize = this.#connection.core.environment.limits.maxPacketSize
        this.#connection.transport.resume()
        this.#run()
      })
      .catch((error) => this.#fail(error))
  }

  #hold(): void {
    if (this.#held) return
    this.#held = true
    this.#connection.transport.pause()
  }

  drained(): void {
    if (this.#held && !this.#waiting) {
      this.#held = false
      this.#connection.transport.resume()
    }
    this.#connection.session?.pump()
  }

  closed(): void {
    this.#connection.lost()
  }

  #fail(error: unknown): void {
    const connection = this.#connection
    if (!(error instanceof MqttError)) {
      const { log } = connection.core.environment
      log.error(`${connection.name}: ${error instanceof Error ? error.stack : String(error)}`)
      return connection.disconnect(ReasonCode.ImplementationSpecificError)
    }
    if (connection.state === 'open') return connection.fail(error)
    const { bytes, start, body, end } = this.#framer
    if (connection.state === 'connecting' && bytes[start]! >> 4 === PacketType.Connect) {
      return refuseMalformed(connection, error, bytes.subarray(body, end))
    }
    connection.close()
  }
}
