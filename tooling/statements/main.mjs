/**
 * Prints which statements of the standard the tests of a package name, and why the others cannot be seen there:
 *
 *     node tooling/statements/main.mjs <directory> --package codec
 *
 * The directory holds tables of statements, `mqtt-<version>-*.tsv`, of which the first column is the id; they are not part
 * of the repository. The reasons are in `<package>.json` here. Exits with 1 when a statement is neither tested nor
 * explained, or when a test names one that does not exist.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { idsOfTable, reportOf } from './statements.mjs'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { package: { type: 'string' } } })
const [directory] = positionals
if (directory === undefined || values.package === undefined) {
  console.error('usage: node tooling/statements/main.mjs <directory of .tsv files> --package <name>')
  process.exit(2)
}

const tables = readdirSync(directory).filter((name) => name.endsWith('.tsv'))
const ids = tables.flatMap((name) => idsOfTable(name, readFileSync(join(directory, name), 'utf8')))
if (ids.length === 0) throw new Error(`no statements in ${directory}`)
const reasons = JSON.parse(readFileSync(new URL(`${values.package}.json`, import.meta.url), 'utf8'))

const root = fileURLToPath(new URL('../..', import.meta.url))
const vitest = join(root, 'node_modules/vitest/vitest.mjs')
const { status, stdout, stderr } = spawnSync(
  process.execPath,
  [vitest, 'list', `packages/${values.package}/test`, '--json'],
  { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 },
)
if (status !== 0) throw new Error(stderr)
/** @type {{ name: string }[]} */
const tests = JSON.parse(stdout)

const { statements, faults } = reportOf(
  ids,
  tests.map(({ name }) => name),
  reasons,
)
for (const { id, tests: count, reason } of statements) {
  console.log(`${id.padEnd(24)} ${count > 0 ? `${count} ${count === 1 ? 'test' : 'tests'}` : (reason ?? 'MISSING')}`)
}
const tested = statements.filter(({ tests: count }) => count > 0).length
console.log(`\n${statements.length} statements, ${tested} named by ${tests.length} tests of ${values.package}`)
for (const [reason, list] of Object.entries(reasons)) console.log(`${String(list.length).padStart(4)} ${reason}`)
for (const fault of faults) console.error(fault)
process.exitCode = faults.length > 0 ? 1 : 0
