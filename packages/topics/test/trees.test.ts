import { FilterTree, NameTree } from '@tidewire/topics'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { topicFilter, topicName } from './arbitraries.js'
import { naiveMatch } from './naive.js'

const deep = '/'.repeat(65534)

describe('a tree of filters', () => {
  it('finds what the plain rule finds, through any additions and removals', () => {
    const pair = fc.record({ filter: topicFilter, value: fc.nat(3), remove: fc.boolean() })
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 30 }), fc.array(topicName, { maxLength: 10 }), (steps, names) => {
        const tree = new FilterTree()
        const model = new Map<string, [string, number]>()
        for (const { filter, value, remove } of steps) {
          const key = `${value} ${filter}`
          if (remove) expect(tree.remove(filter, value)).toBe(model.delete(key))
          else {
            expect(tree.add(filter, value)).toBe(!model.has(key))
            model.set(key, [filter, value])
          }
          expect(tree.size).toBe(model.size)
        }
        for (const name of names) {
          const expected = [...model.values()].filter(([filter]) => naiveMatch(filter, name)).map(([, value]) => value)
          const found: number[] = []
          expect(tree.match(name, found)).toBe(expected.length)
          expect(found.sort()).toEqual(expected.sort())
        }
      }),
    )
  })

  it('appends to what the caller has', () => {
    const tree = new FilterTree()
    tree.add('a', 1)
    const into = [7]
    expect(tree.match('a', into)).toBe(1)
    expect(into).toEqual([7, 1])
  })

  it('takes the deepest filter and name that there are', () => {
    const tree = new FilterTree()
    tree.add(deep, 1)
    tree.add('+/#', 2)
    const found: number[] = []
    tree.match(deep, found)
    expect(found.sort()).toEqual([1, 2])
    expect(tree.remove(deep, 1)).toBe(true)
    expect(tree.size).toBe(1)
  })
})

describe('a tree of names', () => {
  it('finds what the plain rule finds, through any changes', () => {
    const step = fc.record({ name: topicName, value: fc.nat(9), remove: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.array(topicFilter, { maxLength: 10 }), (steps, filters) => {
        const tree = new NameTree<number>()
        const model = new Map<string, number>()
        for (const { name, value, remove } of steps) {
          if (remove) expect(tree.delete(name)).toBe(model.delete(name))
          else {
            tree.set(name, value)
            model.set(name, value)
          }
          expect(tree.get(name)).toBe(model.get(name))
          expect(tree.size).toBe(model.size)
        }
        for (const filter of filters) {
          const expected = [...model].filter(([name]) => naiveMatch(filter, name))
          expect([...tree.match(filter)].sort()).toEqual(expected.sort())
        }
      }),
    )
  })

  it('may be emptied while it is walked', () => {
    const tree = new NameTree<number>()
    for (let i = 0; i < 100; i++) tree.set(`a/${i}/b`, i)
    let seen = 0
    for (const [name] of tree.match('a/#')) {
      tree.delete(name)
      seen++
    }
    expect(seen).toBe(100)
    expect(tree.size).toBe(0)
  })

  it('takes the deepest name that there is', () => {
    const tree = new NameTree<number>()
    tree.set(deep, 1)
    expect([...tree.match('#')]).toEqual([[deep, 1]])
    expect(tree.delete(deep)).toBe(true)
  })
})
