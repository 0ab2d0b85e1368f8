// hot: runs per packet
/** The incoming half of a connection: bytes to packets, packets to handlers, errors to an end. */

import { inspect } from 'node:util'
import { Framer, MqttError, ReasonCode } from '@tidewire/codec'
import { Connection } from './connection.js'
import type { Core } from './core.js'
import { dispatch } from './dispatch.js'
import { refuse, refuseMalformed } from './handlers/connect.js'
import type { Transport, TransportHandler } from './transport.js'

/** Takes a new stream and serves it to its end. */
export function receive(core: Core, transport: Transport): Connection {
  const connection = new Connection(core, transport)
  transport.handler = new Incoming(connection)
  return connection
}

/**
 * `flowing`: packets are handled as they come; `waiting`: a handler is not done, what comes is kept; `held`: nothing is
 * read, as the client does not read either, or the store is behind.
 */
type Reading = 'flowing' | 'waiting' | 'held'

const nothing = new Uint8Array(0)

class Incoming implements TransportHandler {
  readonly #connection: Connection
  readonly #framer: Framer
  #reading: Reading = 'flowing'
  /** Bytes kept while waiting. */
  #kept = 0
  /** Whether the stream ended while waiting. */
  #isGone = false

  constructor(connection: Connection) {
    this.#connection = connection
    this.#framer = new Framer(connection.limits.maxConnectSize)
  }

  get #isOver(): boolean {
    const { state } = this.#connection
    return state === 'closing' || state === 'closed'
  }

  data(bytes: Uint8Array): void {
    if (this.#isOver) return // [MQTT-3.1.4-6]
    const { clock, metrics } = this.#connection.core.environment
    metrics.bytesReceived += bytes.length
    this.#framer.push(bytes)
    if (this.#reading !== 'waiting') return this.#run()
    this.#framer.push(nothing) // the bytes are not ours any more when this returns
    this.#kept += bytes.length
    this.#connection.lastPacket = clock.now() // whether they are a packet is not known yet
    // Until then it is read, so that its end is seen.
    if (this.#kept > this.#connection.limits.maxConnectSize) this.#connection.transport.pause()
  }

  #run(): void {
    const connection = this.#connection
    const { clock, metrics } = connection.core.environment
    const framer = this.#framer
    let isFirst = true
    try {
      while (!this.#isOver && framer.next()) {
        metrics.packetsReceived++
        if (isFirst) connection.lastPacket = clock.now() // measured: 50 ns, for each packet too much
        isFirst = false
        const unfinished = dispatch(connection, framer)
        if (unfinished !== undefined) return this.#wait(unfinished)
        if (connection.state === 'open') framer.maxPacketSize = connection.limits.maxPacketSize
      }
      if (this.#isGone) return connection.lost()
      // A client that sends and does not read is not read from either.
      if (this.#isOver) return
      const { journal } = connection.core.environment
      if (journal?.store.congested) this.#holdUntil(journal.kept)
      else if (connection.congested) this.#hold()
    } catch (error) {
      this.#fail(error)
    }
  }

  #wait(unfinished: Promise<void>): void {
    this.#reading = 'waiting'
    this.#connection.isHandling = true
    this.#framer.push(nothing)
    unfinished.then(
      () => {
        this.#reading = 'flowing'
        this.#connection.isHandling = false
        this.#kept = 0
        const { state, limits } = this.#connection
        if (state === 'open') this.#framer.maxPacketSize = limits.maxPacketSize
        this.#connection.transport.resume()
        this.#run()
      },
      (error) => this.#fail(error),
    )
  }

  #hold(): void {
    this.#reading = 'held'
    this.#connection.transport.pause()
  }

  /** Brings the store nothing more before it has caught up. */
  #holdUntil(kept: Promise<void> | undefined): void {
    if (this.#reading !== 'held') this.#hold()
    const goOn = (): void => this.#goOn()
    Promise.resolve(kept).then(goOn, goOn)
  }

  /** Reads again, unless there still is a reason not to. */
  #goOn(): void {
    if (this.#reading !== 'held') return
    const { core, congested, transport } = this.#connection
    const { journal } = core.environment
    if (journal?.store.congested && journal.kept !== undefined) return this.#holdUntil(journal.kept)
    if (congested) return
    this.#reading = 'flowing'
    transport.resume()
  }

  drained(): void {
    this.#connection.drained()
    const { journal } = this.#connection.core.environment
    if (!journal?.store.congested) this.#goOn()
    this.#connection.session?.pump()
  }

  closed(): void {
    // What has come is still handled: a DISCONNECT among it is the end that the client meant [MQTT-3.14.4-3].
    if (this.#reading !== 'waiting' || this.#connection.state !== 'open') return this.#connection.lost()
    this.#isGone = true
    this.#connection.ended()
  }

  /** Ends the connection. What goes wrong on the way, in code of ours, may not reach the other connections. */
  #fail(error: unknown): void {
    try {
      this.#end(error)
    } catch (fault) {
      this.#connection.core.environment.log.error(`while closing a connection: ${inspect(fault)}`)
      this.#connection.transport.destroy()
    }
    if (this.#isGone) this.#connection.lost()
  }

  #end(error: unknown): void {
    const connection = this.#connection
    if (!(error instanceof MqttError)) {
      connection.core.environment.log.error(`${connection.name}: ${inspect(error)}`)
      const fault = new MqttError(ReasonCode.ImplementationSpecificError, 'something went wrong in the broker')
      return connection.state === 'authenticating' ? refuse(connection, fault) : connection.disconnect(fault.reasonCode)
    }
    if (connection.state === 'open') return connection.fail(error)
    if (connection.state === 'authenticating') return refuse(connection, error)
    const { bytes, start, body, end } = this.#framer
    const isConnect = bytes[start]! >> 4 === 1 && end > start
    if (connection.state === 'connecting' && isConnect)
      return refuseMalformed(connection, error, bytes.subarray(body, end))
    connection.close()
  }
}
