// Installs the workspace with the pinned pnpm, so that `npm start` and `npm test` need nothing but Node and npm.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, utimesSync } from 'node:fs'

const root = new URL('..', import.meta.url)
const installed = new URL('node_modules/.modules.yaml', root)
const lockfile = new URL('pnpm-lock.yaml', root)

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lockfile).mtimeMs) {
  const { packageManager } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  const { status } = spawnSync('npx', ['--yes', packageManager.split('+')[0], 'install', '--frozen-lockfile'], {
    cwd: root,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
  const now = new Date() // pnpm leaves the file alone when nothing was to do
  utimesSync(installed, now, now)
}
