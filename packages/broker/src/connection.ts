// hot: runs per packet
/** A Network Connection: its state, and its outgoing half. */

import {
  type DisconnectProperties,
  encode,
  type MqttError,
  mayCarry,
  type PacketInput,
  type ProtocolVersion,
  type QoS,
  ReasonCode,
} from '@tidewire/codec'
import type { AliasUse, IncomingAliases, OutgoingAliases } from '@tidewire/session'
import type { AuthenticationExchange } from './authentication.js'
import { Timer } from './clock.js'
import type { Core } from './core.js'
import type { Goodbye, Grant, Refusal } from './hooks.js'
import { copyBytes, Memory } from './memory.js'
import { largeMessage, type Message } from './message.js'
import type { Limits } from './options.js'
import { Outgoing } from './outgoing.js'
import type { Link, Session } from './session.js'
import { slabSize } from './slabs.js'
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
// Bytes that a Topic Alias may add, with a longer Property Length.
const aliasSize = 4

const outgoing = new Outgoing()

/** An exchange of enhanced authentication (section 4.12) that goes on. */
export interface Authentication {
  readonly exchange: AuthenticationExchange
  /** What comes of it. */
  succeed(data: Uint8Array | undefined, grant: Grant): void
  refuse(refusal: Refusal): void
}

