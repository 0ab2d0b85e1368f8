/**
 * `@tidewire/client` beside MQTT.js: CPU of the client for a message of 64 bytes, redelivery over a link of 20 ms, heap of an
 * idle client, and bytes of a bundle for browsers. Options: --rounds N (5), --seconds N (1.5), --only TEXT.
 */

import { execFileSync, spawn } from 'node:child_process'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bundles } from './client/bundles.mjs'
import { canPin, median } from './harness.mjs'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1.5' },
    only: { type: 'string', default: '' },
  },
})
const roundTrip = 20
const names = ['Tidewire', 'MQTT.js']
const folder = fileURLToPath(new URL('client/', import.meta.url))

/** @type {readonly { name: string, version: 4 | 5, what: string, unit: (value: number) => string }[]} */
const rows = [
  .../** @type {const} */ ([4, 5]).flatMap((version) =>
    ['publish QoS 0', 'publish QoS 1', 'receive QoS 0', 'receive QoS 1'].map((what) => ({
      name: `${what}, MQTT ${version === 4 ? '3.1.1' : '5.0'}: CPU`,
      version,
      what,
      unit: (/** @type {number} */ ns) => `${(ns / 1000).toFixed(2)} us`,
    })),
  ),
  {
    name: '50 in flight sent again over 20 ms',
    version: 5,
    what: 'redelivery',
    unit: (ms) => `${(ms / roundTrip).toFixed(1)} round trips`,
  },
  { name: 'heap of an idle client', version: 5, what: 'heap', unit: (bytes) => `${(bytes / 1024).toFixed(1)} KiB` },
]

/** @param {string[]} args */
async function startServer(...args) {
  const command = canPin ? ['taskset', '-c', '0', execPath] : [execPath]
  const [program = '', ...before] = command
  const server = spawn(program, [...before, `${folder}server.mjs`, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise((resolve) => server.stdout.once('data', (data) => resolve(String(data).trim())))
  return { port, stop: () => server.kill() }
}

/** @param {typeof rows[number]} row @param {string} name */
async function measure({ what, version }, name) {
  const server = await startServer(...(what === 'redelivery' ? ['slow'] : []))
  const command = canPin ? ['taskset', '-c', '1', execPath] : [execPath]
  const [program = '', ...before] = command
  const args = [...before, `${folder}run.mjs`, server.port, name, String(version), what, values.seconds]
  try {
    return Number(execFileSync(program, args, { encoding: 'utf8' }))
  } finally {
    server.stop()
  }
}

const chosen = rows.filter(({ name }) => name.includes(values.only))
/** @type {Map<string, number[]>} */
const figures = new Map()
for (let round = 0; round < Number(values.rounds); round++) {
  for (const row of chosen) {
    for (const name of names) {
      const key = `${row.name} ${name}`
      figures.set(key, [...(figures.get(key) ?? []), await measure(row, name)])
    }
  }
}
console.log(`| | ${names.join(' | ')} |\n|-|-:|-:|`)
for (const { name, unit } of chosen) {
  const [ours = 0, theirs = 0] = names.map((each) => median(figures.get(`${name} ${each}`) ?? []))
  console.log(`| ${name} | ${unit(ours)} | ${unit(theirs)} (${(theirs / ours).toFixed(1)}x) |`)
}
if ('bundle'.includes(values.only)) {
  for (const { name, ours, theirs } of await bundles()) {
    console.log(`| ${name} | ${kilobytes(ours)} | ${kilobytes(theirs)} (${(theirs / ours).toFixed(1)}x) |`)
  }
}

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} KB`
}
