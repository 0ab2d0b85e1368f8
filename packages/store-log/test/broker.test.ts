import { connect } from 'node:net'
import { createBroker } from '@tidewire/broker'
import type { PacketInput } from '@tidewire/codec'
import { openLog } from '@tidewire/store-log'
import { PacketSocket } from '@tidewire/testing/packet-socket'
import { expect, it, onTestFinished } from 'vitest'
import { Disk, type Operation, systemError } from './disk.js'

/** The broker on a disk that the test can break. */
async function start(disk: Disk, durability: 'os' | 'fsync' = 'fsync') {
  const store = await openLog('disk', { files: disk, segmentSize: 32 * 1024, durability })
  const errors: string[] = []
  const broker = createBroker({
    store,
    sysInterval: 0,
    limits: { maxQueuedMessages: 100_000, receiveMaximum: 200 },
    log: { info() {}, warn() {}, error: (message) => void errors.push(message) },
  })
  const { port } = await broker.listen('mqtt://127.0.0.1:0')
  return { broker, store, port, errors }
}

async function join(port: number, clientId: string): Promise<PacketSocket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const client = new PacketSocket(socket, 5)
  onTestFinished(() => client.cut())
  const properties = { sessionExpiryInterval: 10_000 }
  client.send({ type: 'connect', protocolVersion: 5, clientId, cleanStart: false, properties })
  await client.expect('connack')
  return client
}

/** What became of messages, as the publisher and the subscriber know it. */
class Auditor {
  /** Payloads of which PUBACK or PUBREC has come. */
  readonly acknowledged: Set<string> = new Set()
  /** Those of QoS 2 that may come again, with their identifiers, or that are accepted and not released. */
  readonly unacknowledged: Map<number, string> = new Map()
  readonly unreleased: Set<number> = new Set()
  /** How often each has come. */
  readonly received: Map<string, number> = new Map()
  /** Identifiers of QoS 2 messages that the subscriber has and that are not released. */
  readonly has: Set<number> = new Set()
  #packetId = 0

  /** Publishes so many messages of both QoS, with those again that were not acknowledged. Reads until the connection ends. */
  async publish(client: PacketSocket, count: number, enough: () => void, after: number): Promise<void> {
    const packet = (packetId: number, text: string, qos: 1 | 2, dup: boolean): PacketInput => ({
      type: 'publish',
      topic: `t/${packetId % 7}`,
      payload: Buffer.from(text),
      qos,
      packetId,
      dup,
    })
    for (const packetId of this.unreleased) client.send({ type: 'pubrel', packetId })
    for (const [packetId, text] of this.unacknowledged) client.send(packet(packetId, text, 2, true))
    const mine = new Map<number, string>()
    for (let i = 0; i < count; i++) {
      const packetId = ++this.#packetId
      const text = `${packetId}`.padEnd(100, '.')
      const qos = i % 2 === 0 ? 1 : 2
      if (qos === 2) this.unacknowledged.set(packetId, text)
      else mine.set(packetId, text)
      client.send(packet(packetId, text, qos, false))
      if (i % 20 === 0) await new Promise(setImmediate)
    }
    for (let answers = 0; ; ) {
      const answer = await client.next()
      if (answer === undefined) return
      if (answer.type === 'puback' && answer.reasonCode < 0x80) this.acknowledged.add(mine.get(answer.packetId)!)
      if (answer.type === 'pubrec' && answer.reasonCode < 0x80) {
        this.acknowledged.add(this.unacknowledged.get(answer.packetId)!)
        this.unacknowledged.delete(answer.packetId)
        this.unreleased.add(answer.packetId)
        client.send({ type: 'pubrel', packetId: answer.packetId })
      }
      if (answer.type === 'pubcomp') this.unreleased.delete(answer.packetId)
      if (++answers === after) enough()
    }
  }

  /** Takes what has come for the subscriber, until it has all or the connection ends. */
  async receive(client: PacketSocket, isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      const packet = await client.next()
      if (packet === undefined) return
      if (packet.type === 'pubrel') {
        this.has.delete(packet.packetId)
        client.send({ type: 'pubcomp', packetId: packet.packetId })
      }
      if (packet.type !== 'publish') continue
      const text = Buffer.from(packet.payload).toString()
      if (packet.qos === 1 || !this.has.has(packet.packetId!))
        this.received.set(text, (this.received.get(text) ?? 0) + 1)
      if (packet.qos === 2) this.has.add(packet.packetId!)
      client.send({ type: packet.qos === 1 ? 'puback' : 'pubrec', packetId: packet.packetId! })
    }
  }

  get lost(): number {
    return [...this.acknowledged].filter((text) => !this.received.has(text)).length
  }

  /** QoS 2 messages that came more than once. */
  get doubled(): string[] {
    return [...this.received]
      .filter(([text, count]) => count > 1 && Number.parseInt(text, 10) % 2 === 0)
      .map(([text]) => text)
  }
}

