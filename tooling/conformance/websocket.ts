/** The client's half of WebSocket (RFC 6455), as much as it takes to send frames right and wrong. */

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { Duplex } from 'node:stream'
import { Failure, patience } from './client.js'

const magic = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
export const binary = 2
export const textual = 1
const closing = 8
const ping = 9
const pong = 10

export interface Upgrade {
  /** The HTTP status; 101 when the connection is a WebSocket. */
  readonly status: number
  readonly subprotocol: string | undefined
  readonly stream: FrameStream | undefined
}

/** Asks for a WebSocket with the subprotocols. */
export async function upgrade(
  host: string,
  port: number,
  subprotocols: readonly string[],
  headers = '',
): Promise<Upgrade> {
  const socket = createConnection({ host, port, noDelay: true })
  socket.on('error', () => {}) // `close` follows
  const key = randomBytes(16).toString('base64')
  const offered = subprotocols.length > 0 ? `Sec-WebSocket-Protocol: ${subprotocols.join(', ')}\r\n` : ''
  socket.write(
    `GET /mqtt HTTP/1.1\r\nHost: ${host}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n${offered}${headers}\r\n`,
  )
  const timer = setTimeout(() => socket.destroy(), patience * 1000)
  let received = Buffer.alloc(0)
  let end = -1
  while (end < 0) {
    const [chunk] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [Buffer | boolean]
    if (typeof chunk === 'boolean') return { status: 0, subprotocol: undefined, stream: undefined }
    received = Buffer.concat([received, chunk])
    end = received.indexOf('\r\n\r\n')
  }
  clearTimeout(timer)
  const head = received.subarray(0, end).toString('latin1')
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0)
  const subprotocol = /^sec-websocket-protocol: *(.*?) *$/im.exec(head)?.[1]
  if (status !== 101) {
    socket.destroy()
    return { status, subprotocol, stream: undefined }
  }
  const accept = createHash('sha1')
    .update(key + magic)
    .digest('base64')
  if (!head.includes(accept)) throw new Failure('answered the upgrade with a wrong key')
  const stream = new FrameStream(socket)
  stream.receive(received.subarray(end + 4))
  socket.on('data', (chunk: Buffer) => stream.receive(chunk))
  return { status, subprotocol, stream }
}

/** What is in the frames, as a stream of bytes. Writes become binary frames. */
export class FrameStream extends Duplex {
  readonly #socket: Duplex
  #rest = Buffer.alloc(0)
  /** Whether the broker has sent a frame with data that is not binary. */
  sentOther = false

  constructor(socket: Duplex) {
    super()
    this.#socket = socket
    socket.on('close', () => this.destroy())
  }

  receive(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (;;) {
      const bytes = this.#rest
      if (bytes.length < 2) return
      const opcode = bytes[0]! & 15
      let length = bytes[1]! & 127
      let at = 2
      if (length === 126) {
        if (bytes.length < 4) return
        length = bytes.readUInt16BE(2)
        at = 4
      } else if (length === 127) {
        if (bytes.length < 10) return
        length = Number(bytes.readBigUInt64BE(2))
        at = 10
      }
      if (bytes.length < at + length) return
      const content = bytes.subarray(at, at + length)
      this.#rest = bytes.subarray(at + length)
      if (opcode === binary || opcode === 0) this.push(content)
      else if (opcode === textual) this.sentOther = true
      else if (opcode === ping) this.frame(pong, content)
      else if (opcode === closing) {
        this.frame(closing, content)
        this.push(null)
      }
    }
  }

  /** Sends a frame. */
  frame(opcode: number, content: Uint8Array): void {
    const mask = randomBytes(4)
    const { length } = content
    const size = length < 126 ? Buffer.from([0x80 | length]) : Buffer.from([0x80 | 126, length >> 8, length & 255])
    const masked = Buffer.from(content).map((byte, at) => byte ^ mask[at & 3]!)
    this.#socket.write(Buffer.concat([Buffer.from([0x80 | opcode]), size, mask, masked]))
  }

  /** Sends bytes that may be no frame. */
  raw(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.frame(binary, chunk)
    done()
  }

  override _destroy(_error: Error | null, done: () => void): void {
    this.#socket.destroy()
    done()
  }
}
