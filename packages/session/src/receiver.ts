/** The receiving end of QoS 1 and QoS 2 (figures 4.2 and 4.3) and the Receive Maximum it set (section 4.9). */

/**
 * What a PUBLISH is: `new`, to be processed and acknowledged; `duplicate`, of QoS 2 and to be acknowledged only
 * [MQTT-4.3.3-10]; `exceeded`, one more than the Receive Maximum allows.
 */
export type Arrival = 'new' | 'duplicate' | 'exceeded'

export class Receiver {
  #receiveMaximum: number
  /** QoS 2 messages that have come and not been released: part of the session. */
  readonly #unreleased: Set<number> = new Set()
  /** Those of them that came on this connection. */
  readonly #counted: Set<number> = new Set()
  /** QoS 1 messages of this connection that are not acknowledged yet. */
  #unacknowledged = 0

  constructor(receiveMaximum = 0xffff) {
    this.#receiveMaximum = receiveMaximum
  }

  /** QoS 2 messages that have come and not been released. */
  get size(): number {
    return this.#unreleased.size
  }

  /** A PUBLISH of QoS 1 or 2 has come. */
  publish(packetId: number, qos: 1 | 2): Arrival {
    const known = qos === 2 && this.#unreleased.has(packetId)
    if (known && this.#counted.has(packetId)) return 'duplicate'
    if (this.#unacknowledged + this.#counted.size >= this.#receiveMaximum) return 'exceeded'
    if (qos === 1) {
      this.#unacknowledged++
    } else {
      this.#counted.add(packetId)
      this.#unreleased.add(packetId)
    }
    return known ? 'duplicate' : 'new'
  }

  /** A PUBACK is sent. */
  puback(_packetId: number): void {
    this.#unacknowledged--
  }

  /** A PUBREC that refuses the message is sent: its identifier is free again [MQTT-4.3.3-9]. */
  refuse(packetId: number): void {
    this.pubrel(packetId)
  }

  /** A PUBREL has come, to be answered by PUBCOMP [MQTT-4.3.3-11]. Returns whether it released a message. */
  pubrel(packetId: number): boolean {
    this.#counted.delete(packetId)
    return this.#unreleased.delete(packetId)
  }

  /** Begins a new connection of the same session. */
  resume(receiveMaximum: number): void {
    this.#receiveMaximum = receiveMaximum
    this.#counted.clear()
    this.#unacknowledged = 0
  }

  /** The identifiers of QoS 2 messages that are not released; also what `restore` takes. */
  snapshot(): number[] {
    return [...this.#unreleased]
  }

  /** Puts back what a snapshot held, before the first `resume`. */
  restore(unreleased: Iterable<number>): void {
    for (const packetId of unreleased) this.#unreleased.add(packetId)
  }
}