/** Numbers that look like chance, the same in each run. */
function randomOf(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

/** Rounds of power cuts under load. Returns what the auditor knows at the end. */
async function rounds(durability: 'os' | 'fsync', count: number): Promise<Auditor> {
  const random = randomOf(7)
  const auditor = new Auditor()
  let disk = new Disk()
  for (let round = 0; ; round++) {
    const { broker, port } = await start(disk, durability)
    const subscriber = await join(port, 'subscriber')
    if (round === 0) {
      subscriber.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 't/#', qos: 2 }] })
      await subscriber.expect('suback')
    }
    if (round === count) {
      subscriber.send({ type: 'pingreq' })
      const last = setTimeout(() => subscriber.cut(), 3_000)
      await auditor.receive(subscriber, () => auditor.lost === 0 && auditor.has.size === 0)
      clearTimeout(last)
      await broker.close()
      return auditor
    }
    const publisher = await join(port, 'publisher')
    const isGone = { now: false }
    // Every other round the subscriber is away.
    const receiving = round % 2 === 0 ? auditor.receive(subscriber, () => isGone.now) : subscriber.cut()
    await auditor.publish(
      publisher,
      150,
      () => {
        disk = disk.powerCut(random)
        isGone.now = true
        publisher.cut()
        subscriber.cut()
      },
      20 + random(150),
    )
    await receiving
    broker.close().catch(() => {}) // it never ends: its disk is gone
  }
}

it('10 power cuts under load: nothing that was acknowledged is lost, and QoS 2 comes once MQTT-4.3.2-4 MQTT-4.3.3-8', async () => {
  const auditor = await rounds('fsync', 10)
  expect(auditor.acknowledged.size).toBeGreaterThan(500)
  expect(auditor.lost).toBe(0)
  expect(auditor.doubled).toEqual([])
})

it('the same auditor finds the loss when nothing is synced', async () => {
  const auditor = await rounds('os', 2).catch((error: Error) => error)
  // What it was left may even be such that it cannot be opened.
  if (auditor instanceof Auditor) expect(auditor.lost).toBeGreaterThan(0)
  else expect(auditor).toMatchObject({ name: 'StoreError' })
})

it.each<[Operation, string]>([
  ['write', 'EIO'],
  ['sync', 'EIO'],
])('a %s that fails with %s: no acknowledgement, and it is told once', async (operation, code) => {
  const disk = new Disk()
  const { broker, port, errors } = await start(disk)
  onTestFinished(() => broker.close().catch(() => {}))
  const subscriber = await join(port, 'subscriber')
  subscriber.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 't/#', qos: 2 }] })
  await subscriber.expect('suback')
  const publisher = await join(port, 'publisher')
  disk.fault = (what) => (what === operation ? systemError(code) : undefined)
  publisher.send({ type: 'publish', topic: 't/1', payload: Buffer.from('x'), qos: 1, packetId: 1 })
  await publisher.expectEnd()
  expect(broker.metrics.store?.state).toBe('failed')
  expect(errors.filter((error) => error.includes(code))).toHaveLength(1)
})

it('a disk that is full: no acknowledgement of success, and when there is room again it goes on', async () => {
  const disk = new Disk()
  const { broker, port } = await start(disk)
  onTestFinished(() => broker.close())
  const subscriber = await join(port, 'subscriber')
  subscriber.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 't/#', qos: 1 }] })
  await subscriber.expect('suback')
  subscriber.cut()
  const publisher = await join(port, 'publisher')
  disk.capacity = 200_000
  const payload = Buffer.alloc(1000)
  let acknowledged = 0
  let reasonCode = 0
  for (let packetId = 1; reasonCode < 0x80; packetId++) {
    publisher.send({ type: 'publish', topic: 't/1', payload, qos: 1, packetId })
    reasonCode = (await publisher.expect('puback')).reasonCode
    if (reasonCode < 0x80) acknowledged++
  }
  expect(reasonCode).toBe(0x97)
  expect(acknowledged).toBeGreaterThan(50)
  const left = await start(disk.copy())
  expect(left.store.metrics.records).toBeGreaterThan(2 * acknowledged)
  await left.broker.close()
  disk.capacity = Number.POSITIVE_INFINITY
  while (broker.metrics.store?.state !== 'open') await new Promise((resolve) => setImmediate(resolve))
  publisher.send({ type: 'publish', topic: 't/1', payload, qos: 1, packetId: 1 })
  expect((await publisher.expect('puback')).reasonCode).toBe(0)
})
