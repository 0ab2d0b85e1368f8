/** What the two ends of SCRAM say to each other (RFC 5802, section 7). */

import { fromBase64 } from './scram-verifier.js'

// Bytes of a message; what is longer is not looked at.
const longest = 4096

/** Text of a message; undefined for what is none. */
export function textOf(data: Uint8Array | undefined): string | undefined {
  if (data === undefined || data.length > longest) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    return undefined
  }
}

export interface ClientFirst {
  /** What stands before `bare`: it comes again in the last message. */
  readonly header: string
  readonly bare: string
  readonly userName: string
  readonly nonce: string
}

/** Without channel binding: TLS ends in front of MQTT, often in another process. */
export function readClientFirst(text: string): ClientFirst | undefined {
  const match = /^([ny],,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[a-z]=[^,]*)*)$/i.exec(text)
  const userName = match === null ? undefined : unescaped(match[3]!)
  return userName === undefined ? undefined : { header: match![1]!, bare: match![2]!, userName, nonce: match![4]! }
}

export interface ServerFirst {
  readonly nonce: string
  readonly salt: Uint8Array
  readonly iterations: number
}

export function readServerFirst(text: string): ServerFirst | undefined {
  const match = /^r=([\x21-\x2b\x2d-\x7e]+),s=([^,]+),i=([1-9]\d{0,9})(?:,[a-z]=[^,]*)*$/i.exec(text)
  const salt = match === null ? undefined : fromBase64(match[2]!)
  return salt === undefined ? undefined : { nonce: match![1]!, salt, iterations: Number(match![3]) }
}

export interface ClientFinal {
  /** All before the proof. */
  readonly withoutProof: string
  readonly binding: string
  readonly nonce: string
  readonly proof: Uint8Array
}

export function readClientFinal(text: string): ClientFinal | undefined {
  const match = /^(c=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[a-z]=[^,]*)*),p=([^,]+)$/i.exec(text)
  const proof = match === null ? undefined : fromBase64(match[4]!)
  return proof === undefined ? undefined : { withoutProof: match![1]!, binding: match![2]!, nonce: match![3]!, proof }
}

export function readServerFinal(text: string): Uint8Array | undefined {
  const match = /^v=([^,]+)$/.exec(text)
  return match === null ? undefined : fromBase64(match[1]!)
}

export function escaped(userName: string): string {
  return userName.replaceAll('=', '=3D').replaceAll(',', '=2C')
}

function unescaped(name: string): string | undefined {
  return /=(?!2C|3D)/.test(name) ? undefined : name.replaceAll('=2C', ',').replaceAll('=3D', '=')
}
