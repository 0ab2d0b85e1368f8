import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Queue } from '../src/queue.js'

/** What a queue is, with no thought of speed. */
class Model {
  items: { readonly item: number; readonly size: number; readonly key: string | undefined }[] = []

  get bytes(): number {
    return this.items.reduce((sum, { size }) => sum + size, 0)
  }

  /** Where the last item with a key is, -1 for none. */
  at(key: string): number {
    return this.items.findLastIndex((entry) => entry.key === key)
  }
}

interface Step {
  readonly name: string
  run(queue: Queue<number>, model: Model, item: number): void
}

const key = fc.option(fc.constantFrom('a', 'b', '__proto__'), { nil: undefined })

const push = fc.record({ key, size: fc.nat(50) }).map(
  ({ key, size }): Step => ({
    name: `push ${key} ${size}`,
    run(queue, model, item) {
      queue.push(item, size, key)
      model.items.push({ item, size, key })
    },
  }),
)

const shift = fc.constant<Step>({
  name: 'shift',
  run: (queue, model) => expect(queue.shift()).toBe(model.items.shift()?.item),
})

const replace = fc.record({ key: fc.constantFrom('a', 'b', '__proto__'), size: fc.nat(50) }).map(
  ({ key, size }): Step => ({
    name: `replace ${key} ${size}`,
    run(queue, model, item) {
      const at = model.at(key)
      expect(queue.replace(item, size, key)).toBe(at >= 0)
      if (at >= 0) model.items[at] = { item, size, key }
    },
  }),
)

const purge = fc.integer({ min: 1, max: 4 }).map(
  (divisor): Step => ({
    name: `purge ${divisor}`,
    run(queue, model) {
      const useless = model.items.filter(({ item }) => item % divisor === 0)
      expect(queue.purge((item) => item % divisor === 0)).toBe(useless.length)
      model.items = model.items.filter((entry) => !useless.includes(entry))
    },
  }),
)

it('a queue is one, whatever is done to it in whatever order S-19', () => {
  const steps = fc.array(
    fc.oneof({ weight: 6, arbitrary: push }, { weight: 5, arbitrary: shift }, { weight: 3, arbitrary: replace }, purge),
    { maxLength: 120 },
  )
  const run = fc.property(steps, (all) => {
    const queue = new Queue<number>()
    const model = new Model()
    for (const [item, step] of all.entries()) {
      step.run(queue, model, item)
      expect([queue.length, queue.bytes, queue.head]).toEqual([model.items.length, model.bytes, model.items[0]?.item])
      for (const key of ['a', 'b', '__proto__', 'constructor']) {
        const at = model.at(key)
        expect(queue.find(key)).toBe(at < 0 ? undefined : model.items[at]!.item)
      }
    }
    while (queue.length > 0) expect(queue.shift()).toBe(model.items.shift()!.item)
    expect([queue.bytes, queue.shift(), model.items.length]).toEqual([0, undefined, 0])
  })
  fc.assert(run, { numRuns: 500 })
})
