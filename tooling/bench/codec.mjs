/** `@tidewire/codec` beside mqtt-packet and u8-mqtt-packet: parsing chunks of 64 KiB, and generating packets. */

import { Buffer } from 'node:buffer'
import { Decoder, encode, encodeInto } from '@tidewire/codec'
import * as mqttPacket from 'mqtt-packet'
import { mqtt_opts_v5, mqtt_pkt_ctx } from 'u8-mqtt-packet'
import { mqtt_opts_v4 } from 'u8-mqtt-packet/esm/codec_v4_full.js'
import { compare } from './harness.mjs'

const columns = ['Tidewire', 'mqtt-packet', 'u8-mqtt-packet']
const chunkSize = 65536
const payload = new Uint8Array(64).fill(0x61)
const topic = 'sensors/room12/temp/c1'
const filters = ['sensors/+/temp', 'alarms/#', 'site/7/line/2']

/** @typedef {import('@tidewire/codec').PacketInput} PacketInput */

/** @type {PacketInput} */
const qos0 = { type: 'publish', topic, payload }
/** @type {PacketInput} */
const large = { type: 'publish', topic, payload: new Uint8Array(4096).fill(0x61) }
/** @type {PacketInput} */
const withProperties = {
  type: 'publish',
  topic,
  payload,
  qos: 1,
  packetId: 7,
  properties: { messageExpiryInterval: 60, contentType: 'text/plain', userProperty: [['unit', 'celsius']] },
}
/** @type {PacketInput} */
const subscribe = {
  type: 'subscribe',
  packetId: 6,
  subscriptions: filters.map((topicFilter) => ({ topicFilter, qos: 1 })),
}
/** @type {PacketInput} */
const connect = {
  type: 'connect',
  protocolVersion: 5,
  clientId: 'client-1234',
  keepAlive: 60,
  userName: 'user',
  password: Buffer.from('secret'),
  will: { topic: 'will/client-1234', payload: Buffer.from('gone'), qos: 1 },
}
/** @type {PacketInput} */
const puback = { type: 'puback', packetId: 2 }

/** The same packets as the peers want them: first those of mqtt-packet. @typedef {[mqttPacket.Packet, [type: string, packet: object]?]} Theirs */

/** @type {Theirs} */
const theirQos0 = [
  { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 0, retain: false, dup: false },
  ['publish', { topic, payload, qos: 0 }],
]
/** @type {Theirs} */
const theirWithProperties = [
  {
    cmd: 'publish',
    topic,
    payload: Buffer.from(payload),
    qos: 1,
    messageId: 7,
    retain: false,
    dup: false,
    properties: { messageExpiryInterval: 60, contentType: 'text/plain', userProperties: { unit: 'celsius' } },
  },
]
/** @type {Theirs} */
const theirSubscribe = [
  {
    cmd: 'subscribe',
    messageId: 6,
    subscriptions: filters.map((filter) => ({ topic: filter, qos: 1, nl: false, rap: false, rh: 0 })),
  },
  ['subscribe', { pkt_id: 6, topics: filters.map((filter) => [filter, 1]) }],
]
/** @type {Theirs} */
const theirPuback = [{ cmd: 'puback', messageId: 2 }, ['puback', { pkt_id: 2 }]]

/** What is done with packets, for the engine not to leave it out. */
let used = 0

/**
 * A stream of a packet, or of many, again and again.
 * @param {readonly PacketInput[]} packets
 * @param {4 | 5} version
 */
function stream(packets, version) {
  const once = Buffer.concat(packets.map((packet) => encode(packet, version)))
  const times = Math.ceil((16 * chunkSize) / once.length)
  const bytes = Buffer.concat(Array(times).fill(once))
  const chunks = []
  for (let at = 0; at < bytes.length; at += chunkSize) chunks.push(bytes.subarray(at, at + chunkSize))
  return { chunks, count: times * packets.length }
}

/**
 * @param {string} name
 * @param {4 | 5} version
 * @param {readonly PacketInput[]} packets
 * @param {boolean} touched Whether every field of a PUBLISH is asked for.
 */
