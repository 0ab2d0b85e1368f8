/** The bytes of the packets that the generator sends, without a codec, so that it measures none. */

import { Buffer } from 'node:buffer'

/** What each payload begins with: number of the publisher, sequence number, milliseconds when it was due. */
export const stampSize = 16

/** @param {string} text */
function string(text) {
  return Buffer.concat([uint16(Buffer.byteLength(text)), Buffer.from(text)])
}

/** @param {number} value */
function uint16(value) {
  return Buffer.of(value >> 8, value & 0xff)
}

/** @param {number} value */
function varint(value) {
  const bytes = []
  for (let rest = value; ; rest >>= 7) {
    if (rest < 128) return Buffer.of(...bytes, rest)
    bytes.push((rest & 127) | 128)
  }
}

/** @param {number} first @param {readonly Uint8Array[]} parts */
function packet(first, parts) {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.of(first), varint(body.length), body])
}

/** In MQTT 5.0 only. @param {4 | 5} version @param {readonly Uint8Array[]} list */
function properties(version, list = []) {
  const bytes = Buffer.concat(list)
  return version === 5 ? Buffer.concat([varint(bytes.length), bytes]) : bytes
}

const keepAlive = 300

/** @param {4 | 5} version @param {string} clientId @param {boolean} clean */
export function connect(version, clientId, clean) {
  const flags = Buffer.of(version, clean ? 2 : 0)
  return packet(0x10, [string('MQTT'), flags, uint16(keepAlive), properties(version), string(clientId)])
}

/** @param {4 | 5} version @param {string} filter @param {0 | 1 | 2} qos */
export function subscribe(version, filter, qos) {
  return packet(0x82, [uint16(1), properties(version), string(filter), Buffer.of(qos)])
}

export const disconnect = Buffer.of(0xe0, 0)

const three = [
  Buffer.of(0x02, 0, 0, 0, 60), // Message Expiry Interval
  Buffer.concat([Buffer.of(0x03), string('text/plain')]),
  Buffer.concat([Buffer.of(0x26), string('unit'), string('celsius')]),
]

/**
 * A PUBLISH in which Packet Identifier and stamp are still to be written.
 * @param {{ version: 4 | 5, topic: string, qos: 0 | 1 | 2, size: number, properties?: boolean, retain?: boolean }} message
 */
export function publish({ version, topic, qos, size, properties: some = false, retain = false }) {
  const middle = properties(version, some ? three : [])
  const parts = [string(topic), Buffer.alloc(qos > 0 ? 2 : 0), middle, Buffer.alloc(size, 'abcdefghijklmnopqrstuvwxyz')]
  const bytes = packet(0x30 | (qos << 1) | Number(retain), parts)
  const payloadAt = bytes.length - size
  return { bytes, payloadAt, packetIdAt: payloadAt - middle.length - 2 }
}
