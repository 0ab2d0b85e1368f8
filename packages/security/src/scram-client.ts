/** The client's end of SCRAM as enhanced authentication of MQTT 5.0 (section 4.12). */

import { escaped, readServerFinal, readServerFirst, textOf } from './scram-messages.js'
import {
  bytesOf,
  digest,
  isSame,
  leastIterations,
  mac,
  mostIterations,
  prepared,
  type ScramMechanism,
  saltedPassword,
  toBase64,
  xor,
} from './scram-verifier.js'

export interface ScramClientOptions {
  readonly userName: string
  readonly password: string
  /** Default SCRAM-SHA-256. */
  readonly mechanism?: ScramMechanism
  /** Printable characters without a comma. Default: 18 random bytes in base64; another one is for tests. */
  readonly nonce?: string
}

/** An exchange that proves the password without saying it, and has the server prove that it knows it too. */
export interface ScramExchange {
  /** The Authentication Method. */
  readonly method: ScramMechanism
  /** Whether the server has proved that it knows the password: a server that does not is another one. */
  readonly isDone: boolean
  /**
   * Gives the Authentication Data to send: first without an argument, for CONNECT or for AUTH when it is renewed, then
   * with what the server sends; undefined when there is nothing more to say. Rejects when the server does not keep to SCRAM.
   */
  next(data?: Uint8Array): Promise<Uint8Array | undefined>
}

/** Begins an exchange; each authentication needs one of its own. Throws TypeError for characters that cannot be. */
export function scramClient(options: ScramClientOptions): ScramExchange {
  return new Exchange(options)
}

class Exchange implements ScramExchange {
  readonly method: ScramMechanism
  readonly #password: string
  readonly #nonce: string
  readonly #first: string
  #state: 'first' | 'final' | 'verify' | 'done' | 'failed' = 'first'
  #signature: Uint8Array = new Uint8Array(0)

  constructor({ userName, password, mechanism = 'SCRAM-SHA-256', nonce = newNonce() }: ScramClientOptions) {
    this.method = mechanism
    this.#password = prepared(password)
    this.#nonce = nonce
    this.#first = `n=${escaped(prepared(userName))},r=${nonce}`
  }

  get isDone(): boolean {
    return this.#state === 'done'
  }

  async next(data?: Uint8Array): Promise<Uint8Array | undefined> {
    const state = this.#state
    this.#state = 'failed' // unless it goes well
    const text = textOf(data) ?? ''
    if (state === 'first') return this.#begin()
    if (state === 'final') return this.#prove(text)
    if (state === 'verify') return this.#verify(text)
    throw new Error('the exchange is over')
  }

  #begin(): Uint8Array {
    this.#state = 'final'
    return bytesOf(`n,,${this.#first}`)
  }

  async #prove(text: string): Promise<Uint8Array> {
    const message = readServerFirst(text)
    const isOurs = message?.nonce.startsWith(this.#nonce) === true && message.nonce.length > this.#nonce.length
    if (message === undefined || !isOurs) throw new Error('the server does not answer as SCRAM has it')
    const { nonce, salt, iterations } = message
    if (iterations < leastIterations || iterations > mostIterations) {
      throw new Error(
        `the server asks for ${iterations} rounds: from ${leastIterations} to ${mostIterations} are taken`,
      )
    }
    const { method } = this
    const withoutProof = `c=biws,r=${nonce}` // the base64 of `n,,`
    const transcript = `${this.#first},${text},${withoutProof}`
    const salted = await saltedPassword(method, this.#password, salt, iterations)
    const clientKey = await mac(method, salted, 'Client Key')
    const clientSignature = await mac(method, await digest(method, clientKey), transcript)
    this.#signature = await mac(method, await mac(method, salted, 'Server Key'), transcript)
    this.#state = 'verify'
    return bytesOf(`${withoutProof},p=${toBase64(xor(clientKey, clientSignature))}`)
  }

  #verify(text: string): undefined {
    const signature = readServerFinal(text)
    if (signature === undefined || !isSame(signature, this.#signature)) {
      throw new Error('the server has not proved that it knows the password')
    }
    this.#state = 'done'
  }
}

export function newNonce(): string {
  return toBase64(crypto.getRandomValues(new Uint8Array(18)))
}
