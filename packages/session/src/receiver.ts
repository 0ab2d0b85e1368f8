// hot: runs per packet
/** The receiving end of QoS 1 and QoS 2 (figures 4.2 and 4.3) and the Receive Maximum it set (section 4.9). */

import { checkMaximum } from './maximum.js'
import { checkUnused } from './packet-ids.js'
import { PacketTable } from './packet-table.js'

/**
 * What a PUBLISH is: `new`, to be processed and acknowledged; `duplicate`, of QoS 2 and to be acknowledged only
 * [MQTT-4.3.3-10]; `pending`, a duplicate of one that is being processed: its PUBREC follows; `exceeded`, one more than
 * the Receive Maximum allows: the connection ends with 0x93.
 */
export type Arrival = 'new' | 'duplicate' | 'pending' | 'exceeded'

/**
 * What becomes of the PUBREC of a message: `send` it; `wait`, for the message has not come on this connection yet: when it
 * does, `publish` says what is due; `unknown`, no message waits for one.
 */
export type Receipt = 'send' | 'wait' | 'unknown'

/** A QoS 2 message that has come and not been released. */
interface Unreleased {
  readonly packetId: number
  /** The connection that brought it last. */
  connection: number
  // measured: numbers, for named constants or strings take 5 ns more with each message.
  /**
   * 0, it is pending: being processed; 1, a PUBREC accepted it: then it is never new again; 2, a PUBREL came for it while it
   * was pending: the peer has forgotten it.
   */
  state: 0 | 1 | 2
}

/**
 * Messages of QoS 1 and 2 from the peer. Each change of what outlives a connection is told by what the method returns, so
 * that a store can write it down before the packet goes out.
 */
export class Receiver {
  #receiveMaximum: number
  #connection = 0
  /** Messages that this connection brought and that are not done: what the Receive Maximum counts. */
  #outstanding = 0
  readonly #unreleased: PacketTable<Unreleased> = new PacketTable()

  /** The first connection has begun. Throws RangeError unless `receiveMaximum` is 1 to 65,535. */
  constructor(receiveMaximum = 0xffff) {
    this.#receiveMaximum = checkMaximum(receiveMaximum, 1)
  }

  /** QoS 2 messages that have come and not been released. */
  get size(): number {
    return this.#unreleased.size
  }

  /** The number of the connection, for `puback`. */
  get connection(): number {
    return this.#connection
  }

  /** A PUBLISH of QoS 1 or 2 has come. At QoS 1 it is new whatever its identifier [MQTT-4.3.2-5]. */
  publish(packetId: number, qos: 1 | 2): Arrival {
    const known = qos === 2 ? this.#unreleased.get(packetId) : undefined
    if (known?.connection !== this.#connection) {
      if (this.#outstanding >= this.#receiveMaximum) return 'exceeded' // [MQTT-3.3.4-7] [MQTT-3.3.4-9]
      this.#outstanding++
    }
    if (known !== undefined) {
      known.connection = this.#connection
      return known.state === 1 ? 'duplicate' : 'pending'
    }
    if (qos === 2) this.#unreleased.add({ packetId, connection: this.#connection, state: 0 })
    return 'new'
  }

  /**
   * A QoS 1 message is done, the one that came on `connection`, by default this one. Returns whether to send PUBACK: not
   * for another connection, where the identifier may stand for another message by now, and not if nothing
   * waits for one.
   */
  puback(connection: number = this.#connection): boolean {
    if (connection !== this.#connection || this.#outstanding === 0) return false
    this.#outstanding--
    return true
  }

  /**
   * A QoS 2 message is done: accepted, or refused by a Reason Code of 0x80 or more, and then its identifier is free again
   * [MQTT-4.3.3-9]. Only what is accepted and not `unknown` is to be kept, until it is released.
   */
  pubrec(packetId: number, reasonCode: number): Receipt {
    const known = this.#unreleased.get(packetId)
    if (known === undefined) return 'unknown'
    if (reasonCode >= 0x80 || known.state === 2) return this.#refuse(known)
    known.state = 1
    return known.connection === this.#connection ? 'send' : 'wait'
  }

  /**
   * A PUBREL has come, to be answered by PUBCOMP [MQTT-4.3.3-11]: the identifier stands for a new message from now on
   * [MQTT-4.3.3-12]. Returns whether it released a message; if not, the PUBCOMP says 0x92 (section 3.7.2.1). What has not
   * been accepted is not released: it counts against the Receive Maximum until it is done.
   */
  pubrel(packetId: number): boolean {
    const known = this.#unreleased.get(packetId)
    if (known === undefined) return false
    if (known.state !== 1) {
      known.state = 2
      return false
    }
    // As `#release` does. measured: 3 ns less for each message.
    if (known.connection === this.#connection && this.#outstanding > 0) this.#outstanding--
    this.#unreleased.delete(known)
    return true
  }

  #refuse(known: Unreleased): Receipt {
    if (known.state === 1) return 'unknown' // too late
    this.#release(known)
    if (known.state === 2) return 'unknown' // nobody waits for PUBREC
    return known.connection === this.#connection ? 'send' : 'wait'
  }

  #release(known: Unreleased): void {
    if (known.connection === this.#connection && this.#outstanding > 0) this.#outstanding--
    this.#unreleased.delete(known)
  }

  /** Begins a new connection of the same session. Throws RangeError unless `receiveMaximum` is 1 to 65,535. */
  resume(receiveMaximum = 0xffff): void {
    this.#receiveMaximum = checkMaximum(receiveMaximum, 1)
    this.#connection++
    this.#outstanding = 0
    this.#unreleased.trim()
  }

  /** The identifiers of QoS 2 messages that are accepted and not released; what `restore` takes. */
  snapshot(): number[] {
    const accepted = this.#unreleased.entries().filter(({ state }) => state === 1)
    return accepted.map(({ packetId }) => packetId)
  }

  /**
   * Puts back what a snapshot held; `resume` begins the connection. Throws RangeError for what is no Packet Identifier or
   * comes twice, and then puts nothing back.
   */
  restore(unreleased: Iterable<number>): void {
    const packetIds = checkUnused(unreleased, (packetId) => this.#unreleased.get(packetId) !== undefined)
    for (const packetId of packetIds) this.#unreleased.add({ packetId, connection: -1, state: 1 })
  }
}
