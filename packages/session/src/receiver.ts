// hot: runs per packet
/** The receiving end of QoS 1 and QoS 2 (figures 4.2 and 4.3) and the Receive Maximum it set (section 4.9). */

import { isPacketId } from './packet-ids.js'
import { PacketTable } from './packet-table.js'

/**
 * What a PUBLISH is: `new`, to be processed and acknowledged; `duplicate`, of QoS 2 and to be acknowledged only
 * [MQTT-4.3.3-10]; `pending`, a duplicate of one that is being processed: its PUBREC follows; `exceeded`, one more than
 * the Receive Maximum allows: the connection ends with 0x93.
 */
export type Arrival = 'new' | 'duplicate' | 'pending' | 'exceeded'

/** A QoS 2 message that has come and not been released. */
interface Unreleased {
  readonly packetId: number
  /** The connection that brought it last. */
  connection: number
  /** Whether a PUBREC accepted it: then it is never new again. */
  accepted: boolean
}

/**
 * Messages of QoS 1 and 2 from the peer. Each change is told by what the method returns, so that a store can write it
 * down before the packet goes out.
 */
export class Receiver {
  #receiveMaximum: number
  #connection = 0
  /** Messages that this connection brought and that are not done: what the Receive Maximum counts. */
  #outstanding = 0
  readonly #unreleased: PacketTable<Unreleased> = new PacketTable()

  /** The first connection has begun. */
  constructor(receiveMaximum = 0xffff) {
    this.#receiveMaximum = receiveMaximum
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
      return known.accepted ? 'duplicate' : 'pending'
    }
    if (qos === 2) this.#unreleased.add({ packetId, connection: this.#connection, accepted: false })
    return 'new'
  }

  /**
   * A QoS 1 message is done, the one that came on `connection`, by default this one. Returns whether to send PUBACK: not
   * for another connection, where the identifier may stand for another message by now.
   */
  puback(connection: number = this.#connection): boolean {
    if (connection !== this.#connection) return false
    this.#outstanding--
    return true
  }

  /**
   * A QoS 2 message is done: accepted, or refused by a Reason Code of 0x80 or more, and then its identifier is free again
   * [MQTT-4.3.3-9]. Returns whether to send PUBREC: not before the message has come again on a new connection.
   */
  pubrec(packetId: number, reasonCode: number): boolean {
    const known = this.#unreleased.get(packetId)
    if (known === undefined) return false
    if (reasonCode >= 0x80) this.pubrel(packetId)
    else known.accepted = true
    return known.connection === this.#connection
  }

  /**
   * A PUBREL has come, to be answered by PUBCOMP [MQTT-4.3.3-11]: the identifier stands for a new message from now on
   * [MQTT-4.3.3-12]. Returns whether it released a message; if not, the PUBCOMP says 0x92 (section 3.7.2.1).
   */
  pubrel(packetId: number): boolean {
    const known = this.#unreleased.get(packetId)
    if (known === undefined) return false
    if (known.connection === this.#connection) this.#outstanding--
    this.#unreleased.delete(known)
    return true
  }

  /** Begins a new connection of the same session. */
  resume(receiveMaximum: number): void {
    this.#receiveMaximum = receiveMaximum
    this.#connection++
    this.#outstanding = 0
    this.#unreleased.trim()
  }

  /** The identifiers of QoS 2 messages that are accepted and not released; what `restore` takes. */
  snapshot(): number[] {
    const accepted = this.#unreleased.entries().filter((message) => message.accepted)
    return accepted.map(({ packetId }) => packetId)
  }

  /**
   * Puts back what a snapshot held; `resume` begins the connection. Throws RangeError for what is no Packet Identifier or
   * comes twice.
   */
  restore(unreleased: Iterable<number>): void {
    for (const packetId of unreleased) {
      if (!isPacketId(packetId) || this.#unreleased.get(packetId) !== undefined) {
        throw new RangeError(`${packetId} is not an unused Packet Identifier`)
      }
      this.#unreleased.add({ packetId, connection: -1, accepted: true })
    }
  }
}
