// hot: runs per packet
/** The sending end of QoS 1 and QoS 2 (figures 4.2 and 4.3) and its send quota (section 4.9). */

import { checkMaximum } from './maximum.js'
import { checkUnused, PacketIds } from './packet-ids.js'
import { PacketTable } from './packet-table.js'

/** The packet that a message in flight is waiting for. */
export type Awaited = 'puback' | 'pubrec' | 'pubcomp'

/** A message that has been sent and not been acknowledged for good. */
export interface InFlight<M> {
  readonly packetId: number
  readonly message: M
  readonly awaits: Awaited
}

/**
 * What an acknowledgement brought about: `settled`, the message is done and its identifier free; `release`, a PUBREL
 * is to be sent; `unknown`, the identifier is not in use: a PUBREC is answered by PUBREL with 0x92 (section 3.6.2.1), the
 * others by nothing; `violation`, it belongs to another step of the protocol.
 */
export type Step = 'settled' | 'release' | 'unknown' | 'violation'

interface Entry<M> extends InFlight<M> {
  awaits: Awaited
  /** Grows with the PUBLISH packets, and with the PUBREC packets, in the order in which they went and came. */
  order: number
  /** What went out on this connection: a PUBLISH took from the quota, a PUBREL alone did not. */
  sent: 'nothing' | 'publish' | 'pubrel'
}

const none: never[] = []
const noConnection = -1

/**
 * Messages of QoS 1 and 2 on their way to the peer. Each change of what outlives a connection is told by what the method
 * returns, so that a store can write it down before the packet goes out.
 */
export class Sender<M> {
  readonly #ids: PacketIds
  readonly #inFlight: PacketTable<Entry<M>> = new PacketTable()
  /** How many more PUBLISH packets may be sent, or `noConnection`. */
  #quota: number
  #order = 0
  /** What this connection still has to send again, the first one last. */
  #resend: Entry<M>[] = none

  /**
   * `packetIds` may be shared with SUBSCRIBE and UNSUBSCRIBE, as a Client must. The first connection has begun. Throws
   * RangeError unless `receiveMaximum` is 1 to 65,535 [MQTT-4.9.0-1].
   */
  constructor(receiveMaximum = 0xffff, packetIds: PacketIds = new PacketIds()) {
    this.#quota = checkMaximum(receiveMaximum, 1)
    this.#ids = packetIds
  }

  /** How many messages are in flight. */
  get size(): number {
    return this.#inFlight.size
  }

  /** Whether a new message may be sent now: quota is left, all is sent again that must be, and an identifier is free. */
  get ready(): boolean {
    return this.#quota > 0 && this.#resend.length === 0 && this.#ids.size < 0xffff
  }

  /** The message that an identifier stands for. */
  get(packetId: number): M | undefined {
    return this.#inFlight.get(packetId)?.message
  }

  /**
   * Takes a message into flight and returns its identifier. Throws RangeError unless `ready` [MQTT-4.9.0-2], and for
   * another QoS than 1 and 2.
   */
  send(message: M, qos: 1 | 2): number {
    if (!this.ready) throw new RangeError(`no message may be sent now: ${this.#obstacle()}`)
    if (qos !== 1 && qos !== 2) throw new RangeError(`qos must be 1 or 2, not ${qos}`)
    const packetId = this.#ids.take()
    const awaits = qos === 1 ? 'puback' : 'pubrec'
    this.#inFlight.add({ packetId, message, awaits, order: this.#order++, sent: 'publish' })
    this.#quota--
    return packetId
  }

  /** PUBACK has come. It ends the message also when it refuses it [MQTT-4.4.0-2]. */
  puback(packetId: number): Step {
    return this.#settle(packetId, 'puback')
  }

  /** PUBREC has come; one that refuses the message ends it [MQTT-4.4.0-2]. */
  pubrec(packetId: number, reasonCode: number): Step {
    if (reasonCode >= 0x80) return this.#settle(packetId, 'pubrec')
    const entry = this.#inFlight.get(packetId)
    if (entry === undefined) return 'unknown'
    if (entry.awaits === 'puback') return 'violation'
    if (entry.awaits === 'pubrec') entry.order = this.#order++
    entry.awaits = 'pubcomp' // from here on never the PUBLISH again [MQTT-4.3.3-6]
    if (entry.sent === 'nothing') entry.sent = 'pubrel'
    return 'release' // [MQTT-4.3.3-4]
  }

