/** From packets to bytes. */

import { describe, flagsOf, packetTypeOf } from './description.js'
import { Output } from './output.js'
import type { PacketInput } from './packet.js'
import { knownVersion, type ProtocolVersion } from './packet-type.js'
import { allocateBlock, sharesBlocks } from './platform.js'
import { type PublishInput, payloadOf, writePublish } from './publish.js'
import { byteArray, whole } from './range.js'
import { view } from './reader.js'
import { insertLength } from './varint.js'

/**
 * Encodes a packet into new bytes. On Node small packets share memory, as small Buffers do. The version counts for all but
 * CONNECT, which names its own; properties are left out before MQTT 5.0. Throws TypeError or RangeError for a packet that
 * the standard does not allow, and MqttError for a received PUBLISH that is sent on unchecked and breaks it.
 */
export function encode(packet: PacketInput, version: ProtocolVersion = 5): Uint8Array {
  return fresh(writePacket, packet, version)
}

/**
 * Encodes a packet into the caller's bytes from the index `at`. Returns the index behind it, or -1 when there is
 * no room; the bytes from `at` on may then have changed. Throws as `encode` does.
 */
export function encodeInto(packet: PacketInput, target: Uint8Array, at = 0, version: ProtocolVersion = 5): number {
  const end = into(writePacket, packet, version, target, whole(at, 'at', byteArray(target, 'target').length))
  return end > target.length ? -1 : end
}

/** The number of bytes that a packet takes. Throws as `encode` does. */
export function encodedLength(packet: PacketInput, version: ProtocolVersion = 5): number {
  const start = used
  return into(writePacket, packet, version, block, start) - start
}

/** `encode` for a PUBLISH alone: with it a bundler can leave the other packets out. */
export function encodePublish(packet: PublishInput, version: ProtocolVersion = 5): Uint8Array {
  if (packet.type !== 'publish') throw new TypeError(`it must be a publish, not a ${(packet as PacketInput).type}`)
  return fresh(writePublish, packet, version)
}

/** Writes all of a packet but its payload. Returns the index behind it: beyond the end of the bytes there was no room. */
type Write<P> = (packet: P, version: ProtocolVersion, payloadLength: number, target: Uint8Array, at: number) => number

let block: Uint8Array = /* @__PURE__ */ allocateBlock()
let used = 0
/** Bytes of a packet that is not worth sharing. */
const large = 1024

// measured: 90 bytes: new Uint8Array 140 ns, a view of a block 35
function fresh<P extends PacketInput>(write: Write<P>, packet: P, version: ProtocolVersion): Uint8Array {
  const start = used
  const bytes = block
  used = bytes.length // a getter of the packet that encodes another one may not write here
  const end = into(write, packet, version, bytes, start)
  const hasRoom = end <= bytes.length
  if (block === bytes) used = hasRoom && sharesBlocks ? end : start
  if (!hasRoom) return withRoom(write, packet, version, end - start)
  return sharesBlocks ? view(bytes, start, end) : bytes.slice(start, end)
}

function withRoom<P extends PacketInput>(
  write: Write<P>,
  packet: P,
  version: ProtocolVersion,
  size: number,
): Uint8Array {
  if (size <= large) {
    block = allocateBlock()
    used = 0
    return fresh(write, packet, version)
  }
  const bytes = new Uint8Array(size)
  into(write, packet, version, bytes, 0)
  return bytes
}

/** Returns the index behind the packet: beyond the end of the target there was no room. */
function into<P extends PacketInput>(
  write: Write<P>,
  packet: P,
  version: ProtocolVersion,
  target: Uint8Array,
  at: number,
): number {
  const payload = packet.type === 'publish' ? payloadOf(packet) : none
  const payloadAt = write(packet, knownVersion(version), payload.length, target, at)
  const end = payloadAt + payload.length
  if (payload.length > 0 && end <= target.length) target.set(payload, payloadAt)
  return end
}

const none = /* @__PURE__ */ new Uint8Array()

function writePacket(
  packet: PacketInput,
  version: ProtocolVersion,
  payloadLength: number,
  target: Uint8Array,
  at: number,
): number {
  if (packet.type === 'publish') return writePublish(packet, version, payloadLength, target, at)
  const type = packetTypeOf(packet.type)
  const output = new Output(target, at + 2, version)
  target[at] = (type << 4) | flagsOf(type)
  describe(output, type, packet)
  return insertLength(target, at + 1, output.at, 0)
}
