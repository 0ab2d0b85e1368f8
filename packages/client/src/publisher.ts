// hot: runs per packet
/** The outgoing half of the client: messages of the application, and the promises that wait for their end. */

import {
  type ConnackProperties,
  encodedLength,
  type Input,
  MqttError,
  type Puback,
  type Pubcomp,
  type Publish,
  type PublishProperties,
  type Pubrec,
  protocolError,
  type QoS,
} from '@tidewire/codec'
import { type OutgoingAliases, PacketIds, Sender } from '@tidewire/session'
import { abortable } from './abortable.js'
import type { Connection } from './connection.js'
import type { QueueOptions } from './options.js'
import type { Parts } from './parts.js'
import type { Journal, OutgoingRecord, StoredMessage } from './store.js'

export interface PublishOptions {
  /** Default 0. */
  readonly qos?: QoS
  /** Keep it for later subscribers. Default false. */
  readonly retain?: boolean
  /** Of MQTT 5.0. */
  readonly properties?: Omit<PublishProperties, 'topicAlias' | 'subscriptionIdentifier'>
  /** Takes it back while it waits. One that has been sent goes its way, and only the promise rejects. */
  readonly signal?: AbortSignal
}

/** How a message was taken. */
export interface PublishResult {
  /** 0x00 Success, 0x10 No matching subscribers; always 0 at QoS 0 and before MQTT 5.0. */
  readonly reasonCode: number
}

/** A message of QoS 1 or 2, or one of QoS 0 that waits. */
interface Publication {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly properties: PublishProperties
  /** Where the store has it. */
  key: number
  /** Bytes of its packet, of one that waits. */
  size: number
  /** That of the PUBREC, which is the one that counts at QoS 2. */
  reasonCode: number
  readonly resolve: (result: PublishResult) => void
  readonly reject: (error: Error) => void
}

/** A sender that waits for its first connection. */
function suspended(packetIds: PacketIds): Sender<Publication> {
  const sender = new Sender<Publication>(undefined, packetIds)
  sender.suspend()
  return sender
}

/** Who waits for room, or for all to be done. */
interface Listener {
  readonly what: 'room' | 'done'
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const none: PublishProperties = {}
const success: PublishResult = { reasonCode: 0 }

export class Publisher {
  readonly #parts: Parts
  readonly #limits: QueueOptions
  readonly #journal: Journal | undefined
  #connection: Connection | undefined
  #allowed: ConnackProperties = {}
  #aliases: OutgoingAliases | undefined
  #sender: Sender<Publication>
  #waiting: Publication[] = []
  #waitingBytes = 0
  #lastKey = 0
  #listeners: Listener[] = []
  /** Why nothing is sent any more. */
  #over: Error | undefined

  constructor(limits: QueueOptions, journal: Journal | undefined, packetIds: PacketIds, parts: Parts) {
    this.#parts = parts
    this.#limits = limits
    this.#journal = journal
    this.#sender = suspended(packetIds)
  }

  /** Takes up what a client before has left. */
  restore(records: readonly OutgoingRecord[]): void {
    const ignore = (): void => {} // those who waited for the outcome are gone
    const known = records.map(({ key, packetId, awaits, message }) => {
      this.#lastKey = Math.max(this.#lastKey, key)
      return { packetId, awaits, message: { ...message, key, size: 0, reasonCode: 0, resolve: ignore, reject: ignore } }
    })
    this.#sender.restore(known.filter(({ packetId }) => packetId > 0))
    for (const { packetId, message } of known) if (packetId === 0) this.#waiting.push(message)
  }

  /** The server has taken the session up again, or knows of none. */
  begin(connection: Connection, packetIds: PacketIds, allowed: ConnackProperties, isResumed: boolean): void {
    const { receiveMaximum = 0xffff, topicAliasMaximum = 0 } = allowed
    this.#connection = connection
    this.#allowed = allowed
    this.#aliases = topicAliasMaximum > 0 ? this.#parts.aliases?.(topicAliasMaximum) : undefined
    if (!isResumed) this.#startAnew(packetIds)
    this.#sender.resume(receiveMaximum)
    this.pump()
  }