  /** PUBCOMP has come. */
  pubcomp(packetId: number): Step {
    return this.#settle(packetId, 'pubcomp')
  }

  /** The connection is lost: nothing is ready until `resume`, and memory is given back that is not needed. */
  suspend(): void {
    this.#quota = noConnection
    this.#resend = none
    for (const entry of this.#inFlight.entries()) entry.sent = 'nothing'
    this.#inFlight.trim()
    this.#ids.trim()
  }

  /**
   * Begins a new connection of the same session: all in flight is to be sent again [MQTT-4.4.0-1], see `next`. At no
   * other time is anything. `receiveMaximum` is what the peer takes at once on this connection: RangeError unless 1 to 65,535
   * [MQTT-4.9.0-1].
   */
  resume(receiveMaximum = 0xffff): void {
    checkMaximum(receiveMaximum, 1)
    this.suspend()
    this.#quota = receiveMaximum
    if (this.size > 0) this.#resend = this.#inOrder().reverse()
  }

  /**
   * The next message to be sent again, or undefined when all are or the quota is used up: as PUBREL when it awaits
   * PUBCOMP, else as PUBLISH with DUP [MQTT-3.3.1-1]. Ask after `resume` and after each acknowledgement.
   */
  next(): InFlight<M> | undefined {
    for (let entry = this.#resend.at(-1); entry !== undefined; entry = this.#resend.at(-1)) {
      // Settled or released meanwhile, there is nothing to send.
      const isDue = entry.sent === 'nothing' && this.#inFlight.get(entry.packetId) === entry
      if (isDue && entry.awaits !== 'pubcomp') {
        if (this.#quota === 0) return undefined
        this.#quota--
      }
      this.#resend.pop()
      if (!isDue) continue
      entry.sent = entry.awaits === 'pubcomp' ? 'pubrel' : 'publish'
      return asInFlight(entry)
    }
    return undefined
  }

  /** All messages in flight, in the order in which they would be sent again; what `restore` takes. */
  snapshot(): InFlight<M>[] {
    return this.#inOrder().map(asInFlight)
  }

  /**
   * Puts back what a snapshot held; `resume` begins the connection. Throws RangeError for what is no Packet Identifier or
   * comes twice, and TypeError for what awaits nothing, and then puts nothing back.
   */
  restore(inFlight: Iterable<InFlight<M>>): void {
    const entries = Array.from(inFlight, ({ packetId, message, awaits }): Entry<M> => {
      if (!isAwaited(awaits)) {
        throw new TypeError(`a message awaits puback, pubrec or pubcomp, not ${JSON.stringify(awaits)}`)
      }
      return { packetId, message, awaits, order: this.#order++, sent: 'nothing' }
    })
    const packetIds = entries.map(({ packetId }) => packetId)
    for (const packetId of checkUnused(packetIds, (id) => this.#ids.has(id))) this.#ids.restore(packetId)
    for (const entry of entries) this.#inFlight.add(entry)
    this.suspend()
  }

  /** PUBREL first, for the quota does not hold it back (section 4.9); each kind in its order [MQTT-4.6.0-1] [MQTT-4.6.0-4]. */
  #inOrder(): Entry<M>[] {
    const rank = ({ awaits }: Entry<M>): number => (awaits === 'pubcomp' ? 0 : 1)
    return this.#inFlight.entries().sort((a, b) => rank(a) - rank(b) || a.order - b.order)
  }

  #obstacle(): string {
    if (this.#quota === noConnection) return 'resume begins a connection first'
    if (this.#resend.length > 0) return 'next says what is to be sent again first'
    return this.#quota === 0 ? 'the Receive Maximum is reached' : 'all Packet Identifiers are in use'
  }

  #settle(packetId: number, awaited: Awaited): Step {
    const entry = this.#inFlight.get(packetId)
    if (entry === undefined) return 'unknown'
    if (entry.awaits !== awaited) return 'violation'
    this.#inFlight.delete(entry)
    this.#ids.free(packetId)
    if (entry.sent === 'publish') this.#quota++
    return 'settled'
  }
}

function asInFlight<M>({ packetId, message, awaits }: Entry<M>): InFlight<M> {
  return { packetId, message, awaits }
}

function isAwaited(value: unknown): boolean {
  return value === 'puback' || value === 'pubrec' || value === 'pubcomp'
}
