/** `@tidewire/topics` beside qlobber: nanoseconds for a name or a filter of five levels, and bytes of a subscription. */

import { argv, memoryUsage } from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { FilterTree, NameTree } from '@tidewire/topics'
import { Qlobber } from 'qlobber'
import { compare } from './harness.mjs'

const columns = ['Tidewire', 'qlobber']
const measures = ['temp', 'level', 'power', 'state', 'alarm']

/** One of as many topics as are needed: 2,000 lines, with devices of five measures each. */
function topic(/** @type {number} */ i) {
  const line = Math.floor(i / 5) % 2000
  const device = Math.floor(i / 10_000)
  return `eu${line % 10}/site${Math.floor(line / 10) % 20}/line${Math.floor(line / 200)}/dev${device}/${measures[i % 5]}`
}

/** One filter in ten with a + in any level, and one with a # for the last level or two; of 100,000 topics. */
function mixed(/** @type {number} */ i) {
  if (i % 10 > 1) return topic(i)
  const levels = topic(below(100_000)).split('/')
  if (i % 10 === 0) levels[below(5)] = '+'
  else levels.splice(below(5) < 2 ? 3 : 4, 2, '#')
  return levels.join('/')
}

let state = 1
/** The same numbers in each run. */
function below(/** @type {number} */ limit) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * limit)
}

/**
 * Topics as packets bring them: bytes, from which a peer that needs strings must make them.
 * @param {number} count
 * @param {(index: number) => string} topicOf
 */
function received(count, topicOf) {
  const bytes = Buffer.alloc(count * 60)
  const ends = new Uint32Array(count + 1)
  for (let i = 0; i < count; i++) ends[i + 1] = (ends[i] ?? 0) + bytes.write(topicOf(i), ends[i] ?? 0, 'latin1')
  return { count, bytes, ends }
}

/** @typedef {ReturnType<typeof received>} Received */

class Tidewire {
  #tree = new FilterTree()
  /** @type {number[]} */
  #found = []

  /** @param {Received} filters */
  addAll({ count, bytes, ends }) {
    for (let i = 0; i < count; i++) this.#tree.add(bytes, i, ends[i], ends[i + 1])
  }

  /** @param {Received} filters */
  removeAll({ count, bytes, ends }) {
    for (let i = 0; i < count; i++) this.#tree.remove(bytes, i, ends[i], ends[i + 1])
  }

  /** @param {Received} names */
  matchAll({ count, bytes, ends }) {
    let sum = 0
    for (let i = 0; i < count; i++) {
      this.#tree.match(bytes, this.#found, ends[i], ends[i + 1])
      while (this.#found.length > 0) sum += this.#found.pop() ?? 0
    }
    return sum
  }
}

class Peer {
  #tree = new Qlobber({ separator: '/', wildcard_one: '+', wildcard_some: '#', match_empty_levels: true })

  /** @param {Received} filters */
  addAll({ count, bytes, ends }) {
    for (let i = 0; i < count; i++) this.#tree.add(bytes.latin1Slice(ends[i], ends[i + 1]), i)
  }

  /** @param {Received} filters */
  removeAll({ count, bytes, ends }) {
    for (let i = 0; i < count; i++) this.#tree.remove(bytes.latin1Slice(ends[i], ends[i + 1]), i)
  }

