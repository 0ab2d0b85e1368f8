import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createBroker } from '@tidewire/broker'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const packages = readdirSync(join(root, 'packages'))
const folder = mkdtempSync(join(tmpdir(), 'tidewire-pack-'))
const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env['PATH']}` }

/** What shows, in a project of its own, that a package does what it is for. */
const uses: Readonly<Record<string, string>> = {
  codec: `assert.equal(library.decode(library.encode({ type: 'pingreq' })).type, 'pingreq')`,
  topics: `assert.equal(library.matches('a/+', 'a/b'), true)`,
  session: `assert.equal(new library.PacketIds().take(), 1)`,
  security: `await library.hashPassword('x').then((hash) => library.verifyPassword('x', hash)).then(assert.ok)`,
  client: `await assert.rejects(library.connect('mqtt://127.0.0.1:1'), /ECONNREFUSED/)`,
  broker: `const broker = library.createBroker(); await broker.listen('mqtt://127.0.0.1:0'); await broker.close()`,
  'store-log': `const store = await library.openLog('store', { segmentSize: 4096 }); await store.close()`,
  'store-level': `const store = await library.openLevel('store'); await store.close()`,
}

interface Manifest {
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: unknown
}

function tarball(name: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as Manifest
  return join(folder, `tidewire-${name}-${version}.tgz`)
}

/** The package and those of ours that it needs, which the registry may not have in this version. */
function needed(name: string): string[] {
  const { dependencies = {} } = JSON.parse(
    readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'),
  ) as Manifest
  const ours = Object.keys(dependencies).filter((each) => each.startsWith('@tidewire/'))
  return [...new Set([name, ...ours.flatMap((each) => needed(each.slice('@tidewire/'.length)))])]
}

/** Installs a package into an empty project outside the workspace. Returns the project's folder. */
async function install(name: string): Promise<string> {
  const project = join(folder, name)
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "private": true }')
  const args = [
    'install',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--prefer-offline',
    ...needed(name).map(tarball),
  ]
  await run('npm', args, { cwd: project })
  return project
}

beforeAll(async () => {
  await run('turbo', ['run', 'build', '--output-logs=errors-only'], { cwd: root, env })
  await Promise.all(
    packages.map((name) =>
      run('pnpm', ['pack', '--pack-destination', folder], { cwd: join(root, 'packages', name), env }),
    ),
  )
}, 120_000)

afterAll(() => rmSync(folder, { recursive: true }))

describe.each(packages)('@tidewire/%s, packed', (name) => {
  it('installs alone and works, imported and required', { timeout: 60_000 }, async () => {
    const project = await install(name)
    const assert = `const assert = (await import('node:assert/strict')).default`
    writeFileSync(join(project, 'esm.mjs'), `import * as library from '@tidewire/${name}'\n${assert}\n${uses[name]}\n`)
    writeFileSync(
      join(project, 'cjs.cjs'),
      `const library = require('@tidewire/${name}')\n;(async () => {\n${assert}\n${uses[name]}\n})()\n`,
    )
    for (const script of ['esm.mjs', 'cjs.cjs']) {
      const { stderr } = await run(process.execPath, ['--unhandled-rejections=strict', script], { cwd: project })
      expect(stderr).toBe('')
    }
    const installed = join(project, 'node_modules/@tidewire', name)
    const manifest = readFileSync(join(installed, 'package.json'), 'utf8')
    expect(manifest).not.toContain('workspace:')
    const files = ['LICENSE', 'README.md', 'dist', 'package.json', 'src']
    expect(
      readdirSync(installed)
        .filter((file) => file !== 'bin' && !file.endsWith('.schema.json'))
        .sort(),
    ).toEqual(files)
    await runExample(project, readFileSync(join(installed, 'README.md'), 'utf8'))
    if (name === 'security') await usePasswd(join(installed, 'bin/tidewire-passwd.js'), project)
    if (name === 'broker') {
      const main = join(installed, 'bin/tidewire-broker.js')
      await useStarter(main)
      const { NODE_PATH: _, ...env } = process.env // where the workspace has it
      const asked = run(process.execPath, [main, '--data', 'kept', '--port', '0'], {
        cwd: project,
        env,
        timeout: 10_000,
      })
      await expect(asked).rejects.toThrow('npm install @tidewire/store-log')
      await runOutOfDescriptors(main)
    }
    if (name === 'store-log') {
      await useStoreCommand(join(installed, 'bin/tidewire-store.js'), project)
      await useData(join(project, 'node_modules/@tidewire/broker/bin/tidewire-broker.js'), project)
    }
  })
})

/** Runs the first example of a README, which must print what the README says. Ports and servers in it become real ones. */
async function runExample(project: string, readme: string): Promise<void> {
  const [, example = ''] = /```js\n(.*?)```/s.exec(readme) ?? []
  const [, output = ''] = /```text\n(.*?)```/s.exec(readme) ?? []
  const broker = createBroker()
  onTestFinished(() => broker.close())
  const { url } = await broker.listen('mqtt://127.0.0.1:0')
  const code = example.replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:0').replace('mqtt://localhost:1883', url)
  writeFileSync(join(project, 'example.mjs'), code)
  const { stdout, stderr } = await run(process.execPath, ['example.mjs'], { cwd: project })
  expect(stderr).toBe('')
  expect(stdout).toBe(output)
  expect(output).not.toBe('')
}

/** Writes a password file, with the password as the first line of the input. */
async function usePasswd(main: string, project: string): Promise<void> {
  const file = join(project, 'passwd')
  const writing = run(process.execPath, [main, '-c', file, 'ann'])
  writing.child.stdin!.end('high tide\n')
  await writing
  expect(readFileSync(file, 'utf8')).toMatch(/^ann:\$scrypt\$\S+\n$/)
  await expect(run(process.execPath, [main, '--no-such-option'])).rejects.toThrow('no-such-option')
}

/** Checks a store, takes what is in it to another one, and finds damage. */
async function useStoreCommand(main: string, project: string): Promise<void> {
  const command = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
    run(process.execPath, [main, ...args], { cwd: project })
  expect((await command('--help')).stdout).toContain('check')
  for (const args of [[], ['check'], ['sweep', 'store'], ['check', 'nowhere'], ['--force']]) {
    await expect(command(...args)).rejects.toMatchObject({ code: 2 })
  }
  expect((await command('check', 'messages')).stdout).toMatch(/^2 records in 1 segments/)
  const { stdout: lines } = await command('export', 'messages')
  const importing = run(process.execPath, [main, 'import', 'other'], { cwd: project })
  importing.child.stdin!.end(lines)
  expect((await importing).stdout).toMatch(/^2 records in 1 segments/)
  expect((await command('export', 'other')).stdout).toBe(lines)
  expect((await command('compact', 'other')).stdout).toMatch(/^\d+ bytes have become \d+\n$/)
  const file = join(project, 'messages', '0000000001.log')
  const bytes = readFileSync(file)
  bytes[70]! ^= 1
  writeFileSync(file, bytes)
  const damaged = expect.stringMatching(/damaged: 0000000001\.log in messages, byte 36: frame 1 is not whole/)
  await expect(command('check', 'messages')).rejects.toMatchObject({ code: 1, stdout: damaged })
  await expect(command('export', 'messages')).rejects.toMatchObject({ code: 1, stdout: '' })
  await expect(command('export', '--damaged', 'messages')).rejects.toMatchObject({ code: 1 })
}

/** Starts the broker as its command does, asks it for help, and stops it. */
async function useStarter(main: string): Promise<void> {
  const { stdout: help } = await run(process.execPath, [main, '--help'])
  expect(help).toContain('--port')
  await expect(run(process.execPath, [main, '--port', 'x'])).rejects.toThrow('--port must be a port')
  await expect(run(process.execPath, [main, '--no-such-option'])).rejects.toThrow('no-such-option')
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const broker = spawn(process.execPath, [main, '--port', '0', '--ws-port', '0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void broker.kill('SIGKILL'))
    const [text] = await once(broker.stdout.setEncoding('utf8'), 'data')
    expect(text).toMatch(/^Tidewire listens on mqtt:\/\/127\.0\.0\.1:\d+(, mqtt:\/\/\[::1\]:\d+)?, ws:/)
    const port = /:(\d+)/.exec(text)?.[1]
    await expect(run(process.execPath, [main, '--port', port!])).rejects.toThrow('EADDRINUSE')
    broker.kill(signal)
    expect(await once(broker, 'exit')).toEqual([0, null])
  }
}

/** Starts the broker with a store, which says how durable it is. */
async function useData(main: string, project: string): Promise<void> {
  await expect(run(process.execPath, [main, '--durability', 'os'])).rejects.toThrow('with --data only')
  for (const durability of ['fsync', 'os']) {
    const args = [main, '--port', '0', '--data', 'kept', '--durability', durability]
    const broker = spawn(process.execPath, args, { cwd: project, stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void broker.kill('SIGKILL'))
    const [text] = await once(broker.stdout.setEncoding('utf8'), 'data')
    expect(text).toContain(`(durability ${durability}: in kept)`)
    broker.kill('SIGTERM')
    expect(await once(broker, 'exit')).toEqual([0, null])
  }
}

/** Has more connections come to the broker than the system allows it: it stays, and serves who comes when they are gone. */
async function runOutOfDescriptors(main: string): Promise<void> {
  const broker = spawn('sh', ['-c', 'ulimit -n 48; exec "$0" "$@"', process.execPath, main, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void broker.kill('SIGKILL'))
  const [text] = await once(broker.stdout.setEncoding('utf8'), 'data')
  const port = Number(/:(\d+)/.exec(text)?.[1])
  const sockets = Array.from({ length: 80 }, () => connect({ port, host: '127.0.0.1' }).on('error', () => {}))
  await Promise.any(sockets.map((socket) => once(socket, 'close'))) // there was no room for this one
  await Promise.all(sockets.map((socket) => socket.closed || once(socket.destroy(), 'close')))
  const hello = Buffer.from('100d00044d5154540402000000017ac000', 'hex') // CONNECT and PINGREQ
  for (let answer = ''; answer !== '20020000d000'; ) {
    const socket = connect({ port, host: '127.0.0.1' }).on('error', () => {})
    socket.write(hello)
    answer = await new Promise((resolve) => {
      let bytes = ''
      socket.setEncoding('hex').on('data', (hex) => {
        bytes += hex
        if (bytes.length === 12) resolve(bytes)
      })
      socket.on('close', () => resolve(bytes))
    })
    socket.destroy()
  }
}
