/** The hostile clients of the soak, a process of their own: attack until they are told to stop. */

import { setTimeout as wait } from 'node:timers/promises'
import { Arena, attacks } from './attacks.js'

export interface Attacked {
  /** Rounds of each attack. */
  readonly rounds: Readonly<Record<string, number>>
  /** What the broker let attackers do that it must not. */
  readonly faults: readonly string[]
}

const [port = 0, webSocketPort = 0, seed = 1] = process.argv.slice(2).map(Number)
let state = seed
const random = (below: number): number => {
  state = (state * 48_271) % 0x7fff_ffff
  return state % below
}

const arena = new Arena(port, webSocketPort, random)
const rounds: Record<string, number> = {}
const faults: string[] = []
const names = Object.keys(attacks)
/** What is to come before all begins anew. */
const order: string[] = []
let phase: 'attacking' | 'stopping' = 'attacking'

async function attack(name: string): Promise<void> {
  try {
    await attacks[name]!(arena)
  } catch (error) {
    faults.push(`${name}: ${error}`)
  }
  rounds[name] = (rounds[name] ?? 0) + 1
}

/** All attacks, in another order each time; at least once, however soon it is to stop. */
function next(): string | undefined {
  if (order.length === 0 && (phase === 'attacking' || Object.keys(rounds).length === 0)) {
    const shuffled = names.map((name) => [random(1_000), name] as const).sort(([a], [b]) => a - b)
    order.push(...shuffled.map(([, name]) => name))
  }
  return phase === 'attacking' || Object.keys(rounds).length < names.length ? order.pop() : undefined
}

/** Attacks in turn, with a pause that leaves the machine to others too. */
async function attacker(): Promise<void> {
  for (let name = next(); name !== undefined; name = next()) {
    await attack(name)
    await wait(10)
  }
}

process.on('message', () => {
  phase = 'stopping'
})
process.on('disconnect', () => process.exit())
await Promise.all(Array.from({ length: 6 }, attacker))
arena.end()
process.send?.({ rounds, faults } satisfies Attacked, () => process.disconnect())