  /** What the server has forgotten is sent as new, unless that might make two of a QoS 2 message. */
  #startAnew(packetIds: PacketIds): void {
    const again: Publication[] = []
    for (const { message, awaits } of this.#sender.snapshot()) {
      if (awaits === 'puback') {
        again.push(message)
        continue
      }
      this.#forget(message)
      if (awaits === 'pubcomp') message.resolve({ reasonCode: message.reasonCode })
      else message.reject(new Error('the server has lost the session: whether the message came is not known'))
    }
    this.#waiting.unshift(...again)
    this.#sender = suspended(packetIds)
  }

  /** The connection is lost. */
  suspend(): void {
    this.#connection = undefined
    this.#sender.suspend()
  }

  publish(topic: string, payload: Uint8Array, options: PublishOptions): Promise<PublishResult> {
    const { qos = 0, retain = false, properties = none, signal } = options
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    if (this.#over !== undefined) return Promise.reject(this.#over)
    let publication: Publication
    const outcome = new Promise<PublishResult>((resolve, reject) => {
      publication = { topic, payload, qos, retain, properties, key: 0, size: 0, reasonCode: 0, resolve, reject }
      if (this.#hasRoom && (qos === 0 || (this.#sender.ready && this.#waiting.length === 0))) this.#send(publication)
      else this.#enqueue(publication)
    })
    if (signal === undefined) return outcome
    return abortable(outcome, signal).finally(() => {
      if (signal.aborted && this.#waiting.includes(publication)) this.#drop(publication)
    })
  }

  get #hasRoom(): boolean {
    return this.#connection?.hasRoom === true && this.#connection.isOpen
  }

  /** Sends a message of QoS 0 if there is room for it; returns whether there was. Throws what `publish` rejects with. */
  tryPublish(topic: string, payload: Uint8Array, retain: boolean, properties: PublishProperties): boolean {
    if (this.#over !== undefined) throw this.#over
    if (!this.#hasRoom) return false
    this.#checkAllowed(0, retain)
    this.#write({ type: 'publish', topic, payload, retain, properties }, topic)
    return true
  }

  /** Settles when `tryPublish` is worth a try, or when all is done that was to be sent; rejects when nothing will be sent. */
  when(what: 'room' | 'done'): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#listeners.push({ what, resolve, reject })
      this.#tell()
    })
  }

  #tell(): void {
    const isDone = this.#hasRoom && this.#waiting.length === 0 && this.#sender.size === 0
    this.#listeners = this.#listeners.filter(({ what, resolve, reject }) => {
      if (this.#over !== undefined) reject(this.#over)
      else if (what === 'room' ? this.#hasRoom : isDone) resolve()
      else return true
      return false
    })
  }