function parse(name, version, packets, touched = true) {
  return {
    name: `parse ${name}`,
    contestants: {
      Tidewire: () => {
        const { chunks, count } = stream(packets, version)
        return () => {
          const decoder = new Decoder({ protocolVersion: version, lazy: !touched })
          for (const chunk of chunks) {
            for (const packet of decoder.push(chunk)) {
              if (packet.type !== 'publish' || !touched) used++
              else {
                used += packet.topic.length + packet.payload.length + packet.qos + (packet.packetId ?? 0)
                used += Number(packet.retain) + Number(packet.dup) + (packet.properties.messageExpiryInterval ?? 0)
              }
            }
          }
          return count
        }
      },
      'mqtt-packet': () => {
        const { chunks, count } = stream(packets, version)
        return () => {
          const parser = mqttPacket.parser({ protocolVersion: version })
          parser.on('packet', (packet) => {
            used += packet.cmd.length
          })
          parser.on('error', fail)
          for (const chunk of chunks) parser.parse(chunk)
          return count
        }
      },
      'u8-mqtt-packet': () => {
        const { chunks, count } = stream(packets, version)
        return () => {
          const { decode } = u8Context(version).mqtt_stream()
          for (const chunk of chunks) used += decode(chunk).length
          return count
        }
      },
    },
  }
}

/** @param {4 | 5} version */
function u8Context(version) {
  return mqtt_pkt_ctx(version, version === 5 ? mqtt_opts_v5 : mqtt_opts_v4, {})
}

/** @param {Error} error */
function fail(error) {
  throw error
}

const often = 10_000

/**
 * @param {string} name
 * @param {4 | 5} version
 * @param {PacketInput} packet
 * @param {Theirs} theirs
 * @param {'alloc' | 'batch'} how New bytes for each packet, or all into the same batch.
 */
function generate(name, version, packet, [input, u8], how = 'alloc') {
  const batch = new Uint8Array(chunkSize)
  const ours =
    how === 'alloc'
      ? () => {
          for (let i = 0; i < often; i++) used += encode(packet, version).length
          return often
        }
      : () => {
          let at = 0
          for (let i = 0; i < often; i++) {
            const end = encodeInto(packet, batch, at, version)
            at = end < 0 ? encodeInto(packet, batch, 0, version) : end
          }
          used += at
          return often
        }
  /** @type {Record<string, () => import('./harness.mjs').Work>} */
  const contestants = {
    Tidewire: () => ours,
    'mqtt-packet': () => () => {
      for (let i = 0; i < often; i++) used += mqttPacket.generate(input, { protocolVersion: version }).length
      return often
    },
  }
  if (u8 !== undefined) {
    contestants['u8-mqtt-packet'] = () => {
      const context = u8Context(version)
      return () => {
        for (let i = 0; i < often; i++) used += context.encode_pkt(...u8).length
        return often
      }
    }
  }
  return { name: `generate ${name}`, contestants }
}

/** @type {PacketInput[]} */
const manyTopics = Array.from({ length: 10_000 }, (_, i) => ({
  type: 'publish',
  topic: `site/${i}/temp/c${i * 7}`,
  payload,
}))
/** @type {PacketInput[]} */
const notAscii = Array.from({ length: 100 }, (_, i) => ({ type: 'publish', topic: `säle/${i}/wärme/c1`, payload }))

compare(
  [
    parse('PUBLISH QoS 0, 64 B, untouched', 4, [qos0], false),
    parse('PUBLISH QoS 0, 64 B', 4, [qos0]),
    parse('the same, 10,000 topics', 4, manyTopics),
    parse('the same, topics not ASCII', 4, notAscii),
    parse('PUBLISH QoS 1, 64 B, 3 properties', 5, [withProperties]),
    parse('PUBLISH QoS 0, 4 KiB', 4, [large]),
    parse('SUBSCRIBE of 3 filters', 5, [subscribe]),
    parse('CONNECT with Will', 5, [connect]),
    parse('PUBACK', 4, [puback]),
    generate('PUBLISH QoS 0, 64 B', 4, qos0, theirQos0),
    generate('the same into a batch', 4, qos0, theirQos0, 'batch'),
    generate('PUBLISH QoS 1, 64 B, 3 properties', 5, withProperties, theirWithProperties),
    generate('SUBSCRIBE of 3 filters', 5, subscribe, theirSubscribe),
    generate('PUBACK', 4, puback, theirPuback),
  ],
  columns,
)
if (used < 0) console.log(used)
