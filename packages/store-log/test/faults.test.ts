import { StoreError } from '@tidewire/broker/store'
import { type LogStore, openLog } from '@tidewire/store-log'
import { describe, expect, it } from 'vitest'
import { Disk, type Operation, systemError } from './disk.js'
import { contentOf, Ledger } from './ledger.js'

const options = { segmentSize: 4096 }
const log = '0000000001.log'

async function open(files: Disk): Promise<Ledger> {
  const store = await openLog('', { ...options, files })
  return new Ledger(store, await contentOf(store))
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Has one operation on the first segment fail, from the next one on. */
function failOnce(disk: Disk, operation: Operation, error: Error): void {
  disk.fault = (each, name) => {
    if (each !== operation || name !== log) return undefined
    disk.fault = () => undefined
    return error
  }
}

describe('a short write', () => {
  it('is gone on with', async () => {
    const disk = new Disk()
    disk.fault = (operation, _, count) => (operation === 'write' ? 1 + (count % 7) : undefined)
    const ledger = await open(disk)
    for (let i = 0; i < 10; i++) {
      ledger.publish(`message ${i}`, 2)
      await ledger.commit()
    }
    expect(ledger.rejected).toBe(0)
    ledger.check(await contentOf((await open(disk.powerCut(() => 0))).store))
  })

  it('of no bytes at all is an error, not an endless loop', async () => {
    const disk = new Disk()
    const ledger = await open(disk)
    disk.fault = (operation, name) => (operation === 'write' && name !== 'spare' ? 0 : undefined)
    ledger.publish('message', 1)
    await ledger.commit()
    expect(ledger.store.error).toMatchObject({ code: 'io' })
  })
})

describe.each([
  ['write', 'EIO'],
  ['sync', 'EIO'],
  ['sync', 'ENOSPC'],
] as const)('a %s that fails with %s', (operation, code) => {
  it('ends all promises, and is not tried again', async () => {
    const disk = new Disk()
    const ledger = await open(disk)
    ledger.publish('kept', 1)
    await ledger.commit()
    failOnce(disk, operation, systemError(code))
    ledger.publish('lost', 1)
    const lost = ledger.commit()
    ledger.publish('waits meanwhile', 1)
    const waits = ledger.commit()
    await Promise.all([lost, waits])
    expect(ledger.rejected).toBe(2)
    const { store } = ledger
    expect(store.state).toBe('failed')
    expect(store.error).toMatchObject({ code: 'io', message: expect.stringContaining(`${code}: from the disk`) })
    const { operations } = disk
    ledger.publish('too late', 1)
    await ledger.commit()
    expect(ledger.rejected).toBe(3)
    expect(disk.operations).toBe(operations)
    await expect(store.close()).rejects.toBe(store.error)
    // The disk has what was kept, also when it is read without a loss of power.
    ledger.check(await contentOf((await open(disk.powerCut(() => 0))).store))
  })

  it('leaves nothing in the log that is on the disk only as it seems', async () => {
    const disk = new Disk()
    const ledger = await open(disk)
    ledger.publish('kept', 1)
    await ledger.commit()
    failOnce(disk, operation, systemError(code))
    ledger.publish('not synced', 1)
    await ledger.commit()
    // The process starts again, and what the system shows must then survive a loss of power.
    await ledger.store.close().catch(() => {})
    const again = await openLog('', { ...options, files: disk })
    const shown = await contentOf(again)
    expect(await contentOf((await open(disk.powerCut(() => 0))).store)).toEqual(shown)
  })
})

describe('a full disk', () => {
  async function filledUp(): Promise<{ disk: Disk; ledger: Ledger; store: LogStore }> {
    const disk = new Disk()
    const ledger = await open(disk)
    await turn()
    const used = [...disk.seen.values()].reduce((sum, { seen }) => sum + seen.length, 0)
    disk.capacity = used
    while (ledger.store.state === 'open') {
      ledger.publish('x'.repeat(100), 1)
      await ledger.commit()
    }
    return { disk, ledger, store: ledger.store as LogStore }
  }

  it('is told before anything has to wait, while there is still room for what takes messages away', async () => {
    const { ledger, store } = await filledUp()
    expect(store.state).toBe('full')
    expect(ledger.rejected).toBe(0)
    for (const number of ledger.records.slice(0, 20)) {
      ledger.remove(number)
      await ledger.commit()
    }
    expect(store.state).toBe('full')
    expect(ledger.rejected).toBe(0)
  })

  it('keeps a commit waiting, and keeps it when there is room', async () => {
    const { disk, ledger, store } = await filledUp()
    let settled = 0
    let last: Promise<void> = Promise.resolve()
    for (let i = 0; i < 100; i++) {
      ledger.publish('y'.repeat(200), 1)
      last = ledger.commit().then(() => {
        settled++
      })
      for (let j = 0; j < 5; j++) await turn()
    }
    expect(settled).toBeLessThan(100)
    expect(store.state).toBe('full')
    expect(store.error).toBeUndefined()
    disk.capacity = Number.POSITIVE_INFINITY
    await last
    expect(settled).toBe(100)
    while (store.state !== 'open') await turn()
    expect(ledger.rejected).toBe(0)
    ledger.check(await contentOf((await open(disk.powerCut(() => 0))).store))
  })

  it('is not full for ever when messages are taken away', async () => {
    const { ledger, store } = await filledUp()
    while (ledger.records.length > 2) {
      ledger.remove(ledger.records[0]!)
      await ledger.commit()
    }
    for (let i = 0; i < 200 && store.state !== 'open'; i++) {
      ledger.replace(ledger.records[0]!, 0, 'still here')
      await ledger.commit()
      await turn()
    }
    expect(store.state).toBe('open')
    expect(ledger.rejected).toBe(0)
  })

  it('does not keep the store from being closed, and what waited is not promised', async () => {
    const { disk, ledger, store } = await filledUp()
    const waiting: Promise<void>[] = []
    for (let i = 0; i < 100; i++) {
      ledger.publish('y'.repeat(200), 1)
      waiting.push(ledger.commit())
      for (let j = 0; j < 5; j++) await turn()
    }
    await expect(store.close()).rejects.toBeInstanceOf(StoreError)
    await Promise.all(waiting)
    expect(ledger.rejected).toBeGreaterThan(0)
    disk.capacity = Number.POSITIVE_INFINITY
    ledger.check(await contentOf((await open(disk.kill())).store))
  })
})

it('any operation may fail when it is opened: then it is not open, and can be tried again', async () => {
  const disk = new Disk()
  const first = await open(disk)
  first.publish('message', 1)
  await first.commit()
  const image = disk.kill()
  let failures = 0
  for (let at = 1; at < 40; at++) {
    const copy = image.copy()
    copy.fault = (_, __, count) => (count === at ? systemError('EIO') : undefined)
    await openLog('', { ...options, files: copy }).then(
      (store) => store.close().catch((error) => expect(error).toMatchObject({ code: 'io' })),
      (error) => {
        failures++
        expect(error).toMatchObject({ code: 'io' })
      },
    )
    copy.fault = () => undefined
    const again = await open(copy)
    first.check(await contentOf(again.store))
    await again.store.close()
  }
  expect(failures).toBeGreaterThan(5)
})

it('damage that compaction finds is not copied, and ends all promises', async () => {
  const disk = new Disk()
  const ledger = await open(disk)
  ledger.publish('stays', 1)
  await ledger.commit()
  const name = log
  const rot = (): void => {
    const { seen } = disk.seen.get(name)!
    seen[70]! ^= 1
  }
  let isRotten = false
  for (let i = 0; i < 400 && ledger.store.state === 'open'; i++) {
    ledger.publish('x'.repeat(100), 1)
    ledger.remove(ledger.records.at(-1)!)
    await ledger.commit()
    await turn()
    if (i === 40 && !isRotten) {
      isRotten = true
      rot()
    }
  }
  expect(ledger.store.error).toMatchObject({ code: 'damaged', message: expect.stringContaining(name) })
})

it('who finds it congested and waits has all kept', async () => {
  const disk = new Disk()
  const store = await openLog('', { ...options, maxPending: 1024, files: disk })
  const ledger = new Ledger(store, new Map())
  let waits = 0
  for (let i = 0; i < 200; i++) {
    ledger.publish('x'.repeat(100), 1)
    const kept = ledger.commit()
    if (!store.congested) continue
    waits++
    await kept
    expect(store.congested).toBe(false)
  }
  expect(waits).toBeGreaterThan(5)
  await store.close()
})