  /** @param {Received} names */
  matchAll({ count, bytes, ends }) {
    let sum = 0
    for (let i = 0; i < count; i++) {
      for (const value of this.#tree.match(bytes.latin1Slice(ends[i], ends[i + 1]))) sum += value
    }
    return sum
  }
}

/** @param {(make: () => Tidewire | Peer) => () => () => number} prepare */
const both = (prepare) => ({ Tidewire: prepare(() => new Tidewire()), qlobber: prepare(() => new Peer()) })

/**
 * Nine names in ten are subscribed to.
 * @param {number} count
 * @param {(index: number) => string} filterOf
 */
const match = (count, filterOf) =>
  both((make) => () => {
    const tree = make()
    tree.addAll(received(count, filterOf))
    const names = received(200_000, () => topic(below(count / 0.9)))
    return () => {
      tree.matchAll(names)
      return names.count
    }
  })

/** @param {(client: number) => string} filterOf */
const clients = (filterOf) =>
  both((make) => () => {
    const tree = make()
    const filters = received(16_000, filterOf)
    return () => {
      tree.addAll(filters)
      tree.removeAll(filters)
      return filters.count * 2
    }
  })

/** Filters of another prefix with + and q in all combinations, as one client may have them. */
const others = received(8192, (i) => {
  const levels = Array.from({ length: 13 }, (_, bit) => ((i >> bit) % 2 ? '+' : 'q'))
  return `bad/${levels.join('/')}`
})
const unlike = received(20_000, (i) => `ann/${Array.from({ length: 13 }, (_, level) => (i + level) % 97).join('/')}`)

/** A retained message comes for a topic that has one, or is asked for. */
const names = (/** @type {(tree: NameTree<number>, name: string) => void} */ ask) => ({
  Tidewire: () => {
    const tree = new NameTree()
    for (let i = 0; i < 100_000; i++) tree.set(topic(i), i)
    const { count, bytes, ends } = received(100_000, () => topic(below(100_000)))
    return () => {
      for (let i = 0; i < count; i++) ask(tree, bytes.latin1Slice(ends[i], ends[i + 1]))
      return count
    }
  },
})

const cells = [
  { name: 'match, 100,000 exact filters', contestants: match(100_000, topic) },
  { name: 'match, 100,000 filters, of which 10 % with + and 10 % with #', contestants: match(100_000, mixed) },
  { name: 'match, 1,000,000 exact filters', contestants: match(1_000_000, topic) },
  {
    name: 'subscribe to 1,000,000 exact filters',
    contestants: both((make) => () => {
      const filters = received(1_000_000, topic)
      return () => {
        make().addAll(filters)
        return filters.count
      }
    }),
  },
  { name: '16,000 clients of one filter come and go', contestants: clients(() => topic(0)) },
  { name: '16,000 clients with a filter each come and go', contestants: clients(topic) },
  {
    name: 'match, 14 levels, 8,192 filters with many + of which none begins like the name',
    contestants: both((make) => () => {
      const tree = make()
      tree.addAll(others)
      return () => {
        tree.matchAll(unlike)
        return unlike.count
      }
    }),
  },
  { name: 'get one of 100,000 names', contestants: names((tree, name) => tree.get(name)) },
  { name: 'set one of 100,000 names again', contestants: names((tree, name) => tree.set(name, 1)) },
  {
    name: 'walk over one of 100,000 names, 64 at a time',
    contestants: {
      Tidewire: () => {
        const tree = new NameTree()
        for (let i = 0; i < 100_000; i++) tree.set(topic(i), i)
        return () => {
          let count = 0
          for (let cursor; count === 0 || cursor !== undefined; ) {
            /** @type {import('@tidewire/topics').NamedValue<number>[]} */
            const page = []
            cursor = tree.walk('#', page, 64, cursor)
            count += page.length
          }
          return count
        }
      },
    },
  },
]

compare(cells, columns)
if (argv[3] === undefined) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  /** All memory, typed arrays included. */
  const used = () => {
    collect()
    collect() // what the first one lets go of is counted until its thread is done
    const { heapUsed, arrayBuffers } = memoryUsage()
    return heapUsed + arrayBuffers
  }
  const filters = received(1_000_000, topic)
  const bytes = [new Tidewire(), new Peer()].map((tree) => {
    const before = used()
    tree.addAll(filters)
    return ((used() - before) / filters.count).toFixed(0)
  })
  console.log(`| bytes of a subscription, 1,000,000 exact filters | ${bytes.join(' | ')} |`)
}