/** What waits until all that has changed is kept. */
interface Held {
  readonly pieces: readonly Uint8Array[]
  /** Bytes of them. */
  readonly length: number
  /** Slabs that they lie in. */
  readonly slabs: readonly Memory[]
  /** How often the store had failed by then. */
  readonly failures: number
}

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
  /** Set when the client takes Topic Aliases. */
  outgoingAliases: OutgoingAliases | undefined = undefined
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
  isHandling = false
  /** When the last packet came, by the broker's clock. */
  lastPacket = 0
  readonly #timer: Timer = new Timer(() => this.#timeOut())
  /** Ends the connection with what its client was granted. */
  #expiry: Timer | undefined = undefined
  /** Where what is to be sent is gathered, from one index to the other. */
  #slab: Memory | undefined = undefined
  #from = 0
  #used = 0
  /** What comes before it. */
  #pieces: Uint8Array[] = []
  /** Bytes of all. */
  #waiting = 0
  /** Slabs that are not given back yet. */
  readonly #lent: Memory[] = []
  /** Whether what is gathered may only be sent when all that has changed is kept. */
  #depends = false
  /** How often the store had failed when it began to. */
  #failures = 0
  /** What was gathered before and waits for that, in order. */
  #held: Held[] = []
  #heldBytes = 0

  constructor(core: Core, transport: Transport) {
    this.core = core
    this.transport = transport
    this.limits = transport.peer.limits
    this.sequence = core.add(this)
    const { clock, timers } = core.environment
    timers.set(this.#timer, transport.peer.acceptedAt + this.limits.connectTimeout - clock.now())
  }

  get congested(): boolean {
    const held = this.#heldBytes + (this.#depends ? this.#waiting : 0)
    return this.transport.backlog + held > this.limits.maxBufferedBytes
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
    if (!this.#isOpen) return true // [MQTT-3.14.4-1]
    this.core.environment.metrics.packetsSent++
    this.#depend()
    if (bytes.length > largeMessage) this.#refer(bytes)
    else this.#room(bytes.length).bytes.set(bytes, this.#used - bytes.length)
    return true
  }

  /** What is said next is not true before what has changed is kept. */
  #depend(): void {
    const { journal } = this.core.environment
    if (this.#depends || !journal?.isPending) return
    this.#depends = true
    this.#failures = journal.failures
  }

  get #isOpen(): boolean {
    return this.state !== 'closing' && this.state !== 'closed'
  }

  takes(message: Message, qos: QoS, subscriptionIdentifiers: readonly number[]): boolean {
    const { maxPacketSize } = this
    if (maxPacketSize === Number.POSITIVE_INFINITY) return true
    // What a message takes in memory is more than its packet, but for many Subscription Identifiers.
    if (subscriptionIdentifiers.length === 0 && message.size <= maxPacketSize) return true
    const length = outgoing.measure(message, this.version, qos, subscriptionIdentifiers, undefined)
    return length + (this.outgoingAliases === undefined ? 0 : aliasSize) <= maxPacketSize
  }

  publish(
    message: Message,
    qos: QoS,
    retain: boolean,
    subscriptionIdentifiers: readonly number[],
    dup: boolean,
    packetId: number,
  ): void {
    if (!this.#isOpen) return // [MQTT-3.14.4-1]
    this.core.environment.metrics.packetsSent++
    if (qos === 2) this.#depend() // or the identifier could stand for another message after a restart
    const use = this.outgoingAliases?.for(message.topic)
    const isAliased = use !== undefined && use.alias > 0
    if (isAliased || subscriptionIdentifiers.length > 0 || !message.isFor(this.version, qos)) {
      return this.#assemble(message, qos, retain, subscriptionIdentifiers, dup, packetId, isAliased ? use : undefined)
    }
    const { start, payloadAt, end } = message
    // Of a large packet what comes before the payload is copied.
    const isLarge = message.length > largeMessage
    const length = (isLarge ? payloadAt : end) - start
    const memory = this.#memoryFor(length)
    const at = memory === this.#slab ? this.#used - length : 0
    copyBytes(message, start, start + length, memory, at)
    const { bytes } = memory
    bytes[at] = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
    if (qos > 0) {
      const idAt = at + message.topicEnd - start
      bytes[idAt] = packetId >> 8
      bytes[idAt + 1] = packetId
    }
    if (message.expiryAt > 0) {
      memory.view.setUint32(at + message.expiryAt - start, message.secondsLeft(this.core.environment.clock))
    }
    if (memory !== this.#slab) this.#refer(bytes)
    if (isLarge) this.#refer(message.payload)
  }

  /** Sends a packet that differs from the one that came in by more than some bytes. */
  #assemble(
    message: Message,
    qos: QoS,
    retain: boolean,
    subscriptionIdentifiers: readonly number[],
    dup: boolean,
    packetId: number,
    use: AliasUse | undefined,
  ): void {
    const whole = outgoing.measure(message, this.version, qos, subscriptionIdentifiers, use)
    // By the length that it came in: the router has kept those, and others lie in memory that is used again.
    const isLarge = message.length > largeMessage
    const length = isLarge ? outgoing.head : whole
    const memory = this.#memoryFor(length)
    const at = memory === this.#slab ? this.#used - length : 0
    const payloadAt = outgoing.write(memory, at, retain, dup, packetId, this.core.environment.clock)
    if (!isLarge) copyBytes(message, message.payloadAt, message.end, memory, payloadAt)
    if (memory !== this.#slab) this.#refer(memory.bytes)
    if (isLarge) this.#refer(message.payload)
  }

  /** Room in the slab, its last bytes before `#used`; memory of its own for what no slab can hold. */
  #memoryFor(length: number): Memory {
    return length <= slabSize ? this.#room(length) : new Memory(length)
  }

  pubrel(packetId: number): void {
    this.acknowledge(0x62, packetId)
  }

  /** Sends PUBACK, PUBREC, PUBREL or PUBCOMP in its shortest form: Success. */
  acknowledge(firstByte: number, packetId: number): void {
    if (!this.#isOpen) return // [MQTT-3.14.4-1]
    this.#depend()
    const slab = this.#room(4).bytes
    const at = this.#used - 4
    slab[at] = firstByte
    slab[at + 1] = 2
    slab[at + 2] = packetId >> 8
    slab[at + 3] = packetId
    this.core.environment.metrics.packetsSent++
  }

  /** Makes room for some bytes in a slab: the last ones before `#used`. */
  #room(length: number): Memory {
    if (this.#waiting >= batchSize && !this.#depends) this.flush()
    if (this.#waiting === 0) this.core.mark(this)
    this.#waiting += length
    if (this.#slab !== undefined && this.#slab.bytes.length - this.#used < length) this.#close()
    if (this.#slab === undefined) {
      this.#slab = this.core.slabs.take(length, this.#pieces.length > 0)
      this.#lent.push(this.#slab)
      this.#from = 0
      this.#used = 0
    }
    this.#used += length
    return this.#slab
  }

  /** Has bytes sent that nobody changes any more, without a copy. */
  #refer(bytes: Uint8Array): void {
    if (this.#waiting >= batchSize && !this.#depends) this.flush()
    if (this.#waiting === 0) this.core.mark(this)
    this.#waiting += bytes.length
    this.#cut()
    this.#pieces.push(bytes)
  }

  /** What lies in the slab becomes a piece. */
  #cut(): void {
    if (this.#used > this.#from) this.#pieces.push(this.#slab!.bytes.subarray(this.#from, this.#used))
    this.#from = this.#used
  }

  #close(): void {
    this.#cut()
    this.#slab = undefined
    this.#from = 0
    this.#used = 0
  }

  /** Hands all that waits to the network, at once. */
  flush(): void {
    if (this.#waiting === 0 || this.state === 'closed') return
    const waits = this.#depends || this.#heldBytes > 0
    if (waits || this.transport.backlog > 0) this.#economize()
    this.#close()
    this.core.environment.metrics.bytesSent += this.#waiting
    const length = this.#waiting
    this.#waiting = 0
    const pieces = this.#pieces
    this.#pieces = []
    if (waits && this.#hold(pieces, length)) return
    this.transport.write(pieces)
    this.drained()
  }

  /** Keeps what is to be sent back until all that has changed is kept. Returns false when it is. */
  #hold(pieces: readonly Uint8Array[], length: number): boolean {
    const { kept, failures } = this.core.environment.journal!
    const isInVain = this.#depends && failures !== this.#failures
    this.#depends = false
    if (isInVain) this.transport.destroy()
    else if (kept === undefined && this.#heldBytes === 0) return false
    else {
      this.#held.push({ pieces, length, slabs: this.#lent.splice(0), failures })
      this.#heldBytes += length
      Promise.resolve(kept).then(
        () => this.#letGo(),
        () => this.transport.destroy(),
      )
    }
    return true
  }

  /** Sends the first of what was kept back. */
  #letGo(): void {
    if (this.state === 'closed') return
    const { pieces, length, slabs, failures } = this.#held.shift()!
    if (failures !== this.core.environment.journal!.failures) return this.transport.destroy()
    this.#heldBytes -= length
    this.transport.write(pieces)
    if (this.transport.backlog > 0) this.#lent.push(...slabs)
    else for (const slab of slabs) this.core.slabs.give(slab)
    if (this.#held.length > 0) return
    if (this.state === 'closing') this.transport.end()
    else if (this.transport.backlog === 0) this.transport.handler.drained() // it may have been congested by this
  }

  /** The network is behind, and will hold what it is given for a while: bytes of their own size, not a slab. */
  #economize(): void {
    const slab = this.#slab
    if (slab === undefined || this.#from > 0 || this.#used * 2 > slab.bytes.length) return
    this.#pieces.push(Buffer.from(slab.bytes.subarray(0, this.#used)))
    this.#lent.pop()
    this.core.slabs.give(slab)
    this.#slab = undefined
    this.#used = 0
  }

  /** The network has taken what it was given, maybe all of it. */
  drained(): void {
    if (this.#lent.length === 0 || this.#waiting > 0 || this.transport.backlog > 0) return
    for (const slab of this.#lent) this.core.slabs.give(slab)
    this.#lent.length = 0
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

  /** Ends the connection at a time, milliseconds since 1970, instead of the one before; undefined for never. */
  expireAt(time: number | undefined): void {
    const { timers } = this.core.environment
    if (this.#expiry !== undefined) timers.cancel(this.#expiry)
    if (time === undefined) return
    this.#expiry ??= new Timer(() => this.disconnect(ReasonCode.MaximumConnectTime))
    timers.set(this.#expiry, time - Date.now())
  }

  /** The stream has ended, and what came before is still being handled: nobody can be silent any more. */
  ended(): void {
    this.keepAlive = 0
    this.core.environment.timers.cancel(this.#timer)
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
      const what = this.state === 'connecting' ? 'sent no CONNECT' : 'was not authenticated'
      log.info(`${this.transport.peer.name} ${what} in time`)
    }
    // It may be a hook that is late, and not the client.
    if (this.state === 'authenticating' && this.authentication === undefined) {
      this.send({ type: 'connack', reasonCode: this.version === 5 ? ReasonCode.ServerUnavailable : 3 })
      return this.close()
    }
    this.transport.destroy()
  }

  #checkKeepAlive(): void {
    if (this.state !== 'open' || this.keepAlive === 0) return
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
    this.expireAt(undefined)
    this.core.environment.timers.set(this.#timer, lingerTime)
    if (this.#held.length === 0) this.transport.end()
  }

  /** The stream is gone. */
  lost(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#close()
    this.#pieces = []
    this.#held = []
    this.#lent.length = 0 // the stream may still refer to them
    this.core.environment.timers.cancel(this.#timer)
    this.expireAt(undefined)
    this.#detach()
    this.core.remove(this)
  }

  /** Whether something waits for a hook, for the network, or for the client's acknowledgement. */
  get busy(): boolean {
    const { state, isHandling, transport } = this
    return (
      state === 'open' &&
      (isHandling || this.#waiting + this.#heldBytes > 0 || transport.backlog > 0 || this.session!.load > 0)
    )
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
    return `${this.session === undefined ? 'unknown client' : JSON.stringify(this.session.clientId)} at ${this.transport.peer.name}`
  }
}
