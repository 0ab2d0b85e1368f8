/** A client of the simulated world: it keeps to the standard, but may take its time, refuse, and go away at any moment. */

import { encode, type PacketInput, type Publish, type Received, type Subscription } from '@tidewire/codec'
import { IncomingAliases, Receiver, Sender } from '@tidewire/session'
import { bytes, text } from '../fixture.js'
import type { ConnectInput, Item, Sent, Wire } from './wire.js'

/** How messages are acknowledged: at once, when told to, or with a no. */
export type Manner = 'now' | 'held' | 'refuse'

type Ack = 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'

export class Client {
  readonly clientId: string
  wire: Wire | undefined = undefined
  isConnected = false
  manner: Manner = 'now'
  /** Messages of QoS 2 that were new to it, by topic and payload. */
  readonly received: Map<string, number> = new Map()
  #sender: Sender<Sent> = new Sender()
  #receiver: Receiver = new Receiver()
  /** Acknowledgements that wait to be sent. */
  #held: (() => void)[] = []
  /** Topic Aliases that the broker knows by now. */
  #aliases: string[] = []
  #topicAliasMaximum = 0
  /** Topic Aliases of the broker. */
  #known: IncomingAliases = new IncomingAliases(0)
  readonly #fault: (text: string) => void

  constructor(clientId: string, fault: (text: string) => void) {
    this.clientId = clientId
    this.#fault = fault
  }

  /** Messages of its own that are not acknowledged. */
  get unfinished(): number {
    return this.#sender.size
  }

  connect(wire: Wire): void {
    if (this.wire !== undefined) this.lost(this.wire)
    this.wire = wire
    this.#known = new IncomingAliases(wire.connect.properties?.topicAliasMaximum ?? 0)
    if (wire.connect.cleanStart !== false) this.#forget()
    wire.send(wire.connect as ConnectInput, { type: 'connect', packet: wire.connect, questions: 0, answers: [] })
  }

