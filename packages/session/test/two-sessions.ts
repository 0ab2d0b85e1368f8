/** A client and a server with a session each, over a link that loses what is under way when a connection ends. */

import { type InFlight, PacketIds, Receiver, Sender, type Step } from '@tidewire/session'
import { expect } from 'vitest'
import { Witness } from './witness.js'

/** An Application Message. Those of an end are numbered from 0. */
export interface Message {
  readonly number: number
  readonly qos: 1 | 2
  /** Whether the other end refuses it. */
  readonly refused: boolean
}

export type Packet =
  | { readonly type: 'publish'; readonly packetId: number; readonly dup: boolean; readonly message: Message }
  | { readonly type: Acknowledgement; readonly packetId: number; readonly reasonCode: number }
  | { readonly type: 'subscribe' | 'suback'; readonly packetId: number }
  | { readonly type: 'connack'; readonly receiveMaximum: number }

type Acknowledgement = 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'

/** A message that has come and that the application is not done with. */
interface Work {
  readonly packetId: number
  readonly connection: number
  readonly message: Message
}

/** Identifiers that soon begin again at 1. */
function lateIds(): PacketIds {
  const ids = new PacketIds()
  ids.restore(0xfffa)
  ids.free(0xfffa)
  return ids
}

export class End {
  ids: PacketIds = lateIds()
  sender: Sender<Message> = new Sender(1, this.ids)
  receiver: Receiver = new Receiver(1)
  state: 'lost' | 'connecting' | 'open' = 'lost'
  /** The last connection that it has begun or accepted. */
  connection = 0
  /** Its own Receive Maximum on this connection. */
  receiveMaximum = 1
  /** Messages that wait for quota. */
  readonly waiting: Message[] = []
  /** Numbers of what the application got. */
  readonly delivered: number[] = []
  readonly work: Work[] = []
  /** Identifiers in `work` that were released before they were accepted, and the numbers of all such messages. */
  readonly early: Set<number> = new Set()
  readonly abandoned: Set<number> = new Set()
  readonly subscribes: Set<number> = new Set()
  readonly published: Message[] = []
  readonly witness: Witness = new Witness()
  /** What a store holds that follows what the methods return: messages in flight and identifiers not released. */
  readonly inFlight: Map<number, InFlight<Message>> = new Map()
  readonly unreleased: Set<number> = new Set()
  /** Packets under way to this end. */
  incoming: Packet[] = []
  peer!: End

