import { openLog } from '@tidewire/store-log'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Disk } from './disk.js'
import { contentOf, Ledger } from './ledger.js'

const options = { segmentSize: 4096 }

async function open(disk: Disk): Promise<Ledger> {
  const store = await openLog('', { ...options, files: disk })
  return new Ledger(store, await contentOf(store))
}

/** Numbers that look random and are the same for a seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

type Step =
  | { readonly what: 'publish'; readonly size: number; readonly receivers: number }
  | { readonly what: 'replace' | 'refer'; readonly which: number; readonly other: number }
  | { readonly what: 'take'; readonly which: number; readonly count: number }
  | { readonly what: 'commit' | 'settle' | 'turn' | 'reopen' | 'kill' }
  | { readonly what: 'powerCut'; readonly seed: number }

const nat = fc.nat(1000)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ what: fc.constant('publish'), size: fc.nat(400), receivers: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constantFrom('replace', 'refer'), which: nat, other: nat }) },
  { weight: 6, arbitrary: fc.record({ what: fc.constant('take'), which: nat, count: fc.nat(5) }) },
  { weight: 6, arbitrary: fc.record({ what: fc.constantFrom('commit', 'settle', 'turn') }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('reopen', 'kill') }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('powerCut'), seed: fc.nat() }) },
) as fc.Arbitrary<Step>

/** Takes a step; resolves to the ledger and the disk with which to go on. */
async function take(step: Step, ledger: Ledger, disk: Disk): Promise<[Ledger, Disk]> {
  const { records, messages } = ledger
  switch (step.what) {
    case 'publish':
      ledger.publish('x'.repeat(step.size), step.receivers)
      break
    case 'replace':
      if (records.length === 0) break
      ledger.replace(records[step.which % records.length]!, messages[step.other % messages.length] ?? 0, 'replaced')
      break
    case 'refer':
      ledger.add(messages[step.which % messages.length] ?? 0, `also ${step.other}`)
      break
    case 'take':
      for (const number of records.slice(step.which % (records.length + 1)).slice(0, step.count)) ledger.remove(number)
      break
    case 'commit':
      void ledger.commit()
      break
    case 'settle':
      await ledger.commit()
      break
    case 'turn':
      await turn()
      break
    case 'reopen':
      await ledger.commit()
      await ledger.store.close()
      return reopen(ledger, disk)
    case 'kill':
      return reopen(ledger, disk.kill())
    case 'powerCut':
      return reopen(ledger, disk.powerCut(dice(step.seed)))
  }
  return [ledger, disk]
}

async function reopen(ledger: Ledger, disk: Disk): Promise<[Ledger, Disk]> {
  const store = await openLog('', { ...options, files: disk })
  const content = await contentOf(store)
  ledger.check(content)
  return [new Ledger(store, content), disk]
}

it('after every crash there is what was promised, in whole batches', { timeout: 60_000 }, async () => {
  const property = fc.asyncProperty(fc.array(step, { size: 'max', maxLength: 150 }), async (steps) => {
    let disk = new Disk()
    let ledger = await open(disk)
    for (const each of steps) [ledger, disk] = await take(each, ledger, disk)
    await ledger.commit()
    ;[ledger, disk] = await reopen(ledger, disk.powerCut(dice(1)))
    expect(ledger.rejected).toBe(0)
    await ledger.store.close()
  })
  await fc.assert(property, { numRuns: Number(process.env['TIDEWIRE_RUNS'] ?? 150) })
})

/** Much comes and goes, so that segments are begun, compacted and taken away. */
async function work(ledger: Ledger, seed: number): Promise<void> {
  const roll = dice(seed)
  for (let i = 0; i < 60; i++) {
    for (let j = roll(6); j >= 0; j--) ledger.publish(`${i} ${j} `.repeat(roll(30)), roll(3))
    const { records } = ledger
    for (let j = records.length; j > 12; j--) {
      const [first] = ledger.records.slice(roll(j / 2))
      ledger.remove(first!)
    }
    const kept = ledger.commit()
    if (roll(2) === 0) await kept
    else if (i % 2 === 0) await turn()
  }
  await ledger.commit()
}

it('the work of the next test compacts the log', async () => {
  const disk = new Disk()
  const ledger = await open(disk)
  await work(ledger, 1)
  await ledger.store.close()
  const segments = [...disk.seen.keys()].filter((name) => name.endsWith('.log')).sort()
  expect(Number.parseInt(segments[0]!, 10)).toBeGreaterThan(3)
})

it('a crash at any operation of the disk loses nothing', { timeout: 60_000 }, async () => {
  const whole = new Disk()
  const last = await open(whole)
  await work(last, 1)
  await last.store.close()
  let crashes = 0
  for (let at = 1; at <= whole.operations; at += crashes % 3 === 0 ? 2 : 1) {
    let after: Disk | undefined
    const disk = new Disk()
    let crash: () => void = () => {}
    const crashed = new Promise<void>((resolve) => {
      crash = resolve
    })
    disk.fault = (_operation, _name, count) => {
      if (count < at || after !== undefined) return undefined
      after = count % 2 === 0 ? disk.kill() : disk.powerCut(dice(at))
      crash()
    }
    let ledger: Ledger | undefined
    const run = async (): Promise<void> => {
      ledger = await open(disk)
      await work(ledger, 1)
      await ledger.store.close()
    }
    await Promise.race([run(), crashed])
    if (after === undefined) continue
    crashes++
    const store = await openLog('', { ...options, files: after })
    const content = await contentOf(store)
    if (ledger === undefined) expect(content.size).toBe(0)
    else ledger.check(content)
    await store.close()
  }
  expect(crashes).toBeGreaterThan(100)
})

it('without sync the loss of power is noticed: these tests could fail', async () => {
  let lost = 0
  for (let seed = 0; seed < 20; seed++) {
    const disk = new Disk()
    const store = await openLog('', { ...options, durability: 'os', files: disk })
    const ledger = new Ledger(store, await contentOf(store))
    for (let i = 0; i < 30; i++) {
      ledger.publish('x'.repeat(100), 1)
      await ledger.commit()
    }
    const opened = openLog('', { ...options, files: disk.powerCut(dice(seed)) })
    await opened.then(async (after) => ledger.check(await contentOf(after))).catch(() => lost++)
  }
  expect(lost).toBeGreaterThan(15)
})

it('the log stays at twice of what is in it and some segments, while that grows and shrinks', async () => {
  const disk = new Disk()
  const ledger = await open(disk)
  const roll = dice(5)
  for (let i = 0; i < 600; i++) {
    ledger.publish('x'.repeat(roll(300)), 1)
    const { records } = ledger
    // The backlog grows and shrinks.
    while (ledger.records.length > (i % 300 < 150 ? i % 150 : 20)) ledger.remove(records.shift()!)
    await ledger.commit()
    for (let j = 0; j < 5; j++) await turn()
    const used = [...disk.seen.values()].reduce((sum, { seen }) => sum + seen.length, 0)
    expect(used).toBeLessThan(2 * ledger.bytes + 5 * 1.25 * options.segmentSize)
  }
  await ledger.store.close()
})
