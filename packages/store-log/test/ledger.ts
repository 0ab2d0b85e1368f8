/** A store with a record of what must be found in it after a crash. */

import assert from 'node:assert/strict'
import { recordKinds, type Store } from '@tidewire/broker/store'

/** Text by number; `m` before that of messages, and before that of other records the number of their message. */
export type Content = ReadonlyMap<number, string>

const none = new Uint8Array(0)

export async function contentOf(store: Store): Promise<Content> {
  const content = new Map<number, string>()
  await store.load({
    message: (number, bytes, start, end) =>
      void content.set(number, `m ${Buffer.from(bytes.subarray(start, end)).toString('latin1')}`),
    record: (_, number, message, bytes, start, end) =>
      void content.set(number, `${message} ${Buffer.from(bytes.subarray(start, end)).toString('latin1')}`),
  })
  return content
}

const sorted = (content: Content): string =>
  JSON.stringify([...content].sort(([a], [b]) => a - b).map(([number, text]) => `${number} ${text}`))

export class Ledger {
  readonly store: Store
  readonly #content: Map<number, string>
  /** The content after each commit, from the last one that is known to be kept. */
  #committed: Content[]
  #rejected = 0

  constructor(store: Store, content: Content) {
    this.store = store
    this.#content = new Map(content)
    this.#committed = [new Map(content)]
  }

  get records(): number[] {
    return [...this.#content].filter(([, text]) => !text.startsWith('m ')).map(([number]) => number)
  }

  get messages(): number[] {
    return [...this.#content].filter(([, text]) => text.startsWith('m ')).map(([number]) => number)
  }

  /** What all records take in a log. */
  get bytes(): number {
    return [...this.#content.values()].reduce((sum, text) => sum + text.length + 20, 0)
  }

  /** Commits that were told to have failed. */
  get rejected(): number {
    return this.#rejected
  }

  /** A message for some receivers. */
  publish(text: string, receivers: number): void {
    const packet = Buffer.from(text)
    const number = this.store.addMessage(none, packet, 0, packet.length)
    this.#content.set(number, `m ${text}`)
    for (let i = 0; i < receivers; i++) this.add(number, `to ${i}`)
  }

  add(message: number, text: string): void {
    const value = Buffer.from(text)
    this.#content.set(this.store.add(recordKinds.delivery, message, value, 0, value.length), `${message} ${text}`)
  }

  replace(number: number, message: number, text: string): void {
    const value = Buffer.from(text)
    this.store.replace(number, message, value, 0, value.length)
    this.#content.set(number, `${message} ${text}`)
  }

  remove(number: number): void {
    this.store.remove(number)
    this.#content.delete(number)
  }

  commit(): Promise<void> {
    const used = new Set([...this.#content.values()].map((text) => Number.parseInt(text, 10)))
    for (const message of this.messages) if (!used.has(message)) this.#content.delete(message)
    const state = new Map(this.#content)
    this.#committed.push(state)
    const kept = this.store.commit()
    const settled = (): void => {
      const place = this.#committed.indexOf(state)
      if (place > 0) this.#committed = this.#committed.slice(place)
    }
    if (kept === undefined) return Promise.resolve()
    return kept.then(settled, () => {
      this.#rejected++
    })
  }

  /** Throws AssertionError unless the content is that after one of the commits that may be the last one kept. */
  check(content: Content): void {
    const possible = this.#committed.map(sorted)
    const found = sorted(content)
    if (possible.includes(found)) return
    assert.equal(found, possible[0], `not that of any of ${possible.length} commits`)
  }
}
