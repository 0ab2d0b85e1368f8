/** Publishers that keep to their window, and subscribers that say what came. */

import { Connection, clock, scheduleTurn } from './connection.mjs'
import { stampSize } from './packets.mjs'

/** @typedef {import('./connection.mjs').Address} Address */
/** @typedef {ReturnType<typeof import('./packets.mjs').publish>} Template */

/** Publishers that may have become able to send. @type {Publisher[]} */
const ready = []

/** Lets publishers send what their windows let. */
export function fillWindows() {
  const now = clock.wanted ? performance.now() : 0
  for (const publisher of ready.splice(0)) publisher.fill(now)
}

export const acknowledged = { count: 0 }

export class Publisher extends Connection {
  #index
  #qos
  #template
  #isReady = false
  #packetId = 0
  #inFlight = 0
  #outstanding = 0
  /** Receivers of each message that are waited for. */
  fan = 1
  window = 0
  /** Messages that it may send in all. */
  limit = Number.POSITIVE_INFINITY
  sent = 0

  /** @param {Address} address @param {number} index @param {0 | 1 | 2} qos @param {Template} template */
  constructor(address, index, qos, template) {
    super(address)
    this.#index = index
    this.#qos = qos
    this.#template = template
    this.template(template.bytes)
  }

  get #hasRoom() {
    if (this.busy || this.sent >= this.limit || this.#outstanding + this.fan > this.window * this.fan) return false
    return this.#qos === 0 || this.#inFlight < Math.min(this.window, this.receiveMaximum)
  }

  /** @param {number} now */
  fill(now) {
    this.#isReady = false
    while (this.#hasRoom) this.publish(now)
  }

  /** The next message, due at a time. @param {number} due */
  publish(due) {
    const { bytes, payloadAt, packetIdAt } = this.#template
    const at = this.reserve(bytes.length)
    this.bytes.copyWithin(at, 0, bytes.length)
    this.#stamp(at, payloadAt, packetIdAt, due)
  }

  /** The next message, of its own topic. @param {Template} packet */
  publishOther({ bytes, payloadAt, packetIdAt }) {
    const at = this.reserve(bytes.length)
    this.bytes.set(bytes, at)
    this.#stamp(at, payloadAt, packetIdAt, 0)
  }

  /** @param {number} at @param {number} payloadAt @param {number} packetIdAt @param {number} due */
  #stamp(at, payloadAt, packetIdAt, due) {
    const { view } = this
    if (this.#qos > 0) {
      this.#packetId = this.#packetId === 0xffff ? 1 : this.#packetId + 1
      this.#inFlight++
      view.setUint16(at + packetIdAt, this.#packetId)
    }
    view.setUint32(at + payloadAt, this.#index)
    view.setUint32(at + payloadAt + 4, ++this.sent)
    view.setFloat64(at + payloadAt + 8, due)
    this.#outstanding += this.fan
  }

  /** A receiver has one. */
  delivered() {
    if (this.#outstanding > 0) this.#outstanding--
    if (this.#outstanding + this.fan <= this.window * this.fan) this.ready()
  }

  /** Waits no longer for what has been sent. */
  forget() {
    this.#outstanding = 0
    this.ready()
  }

  /** @override */
  ready() {
    scheduleTurn()
    if (this.#isReady) return
    this.#isReady = true
    ready.push(this)
  }

  /** @override @param {number} first @param {DataView} view @param {number} at @param {number} length */
  packet(first, view, at, length) {
    const type = first >> 4
    if (type < 4 || type > 7 || type === 6) return super.packet(first, view, at, length)
    if (length > 2 && view.getUint8(at + 2) >= 0x80) throw new Error(`refused with ${view.getUint8(at + 2)}`)
    if (type === 5) return this.acknowledge(0x62, view.getUint16(at))
    this.#inFlight--
    acknowledged.count++
    this.ready()
  }
}

/** Milliseconds from when a message was due to when it came, while that is wanted. @type {number[]} */
export const latencies = []

export class Subscriber extends Connection {
  #arrivals
  #publishers

  /**
   * @param {Address} address
   * @param {readonly Publisher[]} publishers
   * @param {import('./arrivals.mjs').Arrivals} [arrivals] Nobody waits for a subscriber without.
   */
  constructor(address, publishers, arrivals) {
    super(address)
    this.#publishers = publishers
    this.#arrivals = arrivals
    this.received = 0
  }

  /** @override @param {number} first @param {DataView} view @param {number} start @param {number} length */
  packet(first, view, start, length) {
    if (first >> 4 === 6) return this.acknowledge(0x70, view.getUint16(start))
    if (first >> 4 !== 3) return super.packet(first, view, start, length)
    const qos = (first >> 1) & 3
    let at = start + 2 + view.getUint16(start)
    if (qos > 0) {
      this.acknowledge(qos === 1 ? 0x40 : 0x50, view.getUint16(at))
      at += 2
    }
    if (this.version === 5) at += 1 + view.getUint8(at) // few properties: a length of one byte
    if (at + stampSize > start + length) throw new Error('the broker sent a message that is too short')
    const publisher = view.getUint32(at)
    if (!this.#arrivals?.note(publisher, view.getUint32(at + 4))) return
    this.received++
    if (clock.wanted) latencies.push(clock.now - view.getFloat64(at + 8))
    this.#publishers[publisher]?.delivered()
  }
}

/**
 * Settles when a count is reached, or has not grown for a time.
 * @param {() => number} count
 * @param {number} wanted
 * @param {number} patience Milliseconds.
 */
export async function reached(count, wanted, patience) {
  let last = count()
  let since = performance.now()
  while (count() < wanted && performance.now() - since < patience) {
    await new Promise((resolve) => setTimeout(resolve, 2))
    if (count() === last) continue
    last = count()
    since = performance.now()
  }
}
