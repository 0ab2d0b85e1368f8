import { FilterTree } from '@tidewire/topics'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { topicFilter, topicName } from './arbitraries.js'
import { naiveMatch } from './naive.js'

const encoder = new TextEncoder()
const deep = '/'.repeat(65535)

type Form = 'string' | 'bytes'
const form = fc.constantFrom<Form>('string', 'bytes')

/** A topic as a string, or as bytes between others that must not be read: wildcards, which would change everything. */
function given(topic: string, as: Form): [topic: string | Uint8Array, start?: number, end?: number] {
  if (as === 'string') return [topic]
  const bytes = encoder.encode(`#/${topic}/#`)
  return [bytes, 2, bytes.length - 2]
}

function add(tree: FilterTree, filter: string, value: number, as: Form): boolean {
  const [topic, start, end] = given(filter, as)
  return tree.add(topic, value, start, end)
}

function remove(tree: FilterTree, filter: string, value: number, as: Form): boolean {
  const [topic, start, end] = given(filter, as)
  return tree.remove(topic, value, start, end)
}

function match(tree: FilterTree, name: string, as: Form = 'string'): number[] {
  const [topic, start, end] = given(name, as)
  const found: number[] = []
  expect(tree.match(topic, found, start, end)).toBe(found.length)
  return found.sort((a, b) => a - b)
}

/** The pairs that should be there, by filter. */
type Model = Map<string, Set<number>>

type Command = fc.Command<Model, FilterTree>

const command = (name: string, run: Command['run']): Command => ({ check: () => true, run, toString: () => name })

function addition(filter: string, value: number, as: Form): Command {
  return command(`add(${filter}, ${value})`, (model, tree) => {
    const values = model.get(filter) ?? new Set()
    expect(add(tree, filter, value, as)).toBe(!values.has(value))
    model.set(filter, values.add(value))
  })
}

function removal(filter: string, value: number, as: Form): Command {
  return command(`remove(${filter}, ${value})`, (model, tree) => {
    expect(remove(tree, filter, value, as)).toBe(model.get(filter)?.delete(value) ?? false)
    expect(tree.size).toBe([...model.values()].reduce((sum, { size }) => sum + size, 0))
    if (tree.size === 0) expect(tree.byteLength).toBe(0)
  })
}

function search(name: string, as: Form): Command {
  return command(`match(${name})`, (model, tree) => {
    const expected = [...model].flatMap(([filter, values]) => (naiveMatch(filter, name) ? [...values] : []))
    expect(match(tree, name, as)).toEqual(expected.sort((a, b) => a - b))
  })
}

const commands = [
  fc.tuple(topicFilter, fc.nat(3), form).map((args) => addition(...args)),
  fc.tuple(topicFilter, fc.nat(3), form).map((args) => removal(...args)),
  fc.tuple(topicName, form).map((args) => search(...args)),
]

describe('a tree of filters', () => {
  it('finds what the plain rule finds, whatever was added and removed, as strings and as bytes', () => {
    const steps = fc.commands(commands, { maxCommands: 100 })
    fc.assert(
      fc.property(steps, (all) => fc.modelRun(() => ({ model: new Map(), real: new FilterTree() }), all)),
      { numRuns: 300 },
    )
  })

  it('does so while it grows to thousands of filters, and shrinks again', () => {
    const tree = new FilterTree()
    const model: Model = new Map()
    const filters = fc.sample(topicFilter, { numRuns: 6000, seed: 1 }).map((filter, i) => `${i % 97}/${filter}`)
    const names = fc.sample(topicName, { numRuns: 40, seed: 1 }).map((name, i) => search(`${i}/${name}`, 'bytes'))
    for (const [i, filter] of filters.entries()) addition(filter, i % 5, 'bytes').run(model, tree)
    for (const name of names) name.run(model, tree)
    const full = tree.byteLength
    for (const [i, filter] of filters.entries()) if (i % 8 > 0) removal(filter, i % 5, 'bytes').run(model, tree)
    for (const name of names) name.run(model, tree)
    expect(tree.byteLength).toBeLessThan(full / 2)
  })

  it('appends to what the caller has', () => {
    const tree = new FilterTree()
    tree.add('a', 1)
    const into = [7]
    expect(tree.match('a', into)).toBe(1)
    expect(into).toEqual([7, 1])
  })

  it('takes the deepest filters and names that there are', () => {
    const tree = new FilterTree()
    const wild = Array(32768).fill('+').join('/')
    for (const [i, filter] of [deep, '+/#', `${deep.slice(2)}/#`, wild].entries())
      expect(tree.add(filter, i)).toBe(true)
    expect(match(tree, deep)).toEqual([0, 1, 2])
    expect(match(tree, deep.slice(0, 32767))).toEqual([1, 3])
    for (const [i, filter] of [deep, '+/#', `${deep.slice(2)}/#`, wild].entries())
      expect(tree.remove(filter, i)).toBe(true)
    expect(tree.byteLength).toBe(0)
  })

  it('finds nothing to do with a name that nothing begins like', () => {
    const tree = new FilterTree()
    for (let depth = 1; depth <= 128; depth++) {
      tree.add(Array(depth).fill('+').join('/'), depth)
      tree.add(`${Array(depth).fill('+').join('/')}/#`, 1000 + depth)
    }
    expect(match(tree, 'a/b')).toEqual([2, 1001, 1002])
    expect(match(tree, '$a/b')).toEqual([]) // [MQTT-4.7.2-1]
    expect(match(tree, Array(128).fill('x').join('/'))).toHaveLength(129)
  })

  it('ends with the memory it began with when a million filters have come and gone', () => {
    const tree = new FilterTree()
    const filter = (i: number): string => `${i % 100}/${Math.imul(i, 0x9e3779b1) >>> 0}/${i % 7 === 0 ? '+' : i}/x`
    for (let i = 0; i < 1_000_000; i++) tree.add(filter(i), i)
    expect(tree.byteLength / tree.size).toBeLessThan(64)
    for (let i = 0; i < 1_000_000; i++) tree.remove(filter(i), i)
    expect(tree.size).toBe(0)
    expect(tree.byteLength).toBe(0)
  })

  it('takes 100,000 clients of one filter, and frees them', () => {
    const tree = new FilterTree()
    const before = tree.byteLength
    for (let i = 0; i < 100_000; i++) tree.add('a/+/c', i)
    expect(tree.size).toBe(100_000)
    expect(tree.add('a/+/c', 5)).toBe(false)
    expect(match(tree, 'a/b/c')).toHaveLength(100_000)
    for (let i = 0; i < 100_000; i++) tree.remove('a/+/c', i)
    expect(tree.size).toBe(0)
    expect(match(tree, 'a/b/c')).toEqual([])
    expect(tree.byteLength).toBe(before)
  })

  it.each([-1, 0.5, 2 ** 31, Number.NaN])('refuses the number %d', (value) => {
    expect(() => new FilterTree().add('a', value)).toThrow(RangeError)
  })

  it('hashes otherwise in each process, so that no one can choose topics that collide', async () => {
    const hashes = new Set<number>()
    for (let i = 0; i < 3; i++) {
      vi.resetModules()
      const { levels, readLevels } = await import('../src/levels.js')
      readLevels(encoder.encode('a/b'), 0, 3)
      hashes.add(levels[1]!)
      expect(levels[1]).not.toBe(levels[3])
    }
    expect(hashes.size).toBe(3)
  })
})
