/** What a refusal is: bytes that break the standard, and how that is told. */

import { type DecodeOptions, decode, MqttError, type ProtocolVersion } from '@tidewire/codec'
import { expect } from 'vitest'
import { fromHex, marked } from '../bytes.js'

export interface Refusal {
  readonly name: string
  /** As `fromHex` reads them, with `>` before the byte that the error points at. */
  readonly bytes: string
  readonly reasonCode: number
  /** As the error tells it. */
  readonly statement: string
  /** More statements that say so. */
  readonly also?: string
  /** 5 if left out. */
  readonly versions?: readonly ProtocolVersion[]
}

/** The name of the test, with all its statements. */
export function titleOf({ name, statement, also }: Refusal): string {
  return `${name} [${also === undefined ? statement : `${statement}, ${also}`}]`
}

/** Expects the refusal in each of its versions, eager and lazy. */
export function expectRefusal(refusal: Refusal, options: DecodeOptions = {}): void {
  const { bytes, reasonCode, statement, versions = [5] } = refusal
  for (const protocolVersion of versions) {
    for (const lazy of [false, true]) {
      const error = errorOf(fromHex(bytes), { protocolVersion, lazy, ...options })
      const found = { version: protocolVersion, ...error, offset: error.offset }
      expect(found, `${refusal.name}: ${bytes}`).toMatchObject({ reasonCode, statement, offset: marked(bytes) })
    }
  }
}

/** The error with which a whole packet is refused. */
export function errorOf(bytes: Uint8Array, options: DecodeOptions): MqttError {
  try {
    const packet = decode(bytes, options)
    if (packet?.type === 'publish') packet.check()
    throw new Error(`accepted: ${JSON.stringify(packet)}`)
  } catch (error) {
    expect(error).toBeInstanceOf(MqttError)
    return error as MqttError
  }
}
