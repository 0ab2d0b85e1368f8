/** Where a script of tests can be run: Chromium, a worker of it, Bun and Deno. */

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import { onTestFinished } from 'vitest'
import { mark, type Outcome } from './report.js'

export interface Runtime {
  readonly name: string
  /** What it needs: a program on the PATH, or an npm package. */
  readonly needs: string
  /** The program; undefined where there is none. */
  readonly program: string | undefined
  /** Runs what `bundleTests` made, and ends with the test that calls it. Throws when there is no report. */
  run(script: string): Promise<Outcome[]>
}

function outcomesIn(printed: string): Outcome[] {
  const line = printed.split('\n').find((each) => each.startsWith(mark))
  if (line === undefined) throw new Error(`it ended without a report: ${printed}`)
  return JSON.parse(line.slice(mark.length))
}

/** The program of an npm package that has another package for each platform. */
function programOf(name: string, path: string): string | undefined {
  const require = createRequire(import.meta.url)
  try {
    const folder = dirname(dirname(require.resolve(`${name}/package.json`)))
    const platforms = Object.keys(require(`${name}/package.json`).optionalDependencies)
    return platforms.map((platform) => join(folder, platform, path)).find(existsSync)
  } catch {
    return undefined // an optional dependency that was not installed
  }
}

/** A program that is given the script as a file. */
function command(name: string, needs: string, path: string, ...args: string[]): Runtime {
  const program = programOf(needs, path)
  const run = async (script: string): Promise<Outcome[]> => {
    const cwd = mkdtempSync(join(tmpdir(), 'runtime-'))
    onTestFinished(() => rmSync(cwd, { recursive: true }))
    writeFileSync(join(cwd, 'tests.mjs'), script)
    const env = { NO_COLOR: '1', DENO_DIR: cwd, BUN_RUNTIME_TRANSPILER_CACHE_PATH: '0' } // nothing is left behind
    const running = promisify(execFile)(program!, [...args, 'tests.mjs'], { cwd, env, maxBuffer: 0x1000000 })
    onTestFinished(() => void running.child.kill('SIGKILL'))
    const { stdout } = await running
    return outcomesIn(stdout)
  }
  return { name, needs, program, run }
}

const browsers = ['chromium', 'chromium-browser', 'google-chrome']
/** Nothing listens there: what a page asks for is answered here. */
const origin = 'http://localhost'

/** A page in which JavaScript starts the script, which is `/tests.js`, and throws what goes wrong. */
function page(name: string, start: string): Runtime {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const program = browsers.flatMap((browser) => folders.map((folder) => join(folder, browser))).find(existsSync)
  const run = async (script: string): Promise<Outcome[]> => {
    const browser = await chromium.launch({ executablePath: program!, args: ['--no-sandbox'] })
    onTestFinished(() => browser.close())
    const tab = await browser.newPage()
    await tab.route(`${origin}/`, (route) => route.fulfill({ contentType: 'text/html', body: '' }))
    await tab.route(`${origin}/tests.js`, (route) => route.fulfill({ contentType: 'text/javascript', body: script }))
    await tab.goto(origin)
    return new Promise((resolve, reject) => {
      tab.on('console', (message) => message.text().startsWith(mark) && resolve(outcomesIn(message.text())))
      tab.on('pageerror', reject)
      tab.on('crash', () => reject(new Error('it crashed')))
      tab.evaluate(start).catch(reject)
    })
  }
  return { name, needs: browsers[0]!, program, run }
}

export const runtimes: readonly Runtime[] = [
  page('Chromium', `void import('/tests.js')`),
  page(
    'a worker of Chromium',
    `void (new Worker('/tests.js', { type: 'module' }).onerror = (event) => { throw Error(event.message) })`,
  ),
  command('Bun', 'bun', 'bin/bun'),
  command('Deno', 'deno', 'deno', 'run', '--no-prompt', '--allow-env'),
]
