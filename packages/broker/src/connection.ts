// hot: runs per packet
/** A Network Connection: its state, and its outgoing half. */

import { encode, type MqttError, type PacketInput, type ProtocolVersion, type QoS, ReasonCode } from '@tidewire/codec'
import type { IncomingAliases } from '@tidewire/session'
import { Timer } from './clock.js'
import type { Core } from './core.js'
import type { Client } from './hooks.js'
import type { Frame } from './message.js'
import type { Link, Session } from './session.js'
import type { Transport } from './transport.js'

/**
 * `connecting`: no CONNECT yet; `authenticating`: its sender is being asked about; `open`: CONNACK has been sent;
 * `closing`: the last packet has been sent; `closed`: the stream is gone.
 */
export type ConnectionState = 'connecting' | 'authenticating' | 'open' | 'closing' | 'closed'

// Milliseconds for the peer to take the last packet and end the stream from its side.
const lingerTime = 2_000

export class Connection implements Link {
  readonly core: Core
  readonly transport: Transport
  state: ConnectionState = 'connecting'
  version: ProtocolVersion = 5
  /** Bytes that the client takes in one packet. */
  maxPacketSize: number = Number.POSITIVE_INFINITY
  /** Who it is; set when the state is `open`. */
  client!: Client
  session: Session | undefined = undefined
  incomingAliases: IncomingAliases | undefined = undefined
  /** Whether reasons may be told in acknowledgements too [MQTT-3.1.2-29]. */
  problemInformation = true
  /** Seconds without a packet from the client after which it is taken for lost; 0 for ever. */
  keepAlive = 0
  /** When bytes last came, by the broker's clock. */
  lastReceived: number
  readonly #timer: Timer = new Timer(() => this.#timeOut())
  #outbox: Uint8Array[] = []
  #outboxBytes = 0

  constructor(core: Core, transport: Transport) {
    this.core = core
    this.transport = transport
    const { clock, timers, limits } = core.environment
    this.lastReceived = clock.now()
    core.add(this)
    timers.set(this.#timer, limits.connectTimeout)
  }

  get congested(): boolean {
    return this.#outboxBytes + this.transport.backlog > this.core.environment.limits.maxBufferedBytes
  }

  send(packet: PacketInput): void {
    this.#append(encode(packet, this.version))
  }

  publish(frame: Frame, qos: QoS, retain: boolean, dup: boolean, packetId: number): void {
    this.#append(frame.bytes(qos, retain, dup, packetId))
  }

  pubrel(packetId: number): void {
    this.send({ type: 'pubrel', packetId })
  }

  #append(bytes: Uint8Array): void {
    if (this.state === 'closing' || this.state === 'closed') return // [MQTT-3.14.4-1]
    if (this.#outbox.push(bytes) === 1) this.core.mark(this)
    this.#outboxBytes += bytes.length
    this.core.environment.metrics.packetsSent++
  }

  /** Hands all that waits to the network, in one piece. */
  flush(): void {
    const pieces = this.#outbox
    if (pieces.length === 0 || this.state === 'closed') return
    const wasCongested = this.congested
    this.core.environment.metrics.bytesSent += this.#outboxBytes
    this.transport.write(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, this.#outboxBytes))
    this.#outbox = []
    this.#outboxBytes = 0
    // The network may have taken all of it at once, and then it does not report that it has room again.
    if (wasCongested && !this.congested) this.transport.handler.drained()
  }

  /** The CONNECT has been accepted: from now on Keep Alive is watched [MQTT-3.1.2-22]. */
  opened(client: Client, session: Session, keepAlive: number): void {
    this.state = 'open'
    this.client = client
    this.session = session
    this.keepAlive = keepAlive
    const { timers } = this.core.environment
    if (keepAlive === 0) timers.cancel(this.#timer)
    else timers.set(this.#timer, keepAlive * 1500)
  }

  #timeOut(): void {
    const { clock, timers, log } = this.core.environment
    if (this.state === 'closing') return this.transport.destroy()
    if (this.state !== 'open') {
      log.info(`${this.transport.remoteAddress} sent no CONNECT in time`)
      return this.transport.destroy()
    }
    const left = this.lastReceived + this.keepAlive * 1500 - clock.now()
    if (left > 0) return timers.set(this.#timer, left)
    this.disconnect(ReasonCode.KeepAliveTimeout)
  }

  /** Closes with a DISCONNECT where the version has one from the Server, and without where it has not. */
  disconnect(reasonCode: number, reasonString?: string): void {
    if (this.state === 'open' && this.version === 5) {
      const properties = reasonString === undefined ? {} : { reasonString }
      const bytes = encode({ type: 'disconnect', reasonCode, properties })
      // [MQTT-3.14.2-3]
      if (bytes.length <= this.maxPacketSize) this.#append(bytes)
      else this.send({ type: 'disconnect', reasonCode })
    }
    this.close()
  }

  /** The client broke the standard [MQTT-4.13.1-1]. */
  fail(error: MqttError): void {
    this.core.environment.log.warn(`${this.name}: ${error.message}`)
    this.disconnect(error.reasonCode, error.message)
  }

  /** Closes when all that waits has been sent. */
  close(): void {
    if (this.state === 'closing' || this.state === 'closed') return
    this.flush()
    this.state = 'closing'
    this.#detach()
    this.core.environment.timers.set(this.#timer, lingerTime)
    this.transport.end()
  }

  /** The stream is gone. */
  lost(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#outbox = []
    this.core.environment.timers.cancel(this.#timer)
    this.#detach()
    this.core.remove(this)
  }

  /** Leaves the session to its Will and its expiry. */
  #detach(): void {
    const { session } = this
    if (session?.link !== this) return
    session.link = undefined
    this.core.wills.arm(session)
    this.core.sessions.release(session)
  }

  /** How it is called in the log. */
  get name(): string {
    return `${this.session === undefined ? 'unknown client' : JSON.stringify(this.session.clientId)} at ${this.transport.remoteAddress}`
  }
}
