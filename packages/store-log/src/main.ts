/** The command: checks, exports, imports and compacts a log. */

import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { StoreError } from '@tidewire/broker/store'
import { type LogFiles, systemFiles } from './files.js'
import { openLog } from './log-store.js'
import { exportLog, importLog } from './portable.js'
import { read } from './replay.js'
import { zerosFrom } from './segment.js'

const usage = `Usage: tidewire-store COMMAND DIRECTORY

The directory of @tidewire/store-log, while no broker has it open.

  check     says what is in it; ends with 1 and says where when something is damaged. Changes nothing
  export    writes all records as lines of JSON to the standard output. With --damaged it skips what is damaged, says so
            and ends with 1. Changes nothing
  import    makes a store of such lines from the standard input, in a directory that has none
  compact   makes it as small as it can be
  -h, --help
`

async function check(files: LogFiles): Promise<number> {
  const problems: string[] = []
  const { replay, last } = await read(files, (problem) => void problems.push(problem))
  const { segments, table, nextFrame, isClosed } = replay
  const bytes = segments.reduce((sum, { size }) => sum + size, 0)
  const live = segments.reduce((sum, { live }) => sum + live, 0)
  console.log(`${table.size} records in ${segments.length} segments, up to frame ${nextFrame - 1}`)
  console.log(`${bytes} bytes, of which ${live} are records that are still there`)
  const torn = last === undefined ? 0 : zerosFrom(last.bytes, last.walked.end) - last.walked.end
  if (torn > 0) console.log(`${torn} bytes at the end are not whole; they are put aside when it is opened`)
  if (!isClosed) console.log('it was not closed')
  for (const problem of problems) console.log(`damaged: ${problem}`)
  return problems.length === 0 ? 0 : 1
}

async function exportTo(files: LogFiles, skipsDamage: boolean): Promise<number> {
  let status = 0
  const report = (problem: string): void => {
    status = 1
    console.error(`not exported: ${problem}`)
  }
  await exportLog(files, (line) => void process.stdout.write(`${line}\n`), skipsDamage ? report : undefined)
  return status
}

async function compact(directory: string): Promise<number> {
  const store = await openLog(directory)
  const { bytes } = store.metrics
  await store.compact()
  await store.close()
  console.log(`${bytes} bytes have become ${store.metrics.bytes}`)
  return 0
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { damaged: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
  })
  const [command, directory, ...others] = positionals
  if (values.help) {
    console.log(usage)
    return 0
  }
  if (directory === undefined || others.length > 0) throw new TypeError('a command and a directory are needed')
  if (command === 'compact') return compact(directory)
  const files = systemFiles(directory)
  const unlock = await files.lock(command === 'import')
  try {
    if (command === 'check') return await check(files)
    if (command === 'export') return await exportTo(files, values.damaged)
    if (command !== 'import') throw new TypeError(`there is no command ${command}`)
    await importLog(files, inputLines())
    return await check(files)
  } finally {
    await unlock()
  }
}

/** Lines of the standard input. It is not read before the first is asked for: those that came earlier would be lost. */
async function* inputLines(): AsyncGenerator<string> {
  yield* createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })
}

try {
  process.exitCode = await run(process.argv.slice(2))
} catch (error) {
  const { message } = error as Error
  console.error(message)
  if (error instanceof TypeError) console.error(`\n${usage}`)
  process.exitCode = error instanceof StoreError ? 1 : 2
}
