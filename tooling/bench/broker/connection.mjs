/** A connection of the generator: cuts what comes into packets where it lies, and writes once in a turn of the loop. */

import { Buffer } from 'node:buffer'
import { createConnection } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { connect, disconnect, subscribe } from './packets.mjs'
import { frame, headerSize, Unwrapper, upgrade } from './websocket.mjs'

/**
 * @typedef {object} Address
 * @property {number} port On 127.0.0.1.
 * @property {import('./cases.mjs').Case['transport']} transport
 * @property {4 | 5} version
 * @property {string} [ca] The certificate that the broker shows.
 */

const host = '127.0.0.1'
const readSize = 256 * 1024
const longestPacket = 64 * 1024
const connectTimeout = 30_000

/** @param {number} size */
function area(size) {
  const bytes = Buffer.allocUnsafeSlow(size)
  return { bytes, view: new DataView(bytes.buffer) }
}

/** Every socket is read into the same bytes, which are used up at once. */
const read = area(readSize)
/** The beginning of a packet and what came after it, where a read ended in a packet. */
const joined = area(longestPacket + readSize)

/** Connections that have something to send. @type {Connection[]} */
const dirty = []
let scheduled = false
let beforeWrites = () => {}

/** Calls a function at the end of each turn of the loop in which something happened. @param {() => void} call */
export function atEndOfTurn(call) {
  beforeWrites = call
}

export function scheduleTurn() {
  if (scheduled) return
  scheduled = true
  setImmediate(turn)
}

/** Writes what is to be written. */
export function turn() {
  scheduled = false
  beforeWrites()
  for (const connection of dirty) connection.write()
  dirty.length = 0
}

/** When the bytes came that are being read. */
export const clock = { now: 0, wanted: false }

let clients = 0

export class Connection {
  #address
  #clientId
  /** @type {import('node:net').Socket | undefined} */
  #socket
  #rest = Buffer.alloc(0)
  /** @type {Unwrapper | undefined} */
  #webSocket
  #dirty = false
  /** What is to be sent begins here; before it the template, and room for the header of a WebSocket. */
  #start = 0
  #output = area(256)
  /** The other one, while the system has not taken all of the first. @type {ReturnType<typeof area> | undefined} */
  #spare
  #written = () => this.#taken()
  /** What waits for a CONNACK or SUBACK. @type {((error?: Error) => void) | undefined} */
  #settle
  end = 0
  busy = false
  receiveMaximum = 65535
  sessionPresent = false

  /** @param {Address} address */
  constructor(address) {
    this.#address = address
    this.version = address.version
    this.#clientId = `bench-${++clients}`
    this.template(Buffer.alloc(0))
  }

  get bytes() {
    return this.#output.bytes
  }

  get view() {
    return this.#output.view
  }

