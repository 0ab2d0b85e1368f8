// hot: runs per packet
/** A PUBLISH as it goes out to one receiver: put together from the parts of the packet that came in. */

import type { ProtocolVersion, QoS } from '@tidewire/codec'
import type { AliasUse } from '@tidewire/session'
import type { Clock } from './clock.js'
import { copyBytes, type Memory } from './memory.js'
import type { Message } from './message.js'

// Identifiers of properties (section 2.2.2.2).
const messageExpiryInterval = 0x02
const subscriptionIdentifier = 0x0b
const topicAlias = 0x23

/** The packet that is put together now: it is measured, then it is written. */
export class Outgoing {
  #message!: Message
  #qos: QoS = 0
  #identifiers: readonly number[] = []
  #alias = 0
  /** Whether it has the Topic Name, and not only the alias. */
  #isNamed = true
  /** The Remaining Length. */
  #remaining = 0
  /** The Property Length; -1 before MQTT 5.0. */
  #properties = -1
  /** Where the message has properties of its own, behind their length. */
  #ownAt = 0
  #isDated = false

  /** Sets all of it. Returns the length of the packet. */
  measure(
    message: Message,
    version: ProtocolVersion,
    qos: QoS,
    identifiers: readonly number[],
    use: AliasUse | undefined,
  ): number {
    this.#message = message
    this.#qos = qos
    this.#identifiers = identifiers
    this.#alias = use === undefined ? 0 : use.alias
    this.#isNamed = use === undefined || !use.known
    this.#properties = -1
    let length = (this.#isNamed ? message.topicEnd - message.topicAt : 2) + (qos > 0 ? 2 : 0)
    if (version === 5) {
      length += this.#measureProperties()
      length += lengthOf(this.#properties)
    }
    this.#remaining = length + message.end - message.payloadAt
    return 1 + lengthOf(this.#remaining) + this.#remaining
  }

  #measureProperties(): number {
    const message = this.#message
    const { propertiesAt, payloadAt } = message
    this.#ownAt = payloadAt
    if (propertiesAt < payloadAt) {
      let at = propertiesAt
      while (message.bytes[at++]! > 0x7f);
      this.#ownAt = at
    }
    this.#isDated = message.expiresAt !== Number.POSITIVE_INFINITY
    let length = payloadAt - this.#ownAt
    if (this.#isDated && message.expiryAt === 0) length += 5
    if (this.#alias > 0) length += 3
    for (const identifier of this.#identifiers) length += 1 + lengthOf(identifier)
    this.#properties = length
    return length
  }

  /** Bytes of it before the payload. */
  get head(): number {
    const message = this.#message
    return 1 + lengthOf(this.#remaining) + this.#remaining - (message.end - message.payloadAt)
  }

  /** Writes what comes before the payload. Returns the index behind it. */
  write(memory: Memory, at: number, retain: boolean, dup: boolean, packetId: number, clock: Clock): number {
    const { bytes } = memory
    const message = this.#message
    bytes[at++] = 0x30 | (dup ? 8 : 0) | (this.#qos << 1) | (retain ? 1 : 0)
    at = writeLength(bytes, at, this.#remaining)
    if (this.#isNamed) {
      const { topicAt, topicEnd } = message
      copyBytes(message, topicAt, topicEnd, memory, at)
      at += topicEnd - topicAt
    } else {
      bytes[at++] = 0
      bytes[at++] = 0
    }
    if (this.#qos > 0) {
      bytes[at++] = packetId >> 8
      bytes[at++] = packetId
    }
    return this.#properties < 0 ? at : this.#writeProperties(memory, at, clock)
  }

  /** Those of the message in the order received [MQTT-3.3.2-18], with the expiry that is left [MQTT-3.3.2-6]. */
  #writeProperties(memory: Memory, at: number, clock: Clock): number {
    const { bytes, view } = memory
    const message = this.#message
    const { payloadAt, expiryAt } = message
    const ownAt = this.#ownAt
    at = writeLength(bytes, at, this.#properties)
    copyBytes(message, ownAt, payloadAt, memory, at)
    if (expiryAt > 0) view.setUint32(at + expiryAt - ownAt, message.secondsLeft(clock))
    at += payloadAt - ownAt
    if (this.#isDated && expiryAt === 0) {
      bytes[at++] = messageExpiryInterval
      view.setUint32(at, message.secondsLeft(clock))
      at += 4
    }
    if (this.#alias > 0) {
      bytes[at++] = topicAlias
      view.setUint16(at, this.#alias)
      at += 2
    }
    for (const identifier of this.#identifiers) {
      bytes[at++] = subscriptionIdentifier
      at = writeLength(bytes, at, identifier)
    }
    return at
  }
}

/** The length of a Variable Byte Integer (section 1.5.5). */
function lengthOf(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4
}

function writeLength(bytes: Uint8Array, at: number, value: number): number {
  for (; value > 0x7f; value >>>= 7) bytes[at++] = value | 0x80
  bytes[at++] = value
  return at
}
