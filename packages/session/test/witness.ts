/** Watches the packets of one end, knowing nothing of how it works, and says when they break a rule. */

import { expect } from 'vitest'
import type { Message, Packet } from './two-sessions.js'

interface Seen {
  readonly message: Message
  /** Whether PUBREL has been sent. */
  released: boolean
  /** Whether this connection has carried it. */
  sentHere: boolean
}

export class Witness {
  readonly #inUse: Map<number, Seen> = new Map()
  /** Identifiers of PUBREL packets in the order of their PUBREC. */
  #released: number[] = []
  readonly #requests: Set<number> = new Set()
  /** PUBLISH packets of this connection that are not acknowledged for good. */
  readonly #outstanding: Set<number> = new Set()
  #peerMaximum = 0
  /** The last message of this connection. */
  #last = -1
  /** The PUBREC that is to be answered at once. */
  #owed: number | undefined = undefined
  /** Numbers of the messages that are done. */
  readonly settled: Set<number> = new Set()

  resumes(peerMaximum: number): void {
    this.#peerMaximum = peerMaximum
    this.#outstanding.clear()
    this.#requests.clear()
    this.#last = -1
    this.#owed = undefined
    for (const seen of this.#inUse.values()) seen.sentHere = false
  }

  sends(packet: Packet): void {
    if (packet.type === 'publish') return this.#publish(packet.packetId, packet.dup, packet.message)
    if (packet.type === 'subscribe') {
      expect(this.#inUse.has(packet.packetId) || this.#requests.has(packet.packetId), '[MQTT-2.2.1-3]').toBe(false)
      this.#requests.add(packet.packetId)
    }
    if (packet.type === 'pubrel' && packet.reasonCode === 0) this.#pubrel(packet.packetId)
  }

  #publish(packetId: number, dup: boolean, message: Message): void {
    const seen = this.#inUse.get(packetId)
    expect(packetId > 0 && packetId <= 0xffff && !this.#requests.has(packetId), '[MQTT-2.2.1-3]').toBe(true)
    expect(message.number, 'order [MQTT-4.6.0-1]').toBeGreaterThan(this.#last)
    if (dup) {
      expect(seen?.message, '[MQTT-4.4.0-1]').toEqual(message)
      expect(seen!.released, '[MQTT-4.3.3-6]').toBe(false)
      expect(seen!.sentHere, '[MQTT-4.4.0-1]').toBe(false)
      seen!.sentHere = true
    } else {
      expect(seen, '[MQTT-4.3.2-1] [MQTT-4.3.3-1]').toBeUndefined()
      const left = [...this.#inUse.values()].filter(({ sentHere }) => !sentHere)
      expect(left, 'all old ones first').toEqual([])
      this.#inUse.set(packetId, { message, released: false, sentHere: true })
    }
    this.#last = message.number
    this.#outstanding.add(packetId)
    expect(this.#outstanding.size, '[MQTT-4.9.0-2]').toBeLessThanOrEqual(this.#peerMaximum)
  }

  #pubrel(packetId: number): void {
    const seen = this.#inUse.get(packetId)
    expect(seen?.released, 'PUBREL of an accepted message').toBe(true)
    if (this.#owed === undefined) {
      expect(seen!.sentHere, '[MQTT-4.4.0-1]').toBe(false)
      const next = this.#released.find((id) => !this.#inUse.get(id)!.sentHere)
      expect(packetId, '[MQTT-4.6.0-4]').toBe(next)
    } else expect(packetId, '[MQTT-4.3.3-4]').toBe(this.#owed)
    this.#owed = undefined
    seen!.sentHere = true
  }

  receives(packet: Packet): void {
    expect(this.#owed, '[MQTT-4.3.3-4]').toBeUndefined()
    if (packet.type === 'suback') this.#requests.delete(packet.packetId)
    else if (packet.type === 'pubrec' && packet.reasonCode < 0x80) this.#pubrec(packet.packetId)
    else if (packet.type === 'puback' || packet.type === 'pubrec' || packet.type === 'pubcomp') {
      const seen = this.#inUse.get(packet.packetId)
      if (seen !== undefined) this.settled.add(seen.message.number)
      this.#inUse.delete(packet.packetId)
      this.#outstanding.delete(packet.packetId)
      this.#released = this.#released.filter((packetId) => packetId !== packet.packetId)
    }
  }

  #pubrec(packetId: number): void {
    const seen = this.#inUse.get(packetId)
    if (seen === undefined) return
    if (!seen.released) this.#released.push(packetId)
    seen.released = true
    this.#owed = packetId
  }
}
