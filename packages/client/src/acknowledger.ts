/** Sends PUBACK and PUBREC when the application is done with a message, in the order in which the messages came. */

/** A message that has come and is not acknowledged. */
export interface Unacknowledged {
  readonly packetId: number
  readonly qos: 1 | 2
  /** Subscriptions that are not done with it. */
  pending: number
}

export class Acknowledger {
  readonly #send: (packetId: number, qos: 1 | 2) => void
  readonly #waiting: Unacknowledged[] = []

  /** `send` sends the PUBACK or PUBREC. */
  constructor(send: (packetId: number, qos: 1 | 2) => void) {
    this.#send = send
  }

  /** A message has come; `pending` subscriptions get it. */
  add(packetId: number, qos: 1 | 2, pending: number): Unacknowledged {
    const entry = { packetId, qos, pending }
    this.#waiting.push(entry)
    if (pending === 0) this.#flush()
    return entry
  }

  /** A subscription is done with a message. */
  done(entry: Unacknowledged): void {
    entry.pending--
    this.#flush()
  }

  /** Sends what can be sent without overtaking [MQTT-4.6.0-2] [MQTT-4.6.0-3]. */
  #flush(): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.pending === 0) {
      const { packetId, qos } = this.#waiting.shift()!
      this.#send(packetId, qos)
    }
  }
}
