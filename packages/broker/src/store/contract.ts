/**
 * What every store must do, as cases that any test runner can run.
 *
 * @packageDocumentation
 */

import assert from 'node:assert/strict'
import { type RecordKind, recordKinds, type Store, type StoreError, type StoreVisitor } from './store.js'

/** A place where a store is kept. */
export interface StorePlace {
  /** Opens the store that is kept here; the first time it is empty. */
  open(): Promise<Store>
  /** Whether a store can be open only once at a time. Default true. */
  readonly isExclusive?: boolean
  /** Lets go of the place and all that is in it. The store is closed. */
  dispose(): Promise<void>
}

export interface StoreCase {
  /** What the store must do. */
  readonly name: string
  /** Rejects with an AssertionError when it does not. */
  run(): Promise<void>
}

/** What a store shows: `kind message value` by number, in the order in which it comes. */
type Content = Map<number, string>

/** The cases; each of them asks for a new place. */
export function storeContract(newPlace: () => Promise<StorePlace>): StoreCase[] {
  return cases.map(([name, test]) => ({
    name,
    async run() {
      const place = await newPlace()
      const stores: Store[] = []
      const open = async (): Promise<Store> => {
        const store = await place.open()
        stores.push(store)
        return store
      }
      try {
        await test({ ...place, open })
      } finally {
        for (const store of stores) await store.close()
        await place.dispose()
      }
    },
  }))
}

const none = new Uint8Array(0)

function addMessage(store: Store, text: string): number {
  const packet = Buffer.from(`xx${text}xx`)
  return store.addMessage(none, packet, 2, packet.length - 2)
}

function add(store: Store, message: number, text: string, kind: RecordKind = recordKinds.delivery): number {
  const value = Buffer.from(text)
  return store.add(kind, message, value, 0, value.length)
}

function replace(store: Store, number: number, message: number, text: string): void {
  const value = Buffer.from(text)
  store.replace(number, message, value, 0, value.length)
}

async function contentOf(store: Store): Promise<Content> {
  const content: Content = new Map()
  let messages = true
  const show = (bytes: Uint8Array, start: number, end: number): string =>
    Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
  const visitor: StoreVisitor = {
    message(number, bytes, start, end) {
      assert.ok(messages, 'messages come first')
      assert.ok(!content.has(number), 'each comes once')
      content.set(number, `0 0 ${show(bytes, start, end)}`)
    },
    record(kind, number, message, bytes, start, end) {
      messages = false
      assert.ok(!content.has(number), 'each comes once')
      assert.ok(message === 0 || content.get(message)?.startsWith('0 0 '), 'it refers to a message')
      content.set(number, `${kind} ${message} ${show(bytes, start, end)}`)
    },
  }
  await store.load(visitor)
  for (const number of content.keys()) assert.ok(store.has(number))
  assert.equal(store.metrics.records, content.size)
  return content
}

async function reopened(place: StorePlace, store: Store): Promise<[Store, Content]> {
  await store.close()
  const next = await place.open()
  return [next, await contentOf(next)]
}

const isFault =
  (code: string) =>
  (error: StoreError): boolean =>
    error.code === code