  /** Settles with CONNACK. @param {boolean} clean @returns {Promise<void>} */
  open(clean = true) {
    const { port, transport, ca } = this.#address
    this.#rest = Buffer.alloc(0)
    const options = { host, port, noDelay: true }
    const onread = { buffer: read.bytes, callback: (/** @type {number} */ length) => this.#receive(length) }
    const socket = transport === 'mqtts' ? connectTls({ ...options, ca }) : createConnection({ ...options, onread })
    this.#socket = socket
    if (transport === 'mqtts') {
      socket.on('data', (chunk) => {
        read.bytes.set(chunk)
        this.#receive(chunk.length)
      })
    } else if (transport === 'ws') {
      this.busy = true // until the broker has agreed
      this.#webSocket = new Unwrapper(this.#written)
      socket.write(upgrade(host, port))
    }
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the broker closed the connection')))
    return this.#exchange(connect(this.version, this.#clientId, clean), 'CONNACK')
  }

  /** Settles with SUBACK. @param {string} filter @param {0 | 1 | 2} qos */
  subscribe(filter, qos) {
    return this.#exchange(subscribe(this.version, filter, qos), 'SUBACK')
  }

  /** Settles when the connection has ended. @returns {Promise<void>} */
  async close() {
    const socket = this.#socket
    if (socket === undefined) return
    socket.removeAllListeners('close')
    await new Promise((resolve) => {
      socket.once('close', resolve)
      this.send(disconnect)
      this.write()
      socket.end()
    })
  }

  /** Reads no more. */
  freeze() {
    this.#socket?.pause()
  }

  /** @param {Uint8Array} packet @param {string} answer @returns {Promise<void>} */
  #exchange(packet, answer) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(new Error(`no ${answer}`)), connectTimeout)
      this.#settle = (error) => {
        clearTimeout(timer)
        this.#settle = undefined
        if (error === undefined) resolve()
        else reject(error)
      }
      this.send(packet)
    })
  }

  /** @param {Error} error */
  #fail(error) {
    this.#socket?.destroy()
    if (this.#settle === undefined) throw error // nobody waits: the run is of no use
    this.#settle(error)
  }

  /** What most packets are like: it is kept before the output, to be copied from 0. @param {Uint8Array} bytes */
  template(bytes) {
    this.#start = bytes.length + (this.#address.transport === 'ws' ? headerSize : 0)
    this.end = this.#start
    this.#spare = undefined
    this.#output = area(Math.max(256, 4 * this.#start))
    this.bytes.set(bytes)
  }

  /** Makes room for a packet at the end of the output. Returns where it is to begin. @param {number} size */
  reserve(size) {
    const at = this.end
    this.end += size
    if (this.end > this.bytes.length) {
      const larger = area(2 * this.end)
      larger.bytes.set(this.bytes.subarray(0, at))
      this.#output = larger
    }
    if (!this.#dirty) {
      this.#dirty = true
      dirty.push(this)
      scheduleTurn()
    }
    return at
  }

  /** @param {Uint8Array} packet */
  send(packet) {
    const at = this.reserve(packet.length)
    this.bytes.set(packet, at)
  }

  /** @param {number} first @param {number} packetId */
  acknowledge(first, packetId) {
    const at = this.reserve(4)
    this.view.setUint16(at, (first << 8) | 2)
    this.view.setUint16(at + 2, packetId)
  }

  write() {
    this.#dirty = false
    const socket = this.#socket
    if (this.busy || this.end === this.#start || socket === undefined) return
    const from = this.#webSocket === undefined ? this.#start : frame(this.bytes, this.#start, this.end)
    socket.write(this.bytes.subarray(from, this.end), this.#written)
    this.end = this.#start
    if (socket.writableLength === 0) return
    // The system has not taken everything: these bytes must stay as they are until it has.
    this.busy = true
    const other = this.#spare ?? area(this.bytes.length)
    if (this.#spare === undefined) other.bytes.set(this.bytes.subarray(0, this.#start))
    this.#spare = this.#output
    this.#output = other
  }

  #taken() {
    if (!this.busy) return
    this.busy = false
    this.reserve(0)
    this.ready()
  }

  /** More can be written. */
  ready() {}

  /** @param {number} length */
  #receive(length) {
    if (clock.wanted) clock.now = performance.now()
    const size = this.#webSocket === undefined ? length : this.#webSocket.unwrap(read.bytes, length)
    const before = this.#rest.length
    let source = read
    if (before > 0) {
      source = joined
      joined.bytes.set(this.#rest)
      joined.bytes.set(read.bytes.subarray(0, size), before)
    }
    const used = this.#packets(source.view, before + size)
    const left = before + size - used
    if (left > longestPacket) throw new Error(`the broker sent a packet of more than ${longestPacket} bytes`)
    this.#rest = left === 0 ? none : Buffer.from(source.bytes.subarray(used, used + left))
    return true
  }

  /** Takes all whole packets. Returns where the first begins that is not. @param {DataView} view @param {number} end */
  #packets(view, end) {
    let at = 0
    while (end - at >= 2) {
      let body = at + 1
      let length = 0
      let byte = 0
      let shift = 0
      do {
        if (body >= end) return at
        byte = view.getUint8(body++)
        length |= (byte & 127) << shift
        shift += 7
      } while (byte > 127)
      if (end - body < length) return at
      this.packet(view.getUint8(at), view, body, length)
      at = body + length
    }
    return at
  }

  /**
   * @param {number} first The first byte.
   * @param {DataView} view
   * @param {number} at Where the rest of it begins, after its length.
   * @param {number} length
   */
  packet(first, view, at, length) {
    const type = first >> 4
    if (type === 2) {
      const code = view.getUint8(at + 1)
      this.sessionPresent = view.getUint8(at) === 1
      if (this.version === 5 && code === 0) this.#connackProperties(view, at + 2)
      this.#settle?.(code === 0 ? undefined : new Error(`CONNACK with ${code}`))
    } else if (type === 9) {
      const code = view.getUint8(at + length - 1)
      this.#settle?.(code < 0x80 ? undefined : new Error(`SUBACK with ${code}`))
    } else this.#fail(new Error(`the broker sent a packet of type ${type}`))
  }

  /** Looks for the Receive Maximum. @param {DataView} view @param {number} start */
  #connackProperties(view, start) {
    const end = start + 1 + view.getUint8(start)
    for (let at = start + 1; at < end; ) {
      const id = view.getUint8(at++)
      if (id === 0x21) this.receiveMaximum = view.getUint16(at)
      if (id === 0x21 || id === 0x22 || id === 0x13) at += 2
      else if (id === 0x11 || id === 0x27) at += 4
      else if (id === 0x24 || id === 0x25 || (id >= 0x28 && id <= 0x2a)) at += 1
      else at += 2 + view.getUint16(at) // strings; of a User Property the name, and then the value
      if (id === 0x26) at += 2 + view.getUint16(at)
    }
  }
}

const none = Buffer.alloc(0)
