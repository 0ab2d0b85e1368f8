/** The outgoing half of the client: messages of the application, and the promises that wait for their end. */

import {
  type ConnackProperties,
  encodedLength,
  type Input,
  MqttError,
  type Publish,
  type PublishProperties,
  protocolError,
  type QoS,
  ReasonCode,
  reasonName,
} from '@tidewire/codec'
import { type PacketIds, Sender, type Step } from '@tidewire/session'
import { topicNameFault } from '@tidewire/topics'
import type { Connection } from './connection.js'

export interface PublishOptions {
  /** Default 0. */
  readonly qos?: QoS
  /** Keep it for later subscribers. Default false. */
  readonly retain?: boolean
  /** Of MQTT 5.0. */
  readonly properties?: Omit<PublishProperties, 'topicAlias' | 'subscriptionIdentifier'>
}

/** How a message was taken. */
export interface PublishResult {
  /** 0x00 Success, 0x10 No matching subscribers; always 0 at QoS 0 and before MQTT 5.0. */
  readonly reasonCode: number
}

interface Publication {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 1 | 2
  readonly retain: boolean
  readonly properties: PublishProperties
  /** That of the PUBREC, which is the one that counts at QoS 2. */
  reasonCode: number
  resolve(result: PublishResult): void
  reject(error: Error): void
}

const maxTopicLevels = 0xffff // the server has its own limit

export class Publisher {
  readonly #connection: Connection
  readonly #sender: Sender<Publication>
  /** Messages that wait for quota. */
  readonly #waiting: Publication[] = []
  #allowed: ConnackProperties = {}

  constructor(connection: Connection, packetIds: PacketIds) {
    this.#connection = connection
    this.#sender = new Sender(0xffff, packetIds)
  }

  /** The server has said what it allows. */
  connected(allowed: ConnackProperties): void {
    this.#allowed = allowed
    this.#sender.resume(allowed.receiveMaximum ?? 0xffff)
  }

  async publish(topic: string, payload: Uint8Array, options: PublishOptions): Promise<PublishResult> {
    const { qos = 0, retain = false, properties = {} } = options
    this.#check({ type: 'publish', topic, payload, qos, retain, properties, ...(qos > 0 && { packetId: 1 }) })
    if (qos === 0) {
      this.#connection.send({ type: 'publish', topic, payload, retain, properties })
      await this.#connection.room()
      if (this.#connection.over !== undefined) throw this.#connection.over
      return { reasonCode: ReasonCode.Success }
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ topic, payload, qos, retain, properties, reasonCode: ReasonCode.Success, resolve, reject })
      this.#pump()
    })
  }

  /** What may not be sent, or what the server would close the connection for, fails here and not on its way. */
  #check(packet: Input<Publish>): void {
    const fault = topicNameFault(packet.topic, maxTopicLevels)
    if (fault !== undefined) throw new TypeError(`not a Topic Name: ${fault.message}`)
    const length = encodedLength(packet, this.#connection.version)
    const { maximumQoS = 2, retainAvailable = true, maximumPacketSize = Number.POSITIVE_INFINITY } = this.#allowed
    if (packet.qos! > maximumQoS) {
      throw new MqttError(ReasonCode.QoSNotSupported, `the server takes QoS ${maximumQoS} at most`, '3.2.2-11')
    }
    if (packet.retain === true && !retainAvailable) {
      throw new MqttError(ReasonCode.RetainNotSupported, 'the server keeps no messages', '3.2.2-14')
    }
    if (length > maximumPacketSize) {
      const message = `the server takes packets of ${maximumPacketSize} bytes at most`
      throw new MqttError(ReasonCode.PacketTooLarge, message, '3.2.2-15')
    }
  }

  #pump(): void {
    while (this.#waiting.length > 0 && this.#sender.ready) {
      const publication = this.#waiting.shift()!
      const { topic, payload, qos, retain, properties } = publication
      const packetId = this.#sender.send(publication, qos)
      this.#connection.send({ type: 'publish', topic, payload, qos, retain, packetId, properties })
    }
  }

  puback(packetId: number, reasonCode: number): void {
    const publication = this.#sender.get(packetId)
    this.#settle(this.#sender.puback(packetId), publication, reasonCode)
  }

  pubrec(packetId: number, reasonCode: number): void {
    const publication = this.#sender.get(packetId)
    const step = this.#sender.pubrec(packetId, reasonCode)
    if (step === 'release') {
      publication!.reasonCode = reasonCode
      return this.#connection.send({ type: 'pubrel', packetId }) // [MQTT-4.3.3-4]
    }
    if (step === 'unknown') {
      const unknown = this.#connection.version === 5 ? ReasonCode.PacketIdentifierNotFound : ReasonCode.Success
      return this.#connection.send({ type: 'pubrel', packetId, reasonCode: unknown })
    }
    this.#settle(step, publication, reasonCode)
  }

  pubcomp(packetId: number): void {
    const publication = this.#sender.get(packetId)
    this.#settle(this.#sender.pubcomp(packetId), publication, publication?.reasonCode ?? ReasonCode.Success)
  }

  #settle(step: Step, publication: Publication | undefined, reasonCode: number): void {
    if (step === 'violation') throw protocolError('an acknowledgement of another step of the protocol', '4.3.3')
    if (step === 'settled') {
      if (reasonCode < 0x80) publication!.resolve({ reasonCode })
      else publication!.reject(new MqttError(reasonCode, `the server refused the message: ${reasonName(reasonCode)}`))
    }
    this.#pump()
  }

  /** The connection is over: nothing is acknowledged any more. */
  closed(error: Error): void {
    for (const { message } of this.#sender.snapshot()) message.reject(error)
    for (const publication of this.#waiting.splice(0)) publication.reject(error)
  }
}
