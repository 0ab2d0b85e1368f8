import { type LogStore, openLog } from '@tidewire/store-log'
import { describe, expect, it } from 'vitest'
import { exportLog, importLog } from '../src/portable.js'
import { Disk } from './disk.js'
import { type Content, contentOf, Ledger } from './ledger.js'

const options = { segmentSize: 4096 }
const open = (files: Disk): Promise<LogStore> => openLog('', { ...options, files })

async function filled(count: number): Promise<{ disk: Disk; content: Content; store: LogStore }> {
  const disk = new Disk()
  const store = await open(disk)
  const ledger = new Ledger(store, new Map())
  for (let i = 0; i < count; i++) {
    ledger.publish(`message ${i} \u0000\n`.repeat(5), i % 3)
    if (i % 2 === 0 && ledger.records.length > 0) ledger.remove(ledger.records[i % ledger.records.length]!)
    if (ledger.records.length > 2) ledger.replace(ledger.records[1]!, ledger.messages[0] ?? 0, `replaced ${i}`)
    await ledger.commit()
  }
  return { disk, store, content: await contentOf(await open(disk.copy())) }
}

async function linesOf(disk: Disk, report?: (problem: string) => void): Promise<string[]> {
  const lines: string[] = []
  await exportLog(disk, (line) => void lines.push(line), report)
  return lines
}

async function* from(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines
}

describe('export and import', () => {
  it('give the same store again, with its numbers and its order', async () => {
    const { disk, content, store } = await filled(150)
    await store.close()
    const lines = await linesOf(disk)
    expect(lines.length).toBe(content.size + 1)
    const other = new Disk()
    await importLog(other, from(lines))
    const imported = await open(other)
    const again = await contentOf(imported)
    const records = (all: Content): unknown[] => [...all].filter(([, text]) => !text.startsWith('m '))
    expect(records(again)).toEqual(records(content))
    expect(new Map(again)).toEqual(new Map(content))
    expect((await linesOf(other)).sort()).toEqual(lines.sort())
    // And it goes on: new numbers are new.
    const ledger = new Ledger(imported, again)
    ledger.publish('later', 2)
    await ledger.commit()
    ledger.check(await contentOf(await open(other.kill())))
  })

  it('skip what is damaged only when they are told to, and say what', async () => {
    const { disk, content, store } = await filled(150)
    await store.close()
    const name = [...disk.seen.keys()].filter((each) => each.endsWith('.log')).sort()[1]!
    disk.bytesOf(name)[200]! ^= 4
    await expect(linesOf(disk)).rejects.toMatchObject({ code: 'damaged', message: expect.stringContaining(name) })
    const problems: string[] = []
    const lines = await linesOf(disk, (problem) => void problems.push(problem))
    expect(problems[0]).toContain(name)
    expect(lines.length).toBeGreaterThan(10)
    const other = new Disk()
    await importLog(other, from(lines))
    const rest = await contentOf(await open(other))
    // What was not damaged is there as it was, or as it was before what was lost.
    const same = [...rest].filter(([number, text]) => content.get(number) === text)
    expect(same.length).toBeGreaterThan(content.size / 2)
  })

  it('of an empty store give an empty store', async () => {
    const { disk } = await filled(0)
    const other = new Disk()
    await importLog(other, from(await linesOf(disk)))
    expect((await contentOf(await open(other))).size).toBe(0)
  })

  it('take no store that is there already', async () => {
    const { disk } = await filled(1)
    await expect(importLog(disk, from([]))).rejects.toMatchObject({ code: 'format' })
  })

  const head = '{"format":"tidewire-store","version":1}'
  it.each([
    [[], 'there are no lines'],
    [['{}'], 'line 1: expected'],
    [['{"format":"tidewire-store","version":2}'], 'line 1: expected'],
    [[head, '', 'x'], 'line 3: this is not JSON'],
    [[head, 'null'], 'line 2: there is no such kind'],
    [[head, '{"kind":"__proto__","number":1,"value":""}'], 'line 2: there is no such kind'],
    [[head, '{"kind":"session","number":0,"value":""}'], 'line 2: a number'],
    [[head, '{"kind":"session","number":4294967295,"value":""}'], 'line 2: a number'],
    [[head, '{"kind":"session","number":1,"value":"?"}'], 'line 2: no Base64'],
    [[head, '{"kind":"session","number":1,"message":2,"value":""}'], 'line 2: the message 2 has not come'],
    [
      [head, '{"kind":"session","number":1,"value":""}', '{"kind":"will","number":1,"value":""}'],
      'line 3: the number 1',
    ],
  ])('refuse the lines %j', async (lines, message) => {
    const disk = new Disk()
    await expect(importLog(disk, from(lines))).rejects.toThrow(message)
    expect([...disk.seen.keys()]).toEqual([])
  })
})

describe('compact', () => {
  it.each([0, 1, 150])('leaves nothing but what is there, after %i groups', async (count) => {
    const { disk, content, store } = await filled(count)
    const before = store.metrics.bytes
    await store.compact()
    expect(store.metrics.bytes).toBeLessThan(before + 100)
    const size = [...content.values()].reduce((sum, text) => sum + text.length + 23, 0)
    expect(store.metrics.bytes).toBeLessThan(size * 1.2 + 500)
    expect(await contentOf(await open(disk.powerCut(() => 0)))).toEqual(content)
  })

  it('goes on while messages come and go', async () => {
    const { disk, content, store } = await filled(100)
    const ledger = new Ledger(store, content)
    const compacted = store.compact()
    for (let i = 0; i < 50; i++) {
      ledger.publish(`more ${i}`, 1)
      ledger.remove(ledger.records[0]!)
      await ledger.commit()
    }
    await compacted
    await Promise.all([store.compact(), store.compact()])
    ledger.check(await contentOf(await open(disk.powerCut(() => 0))))
  })

  it('ends when the store is closed, and when it fails', async () => {
    const closed = await filled(100)
    const ends = expect(closed.store.compact()).rejects.toMatchObject({ code: 'closed' })
    await closed.store.close()
    await ends
    const failed = await filled(100)
    failed.disk.fault = (operation) =>
      operation === 'sync' ? Object.assign(new Error('EIO'), { code: 'EIO' }) : undefined
    await expect(failed.store.compact()).rejects.toMatchObject({ code: 'io' })
  })
})
