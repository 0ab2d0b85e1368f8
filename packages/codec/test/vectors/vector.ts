/** What a test vector is: bytes, each explained, and the packet that they are. */

import type { Packet, ProtocolVersion } from '@tidewire/codec'
import { fromHex } from '../bytes.js'

/** Some bytes as `fromHex` reads them, what they mean, and how often they come one after the other. */
type Line = readonly [bytes: string, meaning: string, times?: number]

export interface Vector {
  readonly name: string
  /** The versions in which these bytes are this packet. */
  readonly versions: readonly ProtocolVersion[]
  readonly lines: readonly Line[]
  readonly packet: Packet
  /** Allowed, but not how the packet is encoded. */
  readonly decodeOnly?: true
}

export function bytesOf({ lines }: Vector): Uint8Array {
  const parts = lines.map(([hex, , times = 1]) => ({ part: fromHex(hex), times }))
  const bytes = new Uint8Array(parts.reduce((sum, { part, times }) => sum + part.length * times, 0))
  let at = 0
  for (const { part, times } of parts) {
    if (part.length === 1) bytes.fill(part[0]!, at, at + times)
    else for (let i = 0; i < times; i++) bytes.set(part, at + i * part.length)
    at += part.length * times
  }
  return bytes
}

/** The numbers as bytes. */
export const octets = (...numbers: number[]): Uint8Array => Uint8Array.from(numbers)
