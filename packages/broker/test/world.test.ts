import fc from 'fast-check'
import { expect, it } from 'vitest'
import { settings, steps } from './world/steps.js'
import { World } from './world/world.js'

// TIDEWIRE_RUNS=10000 for more of them; TIDEWIRE_SEED and TIDEWIRE_PATH, as a failure tells them, to see it again.
const { TIDEWIRE_RUNS: runs = '200', TIDEWIRE_SEED: seed = '1', TIDEWIRE_PATH: path = '' } = process.env

it('whatever clients and the network do, the broker keeps to the standard, and nothing is left of it S-27 S-37 S-38 S-39', async () => {
  const seen: Record<string, number> = {}
  const run = fc.asyncProperty(settings, steps, async (given, all) => {
    const world = new World(given)
    for (const [step, rounds] of all) await world.run(step, rounds)
    await world.heal()
    await world.end()
    for (const [what, count] of Object.entries(world.model.seen)) seen[what] = (seen[what] ?? 0) + count
  })
  await fc.assert(run, { numRuns: Number(runs), seed: Number(seed), path })
  if (Number(runs) >= 1000) console.log(`${runs} runs with the seed ${seed}: ${JSON.stringify(seen)}`)
  if (path === '') for (const count of Object.values(seen)) expect(count).toBeGreaterThan(Number(runs) / 10)
}, 2_000_000)
