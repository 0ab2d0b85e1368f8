/**
 * The server that the clients talk to: it answers as cheaply as it can, in a process of its own. After SUBSCRIBE
 * it sends messages of the QoS that was asked for, as many as the connection or the Receive Maximum takes. With the
 * argument `slow` it answers after 20 ms, and cuts the first connection on which 50 messages have come.
 */

import { createServer } from 'node:net'
import { argv, stdout } from 'node:process'
import { Decoder, encode } from '@tidewire/codec'

const isSlow = argv[2] === 'slow'
const linkDelay = 10 // each way
const inFlight = 50
const payload = new Uint8Array(64)
const topic = 'site/7/line/3/te'
const batch = 500
const window = 100
let connections = 0

const server = createServer({ noDelay: true }, (socket) => {
  const isFirst = connections++ === 0
  const decoder = new Decoder({ lazy: true })
  /** @type {Uint8Array[]} */
  let outbox = []
  let published = 0
  let nextId = 0
  /** @param {Parameters<typeof encode>[0]} packet */
  const send = (packet) => outbox.push(encode(packet, decoder.protocolVersion))
  const message = () => {
    nextId = (nextId % 0xffff) + 1
    return send({ type: 'publish', topic, payload, qos: 1, packetId: nextId })
  }
  /** @param {Uint8Array} bytes */
  const flood = (bytes) => {
    while (socket.writable && socket.write(bytes));
    socket.once('drain', () => flood(bytes))
  }
  /** @param {Uint8Array} chunk */
  const take = (chunk) => {
    for (const packet of decoder.push(chunk)) {
      if (packet.type === 'publish') {
        if (isSlow && isFirst) {
          if (++published === inFlight) socket.destroy()
        } else if (packet.qos === 1) send({ type: 'puback', packetId: packet.packetId ?? 0 })
      } else if (packet.type === 'puback') message()
      else if (packet.type === 'connect') send({ type: 'connack', sessionPresent: !packet.cleanStart && !isFirst })
      else if (packet.type === 'pingreq') send({ type: 'pingresp' })
      else if (packet.type === 'subscribe') {
        send({ type: 'suback', packetId: packet.packetId, reasonCodes: [packet.subscriptions[0]?.qos ?? 0] })
        if (packet.subscriptions[0]?.qos === 1) for (let i = 0; i < window; i++) message()
        if (packet.subscriptions[0]?.qos === 0) {
          const one = encode({ type: 'publish', topic, payload }, decoder.protocolVersion)
          const bytes = Buffer.concat(Array(batch).fill(one))
          setImmediate(() => flood(bytes))
        }
      }
    }
    if (outbox.length === 0) return
    const answer = Buffer.concat(outbox)
    outbox = []
    if (isSlow) setTimeout(() => socket.write(answer), linkDelay)
    else socket.write(answer)
  }
  socket.on('data', (chunk) => void (isSlow ? setTimeout(() => take(chunk), linkDelay) : take(chunk)))
  socket.on('error', () => {})
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`)
})
