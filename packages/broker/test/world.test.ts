import fc from 'fast-check'
import { expect, it } from 'vitest'
import { settings, steps } from './world/steps.js'
import { World } from './world/world.js'

// `npm run simulate` has many more runs, of another seed each time. A failure tells its seed and path: with both as
// TIDEWIRE_SEED and TIDEWIRE_PATH it is seen again.
const { TIDEWIRE_RUNS, TIDEWIRE_SEED, TIDEWIRE_PATH: path = '' } = process.env
const numRuns = Number(TIDEWIRE_RUNS ?? 250)
const seed = Number(TIDEWIRE_SEED ?? (TIDEWIRE_RUNS === undefined ? 1 : Date.now() % 2 ** 31))

it('whatever clients and the network do, the broker keeps to the standard, and nothing is left of it S-27 S-37 S-38 S-39', async () => {
  const seen: Record<string, number> = {}
  const run = fc.asyncProperty(settings, steps, async (given, all) => {
    const world = new World(given)
    for (const [step, rounds] of all) await world.run(step, rounds)
    await world.heal()
    await world.end()
    for (const [what, count] of Object.entries(world.model.seen)) seen[what] = (seen[what] ?? 0) + count
  })
  if (TIDEWIRE_RUNS !== undefined) console.log(`${numRuns} runs of the seed ${seed}`)
  await fc.assert(run, { numRuns, seed, path })
  if (TIDEWIRE_RUNS !== undefined) console.log(`seen in them: ${JSON.stringify(seen)}`)
  // What never happens is not tested.
  if (path === '') for (const count of Object.values(seen)) expect(count).toBeGreaterThan(numRuns / 10)
}, 3_600_000)
