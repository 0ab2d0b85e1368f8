/** The sending end of QoS 1 and QoS 2 (figures 4.2 and 4.3) and its send quota (section 4.9). */

import { PacketIds } from './packet-ids.js'

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
 * is to be sent; `unknown`, the identifier is not in use; `violation`, it belongs to another step of the protocol.
 */
export type Step = 'settled' | 'release' | 'unknown' | 'violation'

interface Entry<M> extends InFlight<M> {
  awaits: Awaited
  /** Whether it took from the quota of this connection. */
  counted: boolean
}

export class Sender<M> {
  readonly #ids: PacketIds
  /** In the order in which they were first sent. */
  readonly #inFlight: Map<number, Entry<M>> = new Map()
  #quota: number
  /** What a new connection still has to send again. */
  #resend: Entry<M>[] = []
  #resent = 0

  /** `packetIds` may be shared with SUBSCRIBE and UNSUBSCRIBE, as a Client must. */
  constructor(receiveMaximum = 0xffff, packetIds: PacketIds = new PacketIds()) {
    this.#quota = receiveMaximum
    this.#ids = packetIds
  }

  /** How many messages are in flight. */
  get size(): number {
    return this.#inFlight.size
  }

  /** Whether a new message may be sent now: quota is left, all is sent again that must be, and an identifier is free. */
  get ready(): boolean {
    return this.#quota > 0 && this.#resent === this.#resend.length && this.#ids.size < 0xffff
  }

  /** The message that an identifier stands for. */
  get(packetId: number): M | undefined {
    return this.#inFlight.get(packetId)?.message
  }

  /** Takes a message into flight and returns its identifier. May be called only while `ready` [MQTT-4.9.0-2]. */
  send(message: M, qos: 1 | 2): number {
    const packetId = this.#ids.take()
    this.#quota--
    this.#inFlight.set(packetId, { packetId, message, awaits: qos === 1 ? 'puback' : 'pubrec', counted: true })
    return packetId
  }

  puback(packetId: number): Step {
    return this.#settle(packetId, 'puback')
  }

  pubrec(packetId: number, reasonCode: number): Step {
    const entry = this.#inFlight.get(packetId)
    if (entry === undefined) return 'unknown'
    if (entry.awaits === 'puback') return 'violation'
    if (reasonCode >= 0x80) return this.#settle(packetId, 'pubrec') // [MQTT-4.4.0-2]
    entry.awaits = 'pubcomp' // from here on never the PUBLISH again [MQTT-4.3.3-6]
    return 'release'
  }

  pubcomp(packetId: number): Step {
    return this.#settle(packetId, 'pubcomp')
  }

  #settle(packetId: number, awaited: Awaited): Step {
    const entry = this.#inFlight.get(packetId)
    if (entry === undefined) return 'unknown'
    if (entry.awaits !== awaited) return 'violation'
    this.#inFlight.delete(packetId)
    this.#ids.free(packetId)
    if (entry.counted) this.#quota++
    return 'settled'
  }

  /** Begins a new connection of the same session: all in flight is to be sent again [MQTT-4.4.0-1], see `next`. */
  resume(receiveMaximum: number): void {
    this.#quota = receiveMaximum
    const entries = [...this.#inFlight.values()]
    for (const entry of entries) entry.counted = false
    // PUBREL is not held back by the quota (section 4.9); each kind keeps its order [MQTT-4.6.0-1].
    const released = entries.filter(({ awaits }) => awaits === 'pubcomp')
    this.#resend = [...released, ...entries.filter(({ awaits }) => awaits !== 'pubcomp')]
    this.#resent = 0
  }

  /**
   * The next message to be sent again, or undefined when all are or the quota is used up: as PUBREL when it awaits
   * PUBCOMP, else as PUBLISH with DUP [MQTT-3.3.1-1].
   */
  next(): InFlight<M> | undefined {
    for (; this.#resent < this.#resend.length; this.#resent++) {
      const entry = this.#resend[this.#resent]!
      if (this.#inFlight.get(entry.packetId) !== entry) continue // settled meanwhile
      if (entry.awaits !== 'pubcomp') {
        if (this.#quota === 0) return undefined
        this.#quota--
        entry.counted = true
      }
      this.#resent++
      return entry
    }
    this.#resend = []
    this.#resent = 0
    return undefined
  }

  /** All messages in flight, in the order in which they were first sent; also what `restore` takes. */
  *snapshot(): Generator<InFlight<M>, void, void> {
    for (const { packetId, message, awaits } of this.#inFlight.values()) yield { packetId, message, awaits }
  }

  /** Puts back what a snapshot held, before the first `resume`. */
  restore(inFlight: Iterable<InFlight<M>>): void {
    for (const entry of inFlight) {
      this.#ids.restore(entry.packetId)
      this.#inFlight.set(entry.packetId, { ...entry, counted: false })
    }
  }
}
