// hot: runs per packet
/** Sends PUBACK and PUBREC when the application is done with a message, in the order in which the messages came. */

import { MqttError, type ReceivedPublish } from '@tidewire/codec'
import { Receiver } from '@tidewire/session'
import { Queue } from './queue.js'
import type { Journal } from './store.js'

/** A message of QoS 1 or 2 that has come and is not acknowledged. */
export class Delivery {
  readonly packetId: number
  readonly qos: number
  /** The connection that brought it last; -1 when its session is lost. */
  connection: number
  /** Subscriptions that are not done with it. */
  pending = 1
  /** The highest that one of them gave. */
  reasonCode = 0
  readonly #acknowledger: Acknowledger

  constructor(acknowledger: Acknowledger, packetId: number, qos: number, connection: number) {
    this.#acknowledger = acknowledger
    this.packetId = packetId
    this.qos = qos
    this.connection = connection
  }

  /** A subscription is done with it. */
  done(reasonCode: number): void {
    if (reasonCode > this.reasonCode) this.reasonCode = reasonCode
    this.pending--
    this.#acknowledger.flush()
  }
}

/** Sends PUBACK or PUBREC. */
type Send = (type: 'puback' | 'pubrec', packetId: number, reasonCode: number) => void

export class Acknowledger {
  readonly #send: Send
  readonly #receiveMaximum: number
  readonly #journal: Journal | undefined
  #receiver: Receiver
  readonly #waiting: Queue<Delivery> = new Queue()

  constructor(receiveMaximum: number, journal: Journal | undefined, send: Send) {
    this.#receiveMaximum = receiveMaximum
    this.#journal = journal
    this.#send = send
    this.#receiver = new Receiver(receiveMaximum)
  }

  /** Puts back the identifiers of QoS 2 messages that are not new when they come. */
  restore(packetIds: number[]): void {
    this.#receiver.restore(packetIds)
  }

  /** A connection begins, of the same session or of a new one. */
  begin(isResumed: boolean): void {
    if (!isResumed) {
      for (const packetId of this.#receiver.snapshot()) this.#journal?.delete(-packetId)
      this.#receiver = new Receiver()
      for (const delivery of this.#waiting.all()) delivery.connection = -1
    }
    this.#receiver.resume(this.#receiveMaximum)
  }

  /**
   * A message has come. Returns undefined when it has before, and is in the hands of the application or was. Throws
   * MqttError for one more than the Receive Maximum allows.
   */
  add({ packetId = 0, qos, dup }: ReceivedPublish): Delivery | undefined {
    const { connection } = this.#receiver
    const arrival = this.#receiver.publish(packetId, qos as 1 | 2)
    // Those of connections before may be waiting still: no more than one Receive Maximum of them.
    if (arrival === 'exceeded' || this.#waiting.length >= 2 * this.#receiveMaximum) {
      throw new MqttError(0x93, 'more messages than the Receive Maximum', '3.3.4-9')
    }
    if (arrival === 'duplicate') {
      this.#send('pubrec', packetId, 0) // [MQTT-4.3.3-10]
      return undefined
    }
    if (dup) {
      const known = this.#waiting
        .all()
        .find(
          (each) =>
            each.packetId === packetId && each.qos === qos && each.connection >= 0 && each.connection < connection,
        )
      if (known !== undefined) {
        known.connection = connection
        return undefined
      }
    }
    if (arrival === 'pending') return undefined
    const delivery = new Delivery(this, packetId, qos, connection)
    this.#waiting.push(delivery)
    return delivery
  }

  /** PUBREL has come; returns whether it released a message. */
  release(packetId: number): boolean {
    const isKnown = this.#receiver.pubrel(packetId)
    if (isKnown) this.#journal?.delete(-packetId)
    return isKnown
  }

  /** Sends what can be sent without overtaking [MQTT-4.6.0-2] [MQTT-4.6.0-3]. */
  flush(): void {
    while (this.#waiting.first?.pending === 0) {
      const { packetId, qos, connection, reasonCode } = this.#waiting.shift()!
      if (connection < 0) continue
      if (qos === 1) {
        if (this.#receiver.puback(connection)) this.#send('puback', packetId, reasonCode)
        continue
      }
      const receipt = this.#receiver.pubrec(packetId, reasonCode)
      if (reasonCode < 0x80 && receipt !== 'unknown') this.#journal?.put({ key: -packetId })
      if (receipt === 'send') this.#send('pubrec', packetId, reasonCode)
    }
  }
}
