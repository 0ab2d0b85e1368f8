import { type NamedValue, NameTree } from '@tidewire/topics'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { topicFilter, topicName } from './arbitraries.js'
import { naiveMatch } from './naive.js'

const deep = '/'.repeat(65535)

type Model = Map<string, number>
type Change = [name: string, value: number, remove: boolean]

function walk<T>(tree: NameTree<T>, filter: string, limit = Number.POSITIVE_INFINITY): [string, T][] {
  const found: NamedValue<T>[] = []
  let cursor: string | undefined = ''
  do cursor = tree.walk(filter, found, limit, cursor)
  while (cursor !== undefined)
  return found.map(({ name, value }) => [name, value])
}

function apply(tree: NameTree<number>, model: Model, [name, value, remove]: Change): void {
  if (remove) expect(tree.delete(name)).toBe(model.delete(name))
  else {
    tree.set(name, value)
    model.set(name, value)
  }
}

type Command = fc.Command<Model, NameTree<number>>

const command = (name: string, run: Command['run']): Command => ({ check: () => true, run, toString: () => name })

function changing(change: Change): Command {
  return command(`change(${change})`, (model, tree) => {
    apply(tree, model, change)
    expect(tree.get(change[0])).toBe(model.get(change[0]))
    expect(tree.size).toBe(model.size)
  })
}

function walking(filter: string, limit: number): Command {
  return command(`walk(${filter}, ${limit})`, (model, tree) => {
    const expected = [...model].filter(([name]) => naiveMatch(filter, name))
    expect(walk(tree, filter, limit).sort()).toEqual(expected.sort())
  })
}

const change: fc.Arbitrary<Change> = fc.tuple(topicName, fc.nat(9), fc.boolean())

