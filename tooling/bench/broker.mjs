/** Tidewire's broker beside others: what a message costs each of them, in one run. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, release, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { execPath } from 'node:process'
import { parseArgs } from 'node:util'
import { cases } from './broker/cases.mjs'
import { contestantsHere, hasTaskset, makeCertificate, NotStarted, tidewire } from './broker/contestants.mjs'
import { canMeter } from './broker/meter.mjs'
import { hottest } from './broker/profile.mjs'
import { save, text } from './broker/report.mjs'
import { cellOf } from './broker/results.mjs'
import { lacks, measure } from './broker/run.mjs'

const usage = `Usage: npm run bench broker.mjs -- [options]

Measures the broker beside mosquitto and nats-server, if they are on the PATH, and aedes. Writes broker.json, broker.md
and broker.svg, and prints the table.

  --rounds N         how often everything is measured (default 5); the table has medians
  --seconds N        how long each figure is measured (default 3), after --warm-up N (default 1)
  --cases A,B        only these: ${cases.map(({ id }) => id).join(' ')}
  --against A,B      only these besides Tidewire
  --peer NAME=CMD    another broker; in the command {port} stands for where it is to listen, and {mosquitto.conf} for a
                     configuration as for mosquitto; may be given more than once
  --mosquitto LINE   a line more in the configuration of mosquitto, such as 'set_tcp_nodelay true'
  --node PATH        the Node that runs the brokers in JavaScript (default: this one)
  --loadgen PATH     another load generator, with the options and the output of loadgen
  --out FOLDER       where the results go (default results)
  --profile          only Tidewire, once, with CPU profiles in the same folder
  -h, --help         show this
`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    'warm-up': { type: 'string', default: '1' },
    cases: { type: 'string' },
    against: { type: 'string' },
    peer: { type: 'string', multiple: true, default: [] },
    mosquitto: { type: 'string', multiple: true, default: [] },
    node: { type: 'string', default: execPath },
    loadgen: { type: 'string' },
    out: { type: 'string', default: 'results' },
    profile: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

/** @param {string} option @param {string} value */
function positive(option, value) {
  const number = Number(value)
  if (!(number > 0) || !Number.isFinite(number)) throw new RangeError(`--${option} must be above 0, not ${value}`)
  return number
}

/**
 * Those that are named, in the order they have, or all.
 * @template T
 * @param {readonly T[]} all
 * @param {(each: T) => string} nameOf
 * @param {string | undefined} wanted
 */
function chosen(all, nameOf, wanted) {
  const names = wanted?.split(',') ?? all.map(nameOf)
  const unknown = names.filter((name) => !all.some((each) => nameOf(each) === name))
  if (unknown.length > 0)
    throw new RangeError(`not here: ${unknown.join(', ')}; there are ${all.map(nameOf).join(', ')}`)
  return all.filter((each) => names.includes(nameOf(each)))
}

const patience = 3000

async function main() {
  if (!canMeter) throw new Error('CPU and memory of the brokers are read from /proc, which only Linux has')
  if (availableParallelism() < 2) throw new Error('broker and generator need a core each')
  const rounds = Math.ceil(positive('rounds', values.rounds))
  const times = {
    seconds: positive('seconds', values.seconds),
    warmUp: positive('warm-up', values['warm-up']),
    patience,
  }
  const rows = chosen(cases, ({ id }) => id, values.cases)
  const [own = tidewire(), ...peers] = contestantsHere(values.node, values.peer, values.mosquitto)
  const contestants = [own, ...chosen(peers, ({ name }) => name, values.against)]
  const out = resolve(values.out)
  const folder = mkdtempSync(join(tmpdir(), 'tidewire-bench-'))
  mkdirSync(out, { recursive: true })
  try {
    const certificate = makeCertificate(folder)
    if (values.profile) return await profile(rows, out, certificate, times)
    /** @type {import('./broker/results.mjs').Report} */
    const report = {
      date: new Date().toISOString().slice(0, 10),
      machine: `${cpus()[0]?.model}, ${cpus().length} cores, Linux ${release()}${hasTaskset ? '' : ', no core of its own for each'}`,
      generator: values.loadgen ?? 'the generator of this folder',
      seconds: times.seconds,
      contestants: contestants.map(({ name, version }) => ({ name, version })),
      cases: rows,
      cells: rows.flatMap(({ id }) =>
        contestants.map(({ name }) => ({ case: id, contestant: name, results: [], problems: [] })),
      ),
    }
    for (let round = 1; round <= rounds; round++) {
      for (const what of rows) {
        for (const contestant of contestants) {
          await fill(cellOf(report, what.id, contestant.name), contestant, what, certificate, times)
          console.error(`round ${round} of ${rounds}: ${what.id}, ${contestant.name}`)
        }
      }
      save(report, out)
    }
    console.log(text(report))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * Measures once, and notes the result, or why there is none.
 * @param {import('./broker/results.mjs').Cell} cell
 * @param {import('./broker/contestants.mjs').Contestant} contestant
 * @param {import('./broker/cases.mjs').Case} what
 * @param {import('./broker/contestants.mjs').Certificate} certificate
 * @param {import('./broker/run.mjs').Times} times
 */
async function fill(cell, contestant, what, certificate, times) {
  const lack = lacks(contestant, what, values.loadgen)
  if (lack !== undefined) return void cell.problems.push(`not measured: ${lack}`)
  try {
    cell.results.push(await measure(contestant, what, certificate, times, values.loadgen))
  } catch (error) {
    if (!(error instanceof Error)) throw error
    cell.problems.push(`${error instanceof NotStarted ? 'did not start' : 'failed'}: ${error.message.trim()}`)
  }
}

/**
 * @param {readonly import('./broker/cases.mjs').Case[]} rows
 * @param {string} out
 * @param {import('./broker/contestants.mjs').Certificate} certificate
 * @param {import('./broker/run.mjs').Times} times
 */
async function profile(rows, out, certificate, times) {
  for (const what of rows) {
    const name = `${what.id}.cpuprofile`
    const options = ['--cpu-prof', '--cpu-prof-dir', out, '--cpu-prof-name', name]
    const { cpu } = await measure(tidewire(values.node, options), what, certificate, times, values.loadgen)
    console.log(
      `${what.name}: ${cpu.toFixed(2)} us with profile, ${join(out, name)}\n${hottest(join(out, name), 25)}\n`,
    )
  }
}

if (values.help) console.log(usage)
else await main()
