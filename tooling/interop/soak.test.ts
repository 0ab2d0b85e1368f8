import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const run = promisify(execFile)
const cwd = fileURLToPath(new URL('.', import.meta.url))

// The command itself, for a short time. What it measures is bounded generously: other tests run beside it.
it('S-01 to S-39 hostile clients take nothing from others: no message, no memory, no line of the log', async () => {
  await run(process.execPath, ['../../node_modules/tsup/dist/cli-default.js', '--silent'], { cwd })
  const args = ['dist/main.js', '--json', '--seconds', '2', '--max-delay', '10000', '--max-growth', '48']
  const { stdout } = await run(process.execPath, args, { cwd })
  const report = JSON.parse(stdout)
  expect(report.problems, stdout).toEqual([])
  expect(report).toMatchObject({ lost: 0, attacks: 27 })
  expect(report.log.lines).toBeGreaterThan(100)
}, 60_000)
