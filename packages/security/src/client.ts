/** Who asks a broker, and what may be answered: the shapes that the hooks of `@tidewire/broker` have. */

import type { PeerCertificate } from 'node:tls'

/** Who is asking. A broker's own object fits. */
export interface Client {
  readonly clientId: string
  readonly userName: string | undefined
  /** Its IP address, if it has one. */
  readonly remoteAddress?: string | undefined
  /** The name of the listener where it came in. */
  readonly listener?: string
  /** What it proved to be with TLS: its certificate, if it is verified, or the identity of its pre-shared key. */
  readonly certificate?: PeerCertificate | undefined
  readonly pskIdentity?: string | undefined
}

/** `receive` is being sent a message; the others are what a client asks for. */
export type Action = 'publish' | 'subscribe' | 'receive'

/** A no in the words of the standard. */
export interface Refusal {
  /** 0x80 or above. */
  readonly reasonCode: number
  readonly reasonString?: string
}

/** What is known of a client that is let in. */
export interface Grant {
  /** Who the client has proved to be, whatever it says. */
  readonly userName?: string
  /** Roles and groups that it has beside those of a policy's file. */
  readonly roles?: readonly string[]
  readonly groups?: readonly string[]
  /** Milliseconds since 1970: then its connection ends, unless it has authenticated anew. */
  readonly expiresAt?: number
}

/** A grant lets the client in, a refusal does not, and undefined leaves it to others. */
export type Verdict = Grant | Refusal | undefined

/** Something that knows who clients are. It fails closed: a throw or rejection refuses. */
export interface Authenticator {
  authenticate(client: Client, password: Uint8Array | undefined): Verdict | Promise<Verdict>
}

/** Where it is written what an operator should know; `console` fits. */
export interface Log {
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

export const silent: Log = { info() {}, warn() {}, error() {} }

export function isRefusal(verdict: Verdict): verdict is Refusal {
  return verdict !== undefined && 'reasonCode' in verdict
}

/** Bad User Name or Password. */
export const badCredentials: Refusal = { reasonCode: 0x86 }
export const notAuthorized: Refusal = { reasonCode: 0x87 }
/** Something that was to be asked does not answer. */
export const unavailable: Refusal = { reasonCode: 0x88 }
export const busy: Refusal = { reasonCode: 0x89 }
