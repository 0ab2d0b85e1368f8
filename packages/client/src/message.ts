/** Messages as an application gets them. */

import type { PublishProperties, QoS } from '@tidewire/codec'

const decoder = new TextDecoder()

export class Message {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  /** Whether it was kept by the server from before the subscription. */
  readonly retain: boolean
  readonly properties: PublishProperties

  constructor(topic: string, payload: Uint8Array, qos: QoS, retain: boolean, properties: PublishProperties) {
    this.topic = topic
    this.payload = payload
    this.qos = qos
    this.retain = retain
    this.properties = properties
  }

  /** The payload as UTF-8 text; bytes that are not become U+FFFD. */
  get text(): string {
    return decoder.decode(this.payload)
  }
}
