/** Loads a broker as it is told in a process of its own, and prints as JSON what came of it. */

import { argv, pid as own } from 'node:process'
import { counts } from './arrivals.mjs'
import { cpuSeconds, memory } from './meter.mjs'
import { connects, queued, retained } from './once.mjs'
import { traffic } from './traffic.mjs'

/**
 * @typedef {object} Order
 * @property {import('./cases.mjs').Case} case
 * @property {import('./connection.mjs').Address} address
 * @property {number} pid The broker's.
 * @property {number} seconds How long is measured.
 * @property {number} warmUp Seconds before.
 * @property {number} patience Milliseconds after which a message that has not come is lost.
 */

/**
 * @typedef {object} Result
 * @property {number} messages That were measured; or connections.
 * @property {number} rate Of these for a second.
 * @property {number} cpu Microseconds of the broker for one.
 * @property {number} lost
 * @property {number} duplicates
 * @property {number} disordered That came after a later one of the same publisher and topic.
 * @property {number} strange That nobody has sent.
 * @property {number} [memory] KiB for a connection.
 * @property {number} [p50] Microseconds from when a message was due to when it came.
 * @property {number} [p99]
 * @property {number} [others] Percent.
 * @property {number} [unrelated] Percent.
 * @property {number} [generatorCpu] Seconds.
 * @property {number} rss KiB of the broker at the end.
 * @property {number} peak KiB of the broker at most.
 */

const kinds = { traffic, connects, queued, retained }

/** @type {Order} */
const order = JSON.parse(argv[2] ?? '')
const figures = await kinds[order.case.kind](order)
const { duplicates, disordered, strange } = counts
const rss = { rss: memory(order.pid), peak: memory(order.pid, 'VmHWM') }
console.log(JSON.stringify({ ...figures, duplicates, disordered, strange, ...rss, generatorCpu: cpuSeconds(own) }))
process.exit()
