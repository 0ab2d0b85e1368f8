// Makes a clone ready: installs what the lockfile says with the pinned pnpm, and with `--build` builds the broker.
// `npm start` and `npm test` call it, so that they need nothing but Node and npm.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, utimesSync } from 'node:fs'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = new URL('..', import.meta.url)
const installed = new URL('node_modules/.modules.yaml', root)
const lockfile = new URL('pnpm-lock.yaml', root)
const tools = fileURLToPath(new URL('node_modules/.bin', root))

/** @param {'inherit' | 'pipe'} output @param {string} command @param {string[]} args */
function run(output, command, ...args) {
  const env = { ...process.env, PATH: `${tools}${delimiter}${process.env['PATH']}`, TURBO_TELEMETRY_DISABLED: '1' }
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    env,
    stdio: ['ignore', output, output],
  })
  if (status === 0) return
  console.error(error?.message ?? `${stdout ?? ''}${stderr ?? ''}`)
  process.exit(status ?? 1)
}

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lockfile).mtimeMs) {
  const { packageManager } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  run('inherit', 'npx', '--yes', packageManager.split('+')[0], 'install', '--frozen-lockfile')
  const now = new Date() // pnpm leaves the file alone when nothing was to do
  utimesSync(installed, now, now)
}
// Silent unless it fails: who starts a broker wants to read where it listens.
if (process.argv.includes('--build')) run('pipe', 'turbo', 'run', 'build', '--filter=@tidewire/broker...')
