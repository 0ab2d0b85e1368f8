import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Running, startTidewire } from './brokers.js'
import { knownFailures, notOffered } from './known-failures.js'
import { writeMatrix } from './matrix.js'
import { type Result, runAll } from './runner.js'
import { tests } from './sections/index.js'
import { loadElsewhere, loadStatements, loadThreats, threatTests } from './statements.js'
import { nameOf, type Test } from './suite.js'

describe('Tidewire', () => {
  let broker: Running
  let results: ReadonlyMap<Test, Promise<Result>>

  beforeAll(async () => {
    broker = await startTidewire()
    results = runAll(tests, broker) // at once; below, each is waited for
  })
  afterAll(() => broker.stop())

  it('does what the documentation says: `npm run conformance -- --matrix` writes it anew', async () => {
    const settled = new Map<Test, Result>()
    for (const [test, result] of results) settled.set(test, await result)
    const rowsOf = (page: string): string[] => page.split('\n').filter((line) => line.startsWith('| '))
    const rows = rowsOf(readFileSync(new URL('../../docs/conformance.md', import.meta.url), 'utf8'))
    const now = rowsOf(writeMatrix(tests, [{ name: 'Tidewire', results: settled }]))
    // Behind Tidewire's column are those of other brokers.
    expect(rows.map((row, at) => row.slice(0, now[at]?.length))).toEqual(now)
  })

  describe.each([...new Set(tests.map(({ section }) => section))])('%s', (section) => {
    const ofSection = tests.filter((test) => test.section === section)
    it.each(ofSection.map((test) => [`${nameOf(test)} [${test.statements.join(' ')}]`, test] as const))(
      '%s',
      async (_name, test) => {
        const { state, reason } = await results.get(test)!
        const name = nameOf(test)
        if (state === 'passed') return expect(knownFailures, 'passes now: take it out').not.toHaveProperty([name])
        if (state === 'inapplicable' && name in notOffered) return
        if (!(name in knownFailures)) expect.fail(`${state}: ${reason}`)
      },
    )
  })
})

describe('the list of tests', () => {
  it('has no name twice', () => {
    const names = tests.map(nameOf)
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
  })

  it.each([...Object.keys(knownFailures), ...Object.keys(notOffered)])('has the exception %s', (name) => {
    expect([...tests.map(nameOf), ...threatTests()]).toContain(name)
  })
})

describe('every statement', () => {
  const statements = [...loadStatements().values()].flat()
  const known = new Set(statements.map(({ id }) => id))
  const judged = new Set(tests.flatMap((test) => test.statements))
  const elsewhere = loadElsewhere()

  it('that is judged exists', () => {
    const threats = loadThreats().map(({ id }) => id)
    expect([...judged].filter((id) => !known.has(id) && !threats.includes(id))).toEqual([])
  })

  it('that binds a server is judged by a test here, or has its reason', () => {
    const told = new Set(elsewhere.map(({ id }) => id))
    const left = statements.filter(({ id, who }) => who !== 'client' && !judged.has(id) && !told.has(id))
    expect(left).toEqual([])
  })

  it.each(elsewhere)('$id is looked after where it is said to be', ({ id, test, reason }) => {
    expect(known).toContain(id)
    expect(judged).not.toContain(id)
    if (test === undefined) return expect(reason).not.toBe('')
    const [, file, name] = /^(.+?): (.+)$/.exec(test)!
    const path = new URL(`../../${file}`, import.meta.url)
    expect(existsSync(path)).toBe(true)
    expect(readFileSync(path, 'utf8')).toContain(name)
  })
})

describe('every threat', () => {
  const named = [...tests.flatMap((test) => test.statements), ...threatTests().map((name) => name.slice(0, 4))]

  it.each(loadThreats())('$id has a test that is named by it, or is looked after elsewhere', ({ id, elsewhere }) => {
    if (elsewhere === '') expect(named).toContain(id)
    else expect(named).not.toContain(id)
  })
})
