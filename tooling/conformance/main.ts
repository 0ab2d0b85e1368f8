/** The command: runs the tests against a broker, or writes the matrix. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { ProtocolVersion } from '@tidewire/codec'
import type { BrokerUnderTest } from './broker-under-test.js'
import { hasMosquitto, mosquittoVersion, type Running, startMosquitto, startTidewire } from './brokers.js'
import { type Column, writeMatrix } from './matrix.js'
import { type Result, runAll } from './runner.js'
import { tests } from './sections/index.js'
import { root } from './statements.js'
import { nameOf, type Test, versionNames } from './suite.js'

const usage = `Usage: npm run conformance -- [options], in tooling/conformance

Runs the tests of the standard against a broker, and ends with status 1 when it breaks a statement.

  --host ADDRESS, --port PORT   the broker; without them Tidewire's is started
  --ws-port PORT                where it speaks MQTT over WebSocket
  --versions LIST               of 3.1, 3.1.1 and 5.0, separated by commas (default all)
  --only TEXT                   tests whose name or statements contain it
  --json                        all results as JSON
  --denied-topics LEVEL         a first level of topics that nobody may publish to
  --denied-filter FILTER        a Topic Filter that nobody may subscribe to
  --denied-user NAME            a User Name that may not connect
  --matrix [--out FILE]         run Tidewire and mosquitto, and write docs/conformance.md
  -h, --help                    show this
`

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string' },
    'ws-port': { type: 'string' },
    versions: { type: 'string', default: '3.1,3.1.1,5.0' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    'denied-topics': { type: 'string' },
    'denied-filter': { type: 'string' },
    'denied-user': { type: 'string' },
    matrix: { type: 'boolean', default: false },
    out: { type: 'string', default: fileURLToPath(new URL('../../docs/conformance.md', root)) },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

function versionsOf(list: string): ProtocolVersion[] {
  return list.split(',').map((name) => {
    const version = ([3, 4, 5] as const).find((each) => versionNames[each] === name.trim())
    if (version === undefined) throw new TypeError(`--versions: ${name} is not one of 3.1, 3.1.1 and 5.0`)
    return version
  })
}

function portOf(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535) throw new TypeError(`not a port: ${text}`)
  return port
}

async function broker(): Promise<BrokerUnderTest & Partial<Pick<Running, 'stop'>>> {
  const versions = versionsOf(values.versions)
  if (values.port === undefined) return { ...(await startTidewire()), versions }
  return {
    host: values.host,
    port: portOf(values.port),
    webSocketPort: values['ws-port'] === undefined ? undefined : portOf(values['ws-port']),
    versions,
    deniedTopics: values['denied-topics'],
    deniedFilters: values['denied-filter'],
    deniedUser: values['denied-user'],
  }
}

async function finished(selected: readonly Test[], target: BrokerUnderTest): Promise<Map<Test, Result>> {
  const results = new Map<Test, Result>()
  for (const [test, result] of runAll(selected, target)) results.set(test, await result)
  return results
}

async function run(): Promise<void> {
  const target = await broker()
  const selected = tests.filter((test) => {
    const isWanted = `${nameOf(test)} [${test.statements.join(' ')}]`.includes(values.only)
    return isWanted && target.versions.includes(test.version)
  })
  const results = await finished(selected, target)
  await target.stop?.()
  const counts = { passed: 0, promise: 0, failed: 0, inapplicable: 0 }
  for (const { state } of results.values()) counts[state]++
  if (values.json) {
    const list = [...results].map(([test, result]) => {
      const { section, statements, version } = test
      return { test: nameOf(test), section, version: versionNames[version], statements, ...result }
    })
    console.log(JSON.stringify({ counts, results: list }, null, 2))
  } else {
    for (const [test, { state, reason }] of results) {
      if (state !== 'passed')
        console.log(`${state.padEnd(12)} ${nameOf(test)} [${test.statements.join(' ')}]: ${reason}`)
    }
    const { passed, promise, failed, inapplicable } = counts
    console.log(
      `${passed} passed, ${promise} without what Tidewire promises, ${failed} failed, ${inapplicable} not offered`,
    )
  }
  if (counts.failed > 0) process.exitCode = 1
}

async function writeResults(): Promise<void> {
  const columns: Column[] = []
  const add = async (name: string, started: Promise<Running>): Promise<void> => {
    const running = await started
    columns.push({ name, results: await finished(tests, running) })
    await running.stop()
  }
  await add('Tidewire', startTidewire())
  if (!hasMosquitto) throw new Error('mosquitto is not installed, and the matrix has a column for it')
  await add(mosquittoVersion(), startMosquitto())
  mkdirSync(dirname(values.out), { recursive: true })
  writeFileSync(values.out, writeMatrix(tests, columns))
  console.log(values.out)
}

if (values.help) process.stdout.write(usage)
else await (values.matrix ? writeResults() : run())
