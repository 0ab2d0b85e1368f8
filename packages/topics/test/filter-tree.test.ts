import { memoryUsage } from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { FilterTree } from '@tidewire/topics'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Prefixes } from '../src/prefixes.js'
import { Records } from '../src/records.js'
import { Values } from '../src/values.js'
import { topicFilter, topicName } from './arbitraries.js'
import { naiveMatch } from './naive.js'

const encoder = new TextEncoder()
const deep = '/'.repeat(65535)
const empty = new FilterTree().byteLength

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
    if (tree.size === 0) expect(tree.byteLength).toBe(empty)
  })
}

function search(name: string, as: Form): Command {
  return command(`match(${name})`, (model, tree) => {
    const expected = [...model].flatMap(([filter, values]) => (naiveMatch(filter, name) ? [...values] : []))
    expect(match(tree, name, as)).toEqual(expected.sort((a, b) => a - b))
  })
}

// Few, so that most that are removed are there, and several numbers are with one filter.
const few = fc.constantFrom(
  'a',
  'a/b',
  'a/+',
  '+/b',
  '+/+',
  'a/#',
  '+/#',
  '#',
  '+',
  '$s/+',
  '/',
  '/+',
  '+/',
  '/#',
  'a//+',
)

/** Changes and searches, half of them with the few. */
const commandsOf = (filter: fc.Arbitrary<string>, name: fc.Arbitrary<string>): fc.Arbitrary<Command>[] => [
  fc.tuple(fc.oneof(few, filter), fc.nat(3), form).map((args) => addition(...args)),
  fc.tuple(fc.oneof(few, filter), fc.nat(3), form).map((args) => removal(...args)),
  fc.tuple(name, form).map((args) => search(...args)),
]

const steps = fc.commands(commandsOf(topicFilter, topicName), { maxCommands: 100, size: 'max' })

