import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLog } from '@tidewire/store-log'
import { expect, it, onTestFinished } from 'vitest'
import { lock } from '../src/lock.js'

async function directory(name = ''): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tidewire-'))
  onTestFinished(() => rm(path, { recursive: true }))
  return join(path, name)
}

it('one of many who come at once gets in, and the next one when it has gone', async () => {
  const path = await directory()
  for (let round = 0; round < 3; round++) {
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lock(path)))
    const owners = outcomes.filter((outcome) => outcome.status === 'fulfilled')
    expect(owners.length).toBe(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'locked' })
    }
    await owners[0]!.value()
    expect(await readdir(path)).toEqual([])
  }
})

it('a path may be as long as a path may be', async () => {
  const path = await directory('x'.repeat(200))
  const store = await openLog(path, { segmentSize: 4096 })
  await expect(openLog(path)).rejects.toMatchObject({ code: 'locked' })
  await store.close()
})

it('another process is kept out, and let in when this one is killed', async () => {
  const path = await directory()
  // Plain JavaScript: the same socket that the lock has.
  const program = `const { createServer } = require('node:net'); process.chdir(process.argv[1])
    createServer().listen('lock', () => console.log('locked'))`
  const child = spawn(process.execPath, ['-e', program, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  await expect(openLog(path)).rejects.toMatchObject({ code: 'locked', message: expect.stringContaining(path) })
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await readdir(path)).toContain('lock')
  const store = await openLog(path, { segmentSize: 4096 })
  await store.close()
  expect((await readdir(path)).sort()).toEqual(['0000000001.log', 'spare'])
})

it('nobody else may read the files', async () => {
  const path = await directory('store')
  const store = await openLog(path, { segmentSize: 4096 })
  expect((await stat(path)).mode & 0o77).toBe(0)
  expect((await stat(join(path, '0000000001.log'))).mode & 0o77).toBe(0)
  await store.close()
})

it.each([
  [{ segmentSize: 4095 }, RangeError],
  [{ segmentSize: 2 ** 31 }, RangeError],
  [{ maxPending: Number.NaN }, RangeError],
  [{ durability: 'memory' }, TypeError],
  [{ segmentsize: 4096 }, TypeError],
])('the options %j are refused', async (options, kind) => {
  await expect(openLog(await directory(), options as object)).rejects.toThrow(kind)
})
