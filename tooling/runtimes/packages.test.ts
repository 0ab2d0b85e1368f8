import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { bundleTests, root } from './bundle.js'
import { runtimes } from './runtimes.js'

/** Packages whose tests need nothing but JavaScript. */
const packages = ['codec']

/** The names of the tests that Node runs. */
async function testsOf(name: string): Promise<string[]> {
  const args = ['node_modules/vitest/vitest.mjs', 'list', `packages/${name}/`]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 0x1000000 })
  return stdout.trim().split('\n').sort()
}

describe.each(packages)('the tests of %s', (name) => {
  let prepared: Promise<[script: string, names: string[]]> | undefined
  /** Made when the first test asks. */
  const prepare = () => {
    prepared ??= Promise.all([bundleTests(name), testsOf(name)])
    return prepared
  }

  for (const { name: runtime, needs, program, run } of runtimes) {
    const missing = program === undefined
    const title = `pass in ${runtime}, all that Node runs${missing ? `: ${needs} is missing` : ''}`
    it.skipIf(missing)(title, { timeout: 100_000 }, async (test) => {
      const [script, names] = await prepare()
      const outcomes = await run(script, test)
      const passed = outcomes.filter(({ state }) => state === 'pass')
      expect(outcomes.filter(({ state }) => state !== 'pass' && state !== 'skip')).toEqual([])
      expect(outcomes.map((outcome) => outcome.name).sort()).toEqual(names)
      expect(passed.length).toBeGreaterThan(0)
      await test.annotate(`${passed.length} tests pass in ${runtime}`)
    })
  }
})