describe('a tree of filters', () => {
  afterEach(() => void vi.restoreAllMocks())

  it('finds what the plain rule finds, whatever was added and removed, as strings and as bytes', () => {
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
    expect(tree.byteLength).toBe(empty)
  })

  it('is as right when all hashes are equal', async () => {
    vi.resetModules()
    vi.doMock('../src/levels.js', async (original) => {
      const actual = await original<typeof import('../src/levels.js')>()
      return {
        ...actual,
        hashOf: () => 0,
        get levels() {
          return actual.levels.map((word, at) => (at % 3 === 2 ? word : 0))
        },
      }
    })
    const { FilterTree: Colliding } = await import('../src/filter-tree.js')
    vi.doUnmock('../src/levels.js')
    vi.resetModules()
    fc.assert(
      fc.property(steps, (all) => fc.modelRun(() => ({ model: new Map(), real: new Colliding() as FilterTree }), all)),
      { numRuns: 30 },
    )
  })

  it('finds each filter with + or # at any depth, and none for a $ [MQTT-4.7.2-1]', () => {
    const tree = new FilterTree()
    for (let depth = 1; depth <= 128; depth++) {
      tree.add(Array(depth).fill('+').join('/'), depth)
      tree.add(`${Array(depth).fill('+').join('/')}/#`, 1000 + depth)
    }
    expect(match(tree, 'a/b')).toEqual([2, 1001, 1002])
    expect(match(tree, '$a/b')).toEqual([])
    expect(match(tree, Array(128).fill('x').join('/'))).toHaveLength(129)
  })

  it('looks no further where nothing begins like a name, however many filters there are', () => {
    const tree = new FilterTree()
    for (let i = 0; i < 2048; i++) {
      const levels = Array.from({ length: 11 }, (_, bit) => ((i >> bit) & 1 ? '+' : 'q')).join('/')
      for (const filter of [`other/${levels}`, `other/${levels}/#`, `+/other/${levels}`]) tree.add(filter, i)
    }
    tree.add('some/+/#', 1)
    const look = vi.spyOn(Prefixes.prototype, 'get')
    const find = vi.spyOn(Records.prototype, 'find')
    expect(match(tree, 'some/1/2/3/4/5/6/7/8/9/10/11')).toEqual([1])
    // For '', 'some', 'some/1', 'some/+' and '+'; for the name, for some/+/#, and for + with the rest of the name.
    expect([look.mock.calls.length, find.mock.calls.length]).toEqual([5, 3])
  })

  it('ends with the memory it began with when a million filters have come and gone, some for two clients', () => {
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    const used = (): number => {
      collect()
      const { heapUsed, arrayBuffers } = memoryUsage()
      return heapUsed + arrayBuffers
    }
    const count = 1_000_000
    const tree = new FilterTree()
    const filter = (i: number): string => `${i % 100}/${Math.imul(i, 0x9e3779b1) >>> 0}/${i % 7 === 0 ? '+' : i}/x`
    // Prime to the million: all of them, in disorder.
    const other = (i: number): number => (i * 7_777_777) % count
    const before = used()
    for (let i = 0; i < count; i++) tree.add(filter(i), i)
    expect(tree.byteLength / tree.size).toBeLessThan(64)
    for (let i = 0; i < count; i += 5) tree.add(filter(i), i + 1)
    for (let i = 0; i < count; i++) tree.remove(filter(other(i)), other(i))
    for (let i = 0; i < count; i += 5) tree.remove(filter(i), i + 1)
    expect(tree.size).toBe(0)
    expect(tree.byteLength).toBe(empty)
    expect(used() - before).toBeLessThan(60_000_000) // of 150 MB; the process has more than the tree
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

  it('refuses strings of more than 65,535 bytes', () => {
    const tree = new FilterTree()
    for (const topic of ['a'.repeat(65536), '漢'.repeat(21846)]) {
      expect(() => tree.add(topic, 1)).toThrow(RangeError)
      expect(() => tree.remove(topic, 1)).toThrow(RangeError)
      expect(() => tree.match(topic, [])).toThrow(RangeError)
    }
    expect(tree.size).toBe(0)
  })

  it.each([-1, 0.5, 2 ** 31, Number.NaN])('refuses the number %d', (value) => {
    expect(() => new FilterTree().add('a', value)).toThrow(RangeError)
  })

  it('keeps the numbers of filters apart when others go and come', () => {
    const values = new Values()
    const collect = (place: number): number[] => {
      const into: number[] = []
      values.collect(place, into)
      return into
    }
    const [first, second] = [values.add(1, 2)!, values.add(3, 4)!]
    expect(values.remove(first, 1)).toBe(2)
    const third = values.add(5, 6)!
    expect([collect(second), collect(third)]).toEqual([
      [3, 4],
      [5, 6],
    ])
  })

  it('hashes with all of its key, and all bits of a level', async () => {
    const hashes: number[] = []
    for (const key of [
      [1, 3],
      [1, 5],
      [3, 3],
    ]) {
      vi.resetModules()
      vi.stubGlobal('crypto', { getRandomValues: (into: Int32Array) => into.map((_, i) => key[i]!) })
      const { levels, readLevels } = await import('../src/levels.js')
      readLevels(encoder.encode('ab'), 0, 2)
      hashes.push(levels[1]!)
    }
    vi.unstubAllGlobals()
    vi.resetModules()
    expect(new Set(hashes).size).toBe(3)
    const { levels, readLevels } = await import('../src/levels.js')
    const lowest = new Set<number>()
    for (let i = 0; i < 32; i++) {
      // A byte that differs in a high bit only, at the end, where nothing mixes it any more but the last step.
      const [one, other] = [0x20, 0x60].map((byte) => {
        readLevels(Uint8Array.of(0x30 + i, byte), 0, 2)
        return levels[1]!
      })
      lowest.add((one! ^ other!) & 1)
    }
    expect(lowest.size).toBe(2)
  })

  it('hashes otherwise in each process, so that no one can choose topics that collide', async () => {
    const hashes = new Set<number>()
    for (let i = 0; i < 3; i++) {
      vi.resetModules()
      const { levels, readLevels } = await import('../src/levels.js')
      readLevels(encoder.encode('a/a'), 0, 3)
      hashes.add(levels[1]!)
      expect(levels[1]).not.toBe(levels[4]) // or it would be the same for a/b and b/a
    }
    expect(hashes.size).toBe(3)
  })

  it('tells filters apart whose hashes are equal', () => {
    const records = new Records()
    const filters = ['a', 'a/', 'a/b', 'ab', 'a/+', 'a/#', ''].map((filter) => encoder.encode(filter))
    const find = (filter: Uint8Array): number => records.find(7, filter, 0, filter.length, 0, 0)
    for (const [i, filter] of filters.entries()) {
      expect(find(filter)).toBe(0)
      const record = records.add(7, filter, 0, filter.length)
      records.words[record] = i
    }
    for (const [i, filter] of filters.entries()) {
      expect(records.words[find(filter)]).toBe(i)
      records.remove(7, find(filter))
      expect(find(filter)).toBe(0)
    }
  })
})
