/** Enhanced authentication (section 4.12): the conversation that CONNECT begins, and the one that begins anew. */

import { type Auth, type Connack, MqttError, type PacketInput, protocolError, type Received } from '@tidewire/codec'
import type { Authentication } from './options.js'

/** What it needs of the client. */
export interface AuthenticatedClient {
  /** Whether CONNACK has been accepted. */
  readonly isOnline: boolean
  /** Sends on the connection that there is. */
  send(packet: PacketInput): void
  /** Ends that connection, and the client with it if there is no use in another one. */
  refuse(error: MqttError, isFinal: boolean): void
  /** Takes a packet that was held. */
  packet(packet: Received): void
}

// Packets that may come while the server's proof is looked at.
const mostHeld = 1_000

export class Authenticator {
  readonly #client: AuthenticatedClient
  readonly #authentication: Authentication
  /** Packets that came while the server's proof is looked at. */
  #held: Received[] | undefined
  /** The conversation that began anew. */
  #again: { resolve(): void; reject(error: Error): void } | undefined
  /** Grows with each connection: what belongs to one before is of no account. */
  #connection = 0

  constructor(client: AuthenticatedClient, authentication: Authentication) {
    this.#client = client
    this.#authentication = authentication
  }

  /** A connection has ended. */
  reset(reason: Error): void {
    this.#connection++
    this.#held = undefined
    this.#again?.reject(reason)
    this.#again = undefined
  }

  /** Returns whether the packet has to wait. */
  holds(packet: Received): boolean {
    if (this.#held === undefined) return false
    if (this.#held.push(packet) > mostHeld)
      throw new MqttError(0x97, 'too many packets before the end of authentication')
    return true
  }

  /** CONNACK that accepts: `open` is called when its proof, if there is one, is good. */
  connack({ properties }: Connack, open: () => void): void {
    if (properties.authenticationData === undefined) return open()
    this.#held = []
    this.#prove(properties.authenticationData, () => {
      const held = this.#held ?? []
      this.#held = undefined
      open()
      for (const packet of held) this.#client.packet(packet)
    })
  }

  auth({ reasonCode, properties }: Auth): void {
    if (properties.authenticationMethod !== this.#authentication.method) {
      throw protocolError('AUTH of another Authentication Method', '4.12.0-5')
    }
    const again = this.#again
    const isDue = this.#client.isOnline ? again !== undefined : reasonCode === 0x18
    if (!isDue || reasonCode === 0x19) throw protocolError('AUTH that nobody waits for', '4.12.1')
    this.#prove(properties.authenticationData, (answer) => {
      if (reasonCode === 0x18) return this.#send(reasonCode, answer)
      this.#again = undefined
      again?.resolve()
    })
  }

  /** Has the application look at what the server says. */
  #prove(data: Uint8Array | undefined, next: (answer: Uint8Array | undefined) => void): void {
    const connection = this.#connection
    const answer = async (): Promise<Uint8Array | undefined> => this.#authentication.continue(data)
    answer()
      .then((proof) => {
        if (connection === this.#connection) next(proof)
      })
      .catch((error: Error) => {
        if (connection !== this.#connection) return
        const isOurs = error instanceof MqttError
        this.#client.refuse(isOurs ? error : new MqttError(0x87, error.message), !isOurs) // [MQTT-4.12.1-2]
      })
  }

  #send(reasonCode: number, authenticationData: Uint8Array | undefined): void {
    const { method: authenticationMethod } = this.#authentication
    this.#client.send({ type: 'auth', reasonCode, properties: { authenticationMethod, authenticationData } })
  }

  /** Settles when the server is content. */
  async again(): Promise<void> {
    if (!this.#client.isOnline || this.#again !== undefined)
      throw new Error('this is not the time to authenticate again')
    const connection = this.#connection
    const data = await this.#authentication.start()
    if (connection !== this.#connection) throw new Error('the connection was lost')
    return new Promise((resolve, reject) => {
      this.#again = { resolve, reject }
      this.#send(0x19, data)
    })
  }
}