  #forget(): void {
    this.#sender = new Sender()
    this.#receiver = new Receiver()
    this.received.clear()
  }

  /** The connection is no more. */
  lost(wire: Wire): void {
    if (this.wire !== wire) return
    this.wire = undefined
    this.isConnected = false
    this.#held = []
    this.#sender.suspend()
  }

  subscribe(packetId: number, subscriptions: readonly Subscription[], identifier: number): void {
    const isNew = this.wire?.version === 5
    const given = isNew ? subscriptions : subscriptions.map(({ topicFilter, qos }) => ({ topicFilter, qos }))
    const filters = given.map((request): Item => ({ type: 'filter', request, identifier, isAsked: false }))
    const properties = isNew && identifier > 0 ? { subscriptionIdentifier: identifier } : {}
    const packet: PacketInput = { type: 'subscribe', packetId, subscriptions: given, properties }
    this.wire?.send(packet, ...filters, { type: 'subscribed', packetId })
  }

  unsubscribe(packetId: number, topicFilters: readonly string[]): void {
    this.wire?.send({ type: 'unsubscribe', packetId, topicFilters }, { type: 'unsubscribe', packetId, topicFilters })
  }

  ping(): void {
    this.wire?.send({ type: 'pingreq' }, { type: 'pingreq' })
  }

  /** Publishes unless it has as much under way as it may. */
  publish(sent: Sent, usesAlias: boolean): void {
    if (!this.isConnected || (sent.qos > 0 && !this.#sender.ready)) return
    const packetId = sent.qos > 0 ? this.#sender.send(sent, sent.qos as 1 | 2) : 0
    this.#send(sent, packetId, false, usesAlias)
  }

  #send(message: Sent, packetId: number, dup: boolean, usesAlias: boolean): void {
    const sent = this.wire?.version === 5 ? message : { ...message, properties: {} }
    const { qos, retain } = sent
    let { topic, properties } = sent
    if (usesAlias && this.wire?.version === 5 && this.#topicAliasMaximum > 0) {
      let alias = this.#aliases.indexOf(topic) + 1
      if (alias > 0) topic = ''
      else alias = this.#aliases.length < this.#topicAliasMaximum ? this.#aliases.push(topic) : 1
      this.#aliases[alias - 1] = sent.topic
      properties = { ...properties, topicAlias: alias }
    }
    const withId = qos > 0 ? { packetId } : {}
    const packet: PacketInput = {
      type: 'publish',
      topic,
      payload: bytes(sent.payload),
      qos,
      retain,
      dup,
      properties,
      ...withId,
    }
    this.wire?.send(packet, { type: 'publish', sent, packetId, isAsked: false, isRouted: false })
  }

  /** Says goodbye. */
  disconnect(reasonCode: number, expiry: number | undefined): void {
    const isNew = this.wire?.version === 5
    const properties = isNew && expiry !== undefined ? { sessionExpiryInterval: expiry } : {}
    const item: Item = { type: 'disconnect', reasonCode: isNew ? reasonCode : 0, expiry: isNew ? expiry : undefined }
    this.wire?.send({ type: 'disconnect', reasonCode: isNew ? reasonCode : 0, properties }, item)
  }

  /** Breaks the standard. */
  violate(packet: PacketInput | Uint8Array, reasonCode: number): void {
    this.wire?.send(packet, { type: 'violation', reasonCode })
  }

  /** Sends so many of the acknowledgements that were held back. */
  release(count: number): void {
    for (const acknowledge of this.#held.splice(0, count)) acknowledge()
  }

  /** A packet of the broker. */
  take(packet: Received, wire: Wire): void {
    if (this.wire !== wire) return
    switch (packet.type) {
      case 'connack':
        if (packet.reasonCode > 0) return
        this.isConnected = true
        this.#aliases = []
        this.#topicAliasMaximum = packet.properties.topicAliasMaximum ?? 0
        if (!packet.sessionPresent) this.#forget()
        this.#receiver.resume(wire.receiveMaximum)
        this.#sender.resume(packet.properties.receiveMaximum ?? 20)
        return this.#sendAgain()
      case 'publish':
        if (packet.qos === 0) return void this.#topicOf(packet)
        return this.#takePublish(
          packet.packetId!,
          packet.qos,
          `${this.#topicOf(packet)} ${text(packet.payload).slice(0, 20)}`,
        )
      case 'pubrel':
        return this.#later(() => {
          this.#receiver.pubrel(packet.packetId)
          this.#acknowledge('pubcomp', packet.packetId, 0)
        })
      case 'puback':
        if (this.#sender.puback(packet.packetId) !== 'settled') this.#fault(`a PUBACK of nothing: ${packet.packetId}`)
        return this.#sendAgain()
      case 'pubrec': {
        const step = this.#sender.pubrec(packet.packetId, packet.reasonCode)
        if (step === 'release') this.#acknowledge('pubrel', packet.packetId, 0)
        else if (step !== 'settled') this.#fault(`a PUBREC of nothing: ${packet.packetId}`)
        return this.#sendAgain()
      }
      case 'pubcomp':
        if (this.#sender.pubcomp(packet.packetId) !== 'settled') this.#fault(`a PUBCOMP of nothing: ${packet.packetId}`)
        return this.#sendAgain()
    }
  }

  #topicOf({ topic, properties }: Publish): string {
    const resolved = this.#known.resolve(topic, properties.topicAlias)
    if (typeof resolved === 'string') return resolved
    this.#fault(resolved.message)
    return topic
  }

  #takePublish(packetId: number, qos: 1 | 2, key: string): void {
    const arrival = this.#receiver.publish(packetId, qos)
    if (arrival === 'exceeded') this.#fault('more messages than the Receive Maximum of the client')
    const code = this.manner === 'refuse' && arrival === 'new' && this.wire?.version === 5 ? 0x83 : 0
    if (arrival === 'new' && qos === 2 && code === 0) this.received.set(key, (this.received.get(key) ?? 0) + 1)
    this.#later(() => {
      if (qos === 1) this.#receiver.puback()
      else this.#receiver.pubrec(packetId, code)
      this.#acknowledge(qos === 1 ? 'puback' : 'pubrec', packetId, code)
    })
  }

  /** Not before what is held back already [MQTT-4.6.0-2]. */
  #later(acknowledge: () => void): void {
    if (this.manner === 'held' || this.#held.length > 0) this.#held.push(acknowledge)
    else acknowledge()
  }

  #acknowledge(type: Ack, packetId: number, reasonCode: number): void {
    const packet = { type, packetId, reasonCode } as const
    this.wire?.send(packet, { type: 'acknowledgement', packet })
  }

  #sendAgain(): void {
    for (let entry = this.#sender.next(); entry !== undefined; entry = this.#sender.next()) {
      if (entry.awaits === 'pubcomp') this.#acknowledge('pubrel', entry.packetId, 0)
      else this.#send(this.#again(entry.message), entry.packetId, true, false)
    }
  }

  /** What may be delivered twice looks different each time, so that the model can tell which it sees. */
  #again(sent: Sent): Sent {
    return { ...sent, payload: sent.payload.replace(/^m\d+/, `$&@${this.wire!.sequence}`) }
  }
}

/** What clients must not send, by the Reason Code that it ends with. */
export const violations: readonly (readonly [packet: PacketInput | Uint8Array, reasonCode: number])[] = [
  [new Uint8Array([0x36, 3, 0, 0, 1]), 0x81],
  [new Uint8Array([0x00, 0]), 0x81],
  [{ type: 'connect', protocolVersion: 5, clientId: 'twice' }, 0x82],
  [encode({ type: 'pingresp' }), 0x82],
  [encode({ type: 'publish', topic: 'a', payload: new Uint8Array(0), properties: { topicAlias: 9 } }), 0x94],
  [new Uint8Array([0x30, 0xff, 0xff, 0x7f]), 0x95],
]
