/** The server's end of SCRAM as enhanced authentication of MQTT 5.0 (section 4.12). */

import { newNonce } from './scram-client.js'
import { readClientFinal, readClientFirst, textOf } from './scram-messages.js'
import {
  bytesOf,
  digest,
  isSame,
  leastIterations,
  mac,
  parseVerifier,
  prepared,
  type ScramMechanism,
  toBase64,
  type Verifier,
  xor,
} from './scram-verifier.js'

/** Who may come: finds what `scramVerifier` made for a user. A throw or rejection refuses. */
export interface ScramUsers {
  verifierOf(userName: string, mechanism: ScramMechanism): string | undefined | Promise<string | undefined>
}

export interface ScramServerOptions {
  readonly users: ScramUsers
  /** Default SCRAM-SHA-256. */
  readonly mechanism?: ScramMechanism
  /** Rounds that are told for a user who does not exist: as many as the others have. Default 4,096. */
  readonly iterations?: number
  /** Gives the server's part of a nonce. Default: random; another one is for tests. */
  readonly nonce?: () => string
}

/** What comes next, as a broker's `authenticationMethods` have it. */
export type ScramStep =
  | { readonly state: 'continue'; readonly data: Uint8Array }
  | { readonly state: 'success'; readonly data: Uint8Array; readonly userName: string }
  | { readonly state: 'failure'; readonly reasonCode: number }

export interface ScramServerExchange {
  next(data: Uint8Array | undefined): Promise<ScramStep>
}

/** Not Authorized: for a wrong password as for an unknown user, a broken message and another user than before. */
const refused: ScramStep = { state: 'failure', reasonCode: 0x87 }

/**
 * A method of enhanced authentication: `authenticationMethods: { 'SCRAM-SHA-256': scram({ users }) }`. A client that says
 * a user name in CONNECT, or authenticates again, must be that user.
 */
export function scram(
  options: ScramServerOptions,
): (client: { readonly userName: string | undefined }) => ScramServerExchange {
  // The salt of a user who does not exist is always the same one, as that of one who does.
  const secret = crypto.getRandomValues(new Uint8Array(32))
  return ({ userName }) => new Exchange(options, secret, userName)
}

class Exchange implements ScramServerExchange {
  readonly #options: ScramServerOptions
  readonly #mechanism: ScramMechanism
  readonly #secret: Uint8Array
  readonly #expectedName: string | undefined
  #state: 'first' | 'final' | 'over' = 'first'
  #userName = ''
  #verifier: Verifier | undefined
  #isKnown = false
  #header = ''
  #nonce = ''
  #transcript = ''

  constructor(options: ScramServerOptions, secret: Uint8Array, expectedName: string | undefined) {
    this.#options = options
    this.#mechanism = options.mechanism ?? 'SCRAM-SHA-256'
    this.#secret = secret
    this.#expectedName = expectedName
  }

  async next(data: Uint8Array | undefined): Promise<ScramStep> {
    const state = this.#state
    this.#state = 'over' // unless it goes on
    const text = textOf(data)
    if (text === undefined || state === 'over') return refused
    return state === 'first' ? this.#begin(text) : this.#check(text)
  }

  async #begin(text: string): Promise<ScramStep> {
    const message = readClientFirst(text)
    const userName = message === undefined ? undefined : preparedOrNot(message.userName)
    if (message === undefined || userName === undefined) return refused
    if (this.#expectedName !== undefined && this.#expectedName !== userName) return refused
    const found = await this.#options.users.verifierOf(userName, this.#mechanism)
    const verifier = found === undefined ? undefined : parseVerifier(found)
    this.#isKnown = verifier?.mechanism === this.#mechanism
    this.#verifier = this.#isKnown ? verifier! : await this.#dummy(userName)
    const { salt, iterations } = this.#verifier
    this.#userName = userName
    this.#header = message.header
    this.#nonce = message.nonce + (this.#options.nonce ?? newNonce)()
    const first = `r=${this.#nonce},s=${toBase64(salt)},i=${iterations}`
    this.#transcript = `${message.bare},${first}`
    this.#state = 'final'
    return { state: 'continue', data: bytesOf(first) }
  }

  async #check(text: string): Promise<ScramStep> {
    const message = readClientFinal(text)
    const { storedKey, serverKey } = this.#verifier!
    const isOurs = message?.nonce === this.#nonce && message.binding === toBase64(bytesOf(this.#header))
    if (message === undefined || !isOurs || message.proof.length !== storedKey.length) return refused
    const transcript = `${this.#transcript},${message.withoutProof}`
    const clientKey = xor(message.proof, await mac(this.#mechanism, storedKey, transcript))
    const isRight = isSame(await digest(this.#mechanism, clientKey), storedKey)
    const signature = await mac(this.#mechanism, serverKey, transcript)
    if (!isRight || !this.#isKnown) return refused
    return { state: 'success', data: bytesOf(`v=${toBase64(signature)}`), userName: this.#userName }
  }

  async #dummy(userName: string): Promise<Verifier> {
    const { iterations = leastIterations } = this.#options
    const salt = (await mac('SCRAM-SHA-256', this.#secret, userName)).slice(0, 16)
    const key = new Uint8Array(this.#mechanism === 'SCRAM-SHA-256' ? 32 : 64)
    return { mechanism: this.#mechanism, iterations, salt, storedKey: key, serverKey: key }
  }
}

function preparedOrNot(userName: string): string | undefined {
  try {
    return prepared(userName)
  } catch {
    return undefined
  }
}