  #send(packet: Packet): void {
    this.witness.sends(packet)
    if (this.connection === this.peer.connection && this.peer.state !== 'lost') this.peer.incoming.push(packet)
  }

  publish(qos: 1 | 2, refused: boolean): void {
    const message = { number: this.published.length, qos, refused }
    this.published.push(message)
    this.waiting.push(message)
    if (this.state === 'open') this.#pump()
  }

  subscribe(): void {
    if (this.state !== 'open') return
    const packetId = this.ids.take()
    this.subscribes.add(packetId)
    this.#send({ type: 'subscribe', packetId })
  }

  #pump(): void {
    for (let entry = this.sender.next(); entry !== undefined; entry = this.sender.next()) {
      const { packetId, message, awaits } = entry
      if (awaits === 'pubcomp') this.#send({ type: 'pubrel', packetId, reasonCode: 0 })
      else this.#send({ type: 'publish', packetId, dup: true, message })
    }
    while (this.waiting.length > 0 && this.sender.ready) {
      const message = this.waiting.shift()!
      const packetId = this.sender.send(message, message.qos)
      this.inFlight.set(packetId, { packetId, message, awaits: message.qos === 1 ? 'puback' : 'pubrec' })
      this.#send({ type: 'publish', packetId, dup: false, message })
    }
  }

  #store(packetId: number, step: Step): Step {
    const entry = this.inFlight.get(packetId)
    if (step === 'settled') this.inFlight.delete(packetId)
    if (step === 'release' && entry!.awaits !== 'pubcomp') {
      this.inFlight.delete(packetId) // moves to the end
      this.inFlight.set(packetId, { ...entry!, awaits: 'pubcomp' })
    }
    return step
  }

  /** The application is done with the message that came first. */
  finish(): void {
    const work = this.work.shift()
    if (work === undefined) return
    const { packetId, connection, message } = work
    const reasonCode = message.refused ? 0x97 : 0
    if (!message.refused) this.delivered.push(message.number)
    if (message.qos === 1) {
      if (this.receiver.puback(connection)) this.#send({ type: 'puback', packetId, reasonCode })
      return
    }
    const receipt = this.receiver.pubrec(packetId, reasonCode)
    expect(receipt === 'unknown').toBe(this.early.delete(packetId))
    if (reasonCode === 0 && receipt !== 'unknown') this.unreleased.add(packetId)
    if (receipt === 'send') this.#send({ type: 'pubrec', packetId, reasonCode })
  }

  /** PUBREL comes for all that the application is not done with, from a peer that does not wait for PUBREC. */
  releaseEarly(): void {
    for (const { packetId, message } of this.work) {
      if (message.qos === 1) continue
      expect(this.receiver.pubrel(packetId)).toBe(false)
      this.early.add(packetId)
      this.abandoned.add(message.number)
    }
  }

  take(): void {
    const packet = this.incoming.shift()
    if (packet === undefined) return
    this.witness.receives(packet)
    switch (packet.type) {
      case 'publish':
        return this.#arrived(packet.packetId, packet.message)
      case 'puback':
        expect(['settled', 'unknown']).toContain(this.#store(packet.packetId, this.sender.puback(packet.packetId)))
        return this.#pump()
      case 'pubrec': {
        const step = this.#store(packet.packetId, this.sender.pubrec(packet.packetId, packet.reasonCode))
        if (step === 'release') return this.#send({ type: 'pubrel', packetId: packet.packetId, reasonCode: 0 })
        if (step === 'unknown') return this.#send({ type: 'pubrel', packetId: packet.packetId, reasonCode: 0x92 })
        expect(step).toBe('settled')
        return this.#pump()
      }
      case 'pubrel': {
        const isReleased = this.receiver.pubrel(packet.packetId)
        expect(this.unreleased.delete(packet.packetId)).toBe(isReleased)
        const reasonCode = isReleased ? 0 : 0x92
        return this.#send({ type: 'pubcomp', packetId: packet.packetId, reasonCode })
      }
      case 'pubcomp':
        expect(['settled', 'unknown']).toContain(this.#store(packet.packetId, this.sender.pubcomp(packet.packetId)))
        return this.#pump()
      case 'subscribe':
        return this.#send({ type: 'suback', packetId: packet.packetId })
      case 'suback':
        expect(this.subscribes.delete(packet.packetId)).toBe(true)
        return this.ids.free(packet.packetId)
      case 'connack':
        return this.#opened(packet.receiveMaximum)
    }
  }

  #arrived(packetId: number, message: Message): void {
    const arrival = this.receiver.publish(packetId, message.qos)
    expect(arrival).not.toBe('exceeded')
    if (arrival === 'new') this.work.push({ packetId, connection: this.receiver.connection, message })
    if (arrival === 'duplicate') {
      expect(this.receiver.pubrec(packetId, 0)).toBe('send')
      this.#send({ type: 'pubrec', packetId, reasonCode: 0 })
    }
  }

  /** A client begins a connection, whatever the server believes of the last one. */
  connect(receiveMaximum: number): void {
    this.lose()
    this.state = 'connecting'
    this.connection++
    this.receiveMaximum = receiveMaximum
  }

  /** A server takes the connection that the client has begun. */
  accept(receiveMaximum: number): void {
    if (this.peer.state !== 'connecting' || this.connection === this.peer.connection) return
    this.lose()
    this.connection = this.peer.connection
    this.receiveMaximum = receiveMaximum
    this.#send({ type: 'connack', receiveMaximum })
    this.#opened(this.peer.receiveMaximum)
  }

  #opened(peerMaximum: number): void {
    this.state = 'open'
    this.receiver.resume(this.receiveMaximum)
    this.witness.resumes(peerMaximum)
    this.sender.resume(peerMaximum)
    this.#pump()
  }

  lose(): void {
    this.state = 'lost'
    this.incoming = []
    for (const packetId of this.subscribes) this.ids.free(packetId)
    this.subscribes.clear()
    this.sender.suspend()
  }

  /** Ends, and comes back from what was written down. */
  crash(): void {
    const [inFlight, unreleased, waiting] = JSON.parse(
      JSON.stringify([[...this.inFlight.values()], [...this.unreleased], this.waiting]),
    )
    const before = this.sender.snapshot()
    this.lose()
    this.work.length = 0
    this.early.clear()
    this.waiting.splice(0, Number.POSITIVE_INFINITY, ...waiting)
    this.ids = lateIds()
    this.sender = new Sender(1, this.ids)
    this.sender.restore(inFlight)
    expect(this.sender.snapshot()).toEqual(before)
    this.receiver = new Receiver(1)
    this.receiver.restore(unreleased)
  }
}
