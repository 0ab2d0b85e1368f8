// hot: runs per packet
/** A Network Connection: its state, and its outgoing half. */

import {
  type DisconnectProperties,
  encode,
  type MqttError,
  mayCarry,
  type PacketInput,
  type ProtocolVersion,
  ReasonCode,
} from '@tidewire/codec'
import type { IncomingAliases } from '@tidewire/session'
import type { AuthenticationExchange } from './authentication.js'
import { Timer } from './clock.js'
import type { Core } from './core.js'
import type { Goodbye, Refusal } from './hooks.js'
import type { Frame } from './message.js'
import type { Delivery, Link, Session } from './session.js'
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

/** An exchange of enhanced authentication (section 4.12) that goes on. */
export interface Authentication {
  readonly exchange: AuthenticationExchange
  /** What comes of it. */
  succeed(data: Uint8Array | undefined, userName: string | undefined): void
  refuse(refusal: Refusal): void
}

export class Connection implements Link {
  readonly core: Core
  readonly transport: Transport
  readonly sequence: number
  state: ConnectionState = 'connecting'
  version: ProtocolVersion = 5
  maxPacketSize: number = Number.POSITIVE_INFINITY
  /** Set from the state `open` on. */
  session: Session | undefined = undefined
  incomingAliases: IncomingAliases | undefined = undefined
  /** Set while an exchange of enhanced authentication goes on. */
  authentication: Authentication | undefined = undefined
  /** The method of its CONNECT, which all later exchanges must have. */
  authenticationMethod: string | undefined = undefined
  /** Whether Reason Strings and User Properties may be sent with failures [MQTT-3.1.2-29]. */
  explains = true
  /** How the connection ended, as far as it has. */
  goodbye: Goodbye = { reasonCode: undefined, byBroker: false }
  /** Seconds without a packet from the client after which it is taken for lost; 0 for ever. */
  keepAlive = 0
  /** Whether a handler is not done with the last packet. */
  isWaiting = false
  /** When the last packet came, by the broker's clock. */
  lastPacket = 0
  readonly #timer: Timer = new Timer(() => this.#timeOut())
  #outbox: Uint8Array[] = []
  #outboxBytes = 0

  constructor(core: Core, transport: Transport) {
    this.core = core
    this.transport = transport
    this.sequence = core.add(this)
    core.environment.timers.set(this.#timer, core.environment.limits.connectTimeout)
  }

  get congested(): boolean {
    return this.transport.backlog > this.core.environment.limits.maxBufferedBytes
  }

  /**
   * Sends a packet, without its properties if with them it is more than the client takes and they only explain
   * [MQTT-3.4.2-2]; closes when it is too large all the same [MQTT-3.1.2-24].
   */
  send(packet: PacketInput): void {
    if (this.#trySend(packet)) return
    if ('reasonString' in (('properties' in packet && packet.properties) || {})) {
      return this.send({ ...packet, properties: {} } as PacketInput)
    }
    this.disconnect(ReasonCode.PacketTooLarge)
  }

  /** The properties that tell a client why, if it wants to be told. */
  explanation(reasonString: string | undefined): { reasonString?: string } {
    return reasonString === undefined || !this.explains ? {} : { reasonString }
  }

  #trySend(packet: PacketInput): boolean {
    const bytes = encode(packet, this.version)
    if (bytes.length > this.maxPacketSize) return false
    this.#append(bytes)
    return true
  }

  takes(delivery: Delivery): boolean {
    // What a message takes in memory is more than any of its packets.
    return delivery.message.size <= this.maxPacketSize || this.#frame(delivery).length <= this.maxPacketSize
  }

  publish(delivery: Delivery, dup: boolean, packetId: number): void {
    this.#append(this.#frame(delivery).bytes(delivery.qos, delivery.retain, dup, packetId))
  }

  #frame({ message, qos, subscriptionIdentifiers }: Delivery): Frame {
    return message.frame(this.version, qos, this.core.environment.clock.now(), subscriptionIdentifiers)
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
    this.core.environment.metrics.connectionsAccepted++
    this.session = session
    this.keepAlive = keepAlive
    this.lastPacket = clock.now()
    this.transport.opened()
    if (keepAlive === 0) timers.cancel(this.#timer)
    else timers.set(this.#timer, keepAlive * 1500)
  }

  #timeOut(): void {
    const { clock, log } = this.core.environment
    if (this.state === 'open') {
      // What has come while the broker was busy is read before.
      if (this.#timeLeft() <= 0) return clock.defer(() => this.#checkKeepAlive())
      return this.#checkKeepAlive()
    }
    if (this.state !== 'closing') log.info(`${this.transport.remoteAddress} sent no CONNECT in time`)
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
  disconnect(reasonCode: number, properties: DisconnectProperties = {}): void {
    if (this.state === 'open') this.goodbye = { reasonCode, byBroker: true }
    if (this.state === 'open' && this.version === 5) {
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
    this.disconnect(mayCarry('disconnect', error.reasonCode) ? error.reasonCode : ProtocolError, {
      reasonString: error.message,
    })
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

  /** Whether something waits for a hook, for the network, or for the client's acknowledgement. */
  get busy(): boolean {
    return this.state === 'open' && (this.isWaiting || this.transport.backlog > 0 || this.session!.load > 0)
  }

  /** Leaves the session to its Will and its expiry. */
  #detach(): void {
    const { session } = this
    if (session?.link !== this) return
    session.link = undefined
    session.sender.suspend()
    this.core.environment.onDisconnect(session.client, this.goodbye)
    session.detached()
    this.core.wills.arm(session)
    this.core.sessions.release(session)
  }

  /** How it is called in the log. */
  get name(): string {
    return `${this.session === undefined ? 'unknown client' : JSON.stringify(this.session.clientId)} at ${this.transport.remoteAddress}`
  }
}
