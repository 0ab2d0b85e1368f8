/** From packets to bytes. */

import { describe, flagsOf, packetTypeOf } from './description.js'
import { MqttError } from './mqtt-error.js'
import { Output } from './output.js'
import type { PacketInput } from './packet.js'
import type { ProtocolVersion } from './packet-type.js'
import { type Plain, plainLength, writePlain } from './plain.js'
import { allocate } from './platform.js'
import { writePublish } from './publish.js'
import { varintLength } from './varint.js'

/**
 * Encodes a packet into bytes of its own. The version counts for all but CONNECT, which names its own; properties are
 * left out before MQTT 5.0. Throws TypeError or RangeError for a packet that the standard does not allow.
 */
export function encode(packet: PacketInput, version: ProtocolVersion = 5): Uint8Array {
  const length = plainLength(packet, version)
  if (length > 0) {
    const plain = allocate(1 + varintLength(length) + length)
    if (writePlain(packet as Plain, length, version, plain, 0)) return plain
  }
  const output = new Output(version)
  const payload = write(output, packet)
  const bytes = allocate(output.at + payload.length)
  copy(output, payload, bytes, 0)
  return bytes
}

/**
 * Encodes a packet into the caller's bytes from the index `at`. Returns the index behind it, or -1 when there is
 * no room; the bytes from `at` on may then have changed. Throws as `encode` does.
 */
export function encodeInto(packet: PacketInput, target: Uint8Array, at = 0, version: ProtocolVersion = 5): number {
  const length = plainLength(packet, version)
  if (length > 0) {
    const end = at + 1 + varintLength(length) + length
    if (end > target.length) return -1
    if (writePlain(packet as Plain, length, version, target, at)) return end
  }
  const output = new Output(version)
  const payload = write(output, packet)
  const end = at + output.at + payload.length
  if (end > target.length) return -1
  copy(output, payload, target, at)
  return end
}

/** The number of bytes that a packet takes. Throws as `encode` does. */
export function encodedLength(packet: PacketInput, version: ProtocolVersion = 5): number {
  const output = new Output(version)
  return write(output, packet).length + output.at
}

const empty = new Uint8Array(0)

/** Writes a packet without the payload of a PUBLISH, which is returned. Here a breach of the standard is a TypeError. */
function write(output: Output, packet: PacketInput): Uint8Array {
  try {
    const payload = packet.type === 'publish' ? packet.payload : empty
    if (packet.type === 'publish') {
      writePublish(output, packet)
    } else {
      const type = packetTypeOf(packet.type)
      output.uint(1, (type << 4) | flagsOf(type))
      describe(output, type, packet)
    }
    output.prefix(1, payload.length)
    return payload
  } catch (error) {
    throw error instanceof MqttError ? new TypeError(error.message, { cause: error }) : error
  }
}

function copy(output: Output, payload: Uint8Array, target: Uint8Array, at: number): void {
  const { bytes, at: length } = output
  for (let i = 0; i < length; i++) target[at + i] = bytes[i]!
  target.set(payload, at + length)
  output.done()
}
