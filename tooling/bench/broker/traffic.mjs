/** Publishers and subscribers at work for a time. */

import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Arrivals, Audience, counts } from './arrivals.mjs'
import { fillWindows, latencies, Publisher, reached, Subscriber } from './clients.mjs'
import { atEndOfTurn, clock, turn } from './connection.mjs'
import { cpuSeconds } from './meter.mjs'
import * as packets from './packets.mjs'

/** @typedef {import('./generator.mjs').Order} Order */
/** @typedef {{ publishers: Publisher[], subscribers: Subscriber[], frozen: Subscriber[] }} Crowd The clients of a group. */

const shareName = 'workers'

/**
 * @param {import('./cases.mjs').Group} group
 * @param {Order} order
 * @param {Publisher[]} all The publishers of all groups, by number.
 * @returns {Promise<Crowd>}
 */
async function gather(group, { case: { version, properties }, address }, all) {
  const { shape, qos, size, window, frozen = 0 } = group
  const base = all.length
  const publishers = Array.from({ length: group.publishers }, (_, i) => {
    const template = packets.publish({ version, topic: `bench/${base + i}`, qos, size, properties })
    const publisher = new Publisher(address, base + i, qos, template)
    publisher.window = window
    publisher.fan = shape === 'fan-out' ? group.subscribers - frozen : 1
    return publisher
  })
  all.push(...publishers)
  const known = base + publishers.length
  const audience = shape === 'shared' ? new Audience() : undefined
  const crowd = Array.from({ length: group.subscribers }, (_, i) =>
    i < frozen ? new Subscriber(address, all) : new Subscriber(address, all, new Arrivals(known, audience)),
  )
  for (const [i, subscriber] of crowd.entries()) {
    await subscriber.open()
    const topic = shape === 'fan-out' ? base : base + i
    const filter =
      shape === 'fan-in' ? 'bench/+' : shape === 'shared' ? `$share/${shareName}/bench/+` : `bench/${topic}`
    await subscriber.subscribe(filter, qos)
  }
  for (const publisher of publishers) await publisher.open()
  return { publishers, subscribers: crowd.slice(frozen), frozen: crowd.slice(0, frozen) }
}

/** Sends messages when they are due, so many for a second. @param {readonly Publisher[]} publishers @param {number} rate */
function sendAtRate(publishers, rate) {
  const start = performance.now()
  let number = 0
  let running = true
  const tick = () => {
    if (!running) return
    for (const now = performance.now(); ; number++) {
      const due = start + (number * 1000) / rate
      if (due > now) break
      publishers[number % publishers.length]?.publish(due)
    }
    turn()
    setImmediate(tick) // never sleeps: a timer would be late by a millisecond
  }
  tick()
  return () => {
    running = false
  }
}

const stallTime = 500

/** Sends whatever the windows let; if nothing comes for a while, what is missing is no longer waited for. @param {readonly Publisher[]} publishers */
function sendByWindow(publishers) {
  atEndOfTurn(fillWindows)
  for (const publisher of publishers) publisher.ready()
  let last = 0
  const timer = setInterval(() => {
    if (counts.received === last) for (const publisher of publishers) publisher.forget()
    last = counts.received
  }, stallTime)
  return () => {
    clearInterval(timer)
    atEndOfTurn(() => {})
  }
}

/** @param {Crowd} crowd */
const receivedBy = ({ subscribers }) => subscribers.reduce((sum, { received }) => sum + received, 0)

/** Messages for a second by group, and CPU of the broker for each. @param {readonly Crowd[]} crowds @param {Order} order */
async function measure(crowds, { pid, seconds }) {
  const cpu = cpuSeconds(pid)
  const before = crowds.map(receivedBy)
  const start = performance.now()
  await sleep(seconds * 1000)
  const time = (performance.now() - start) / 1000
  const received = crowds.map((crowd, i) => receivedBy(crowd) - (before[i] ?? 0))
  const messages = received.reduce((sum, count) => sum + count, 0)
  return {
    messages,
    rate: messages / time,
    cpu: ((cpuSeconds(pid) - cpu) * 1e6) / messages,
    rates: received.map((count) => count / time),
  }
}

/** @param {number[]} values Sorted. @param {number} part */
const quantile = (values, part) => values[Math.min(values.length - 1, Math.floor(values.length * part))] ?? Number.NaN

/** @param {Order} order */
export async function traffic(order) {
  const { case: what, seconds, patience } = order
  /** @type {Publisher[]} */
  const publishers = []
  /** @type {Crowd[]} */
  const crowds = []
  for (const group of what.groups) crowds.push(await gather(group, order, publishers))
  clock.wanted = what.rate > 0
  const stop = what.rate > 0 ? sendAtRate(publishers, what.rate) : sendByWindow(publishers)
  await sleep(order.warmUp * 1000)
  latencies.length = 0
  const { rates, ...figures } = await measure(crowds, order)
  latencies.sort((a, b) => a - b)
  const delays = { p50: quantile(latencies, 0.5) * 1000, p99: quantile(latencies, 0.99) * 1000 }
  const frozen = crowds.flatMap((crowd) => crowd.frozen)
  /** Percent of the rates of before. @type {Record<string, number>} */
  const kept = {}
  if (frozen.length > 0) {
    for (const subscriber of frozen) subscriber.freeze()
    await sleep(Math.min(1, seconds) * 1000) // until the buffers on the way are full
    const after = await measure(crowds, order)
    kept['others'] = ((after.rates[0] ?? 0) / (rates[0] ?? 0)) * 100
    kept['unrelated'] = ((after.rates[1] ?? 0) / (rates[1] ?? 0)) * 100
  }
  stop()
  const wanted = publishers.reduce((sum, { sent, fan }) => sum + sent * fan, 0)
  await reached(() => counts.received, wanted, patience)
  return { ...figures, ...(what.rate > 0 ? delays : {}), ...kept, lost: wanted - counts.received }
}
