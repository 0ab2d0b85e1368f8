/** `@tidewire/store-log` beside lmdb and LevelDB: durable messages in a second, and CPU for each; and how fast it starts. */

import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv, cpuUsage, execPath, exit, memoryUsage } from 'node:process'
import { setImmediate as turn } from 'node:timers/promises'
import { recordKinds } from '@tidewire/broker/store'
import { openLevel } from '@tidewire/store-level'
import { openLog } from '@tidewire/store-log'
import { ClassicLevel } from 'classic-level'
import { open as openLmdb } from 'lmdb'

const count = 100_000
const warmUp = 20_000
const sessions = 1_000
/** Messages of a turn of the event loop. */
const perTurn = 128
/** Messages of 200 bytes are taken out of these, each time others. */
const bytes = randomBytes(1024 * 1024)
const size = 200
const none = new Uint8Array(0)
const reference = Buffer.alloc(27)

/**
 * What is measured: `put` keeps the message that lies at a place for a session and returns what `take` needs to take it away again; `commit`
 * settles when all before it is on the disk.
 * @typedef {object} Contestant
 * @property {(session: number, at: number) => number} put
 * @property {(session: number, number: number) => void} take
 * @property {() => Promise<unknown>} commit
 * @property {() => Promise<unknown>} close
 */

/** A key of LevelDB and lmdb: the session and a number that grows. @param {number} session @param {number} number */
function keyOf(session, number) {
  const key = Buffer.allocUnsafe(8)
  key.writeUInt32BE(session)
  key.writeUInt32BE(number, 4)
  return key
}

/** A message is two records: it could be for others too. @param {import('@tidewire/broker/store').Store} store @returns {Contestant} */
function storeOf(store) {
  return {
    put(session, at) {
      const message = store.addMessage(none, bytes, at, at + size)
      reference.writeUInt32LE(session)
      return store.add(recordKinds.delivery, message, reference, 0, reference.length)
    },
    take: (_, number) => store.remove(number),
    commit: () => store.commit() ?? Promise.resolve(),
    close: () => store.close(),
  }
}

