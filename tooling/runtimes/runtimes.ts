/** Where a script of tests can be run: Chromium, a worker of it, Bun and Deno. */

import { execFile, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import type { TestContext } from 'vitest'
import { mark, type Outcome } from './report.js'

export interface Runtime {
  readonly name: string
  /** What it needs: a program on the PATH, or an npm package. */
  readonly needs: string
  /** The program; undefined where there is none. */
  readonly program: string | undefined
  /** Runs what `bundleTests` made, and ends with the test. Throws when there is no report. */
  run(script: string, test: TestContext): Promise<Outcome[]>
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
  const run = async (script: string, { onTestFinished }: TestContext): Promise<Outcome[]> => {
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
const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-gpu']

/**
 * A page that starts `/tests.js` with the HTML given, and tells what comes of it. Not taken: Playwright, which watches the
 * page, so that errors thrown cost more: the tests of the codec took 16 s with it, 6 without.
 */
function page(name: string, html: string): Runtime {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const program = browsers.flatMap((browser) => folders.map((folder) => join(folder, browser))).find(existsSync)
  const run = async (script: string, { onTestFinished }: TestContext): Promise<Outcome[]> => {
    const told = new EventEmitter<{ report: [string] }>()
    const server = createServer(async (request, response) => {
      if (request.method === 'POST') told.emit('report', await text(request))
      response.setHeader('Content-Type', request.url === '/tests.js' ? 'text/javascript' : 'text/html')
      response.end(request.url === '/tests.js' ? tell + script : `<script>${tell}${tellErrors}</script>${html}`)
    })
    onTestFinished(() => void server.close().closeAllConnections())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const profile = mkdtempSync(join(tmpdir(), 'runtime-'))
    const args = ['--headless', '--no-sandbox', ...quiet, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/`]
    const browser = spawn(program!, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const complaints = text(browser.stderr) // whose end is that of all its processes
    onTestFinished(async () => {
      browser.kill()
      await complaints
      rmSync(profile, { recursive: true })
    })
    const ended = complaints.then((complaint) => [complaint])
    const [report] = await Promise.race([once(told, 'report'), ended])
    return outcomesIn(report)
  }
  return { name, needs: browsers[0]!, program, run }
}

/** In a page or worker, what is printed goes to the server. */
const tell = `const console = { log: (text) => fetch('/', { method: 'POST', body: text }) };`
const tellErrors = `
  addEventListener('error', ({ message }) => console.log(message))
  addEventListener('unhandledrejection', ({ reason }) => console.log(String(reason)))`

export const runtimes: readonly Runtime[] = [
  page('Chromium', `<script type="module" src="/tests.js"></script>`),
  page(
    'a worker of Chromium',
    `<script>
    new Worker('/tests.js', { type: 'module' }).onerror = ({ message }) => console.log(message ?? 'no module')
  </script>`,
  ),
  command('Bun', 'bun', 'bin/bun'),
  command('Deno', 'deno', 'deno', 'run', '--no-prompt', '--allow-env'),
]