/** Numbers that look random and are the same in every run. */
function dice(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

const cases: readonly (readonly [name: string, test: (place: StorePlace) => Promise<void>])[] = [
  [
    'a new store is open and empty',
    async (place) => {
      const store = await place.open()
      assert.equal(store.state, 'open')
      assert.equal(store.error, undefined)
      assert.equal(store.congested, false)
      assert.equal((await contentOf(store)).size, 0)
      assert.equal(store.has(0), false)
      assert.equal(store.has(1), false)
    },
  ],
  [
    'an empty batch is kept at once',
    async (place) => {
      const store = await place.open()
      assert.equal(store.commit(), undefined)
    },
  ],
  [
    'messages and records come back under their numbers, records of all kinds in their order',
    async (place) => {
      const store = await place.open()
      const packet = Buffer.from('..packet..')
      const message = store.addMessage(Buffer.from('head:'), packet, 2, 8)
      const expected: [number, string][] = []
      for (const kind of Object.values(recordKinds).reverse()) {
        const refers = kind % 2 === 0 ? message : 0
        expected.push([add(store, refers, `record ${kind}`, kind), `${kind} ${refers} record ${kind}`])
      }
      await store.commit()
      const [, content] = await reopened(place, store)
      assert.deepEqual([...content], [[message, '0 0 head:packet'], ...expected])
    },
  ],
  [
    'values may be empty, large, and of any bytes',
    async (place) => {
      const store = await place.open()
      const all = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 7 + (i >> 8)) & 0xff))
      const message = store.addMessage(all, all, 0, all.length)
      const large = store.add(recordKinds.session, message, all, 0, all.length)
      const empty = add(store, message, '')
      await store.commit()
      const [, content] = await reopened(place, store)
      const text = all.toString('latin1')
      assert.equal(content.get(message), `0 0 ${text}${text}`)
      assert.equal(content.get(large), `${recordKinds.session} ${message} ${text}`)
      assert.equal(content.get(empty), `${recordKinds.delivery} ${message} `)
    },
  ],
  [
    'bytes are lent for the call only',
    async (place) => {
      const store = await place.open()
      const bytes = Buffer.from('abc')
      const message = store.addMessage(bytes, bytes, 0, 3)
      const record = store.add(recordKinds.session, message, bytes, 0, 3)
      bytes.fill(0)
      const kept = store.commit()
      bytes.fill(1)
      await kept
      const [, content] = await reopened(place, store)
      assert.equal(content.get(message), '0 0 abcabc')
      assert.equal(content.get(record), `${recordKinds.session} ${message} abc`)
    },
  ],
  [
    'a message to which nothing refers is gone at the commit, not before',
    async (place) => {
      const store = await place.open()
      const idle = addMessage(store, 'idle')
      const message = addMessage(store, 'message')
      const first = add(store, message, 'first')
      assert.ok(store.has(idle))
      await store.commit()
      assert.ok(!store.has(idle))
      store.remove(first)
      const second = add(store, message, 'second') // as when a message goes from one session to another
      await store.commit()
      assert.ok(store.has(message))
      assert.ok(!store.has(first))
      const [next, content] = await reopened(place, store)
      assert.deepEqual([...content.keys()], [message, second])
      next.remove(second)
      await next.commit()
      assert.ok(!next.has(message))
      assert.deepEqual([...(await reopened(place, next))[1]], [])
    },
  ],
  [
    'a message is written once, however many records refer to it',
    async (place) => {
      const store = await place.open()
      const message = addMessage(store, 'x'.repeat(10_000))
      const records = Array.from({ length: 1_000 }, (_, i) => add(store, message, `${i}`))
      await store.commit()
      assert.ok(store.metrics.bytes < 1_000_000, `${store.metrics.bytes} bytes`)
      for (const record of records.slice(1)) store.remove(record)
      await store.commit()
      const [, content] = await reopened(place, store)
      assert.deepEqual([...content.keys()], [message, records[0]])
    },
  ],
  [
    'a record that is replaced keeps its number and its place, and lets its message go',
    async (place) => {
      const store = await place.open()
      const before = addMessage(store, 'before')
      const after = addMessage(store, 'after')
      const first = add(store, before, 'first')
      const second = add(store, after, 'second')
      await store.commit()
      replace(store, first, after, 'replaced')
      await store.commit()
      assert.ok(!store.has(before))
      replace(store, second, 0, 'released')
      const [, content] = await reopened(place, store)
      const kind = recordKinds.delivery
      assert.deepEqual(
        [...content],
        [
          [after, '0 0 after'],
          [first, `${kind} ${after} replaced`],
          [second, `${kind} 0 released`],
        ],
      )
    },
  ],
  [
    'a RangeError is thrown for what is no record or no message, and nothing is changed',
    async (place) => {
      const store = await place.open()
      const message = addMessage(store, 'message')
      const record = add(store, message, 'record')
      const gone = add(store, 0, 'gone')
      store.remove(gone)
      await store.commit()
      for (const number of [0, -1, 1.5, gone, message, 2 ** 40, Number.NaN]) {
        assert.throws(() => store.remove(number), RangeError)
        assert.throws(() => replace(store, number, 0, ''), RangeError)
      }
      for (const number of [-1, 1.5, gone, record, 2 ** 40, Number.NaN]) {
        assert.throws(() => add(store, number, ''), RangeError)
        assert.throws(() => replace(store, record, number, ''), RangeError)
      }
      await store.commit()
      assert.deepEqual([...(await reopened(place, store))[1].keys()], [message, record])
    },
  ],
  [
    'no number is given twice',
    async (place) => {
      const store = await place.open()
      const numbers = new Set<number>()
      for (let round = 0; round < 20; round++) {
        const all = Array.from({ length: 50 }, () => add(store, addMessage(store, 'm'), 'r'))
        await store.commit()
        for (const number of all) {
          numbers.add(number)
          store.remove(number)
        }
        await store.commit()
      }
      assert.equal(numbers.size, 1_000)
      assert.equal(store.metrics.records, 0)
    },
  ],
  [
    'many batches may be under way',
    async (place) => {
      const store = await place.open()
      const kept: (Promise<void> | undefined)[] = []
      const numbers: number[] = []
      for (let i = 0; i < 500; i++) {
        numbers.push(add(store, 0, `${i}`))
        kept.push(store.commit())
        if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await Promise.all(kept)
      const [, content] = await reopened(place, store)
      assert.deepEqual([...content.keys()], numbers)
    },
  ],
  [
    'closing commits, may be done twice, and ends all changes',
    async (place) => {
      const store = await place.open()
      const record = add(store, 0, 'record')
      await Promise.all([store.close(), store.close()])
      assert.equal(store.state, 'closed')
      assert.throws(() => add(store, 0, ''), isFault('closed'))
      assert.throws(() => store.remove(record), isFault('closed'))
      const [, content] = await reopened(place, store)
      assert.deepEqual([...content.keys()], [record])
    },
  ],
  [
    'a store that is open cannot be opened',
    async (place) => {
      if (place.isExclusive === false) return
      const store = await place.open()
      await assert.rejects(place.open(), isFault('locked'))
      add(store, 0, 'record')
      await store.commit()
      assert.equal((await reopened(place, store))[1].size, 1)
    },
  ],
  [
    'what is shown is what was done, over many changes and openings',
    async (place) => {
      const roll = dice(7)
      let store = await place.open()
      const messages: number[] = []
      let expected: Content = new Map()
      for (let round = 0; round < 12; round++) {
        for (let i = 0; i < 400; i++) change(store, expected, messages, roll)
        for (const number of messages.splice(0)) if (!store.has(number)) expected.delete(number)
        let content: Content
        ;[store, content] = await reopened(place, store)
        expected = new Map([...expected].filter(([number]) => content.has(number) || !isIdle(expected, number)))
        assert.deepEqual(recordsOf(content), recordsOf(expected))
        assert.deepEqual(messagesOf(content), messagesOf(expected))
      }
    },
  ],
]

