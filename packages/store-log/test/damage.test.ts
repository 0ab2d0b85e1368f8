import { crc32 } from 'node:zlib'
import { StoreError } from '@tidewire/broker/store'
import { type LogStore, openLog } from '@tidewire/store-log'
import { beforeAll, describe, expect, it } from 'vitest'
import { Disk } from './disk.js'
import { type Content, contentOf, Ledger } from './ledger.js'

const options = { segmentSize: 4096 }
const open = (files: Disk): Promise<LogStore> => openLog('', { ...options, files })
const segments = (disk: Disk): string[] => [...disk.seen.keys()].filter((name) => name.endsWith('.log')).sort()
const log = '0000000001.log'

/** Some groups, the last of which is small. The content before and after the last one. */
async function filled(groups: number): Promise<{ disk: Disk; ledger: Ledger; before: Content; after: Content }> {
  const disk = new Disk()
  const store = await open(disk)
  const ledger = new Ledger(store, new Map())
  let before: Content = new Map()
  for (let i = 0; i < groups; i++) {
    ledger.publish(`message ${i}`, 2)
    if (i > 0) ledger.remove(ledger.records[0]!)
    before = await contentOf(await open(disk.copy()))
    await ledger.commit()
  }
  return { disk, ledger, before, after: await contentOf(await open(disk.copy())) }
}

/** What is found in a changed store: its content, or the fault. */
async function outcome(disk: Disk): Promise<{ content: Content; store: LogStore } | StoreError> {
  try {
    const store = await open(disk)
    return { content: await contentOf(store), store }
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError)
    return error as StoreError
  }
}

function changed(disk: Disk, name: string, change: (bytes: Buffer) => Buffer): Disk {
  const copy = disk.copy()
  copy.set(name, change(Buffer.from(copy.bytesOf(name))))
  return copy
}

function flipped(disk: Disk, name: string, at: number, bit: number): Disk {
  return changed(disk, name, (bytes) => {
    bytes[at]! ^= 1 << bit
    return bytes
  })
}

/** Where the last byte lies that is not zero, and one more. */
function used(disk: Disk): number {
  const bytes = disk.bytesOf(log)
  let end = bytes.length
  while (bytes[end - 1] === 0) end--
  return end
}

describe('a flipped bit', () => {
  it('of a store that was closed is told, or changes nothing', async () => {
    const { disk, ledger, after } = await filled(4)
    await ledger.store.close()
    for (let at = 0; at < used(disk); at++) {
      const found = await outcome(flipped(disk, log, at, at % 8))
      if (!(found instanceof StoreError)) {
        expect(found.content, `byte ${at}`).toEqual(after)
        expect(found.store.cut?.position, `byte ${at}`).toBe(used(disk) - 25) // only the mark of the end
      } else {
        expect(['damaged', 'format']).toContain(found.code)
        expect(found.message).toContain(log)
      }
    }
  })

  it('of one that was not is told, but in the last group, which may not have been kept', async () => {
    const { disk, before, after } = await filled(4)
    let cuts = 0
    for (let at = 0; at < used(disk); at++) {
      const copy = flipped(disk, log, at, (at * 3) % 8)
      const found = await outcome(copy)
      if (found instanceof StoreError) continue
      expect(found.content, `byte ${at}`).toEqual(before)
      expect(before).not.toEqual(after)
      const { cut } = found.store
      expect(cut?.file).toBe(log)
      expect(copy.bytesOf(cut!.keptAs).length).toBe(cut!.bytes)
      cuts++
    }
    expect(cuts).toBeLessThan(200)
    expect(cuts).toBeGreaterThan(50)
  })

  it('behind the end is put aside', async () => {
    const { disk, ledger, after } = await filled(3)
    await ledger.store.close()
    const found = await outcome(flipped(disk, log, disk.bytesOf(log).length - 10, 3))
    expect((found as { content: Content }).content).toEqual(after)
    expect((found as { store: LogStore }).store.cut).toMatchObject({ file: log, keptAs: 'cut-1' })
  })
})

