/** A broker for a test, on a free port, with a clock that the test moves. */

import { type BrokerOptions, type Client, type Clock, createBroker } from '@tidewire/broker'
import { onTestFinished } from 'vitest'
import type { RawClient } from './raw-client.js'

/** Time that stands still unless it is moved. */
export class ManualClock implements Clock {
  #now = 0
  readonly #ticks: Set<{ readonly every: number; next: number; callback: () => void }> = new Set()

  /** How many callbacks are to come again and again. */
  get size(): number {
    return this.#ticks.size
  }

  now(): number {
    return this.#now
  }

  every(milliseconds: number, callback: () => void): () => void {
    const tick = { every: milliseconds, next: this.#now + milliseconds, callback }
    this.#ticks.add(tick)
    return () => this.#ticks.delete(tick)
  }

  defer(callback: () => void): void {
    setImmediate(callback)
  }

  /** Lets seconds pass. */
  advance(seconds: number): void {
    const end = this.#now + seconds * 1000
    for (;;) {
      const next = [...this.#ticks].sort((a, b) => a.next - b.next)[0]
      if (next === undefined || next.next > end) break
      this.#now = next.next
      next.next += next.every
      next.callback()
    }
    this.#now = end
  }

  /** The event loop stands still for so long; then what is due is called once. */
  stall(seconds: number): void {
    this.#now += seconds * 1000
    for (const tick of this.#ticks) {
      if (tick.next > this.#now) continue
      tick.next = this.#now + tick.every
      tick.callback()
    }
  }
}

/** Waits until something is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate)
}

/** A promise and who settles it. */
export function answer<T>(): { readonly promise: Promise<T>; resolve(value: T): void; reject(error: unknown): void } {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

export interface Fixture {
  readonly broker: ReturnType<typeof createBroker>
  readonly clock: ManualClock
  /** Where it listens on 127.0.0.1 for MQTT over TCP. */
  readonly port: number
  /** Cuts a client off, and waits until the broker knows. */
  lose(client: RawClient): Promise<void>
}

/** Starts a broker that ends with the test. */
export async function startBroker(options: BrokerOptions = {}): Promise<Fixture> {
  const clock = new ManualClock()
  const broker = createBroker({ clock, sysInterval: 0, ...options })
  onTestFinished(() => broker.close())
  const { port } = await broker.listen('mqtt://127.0.0.1:0')
  const lose = async (client: RawClient): Promise<void> => {
    const before = broker.metrics.connections
    client.cut()
    while (broker.metrics.connections === before) await new Promise(setImmediate)
  }
  return { broker, clock, port, lose }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (payload: Uint8Array): string => new TextDecoder().decode(payload)

/** A client as hooks see it. */
export const clientOf = (clientId: string): Client => ({
  clientId,
  userName: undefined,
  protocolVersion: 5,
  remoteAddress: undefined,
  remotePort: undefined,
  listener: 'memory',
})