const isMessage = ([, text]: [number, string]): boolean => text.startsWith('0 0 ')
const recordsOf = (content: Content): [number, string][] => [...content].filter((entry) => !isMessage(entry))
const messagesOf = (content: Content): [number, string][] => [...content].filter(isMessage).sort(([a], [b]) => a - b)

function isIdle(content: Content, number: number): boolean {
  const text = content.get(number)!
  if (!text.startsWith('0 0 ')) return false
  return recordsOf(content).every(([, record]) => !record.slice(2).startsWith(`${number} `))
}

/** Makes one change, to the store and to what is expected of it. */
function change(store: Store, expected: Content, messages: number[], roll: (sides: number) => number): void {
  const records = recordsOf(expected)
  const what = roll(10)
  const alive = messages.filter((number) => store.has(number))
  const message = alive.length === 0 ? 0 : alive[roll(alive.length)]!
  const text = `${roll(1e9)}`.repeat(roll(20))
  if (what < 3) {
    const number = addMessage(store, text)
    messages.push(number)
    expected.set(number, `0 0 ${text}`)
  } else if (what < 6 || records.length === 0) {
    expected.set(add(store, message, text), `${recordKinds.delivery} ${message} ${text}`)
  } else if (what < 7) {
    const [number] = records[roll(records.length)]!
    replace(store, number, message, text)
    expected.set(number, `${recordKinds.delivery} ${message} ${text}`)
  } else if (what < 9) {
    const [number] = records[roll(records.length)]!
    store.remove(number)
    expected.delete(number)
  } else {
    void store.commit()
  }
}
