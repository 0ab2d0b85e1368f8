/** Time: the clock that the broker is given, and one wheel for all its timers. */

/** Time as the broker sees it. */
export interface Clock {
  /** Milliseconds that never go back. */
  now(): number
  /** Milliseconds since 1970, for what outlives the process. Default: the system's. */
  date?(): number
  /** Calls back every so many milliseconds until the returned function is called. */
  every(milliseconds: number, callback: () => void): () => void
  /** Calls back when what is going on now has been dealt with, before long. */
  defer(callback: () => void): void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  every(milliseconds, callback) {
    const interval = setInterval(callback, milliseconds)
    return () => clearInterval(interval)
  },
  defer: (callback) => void setImmediate(callback),
}

const tick = 100
const slotCount = 512

/** A call to come. Made once by who needs it, and set as often as needed. */
export class Timer {
  readonly callback: () => void
  /** The tick at which it is due; only set while it is in a wheel. */
  due = 0
  next: Timer | undefined = undefined
  previous: Timer | undefined = undefined

  constructor(callback: () => void) {
    this.callback = callback
  }

  /** Whether the call is still to come. */
  get pending(): boolean {
    return this.previous !== undefined
  }
}

/** All timers of a broker. They go off up to 0.1 seconds late, never early, however long they run. */
export class Timers {
  readonly #clock: Clock
  /** Each slot is the head of a ring of timers. */
  readonly #slots: Timer[] = []
  #done: number
  #stop: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    for (let i = 0; i < slotCount; i++) {
      const head = new Timer(() => {})
      head.next = head
      head.previous = head
      this.#slots.push(head)
    }
    this.#done = Math.floor(clock.now() / tick)
  }

  /** Begins to keep time. */
  start(): void {
    this.#stop ??= this.#clock.every(tick, () => this.#advance())
  }

  /** Ends it: no timer goes off any more. */
  stop(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  /** Lets a timer go off after so many milliseconds, and not when it was set to before. */
  set(timer: Timer, milliseconds: number): void {
    this.cancel(timer)
    timer.due = Math.max(Math.ceil((this.#clock.now() + milliseconds) / tick), this.#done + 1)
    const head = this.#slots[timer.due % slotCount]!
    timer.next = head
    timer.previous = head.previous
    head.previous!.next = timer
    head.previous = timer
  }

  cancel(timer: Timer): void {
    if (timer.previous === undefined) return
    timer.previous.next = timer.next
    timer.next!.previous = timer.previous
    timer.next = undefined
    timer.previous = undefined
  }

  #advance(): void {
    const now = Math.floor(this.#clock.now() / tick)
    // After a long sleep each slot need be looked at only once.
    for (let at = Math.max(this.#done + 1, now - slotCount + 1); at <= now; at++) {
      this.#done = at // before the calls: what they set comes later
      this.#fire(this.#slots[at % slotCount]!, now)
    }
  }

  #fire(head: Timer, now: number): void {
    const due: Timer[] = []
    for (let timer = head.next!; timer !== head; timer = timer.next!) if (timer.due <= now) due.push(timer)
    for (const timer of due) {
      if (!timer.pending || timer.due > now) continue // another one cancelled or moved it
      this.cancel(timer)
      timer.callback()
    }
  }
}