/** @type {Readonly<Record<string, (directory: string) => Promise<Contestant>>>} */
const contestants = {
  async 'store-log'(directory) {
    return storeOf(await openLog(directory))
  },
  async 'store-level'(directory) {
    return storeOf(await openLevel(directory))
  },
  lmdb: (directory) => lmdb(directory, true),
  'lmdb, one sync': (directory) => lmdb(directory, false),
  async 'classic-level'(directory) {
    /** @type {ClassicLevel<Buffer, Buffer>} */
    const db = new ClassicLevel(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await db.open()
    let last = 0
    let batch = db.batch()
    /** @type {Promise<void>} */
    let writing = Promise.resolve()
    /** @type {Promise<void> | undefined} */
    let next
    const write = async () => {
      await writing
      const full = batch
      batch = db.batch()
      next = undefined
      writing = full.write({ sync: true })
      await writing
    }
    return {
      put(session, at) {
        batch.put(keyOf(session, ++last), bytes.subarray(at, at + size))
        return last
      },
      take: (session, number) => void batch.del(keyOf(session, number)),
      commit() {
        next ??= write() // groups, as in the log: one is written, the next one gathers
        return next
      },
      close: () => db.close(),
    }
  },
}

/** @param {string} directory @param {boolean} overlappingSync @returns {Promise<Contestant>} */
async function lmdb(directory, overlappingSync) {
  const db = openLmdb({ path: directory, keyEncoding: 'binary', encoding: 'binary', overlappingSync })
  let last = 0
  /** @type {Promise<boolean>} */
  let latest = Promise.resolve(true)
  return {
    put(session, at) {
      latest = db.put(keyOf(session, ++last), bytes.subarray(at, at + size))
      return last
    },
    take(session, number) {
      latest = db.remove(keyOf(session, number))
    },
    commit: () => latest.then(() => db.flushed),
    close: () => db.close(),
  }
}

/** Bytes of all files of a directory. @param {string} directory */
function diskOf(directory) {
  return readdirSync(directory).reduce((sum, name) => sum + (statSync(join(directory, name)).blocks ?? 0) * 512, 0)
}

/** Milliseconds of CPU that the process has used. */
function spent() {
  const { user, system } = cpuUsage()
  return (user + system) / 1000
}

/**
 * Has so many messages under way, until all are kept.
 * @param {Contestant} contestant
 * @param {number} total
 * @param {number} inFlight
 * @param {() => number} step Makes one or more operations. Returns how many.
 */
async function drive({ commit }, total, inFlight, step) {
  let done = 0
  let underWay = 0
  let begun = 0
  let wake = () => {}
  while (done < total) {
    let operations = 0
    while (operations < perTurn && underWay + operations < inFlight && begun + operations < total) operations += step()
    if (operations > 0) {
      underWay += operations
      begun += operations
      commit().then(() => {
        underWay -= operations
        done += operations
        wake()
      })
      await turn()
    } else {
      await new Promise((resolve) => {
        wake = () => resolve(undefined)
      })
    }
  }
}

/** @typedef {{ rate: number, cpu: number, disk: number }} Figure */

/** @type {Readonly<Record<string, { readonly peers: readonly string[], readonly inFlight: number, readonly step: (contestant: Contestant) => () => number }>>} */
const loads = {
  'append, 1,024 in flight': { peers: ['lmdb', 'lmdb, one sync', 'classic-level'], inFlight: 1_024, step: append },
  'append, 1 in flight': { peers: ['lmdb', 'lmdb, one sync', 'classic-level'], inFlight: 1, step: append },
  'put, later take; 1,024 in flight': {
    peers: ['lmdb', 'classic-level', 'store-level'],
    inFlight: 1_024,
    step: churn,
  },
}

let last = 0
/** Where the next message lies. */
const next = () => (last = (last + 7) % (bytes.length - size))

/** One session: keys that ascend, which is what trees like best. @param {Contestant} contestant */
function append({ put }) {
  return () => {
    put(1, next())
    return 1
  }
}

/** Sessions that have about 20 messages each: one comes, the oldest goes. @param {Contestant} contestant */
function churn({ put, take }) {
  /** @type {number[][]} */
  const queues = Array.from({ length: sessions }, () => [])
  return () => {
    const session = Math.floor(Math.random() * sessions)
    const queue = queues[session] ?? []
    queue.push(put(session, next()))
    if (queue.length <= 20) return 1
    take(session, queue.shift() ?? 0)
    return 2
  }
}

/** @param {string} load @param {string} name @returns {Promise<Figure>} */
async function measure(load, name) {
  const directory = mkdtempSync(join(tmpdir(), 'tidewire-bench-'))
  try {
    const contestant = await contestants[name]?.(directory)
    const { inFlight = 0, step } = loads[load] ?? {}
    if (contestant === undefined || step === undefined) throw new Error(`there is no ${load} of ${name}`)
    const operate = step(contestant)
    const total = inFlight === 1 ? count / 50 : count
    await drive(contestant, inFlight === 1 ? warmUp / 50 : warmUp, inFlight, operate)
    const began = performance.now()
    const cpu = spent()
    await drive(contestant, total, inFlight, operate)
    const figure = {
      rate: (total / (performance.now() - began)) * 1000,
      cpu: ((spent() - cpu) * 1000) / total,
      disk: diskOf(directory) / 1e6,
    }
    await contestant.close()
    return figure
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Fills a store with sessions and messages that wait. @param {string} directory */
async function fill(directory) {
  const store = await openLog(directory)
  const value = randomBytes(100)
  const head = value.subarray(0, 40)
  const owners = Array.from({ length: 100_000 }, () => {
    const session = store.add(recordKinds.session, 0, value, 0, 100)
    store.add(recordKinds.subscription, 0, value, 0, 60)
    return session
  })
  for (let i = 0; i < 1_000_000; i++) {
    const message = store.addMessage(head, bytes, next(), last + size)
    reference.writeDoubleLE(owners[i % owners.length] ?? 0)
    store.add(recordKinds.delivery, message, reference, 0, reference.length)
    if (i % 1_000 === 0) await store.commit()
  }
  await store.commit()
  exit(0) // as if it were killed
}

/** @param {string} directory */
async function restart(directory) {
  const began = performance.now()
  const store = await openLog(directory)
  const opened = performance.now()
  let shown = 0
  await store.load({
    message() {
      shown++
    },
    record() {
      shown++
    },
  })
  const { rss, heapUsed, arrayBuffers } = memoryUsage()
  console.log(
    `${shown} records: opened in ${(opened - began).toFixed(0)} ms, loaded in ${(performance.now() - opened).toFixed(0)} ms,`,
    `CPU ${spent().toFixed(0)} ms; ${[rss, heapUsed, arrayBuffers].map((bytes) => (bytes / 1e6).toFixed(0)).join(', ')} MB`,
    `resident, on the heap, beside it; ${(diskOf(directory) / 1e6).toFixed(0)} MB on the disk`,
  )
  await store.close()
}

const canPin = spawnSync('taskset', ['-c', '1', 'true']).status === 0

/** @param {readonly string[]} args */
function child(args) {
  const command = canPin ? ['taskset', '-c', '1', execPath] : [execPath]
  const [program = '', ...before] = command
  return execFileSync(program, [...before, argv[1] ?? '', ...args], { encoding: 'utf8' })
}

/** @param {readonly number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

function compare(rounds = 5) {
  console.log('| | | durable /s | CPU us | disk MB |\n|-|-|-:|-:|-:|')
  for (const [load, { peers }] of Object.entries(loads)) {
    const names = ['store-log', ...peers]
    /** @type {Map<string, Figure[]>} */
    const figures = new Map(names.map((name) => [name, []]))
    for (let round = 0; round < rounds; round++) {
      for (const name of names) figures.get(name)?.push(JSON.parse(child(['measure', load, name])))
    }
    const [ours] = figures.values()
    const rate = median((ours ?? []).map((figure) => figure.rate))
    for (const [name, all] of figures) {
      const theirs = median(all.map((figure) => figure.rate))
      const ratio = name === 'store-log' ? '' : ` (${(rate / theirs).toFixed(1)}x)`
      const cpu = median(all.map((figure) => figure.cpu)).toFixed(1)
      const disk = median(all.map((figure) => figure.disk)).toFixed(0)
      console.log(`| ${load} | ${name} | ${theirs.toFixed(0)}${ratio} | ${cpu} | ${disk} |`)
    }
  }
  const directory = mkdtempSync(join(tmpdir(), 'tidewire-bench-'))
  try {
    child(['fill', directory])
    console.log(
      `\n1,000,000 messages of 200 bytes for 100,000 sessions, killed and started again: ${child(['restart', directory])}`,
    )
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const [, , mode = '5', first = '', second = ''] = argv
if (mode === 'measure') console.log(JSON.stringify(await measure(first, second)))
else if (mode === 'fill') await fill(first)
else if (mode === 'restart') await restart(first)
else compare(Number(mode))
