/** What surrounds the broker in a simulated world: time that is moved by hand, and streams in memory that misbehave. */

import type { Limits } from '@tidewire/broker'
import type { Peer, Transport, TransportHandler } from '../../src/transport.js'
import { ManualClock } from '../fixture.js'

const tick = 100

/** Time that stands still, and an event loop whose turns end when they are told to. */
export class VirtualClock extends ManualClock {
  #deferred: (() => void)[] = []

  override defer(callback: () => void): void {
    this.#deferred.push(callback)
  }

  /** Ends a turn of the event loop: calls what was put off until then. Returns whether that was anything. */
  turn(): boolean {
    const deferred = this.#deferred
    this.#deferred = []
    for (const callback of deferred) callback()
    return deferred.length > 0
  }

  /** Lets time pass up to the next tick, but no longer than so many milliseconds. Returns how long that was. */
  step(most: number): number {
    const milliseconds = Math.min(tick - (this.now() % tick), most)
    this.advance(milliseconds / 1000)
    return milliseconds
  }
}

/** Numbers that look random and follow from a seed: from 0 to below `limit`. */
export function randomOf(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

/**
 * `open`; `ending`: the broker has ended it, what it wrote is still under way; `cut`: the broker has cut it; `gone`: the
 * broker has been told that it is gone.
 */
type PipeState = 'open' | 'ending' | 'cut' | 'gone'

/** The broker's end of a stream in memory. What it writes waits here until the network takes it. */
export class Pipe implements Transport {
  readonly peer: Peer
  handler!: TransportHandler
  backlog = 0
  isPaused = false
  state: PipeState = 'open'
  /** Called with all that is written, when it is. */
  readonly #written: (bytes: Uint8Array) => void
  /** What was written, as it was and as it is: a broker that changes it too early is found out. */
  readonly #pieces: { readonly now: Uint8Array; readonly was: Uint8Array }[] = []
  #taken = 0

  constructor(limits: Limits, acceptedAt: number, written: (bytes: Uint8Array) => void) {
    this.peer = { listener: 'memory', address: undefined, port: undefined, name: 'nowhere', limits, acceptedAt }
    this.#written = written
  }

  write(pieces: readonly Uint8Array[]): void {
    if (this.state === 'ending') throw new Error('written after the end')
    for (const piece of pieces) {
      const copy = piece.slice()
      this.backlog += copy.length
      if (this.state === 'open') this.#pieces.push({ now: piece, was: copy })
      this.#written(copy)
    }
  }

  /** The network takes some bytes. Throws when they are not what was written. */
  take(most: number): Uint8Array {
    const taken = new Uint8Array(Math.min(most, this.backlog))
    for (let at = 0; at < taken.length; ) {
      const { now, was } = this.#pieces[0]!
      const until = Math.min(was.length, this.#taken + taken.length - at)
      for (; this.#taken < until; at++, this.#taken++) {
        if (now[this.#taken] !== was[this.#taken])
          throw new Error('what was written has been changed before it was sent')
        taken[at] = was[this.#taken]!
      }
      if (this.#taken < was.length) continue
      this.#pieces.shift()
      this.#taken = 0
    }
    this.backlog -= taken.length
    return taken
  }

  opened(): void {}

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  end(): void {
    if (this.state === 'open') this.state = 'ending'
  }

  destroy(): void {
    if (this.state !== 'gone') this.state = 'cut'
  }
}
