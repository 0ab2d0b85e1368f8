// hot: runs per packet
/** A Network Connection: its state, and its outgoing half. */

import {
  encode,
  type MqttError,
  mayCarry,
  type PacketInput,
  type ProtocolVersion,
  type QoS,
  ReasonCode,
} from '@tidewire/codec'
import type { IncomingAliases } from '@tidewire/session'
import { Timer } from './clock.js'
import type { Core } from './core.js'
import type { Frame } from './message.js'
import type { Limits } from './options.js'
import type { Link, Session } from './session.js'
import type { Transport } from './transport.js'

/**
 * `connecting`: no CONNECT yet; `authenticating`: its sender is being asked about; `open`: CONNACK has been sent;
 * `closing`: the last packet has been sent; `closed`: the stream is gone.
 */
export type ConnectionState = 'connecting' | 'authenticating' | 'open' | 'closing' | 'closed'

// Milliseconds for the peer to take the last packet and end the stream from its side.
const lingerTime = 2_000
// Bytes that are written at once when they come together before the end of the turn.
const batchSize = 64 * 1024

export class Connection implements Link {
  readonly core: Core
  readonly transport: Transport
  /** Those of the listener where it came in. */
  readonly limits: Limits
  readonly sequence: number
  state: ConnectionState = 'connecting'
  version: ProtocolVersion = 5
  maxPacketSize: number = Number.POSITIVE_INFINITY
  /** Set from the state `open` on. */
  session: Session | undefined = undefined
  incomingAliases: IncomingAliases | undefined = undefined
  /** Seconds without a packet from the client after which it is taken for lost; 0 for ever. */
  keepAlive = 0
  /** When the last packet came, by the broker's clock. */
  lastPacket = 0
  readonly #timer: Timer = new Timer(() => this.#timeOut())
  #outbox: Uint8Array[] = []
  #outboxBytes = 0

  constructor(core: Core, transport: Transport) {
    this.core = core
    this.transport = transport
    this.limits = transport.peer.limits
    this.sequence = core.add(this)
    const { clock, timers } = core.environment
    timers.set(this.#timer, transport.peer.acceptedAt + this.limits.connectTimeout - clock.now())
  }

  get congested(): boolean {
    return this.transport.backlog > this.limits.maxBufferedBytes
  }

  /** Sends a packet; closes instead when the client does not take one of its size [MQTT-3.1.2-24]. */
  send(packet: PacketInput): void {
    if (!this.#trySend(packet)) this.disconnect(ReasonCode.PacketTooLarge)
  }

  #trySend(packet: PacketInput): boolean {
    const bytes = encode(packet, this.version)
    if (bytes.length > this.maxPacketSize) return false
    this.#append(bytes)
    return true
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
    if (this.#outboxBytes >= batchSize) this.flush()
  }

  /** Hands all that waits to the network, in one piece. */
  flush(): void {
    const pieces = this.#outbox
    if (pieces.length === 0 || this.state === 'closed') return
    const bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, this.#outboxBytes)
    this.#outbox = []
    this.#outboxBytes = 0
    this.core.environment.metrics.bytesSent += bytes.length
    this.transport.write(bytes)
  }

  /** The CONNECT has been accepted: from now on Keep Alive is watched [MQTT-3.1.2-22]. */
  opened(session: Session, keepAlive: number): void {
    const { clock, timers } = this.core.environment
    this.state = 'open'
    this.session = session
    this.keepAlive = keepAlive
    this.lastPacket = clock.now()
    this.transport.opened()
    if (keepAlive === 0) timers.cancel(this.#timer)
    else timers.set(this.#timer, keepAlive * 1500)
  }

  #timeOut(): void {
    const { clock, log, metrics } = this.core.environment
    if (this.state === 'open') {
      // What has come while the broker was busy is read before.
      if (this.#timeLeft() <= 0) return clock.defer(() => this.#checkKeepAlive())
      return this.#checkKeepAlive()
    }
    if (this.state !== 'closing') {
      metrics.connectionsRefused++
      metrics.refused.timeout++
      log.info(`${this.transport.peer.name} sent no CONNECT in time`)
    }
    this.transport.destroy()
  }

  #checkKeepAlive(): void {
    if (this.state !== 'open') return
    const left = this.#timeLeft()
    if (left > 0) this.core.environment.timers.set(this.#timer, left)
    else this.disconnect(ReasonCode.KeepAliveTimeout)
  }

  #timeLeft(): number {
    return this.lastPacket + this.keepAlive * 1500 - this.core.environment.clock.now()
  }

  /** Closes with a DISCONNECT where the version has one from the Server, and without where it has not. */
  disconnect(reasonCode: number, reasonString?: string): void {
    if (this.state === 'open' && this.version === 5) {
      const properties = reasonString === undefined ? {} : { reasonString }
      // Shorter if the client takes no more [MQTT-3.14.2-3].
      if (!this.#trySend({ type: 'disconnect', reasonCode, properties }))
        this.#trySend({ type: 'disconnect', reasonCode })
    }
    this.close()
  }

  /** The client broke the standard [MQTT-4.13.1-1]. */
  fail(error: MqttError): void {
    const { ProtocolError } = ReasonCode
    this.core.environment.log.warn(`${this.name}: ${error.message}`)
    this.disconnect(mayCarry('disconnect', error.reasonCode) ? error.reasonCode : ProtocolError, error.message)
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
    return `${this.session === undefined ? 'unknown client' : JSON.stringify(this.session.clientId)} at ${this.transport.peer.name}`
  }
}
