// hot: runs per packet
/** Messages as an application gets them. */

import { mayCarry, type PublishProperties, type QoS, type ReceivedPublish } from '@tidewire/codec'
import type { Delivery } from './acknowledger.js'

const decoder = /* @__PURE__ */ new TextDecoder('utf-8', { ignoreBOM: true })

/** An Application Message that came for one subscription. */
export class Message {
  readonly topic: string
  readonly #packet: ReceivedPublish
  #delivery: Delivery | undefined
  #payload: Uint8Array | undefined

  constructor(topic: string, packet: ReceivedPublish, delivery: Delivery | undefined) {
    this.topic = topic
    this.#packet = packet
    this.#delivery = delivery
  }

  get payload(): Uint8Array {
    this.#payload ??= this.#packet.payload
    return this.#payload
  }

  get qos(): QoS {
    return this.#packet.qos
  }

  /** Whether it was kept by the server from before the subscription. */
  get retain(): boolean {
    return this.#packet.retain
  }

  /** Whether the server may have sent it before. */
  get dup(): boolean {
    return this.#packet.dup
  }

  get properties(): PublishProperties {
    return this.#packet.properties
  }

  /** The payload as UTF-8 text; bytes that are not become U+FFFD. */
  get text(): string {
    return decoder.decode(this.payload)
  }

  /**
   * Says that the application is done with it: PUBACK or PUBREC leaves when those of the messages before it have. With a
   * Reason Code of 0x80 or more it is refused, which a server of MQTT 5.0 is told. The second call does nothing. Throws
   * RangeError for a Reason Code that PUBACK has not.
   */
  ack(reasonCode = 0): void {
    if (!mayCarry('puback', reasonCode)) throw new RangeError(`PUBACK has no Reason Code ${reasonCode}`)
    const delivery = this.#delivery
    this.#delivery = undefined
    delivery?.done(reasonCode)
  }
}
