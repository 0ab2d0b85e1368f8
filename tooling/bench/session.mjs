/** `@tidewire/session` beside plain Maps: nanoseconds for a message, and bytes of an idle session. */

import { argv, memoryUsage } from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { IncomingAliases, OutgoingAliases, Receiver, Sender } from '@tidewire/session'
import { compare } from './harness.mjs'

const columns = ['Tidewire', 'Maps']
const sessions = 1_000
const inFlight = 32
const message = { payload: new Uint8Array(64) }

/** The sending end of QoS 1 as one would write it first. */
class MapSender {
  #inUse = new Set()
  #last = 0
  #inFlight = new Map()

  /** @param {unknown} message @param {1 | 2} qos */
  send(message, qos) {
    do this.#last = this.#last === 0xffff ? 1 : this.#last + 1
    while (this.#inUse.has(this.#last))
    const packetId = this.#last
    this.#inUse.add(packetId)
    this.#inFlight.set(packetId, { packetId, message, awaits: qos === 1 ? 'puback' : 'pubrec' })
    return packetId
  }

  /** @param {number} packetId */
  puback(packetId) {
    if (this.#inFlight.get(packetId)?.awaits !== 'puback') return
    this.#inFlight.delete(packetId)
    this.#inUse.delete(packetId)
  }
}

/** The receiving end of QoS 2, the same way. */
class MapReceiver {
  #unreleased = new Map()

  /** @param {number} packetId */
  publish(packetId) {
    if (this.#unreleased.has(packetId)) return false
    this.#unreleased.set(packetId, { packetId, accepted: false })
    return true
  }

  /** @param {number} packetId */
  pubrec(packetId) {
    const known = this.#unreleased.get(packetId)
    if (known !== undefined) known.accepted = true
  }

  /** @param {number} packetId */
  pubrel(packetId) {
    return this.#unreleased.delete(packetId)
  }
}

/**
 * Sends so many messages on each of many sessions, and then acknowledges them.
 * @template S
 * @param {() => S} make
 * @param {(session: S) => number} send
 * @param {(session: S, packetId: number) => void} acknowledge
 */
const messages = (make, send, acknowledge) => () => {
  const all = Array.from({ length: sessions }, make)
  const ids = new Uint16Array(inFlight)
  return () => {
    for (const session of all) {
      for (let i = 0; i < inFlight; i++) ids[i] = send(session)
      for (const packetId of ids) acknowledge(session, packetId)
    }
    return sessions * inFlight
  }
}

let next = 0
/** The identifiers of a peer that sends in turn. */
const peerId = () => (next = (next % 0xffff) + 1)

/**
 * @param {number} count How many topics take turns.
 * @param {(topic: string) => void} use
 */
const topics = (count, use) => () => {
  const all = Array.from({ length: count }, (_, i) => `site/${i % 7}/line/${i}/temperature`)
  return () => {
    for (const topic of all) use(topic)
    return count
  }
}

const incoming = new IncomingAliases(32)
for (let alias = 1; alias <= 32; alias++) incoming.resolve(`site/7/line/${alias}/temperature`, alias)
const outgoing = new OutgoingAliases(32)

const cells = [
  {
    name: 'QoS 1: send, PUBACK',
    contestants: {
      Tidewire: messages(
        () => new Sender(),
        (sender) => sender.send(message, 1),
        (sender, packetId) => sender.puback(packetId),
      ),
      Maps: messages(
        () => new MapSender(),
        (sender) => sender.send(message, 1),
        (sender, packetId) => sender.puback(packetId),
      ),
    },
  },
  {
    name: 'QoS 2: send, PUBREC, PUBCOMP',
    contestants: {
      Tidewire: messages(
        () => new Sender(),
        (sender) => sender.send(message, 2),
        (sender, packetId) => {
          sender.pubrec(packetId, 0)
          sender.pubcomp(packetId)
        },
      ),
    },
  },
  {
    name: 'QoS 1: PUBLISH, PUBACK sent',
    contestants: {
      Tidewire: messages(
        () => new Receiver(),
        (receiver) => {
          const packetId = peerId()
          receiver.publish(packetId, 1)
          return packetId
        },
        (receiver) => receiver.puback(),
      ),
    },
  },
  {
    name: 'QoS 2: PUBLISH, PUBREC sent, PUBREL',
    contestants: {
      Tidewire: messages(
        () => new Receiver(),
        (receiver) => {
          const packetId = peerId()
          receiver.publish(packetId, 2)
          receiver.pubrec(packetId, 0)
          return packetId
        },
        (receiver, packetId) => receiver.pubrel(packetId),
      ),
      Maps: messages(
        () => new MapReceiver(),
        (receiver) => {
          const packetId = peerId()
          receiver.publish(packetId)
          receiver.pubrec(packetId)
          return packetId
        },
        (receiver, packetId) => receiver.pubrel(packetId),
      ),
    },
  },
  { name: 'outgoing alias, 32 topics', contestants: { Tidewire: topics(32, (topic) => outgoing.for(topic)) } },
  { name: 'outgoing alias, 10,000 topics', contestants: { Tidewire: topics(10_000, (topic) => outgoing.for(topic)) } },
  {
    name: 'incoming alias',
    contestants: { Tidewire: topics(32, () => incoming.resolve('', (peerId() & 31) + 1)) },
  },
]

compare(cells, columns)
if (argv[3] === undefined) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  /** All memory, typed arrays included. */
  const used = () => {
    collect()
    const { heapUsed, arrayBuffers } = memoryUsage()
    return heapUsed + arrayBuffers
  }
  /** @param {string} name @param {(sender: Sender<object>) => void} prepare */
  const print = (name, prepare) => {
    const before = used()
    const kept = Array.from({ length: 100_000 }, () => {
      const sender = new Sender()
      const receiver = new Receiver()
      prepare(sender)
      return { sender, receiver }
    })
    console.log(`${name}: ${((used() - before) / kept.length).toFixed(0)} bytes`)
  }
  /** @param {Sender<object>} sender */
  const burst = (sender) => {
    for (let i = 0; i < 64; i++) sender.send(message, 1)
    for (let i = 0; i < 64; i++) sender.puback(i + 1)
  }
  console.log()
  print('idle session, nothing sent yet', () => {})
  print('idle session, one message sent', (sender) => sender.puback(sender.send(message, 1)))
  print('idle session, 64 in flight before', burst)
  print('session without connection, 64 in flight before', (sender) => {
    burst(sender)
    sender.suspend()
  })
}
