/** What happens once: many connections, all retained messages to a new subscriber, a queue to a client that returns. */

import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Arrivals, counts } from './arrivals.mjs'
import { acknowledged, fillWindows, Publisher, reached, Subscriber } from './clients.mjs'
import { atEndOfTurn, Connection } from './connection.mjs'
import { cpuSeconds, memory } from './meter.mjs'
import * as packets from './packets.mjs'

/** @typedef {import('./generator.mjs').Order} Order */

/** Not more than the shortest backlog among brokers. */
const atOnce = 100
const settleTime = 300
/** Until a broker that tidies up has done so. */
const holdTime = 2000
const window = 100
/** Of the publisher of retained messages, which waits for all before it sends more. */
const batch = 1000

/** Opens so many connections, some at once. @param {Order} order */
export async function connects({ case: { count, idle }, address, pid }) {
  await sleep(settleTime)
  const before = memory(pid)
  const cpu = cpuSeconds(pid)
  const start = performance.now()
  let opened = 0
  const open = async () => {
    while (opened < count) {
      const number = opened++
      const connection = new Connection(address)
      await connection.open()
      if (idle) await connection.subscribe(`idle/${number}/cmd`, 0)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, open))
  const spent = cpuSeconds(pid) - cpu
  const rate = count / ((performance.now() - start) / 1000)
  if (idle) await sleep(holdTime)
  return { messages: count, rate, cpu: (spent * 1e6) / count, memory: (memory(pid) - before) / count, lost: 0 }
}

/** What a subscriber receives from when it does something. @param {Order} order @param {() => Promise<void>} act */
async function drain({ case: { count }, pid, patience }, act) {
  const cpu = cpuSeconds(pid)
  const start = performance.now()
  await act()
  await reached(() => counts.received, count, patience)
  const time = (performance.now() - start) / 1000
  const { received } = counts
  const spent = cpuSeconds(pid) - cpu
  return { messages: received, rate: received / time, cpu: (spent * 1e6) / received, lost: count - received }
}

const numberOfPublishers = 10

/** Messages of some publishers wait for a client that is away, which then returns. @param {Order} order */
export async function queued(order) {
  const { case: what, address, patience } = order
  /** @type {Publisher[]} */
  const publishers = []
  const subscriber = new Subscriber(address, [], new Arrivals(numberOfPublishers))
  await subscriber.open(false)
  await subscriber.subscribe('bench/+', 1)
  await subscriber.close()
  for (let i = 0; i < numberOfPublishers; i++) {
    const template = packets.publish({ version: address.version, topic: `bench/${i}`, qos: 1, size: 64 })
    const publisher = new Publisher(address, i, 1, template)
    publisher.fan = 0 // nobody is there to receive
    publisher.window = window
    publisher.limit = what.count / numberOfPublishers
    publishers.push(publisher)
    await publisher.open()
  }
  atEndOfTurn(fillWindows)
  for (const publisher of publishers) publisher.ready()
  await reached(() => acknowledged.count, what.count, patience)
  if (acknowledged.count < what.count) throw new Error(`${acknowledged.count} of ${what.count} were acknowledged`)
  await sleep(settleTime)
  return drain(order, async () => {
    await subscriber.open(false)
    if (!subscriber.sessionPresent) throw new Error('the session is gone')
  })
}

/** A subscriber asks for everything that is retained. @param {Order} order */
export async function retained(order) {
  const { case: what, address, patience } = order
  const { version } = address
  const messageOf = (/** @type {number} */ n) => {
    const topic = `bench/${Math.floor(n / 1000)}/${n % 1000}/state`
    return packets.publish({ version, topic, qos: 1, size: 64, retain: true })
  }
  const publisher = new Publisher(address, 0, 1, messageOf(0))
  await publisher.open()
  while (publisher.sent < what.count) {
    const end = Math.min(publisher.sent + Math.min(batch, publisher.receiveMaximum), what.count)
    while (publisher.sent < end) publisher.publishOther(messageOf(publisher.sent))
    await reached(() => acknowledged.count, end, patience)
    if (acknowledged.count < end) throw new Error(`${acknowledged.count} of ${end} were acknowledged`)
  }
  await sleep(settleTime)
  const subscriber = new Subscriber(address, [], new Arrivals(1))
  await subscriber.open()
  const figures = await drain(order, () => subscriber.subscribe('#', 0))
  counts.disordered = 0 // retained messages of different topics come in any order
  return figures
}
