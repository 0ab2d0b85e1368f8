import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Timer, Timers } from '../src/clock.js'
import { ManualClock } from './fixture.js'

describe('timers', () => {
  it('go off once, not before their time and at most 0.1 s after it, however they are set and cancelled', () => {
    const action = fc.record({
      timer: fc.nat(4),
      delay: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 50_000, max: 200_000 })),
      cancel: fc.boolean(),
      advance: fc.integer({ min: 0, max: 60_000 }),
    })
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const clock = new ManualClock()
        const timers = new Timers(clock)
        timers.start()
        const due: (number | undefined)[] = []
        const all = Array.from({ length: 5 }, (_, index) => {
          return new Timer(() => {
            const late = clock.now() - due[index]!
            expect(late).toBeGreaterThanOrEqual(0)
            expect(late).toBeLessThanOrEqual(100)
            due[index] = undefined
          })
        })
        for (const { timer, delay, cancel, advance } of actions) {
          if (cancel) timers.cancel(all[timer]!)
          else timers.set(all[timer]!, delay)
          due[timer] = cancel ? undefined : clock.now() + delay
          clock.advance(advance / 1000)
          for (const [index, time] of due.entries()) {
            expect(all[index]!.pending).toBe(time !== undefined)
            if (time !== undefined) expect(clock.now() - time).toBeLessThan(100)
          }
        }
      }),
    )
  })

  it('may be set and cancelled by each other', () => {
    const clock = new ManualClock()
    const timers = new Timers(clock)
    timers.start()
    const fired: string[] = []
    const second = new Timer(() => fired.push('second'))
    const again = new Timer(() => {
      fired.push('again')
      if (fired.length < 3) timers.set(again, 0)
    })
    const first = new Timer(() => timers.cancel(second))
    timers.set(first, 500)
    timers.set(second, 500)
    timers.set(again, 500)
    clock.advance(2)
    expect(fired).toEqual(['again', 'again', 'again'])
  })

  it('wait longer than a 32-bit number of milliseconds', () => {
    const clock = new ManualClock()
    const timers = new Timers(clock)
    let fired = false
    timers.set(
      new Timer(() => {
        fired = true
      }),
      2 ** 31 + 5,
    )
    clock.advance(2 ** 31 / 1000)
    timers.start() // catches up in one step
    clock.advance(0.2)
    expect(fired).toBe(true)
  })

  it('stop', () => {
    const clock = new ManualClock()
    const timers = new Timers(clock)
    timers.start()
    timers.set(new Timer(() => expect.unreachable()), 100)
    timers.stop()
    clock.advance(10)
  })
})