describe('a store that ends too early', () => {
  it('is what it was before the last group, wherever that is torn', async () => {
    const { disk, before, after } = await filled(4)
    const end = used(disk)
    for (let at = end; at > end - 100; at--) {
      const torn = changed(disk, log, (bytes) => bytes.fill(0, at))
      const found = (await outcome(torn)) as { content: Content; store: LogStore }
      expect(found.content).toEqual(at === end ? after : before)
      // And it goes on from there.
      const ledger = new Ledger(found.store, found.content)
      ledger.publish('later', 1)
      await ledger.commit()
      ledger.check(await contentOf(await open(torn.kill())))
    }
  })

  it('is damaged when a segment is missing, whichever it is', async () => {
    const { disk, ledger } = await filled(120)
    await ledger.store.close()
    const names = segments(disk)
    expect(names.length).toBeGreaterThan(2)
    for (const name of names.slice(0, -1)) {
      const less = disk.copy()
      less.seen.delete(name)
      expect(await outcome(less)).toMatchObject({ code: 'damaged', message: expect.stringContaining(name) })
    }
  })

  it('is damaged when a segment before the last one ends too early', async () => {
    const { disk, ledger } = await filled(120)
    await ledger.store.close()
    const [first = ''] = segments(disk)
    for (const length of [10, 36, 100, 2_000]) {
      const less = changed(disk, first, (bytes) => bytes.subarray(0, length))
      expect(await outcome(less)).toMatchObject({ code: 'damaged', message: expect.stringContaining(first) })
    }
  })

  it('that is damaged is not changed', async () => {
    const { disk, ledger } = await filled(120)
    await ledger.store.close()
    const [, second = ''] = segments(disk)
    const bad = flipped(disk, second, 100, 1)
    const all = (): [string, string][] => [...bad.seen].map(([name, { seen }]) => [name, seen.toString('hex')])
    const bytes = all()
    const fault = (await outcome(bad)) as StoreError
    expect(fault.message).toMatch(
      /0000000002\.log in disk, byte 36: frame \d+ is not whole, frame \d+ at byte \d+ is\./,
    )
    expect(all()).toEqual(bytes)
  })
})

describe('a hostile publisher', () => {
  it('cannot make its payload count as a frame', async () => {
    const { disk } = await filled(2)
    const frames = disk.bytesOf(log).subarray(36, used(disk))
    const store = await open(new Disk())
    const ledger = new Ledger(store, new Map())
    await ledger.store.close()
    const other = new Disk()
    const second = new Ledger(await open(other), new Map())
    second.publish('first', 1)
    await second.commit()
    const end = used(other)
    second.publish(frames.toString('latin1'), 1)
    await second.commit()
    // Torn in the middle of the message that has frames in it.
    const torn = changed(other, log, (bytes) => bytes.fill(0, end + 200))
    const found = (await outcome(torn)) as { content: Content; store: LogStore }
    expect(found.content.size).toBe(2)
    expect(found.store.cut?.position).toBe(end)
  })
})

describe('another format', () => {
  let disk: Disk

  beforeAll(async () => {
    const { disk: written, ledger } = await filled(2)
    await ledger.store.close()
    disk = written
  })

  it.each([
    ['newer', 2],
    ['newer', 999],
    ['older', 0],
  ])('%s, %i, is refused', async (age, version) => {
    const other = changed(disk, log, (bytes) => {
      bytes.writeUInt16LE(version, 8)
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 32)), 32)
      return bytes
    })
    const message = expect.stringContaining(`${age} format ${version}`)
    expect(await outcome(other)).toMatchObject({ code: 'format', message })
  })

  it('of another program is refused', async () => {
    const other = changed(disk, log, (bytes) => {
      bytes.write('SOMETHNG')
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 32)), 32)
      return bytes
    })
    expect(await outcome(other)).toMatchObject({ code: 'format' })
    expect(
      await outcome(changed(disk, log, () => Buffer.from('not a log at all, but rather some text'))),
    ).toMatchObject({
      code: 'damaged',
    })
  })
})
