import { setTimeout as wait } from 'node:timers/promises'
import { createBroker } from '@tidewire/broker'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { LibraryPeer, mqttjs, paho } from './library.js'
import { Mosquitto } from './mosquitto.js'
import { digest, type Peer, type Subscriber } from './peer.js'
import { has, hasPaho } from './program.js'

const ends: (() => Promise<void>)[] = []
afterAll(() => Promise.all(ends.map((end) => end())))

const library = (its: typeof paho, version: 4 | 5): Peer =>
  new LibraryPeer(its, version, 'tcp', (end) => ends.push(end))
const kinds: readonly Peer[] = [
  library(mqttjs('5'), 5),
  library(mqttjs('4'), 4),
  ...(hasPaho ? [library(paho, 5), library(paho, 4)] : []),
]

const limits = { maxBufferedBytes: 128 * 1024, maxQueuedBytes: 512 * 1024 }
// More than the system's buffers take for who does not read.
const payload = Buffer.alloc(250_000, 'tide')
const count = 40

describe.skipIf(!has('mosquitto_sub', '--help'))('one frozen subscriber among 20 (needs mosquitto_sub)', () => {
  it.each([
    ['dropNewest', 0],
    ['dropOldest', 1],
    ['keepLatest', 2],
    ['disconnect', 1],
  ] as const)('takes nothing from the others nor from other topics, with %s at QoS %i', async (overflow, qos) => {
    const broker = createBroker({ overflow, limits })
    onTestFinished(() => broker.close())
    const { port } = await broker.listen('mqtt://127.0.0.1:0')
    const subscribe = (peer: Peer, topic: string): Promise<Subscriber> =>
      peer.subscribe({ port, webSocketPort: 0 }, [topic], { qos }, onTestFinished)
    const frozen = await subscribe(new Mosquitto(5), 'flood')
    const others = await Promise.all(
      Array.from({ length: 19 }, (_, at) => subscribe(kinds[at % kinds.length]!, 'flood')),
    )
    const unrelated = await subscribe(kinds[0]!, 'unrelated')
    frozen.freeze()
    const expected = digest(payload)
    for (let number = 0; number < count; number++) {
      await broker.publish('flood', payload, { qos })
      await broker.publish('unrelated', `${number}`, { qos })
      // At the pace of those who are well: what is dropped is the frozen one's.
      for (const other of others) expect((await other.next()).payload).toBe(expected)
      expect((await unrelated.next()).payload).toBe(`${number}`)
    }
    const { queueFull, slowConnection, replaced } = broker.metrics.dropped
    expect(queueFull + slowConnection + replaced).toBeGreaterThan(0)
    while (overflow === 'disconnect' && broker.metrics.connections > 20) await wait(10)
  })
})
