import { type BrokerOptions, createBroker } from '@tidewire/broker'
import { beforeEach, describe, expect, it } from 'vitest'
import { isAllowed } from './acl.mjs'
import { Arrivals, Audience, counts } from './arrivals.mjs'
import { cases } from './cases.mjs'
import { chart } from './chart.mjs'
import type { Contestant } from './contestants.mjs'
import { canMeter } from './meter.mjs'
import { text } from './report.mjs'
import { measure } from './run.mjs'

const certificate = { key: '', certificate: '' }
const times = { seconds: 0.2, warmUp: 0.1, patience: 300 }

/** Tidewire from its sources, in this process. */
function contestant(options: BrokerOptions): Contestant {
  return {
    name: 'Tidewire',
    version: 'from its sources',
    lacks: () => undefined,
    start: async ({ transport }) => {
      const broker = createBroker({ limits: { maxQueuedMessages: 1_000 }, ...options })
      const { port } = await broker.listen(`${transport}://127.0.0.1:0`)
      const stop = async (): Promise<string> => {
        await broker.close()
        return 'goodbye'
      }
      return { pid: process.pid, port, stop }
    },
  }
}

/** A case of the table with fewer clients and messages. */
function small(id: string) {
  const found = cases.find((each) => each.id === id)!
  const groups = found.groups.map((group) => ({ ...group, publishers: Math.min(group.publishers, 3) }))
  return { ...found, count: 500, groups }
}

describe.skipIf(!canMeter)('the generator, for which Linux is needed', () => {
  const tidewire = contestant({
    authorize: (_client, action, topic) => isAllowed(action === 'publish' ? 'write' : 'read', topic),
  })

  it.concurrent.each(['fan-in-1', 'websocket', 'retained', 'queued'])(
    'gets every message once and in order: %s',
    async (id) => {
      const what = small(id)
      const result = await measure(tidewire, what, certificate, times)
      expect(result).toMatchObject({ lost: 0, duplicates: 0, disordered: 0, strange: 0 })
      expect(result.messages).toBeGreaterThanOrEqual(500)
      expect(result.cpu).toBeGreaterThan(0)
      const report = {
        date: 'today',
        machine: 'this',
        generator: 'own',
        seconds: 0.2,
        contestants: [tidewire],
        cases: [what],
        cells: [{ case: id, contestant: 'Tidewire', results: [result], problems: [] }],
      }
      expect(text(report)).toContain(`| ${what.name} | ${result.cpu.toFixed(2).slice(0, 3)}`)
      expect(text(report)).toContain('No message was lost')
      expect(chart(report)).toContain(what.name)
    },
  )

  it('sees that a broker loses messages, and says what the broker said', async () => {
    let number = 0
    const result = await measure(
      contestant({ onPublish: () => ++number % 50 !== 0 }),
      small('fan-in-1'),
      certificate,
      times,
    )
    expect(result.lost).toBeGreaterThan(0)
    expect(result).toMatchObject({ duplicates: 0, disordered: 0, said: 'goodbye' })
  })

  it('fails when the broker closes a connection', async () => {
    const closing = contestant({ authorize: (_client, action) => action !== 'publish' })
    await expect(measure(closing, { ...small('pairs-1'), version: 5 }, certificate, times)).rejects.toThrow('refused')
  })
})

describe('counts of arrivals', () => {
  beforeEach(() => void Object.assign(counts, { received: 0, duplicates: 0, disordered: 0, strange: 0 }))

  it('tell what came twice, late, or from nobody', () => {
    const arrivals = new Arrivals(2)
    for (const number of [1, 2, 5, 3, 3, 5, 4000, 6]) arrivals.note(0, number)
    arrivals.note(1, 1)
    arrivals.note(2, 1)
    expect(counts).toEqual({ received: 7, duplicates: 2, disordered: 2, strange: 1 })
  })

  it('tell what two of an audience got twice', () => {
    const audience = new Audience()
    const [one, other] = [new Arrivals(1, audience), new Arrivals(1, audience)]
    for (const number of [1, 3]) one.note(0, number)
    for (const number of [2, 3]) other.note(0, number)
    expect(counts).toEqual({ received: 3, duplicates: 1, disordered: 0, strange: 0 })
  })
})
