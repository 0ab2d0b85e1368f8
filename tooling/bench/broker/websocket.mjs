/** The client's end of a WebSocket: binary frames of which each may hold a part of a packet, or many. */

import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'

/** Bytes that a header of the client takes at most. */
export const headerSize = 14
const mask = randomBytes(4)

/** @param {string} host @param {number} port */
export function upgrade(host, port) {
  return `GET /mqtt HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r
Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`
}

/**
 * Masks the bytes where they are, and puts the header before them. Returns where the frame begins.
 * @param {Buffer} bytes With room for a header before `start`.
 * @param {number} start
 * @param {number} end
 */
export function frame(bytes, start, end) {
  const length = end - start
  for (let i = 0; i < length; i++) bytes[start + i] = (bytes[start + i] ?? 0) ^ (mask[i & 3] ?? 0)
  const at = start - (length < 126 ? 6 : length < 65536 ? 8 : 14)
  bytes[at] = 0x82
  if (length < 126) bytes[at + 1] = 0x80 | length
  else if (length < 65536) {
    bytes[at + 1] = 0x80 | 126
    bytes.writeUInt16BE(length, at + 2)
  } else {
    bytes[at + 1] = 0x80 | 127
    bytes.writeBigUInt64BE(BigInt(length), at + 2)
  }
  mask.copy(bytes, start - 4)
  return at
}

/** Takes what the server sends out of its frames. */
export class Unwrapper {
  #onUpgrade
  #upgraded = false
  /** Of a header, or the answer to the upgrade, that is not complete. */
  #header = Buffer.alloc(0)
  /** Bytes of the frame that are still to come. */
  #left = 0

  /** @param {() => void} onUpgrade Frames may be sent from now on. */
  constructor(onUpgrade) {
    this.#onUpgrade = onUpgrade
  }

  /**
   * Moves the payloads to the beginning of the bytes. Returns how many bytes those are.
   * @param {Buffer} bytes
   * @param {number} length
   */
  unwrap(bytes, length) {
    let from = this.#upgraded ? 0 : this.#answer(bytes, length)
    let to = 0
    while (from < length) {
      if (this.#left === 0) {
        from = this.#begin(bytes, from, length)
        continue
      }
      const part = Math.min(this.#left, length - from)
      bytes.copyWithin(to, from, from + part)
      this.#left -= part
      from += part
      to += part
    }
    return to
  }

  /** @param {Buffer} bytes @param {number} length */
  #answer(bytes, length) {
    const before = this.#header.length
    this.#header = Buffer.concat([this.#header, bytes.subarray(0, length)])
    const end = this.#header.indexOf('\r\n\r\n')
    if (end < 0) return length
    const text = this.#header.toString('latin1', 0, end)
    if (!text.startsWith('HTTP/1.1 101 ')) throw new Error(`no WebSocket: ${text}`)
    this.#upgraded = true
    this.#header = Buffer.alloc(0)
    this.#onUpgrade()
    return end + 4 - before
  }

  /** Takes a byte of the header. @param {Buffer} bytes @param {number} from @param {number} length */
  #begin(bytes, from, length) {
    const before = this.#header.length
    const header = Buffer.concat([this.#header, bytes.subarray(from, Math.min(length, from + 10))])
    const short = (header[1] ?? 0) & 127
    const size = short < 126 ? 2 : short === 126 ? 4 : 10
    if (header.length < size || header.length < 2) {
      this.#header = header
      return length
    }
    if ((header[0] ?? 0) % 16 > 2) throw new Error(`the broker sent a WebSocket frame of kind ${(header[0] ?? 0) % 16}`)
    this.#left = short < 126 ? short : short === 126 ? header.readUInt16BE(2) : Number(header.readBigUInt64BE(2))
    this.#header = Buffer.alloc(0)
    return from + size - before
  }
}