describe('a tree of names', () => {
  it('finds what the plain rule finds, through any changes', () => {
    const commands = [
      change.map(changing),
      fc.tuple(topicFilter, fc.integer({ min: 1, max: 20 })).map((args) => walking(...args)),
    ]
    const steps = fc.commands(commands, { maxCommands: 100, size: 'max' })
    fc.assert(
      fc.property(steps, (all) => fc.modelRun(() => ({ model: new Map(), real: new NameTree<number>() }), all)),
      { numRuns: 300 },
    )
  })

  it('finds each name once that stays while others come and go between the slices of a walk', () => {
    const changes = fc.array(change, { maxLength: 20, size: 'max' })
    fc.assert(
      fc.property(changes, topicFilter, fc.array(changes, { maxLength: 10, size: 'max' }), (first, filter, between) => {
        const tree = new NameTree<number>()
        const model: Model = new Map()
        for (const each of first) apply(tree, model, each)
        const stays = new Set(model.keys())
        const found: NamedValue<number>[] = []
        let cursor: string | undefined = ''
        for (const changes of between) {
          if (cursor === undefined) break
          cursor = tree.walk(filter, found, 1, cursor)
          for (const each of changes) {
            apply(tree, model, each)
            if (each[2]) stays.delete(each[0])
          }
        }
        if (cursor !== undefined) expect(tree.walk(filter, found, 1000, cursor)).toBeUndefined()
        const names = found.map(({ name }) => name)
        expect(new Set(names).size).toBe(names.length)
        for (const name of names) expect(naiveMatch(filter, name)).toBe(true)
        for (const name of stays) if (naiveMatch(filter, name)) expect(names).toContain(name)
      }),
      { numRuns: 500 },
    )
  })

  it('stands thousands of names, and frees what holds them', () => {
    const tree = new NameTree<number>()
    const model: Model = new Map()
    // Characters before and behind / in their order, which must not come between a name and what is below it.
    const name = (i: number): string => `a${'-0/!'[i % 4]}${Math.imul(i, 0x9e3779b1) >>> 20}/b${i % 3}/${i}`
    for (let i = 0; i < 20_000; i++) apply(tree, model, [name(i), i, false])
    expect(tree.leaves).toBeLessThan(20_000 / 64)
    for (const filter of ['#', '+/b1/+', 'a/+/b2/#', 'a-7/#', '+/+/+/7', 'a0/b0', '+/#']) {
      const expected = [...model].filter(([each]) => naiveMatch(filter, each))
      expect(walk(tree, filter, 100).sort()).toEqual(expected.sort())
    }
    for (let i = 0; i < 20_000; i++) apply(tree, model, [name(i), i, true])
    expect([tree.size, tree.leaves]).toEqual([0, 1])
    apply(tree, model, ['a', 1, false])
    expect(walk(tree, '#')).toEqual([['a', 1]])
  })

  it('gives memory back when most names go, in any order', () => {
    const tree = new NameTree<number>()
    const names = Array.from({ length: 20_000 }, (_, i) => `d/${String(i).padStart(5, '0')}`)
    for (const [i, name] of names.entries()) tree.set(name, i)
    // In disorder, for 7,919 is prime; the 512 that stay are spread among the others.
    for (let i = 0; i < 20_000; i++) if (((i * 7919) % 20_000) % 39 > 0) tree.delete(names[(i * 7919) % 20_000]!)
    expect(tree.size).toBe(513)
    expect(tree.leaves).toBeLessThanOrEqual(tree.size / 64 + 1)
    expect(walk(tree, '#').map(([name]) => name)).toEqual(names.filter((_, i) => i % 39 === 0))
    // The first and the last ones first, so that leaves at both ends become empty beside full ones.
    for (const [i, name] of names.entries()) tree.set(name, i)
    for (let i = 0; i < 10_000; i++) for (const at of [i, 19_999 - i]) tree.delete(names[at]!)
    expect([tree.size, tree.leaves]).toEqual([0, 1])
  })

  it('takes names longer than those that V8 hashes, with equal ends and beginnings', () => {
    const tree = new NameTree<number>()
    const model: Model = new Map()
    const name = (i: number): string => `${'x'.repeat(16_375)}/${i}/y`
    for (let i = 99_900; i < 100_100; i++) apply(tree, model, [name(i), i, false])
    for (let i = 99_900; i < 100_100; i += 2) apply(tree, model, [name(i), -i, i % 4 === 0])
    expect(tree.size).toBe(150)
    for (let i = 99_900; i < 100_100; i++) expect(tree.get(name(i))).toBe(model.get(name(i)))
    expect(walk(tree, '+/+/y')).toHaveLength(150)
    const inMaps = vi.spyOn(Map.prototype, 'set')
    tree.set(name(100_500), 1)
    const keys = inMaps.mock.calls.map(([key]) => key)
    inMaps.mockRestore()
    expect(keys).not.toContain(name(100_500))
  })

  /** How many calls of `walk` it takes when each may look at one name. */
  function looks(tree: NameTree<number>, filter: string): number {
    const found: NamedValue<number>[] = []
    let cursor: string | undefined = ''
    let calls = 0
    do {
      cursor = tree.walk(filter, found, 1, cursor)
      calls++
    } while (cursor !== undefined)
    return calls
  }

  it('looks at two or three names for each first level to find +/level', () => {
    const tree = new NameTree<number>()
    for (let i = 0; i < 100; i++) for (const level of 'abcdefgh') tree.set(`${i}/${level}`, i)
    for (let i = 0; i < 1000; i++) tree.set(`$SYS/${i}`, i)
    const filters = ['+/e', '+/x', '$SYS/x', '#', '7', '7/#']
    expect(filters.map((filter) => looks(tree, filter))).toEqual([301, 101, 2, 801, 2, 10]) // with one at what begins with $
  })

  it('looks at no more names in a slice than it may', () => {
    const tree = new NameTree<number>()
    for (let i = 0; i < 1000; i++) for (const end of ['a', 'b/c', 'd']) tree.set(`${i}/${end}`, i)
    const found: NamedValue<number>[] = []
    expect(tree.walk('#', found, 10)).toBeDefined()
    expect(found).toHaveLength(10)
    expect(tree.walk('+/x', found, 10)).toBeDefined()
    found.length = 0
    expect(tree.walk('500/#', found, 5)).toBeUndefined()
    expect(found.map(({ name }) => name)).toEqual(['500/a', '500/b/c', '500/d'])
  })

  it('gives names and values as they are when they are looked at, and nothing else', () => {
    const tree = new NameTree<string>()
    const found: NamedValue<string>[] = []
    tree.set('a', 'old')
    tree.walk('#', found, 1)
    tree.set('a', 'new')
    expect(found).toEqual([{ name: 'a', value: 'old' }])
  })

  it('takes the deepest names and filters that there are', () => {
    const tree = new NameTree<number>()
    tree.set(deep, 1)
    tree.set(`${deep.slice(1)}a`, 2)
    expect(walk(tree, '#')).toEqual(
      [
        [deep, 1],
        [`${deep.slice(1)}a`, 2],
      ].sort(),
    )
    expect(walk(tree, deep)).toEqual([[deep, 1]])
    expect(walk(tree, Array(32768).fill('+').join('/'))).toEqual([])
    expect(tree.delete(deep)).toBe(true)
  })
})