  #enqueue(publication: Publication): void {
    const { maxMessages = 1_000, maxBytes = 8 * 1024 * 1024, overflow } = this.#limits
    const { topic, payload, qos, retain, properties } = publication
    // Throws for what cannot be sent.
    const size = encodedLength({ type: 'publish', topic, payload, qos, retain, properties, packetId: 1 })
    this.#checkAllowed(qos, retain)
    while (this.#waiting.length >= maxMessages || this.#waitingBytes + size > maxBytes) {
      const fault = new MqttError(0x97, `more than ${maxMessages} messages or ${maxBytes} bytes would wait`)
      const [oldest] = this.#waiting
      if (overflow !== 'rejectOldest' || oldest === undefined) throw fault
      this.#drop(oldest)
      oldest.reject(fault)
    }
    publication.size = size
    this.#waitingBytes += size
    this.#waiting.push(publication)
    this.#keep(publication, 0, 'puback')
  }

  #drop(publication: Publication): void {
    this.#waiting.splice(this.#waiting.indexOf(publication), 1)
    this.#waitingBytes -= publication.size
    this.#forget(publication)
  }

  /** Nothing is left of it in the store. */
  #forget(publication: Publication): void {
    if (publication.key > 0) this.#journal?.delete(publication.key)
    publication.key = 0
  }

  #keep(publication: Publication, packetId: number, awaits: OutgoingRecord['awaits']): void {
    if (this.#journal === undefined || publication.qos === 0) return
    if (publication.key === 0) publication.key = ++this.#lastKey
    const { topic, payload, qos, retain, properties, key } = publication
    this.#journal.put({ key, packetId, awaits, message: { topic, payload, qos, retain, properties } as StoredMessage })
  }

  #send(publication: Publication): void {
    const { topic, payload, qos, retain, properties } = publication
    try {
      this.#checkAllowed(qos, retain)
      if (qos === 0) {
        this.#write({ type: 'publish', topic, payload, retain, properties }, topic)
        return publication.resolve(success)
      }
      const packetId = this.#sender.send(publication, qos)
      try {
        this.#write({ type: 'publish', topic, payload, qos, retain, properties, packetId }, topic)
      } catch (error) {
        if (qos === 1) this.#sender.puback(packetId)
        else this.#sender.pubrec(packetId, 0x80)
        throw error
      }
      this.#keep(publication, packetId, qos === 1 ? 'puback' : 'pubrec')
    } catch (error) {
      this.#forget(publication)
      publication.reject(error as Error)
    }
  }

  /** Writes a PUBLISH, with a Topic Alias if that saves something. */
  #write(packet: Input<Publish>, topic: string): void {
    const use = this.#aliases?.for(topic)
    try {
      this.#connection!.send(
        use === undefined || use.alias === 0
          ? packet
          : {
              ...packet,
              topic: use.known ? '' : topic,
              properties: { ...packet.properties, topicAlias: use.alias },
            },
      )
    } catch (error) {
      this.#aliases = undefined // they count what was not sent
      throw error
    }
  }

  /** What the server would close the connection for fails here and not on its way. */
  #checkAllowed(qos: QoS, retain: boolean): void {
    const { maximumQoS, retainAvailable = true } = this.#allowed
    if (maximumQoS !== undefined && qos > maximumQoS)
      throw new MqttError(0x9b, `the server takes QoS ${maximumQoS} at most`, '3.2.2-11')
    if (retain && !retainAvailable) throw new MqttError(0x9a, 'the server keeps no messages', '3.2.2-14')
  }

  /** Sends what may be sent: first what was under way when the connection was lost, then what waits. */
  pump(): void {
    while (this.#connection?.isOpen === true) {
      const entry = this.#sender.next()
      if (entry === undefined) break
      const { packetId, message, awaits } = entry
      const { topic, payload, qos, retain, properties } = message
      if (awaits === 'pubcomp') this.#connection.send({ type: 'pubrel', packetId })
      else this.#write({ type: 'publish', topic, payload, qos, retain, properties, packetId, dup: true }, topic)
    }
    while (this.#waiting.length > 0 && this.#hasRoom && (this.#waiting[0]!.qos === 0 || this.#sender.ready)) {
      const publication = this.#waiting.shift()!
      this.#waitingBytes -= publication.size
      this.#send(publication)
    }
    if (this.#listeners.length > 0) this.#tell()
  }

  /** PUBACK, PUBREC or PUBCOMP. */
  answered({ type, packetId, reasonCode, properties }: Puback | Pubrec | Pubcomp): void {
    const publication = this.#sender.get(packetId)
    const step = type === 'pubrec' ? this.#sender.pubrec(packetId, reasonCode) : this.#sender[type](packetId)
    if (step === 'violation') throw protocolError(`${type.toUpperCase()} out of turn`, '4.3.3')
    if (type === 'pubrec' && step !== 'settled') {
      const isKnown = step === 'release'
      this.#connection!.send({ type: 'pubrel', packetId, reasonCode: isKnown ? 0 : 0x92 }) // [MQTT-4.3.3-4]
      if (!isKnown) return
      this.#forget(publication!) // PUBREL packets are sent again in the order of PUBREC
      publication!.reasonCode = reasonCode
      this.#keep(publication!, packetId, 'pubcomp')
    } else if (step === 'settled') {
      // At QoS 2 the code of the PUBREC is the one that counts.
      const code = type === 'pubcomp' ? publication!.reasonCode : reasonCode
      this.#forget(publication!)
      if (code < 0x80) publication!.resolve(code === 0 ? success : { reasonCode: code })
      else publication!.reject(this.#refusal(code, properties.reasonString))
      if (this.#waiting.length > 0 || this.#listeners.length > 0 || !this.#sender.ready) this.pump()
    }
  }

  #refusal(reasonCode: number, reasonString: string | undefined): MqttError {
    const { reasonName = String } = this.#parts
    return new MqttError(reasonCode, `the server refused the message: ${reasonString ?? reasonName(reasonCode)}`)
  }

  /** Nothing is sent any more, and nothing acknowledged. What is in a store stays there. */
  end(error: Error): void {
    for (const { message } of this.#sender.snapshot()) message.reject(error)
    for (const publication of this.#waiting.splice(0)) publication.reject(error)
    this.#sender = suspended(new PacketIds())
    this.#over = error
    this.#tell()
  }
}
