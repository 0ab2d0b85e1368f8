import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { recordKinds, type Store } from '@tidewire/broker/store'
import { storeContract } from '@tidewire/broker/store-contract'
import { openLevel } from '@tidewire/store-level'
import { ClassicLevel } from 'classic-level'
import { describe, expect, it, onTestFinished } from 'vitest'

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tidewire-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  return directory
}

describe.each(['fsync', 'os'] as const)('the store on LevelDB, %s', (durability) => {
  const cases = storeContract(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tidewire-'))
    return {
      open: () => openLevel(directory, { durability }),
      dispose: () => rm(directory, { recursive: true }),
    }
  })
  it.each(cases)('$name', ({ run }) => run())
})

function publish(store: Store, text: string): void {
  const bytes = Buffer.from(text)
  const message = store.addMessage(bytes, bytes, 0, bytes.length)
  store.add(recordKinds.delivery, message, bytes, 0, bytes.length)
}

it('bytes that are not as they were written are told', async () => {
  const directory = await newDirectory()
  const store = await openLevel(directory)
  publish(store, 'find me '.repeat(3))
  await store.close()
  const name = (await readdir(directory)).find((each) => /\.(log|ldb)$/.test(each))!
  const bytes = await readFile(join(directory, name))
  const at = bytes.indexOf('find me')
  expect(at).toBeGreaterThan(0)
  const db = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  const [[key, value] = []] = await db.iterator({ gte: Buffer.from('m') }).all()
  value![10]! ^= 1
  await db.put(key!, value!)
  await db.close()
  await expect(openLevel(directory)).rejects.toMatchObject({
    code: 'damaged',
    message: expect.stringContaining(directory),
  })
})

it('a database that is damaged is not opened', async () => {
  const directory = await newDirectory()
  const store = await openLevel(directory)
  publish(store, 'message')
  await store.close()
  await writeFile(join(directory, 'CURRENT'), 'nothing')
  await expect(openLevel(directory)).rejects.toMatchObject({ code: 'damaged' })
})

it('the database of something else, and another format, are not opened', async () => {
  const directory = await newDirectory()
  const db = new ClassicLevel(directory)
  await db.put('key', 'value')
  await db.close()
  await expect(openLevel(directory)).rejects.toMatchObject({ code: 'format' })
  await db.open()
  await db.put('format', 'tidewire 2')
  await db.close()
  await expect(openLevel(directory)).rejects.toMatchObject({ code: 'format' })
})

it('who finds it congested and waits has all kept', async () => {
  const store = await openLevel(await newDirectory(), { maxPending: 1000 })
  let waits = 0
  for (let i = 0; i < 100; i++) {
    publish(store, 'x'.repeat(100))
    const kept = store.commit()
    if (!store.congested) continue
    waits++
    await kept
    expect(store.congested).toBe(false)
  }
  expect(waits).toBeGreaterThan(5)
  await store.close()
})

it.each([
  [{ durability: 'memory' }, TypeError],
  [{ maxPending: 0 }, RangeError],
  [{ maxpending: 1 }, TypeError],
])('the options %j are refused', async (options, kind) => {
  await expect(openLevel('nowhere', options as object)).rejects.toThrow(kind)
})
