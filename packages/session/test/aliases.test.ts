import { IncomingAliases, OutgoingAliases } from '@tidewire/session'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** What goes out for a topic: `3 new` with the Topic Name, `3` without, `-` without alias. */
function sent(aliases: OutgoingAliases, topic: string): string {
  const { alias, known } = aliases.for(topic)
  if (alias === 0) return '-'
  return known ? `${alias}` : `${alias} new`
}

const sendAll = (aliases: OutgoingAliases, topics: string): string[] =>
  topics.split(' ').map((topic) => sent(aliases, `${topic}/topic`))

describe('Topic Aliases of the peer', () => {
  const aliases = new IncomingAliases(2)
  aliases.resolve('a', 1)
  it.each([
    ['the alias 0 [MQTT-3.3.2-8]', 'a', 0, 0x94, 'MQTT-3.3.2-8'],
    ['an alias above the maximum', 'a', 3, 0x94, '3.3.4'],
    ['an alias above the maximum without a topic', '', 3, 0x94, '3.3.4'],
    ['an alias that stands for nothing', '', 2, 0x82, '3.3.4'],
    ['neither topic nor alias', '', undefined, 0x82, '3.3.2.1'],
  ])('are refused: %s', (_, topic, alias, reasonCode, statement) => {
    expect(aliases.resolve(topic, alias)).toMatchObject({ reasonCode, statement, message: expect.any(String) })
  })

  it('are taken up to the maximum [MQTT-3.3.2-10] [MQTT-3.3.2-12]', () => {
    const all = new IncomingAliases(0xffff)
    const aliases = Array.from({ length: 0xffff }, (_, i) => i + 1)
    const topics = aliases.map(String)
    expect(aliases.map((alias) => all.resolve(`${alias}`, alias))).toEqual(topics)
    expect(aliases.map((alias) => all.resolve('', alias))).toEqual(topics)
  })

  it('stand for the last topic that was given with them', () => {
    const aliases = new IncomingAliases(2)
    expect(aliases.resolve('a', 1)).toBe('a')
    expect(aliases.resolve('x', 2)).toBe('x')
    expect(aliases.resolve('', 1)).toBe('a')
    expect(aliases.resolve('b', 1)).toBe('b')
    expect(aliases.resolve('c')).toBe('c')
    expect(aliases.resolve('', 1)).toBe('b')
    expect(aliases.resolve('', 2)).toBe('x')
  })

  it.each([-1, 65536, 1.5, Number.NaN, '7'])('have no maximum of %s', (maximum) => {
    expect(() => new IncomingAliases(maximum as number)).toThrow(RangeError)
    expect(() => new OutgoingAliases(maximum as number)).toThrow(RangeError)
  })

  it.each([[0], [undefined]])('are none when none are allowed: %s', (maximum) => {
    const none = new IncomingAliases(maximum)
    expect(none.resolve('a')).toBe('a')
    expect(none.resolve('a', 1)).toMatchObject({ reasonCode: 0x94 })
  })
})

describe('Topic Aliases of this end', () => {
  it('go to topics that come again, and stand for them from then on', () => {
    expect(sendAll(new OutgoingAliases(9), 'a b a a c b b a')).toEqual('-,-,1 new,1,-,2 new,2,1'.split(','))
  })

  it.each([
    ['', '-'],
    ['abcdef', '-'],
    ['abcdefg', '1 new'],
    ['漢字', '-'],
    ['漢字é', '1 new'],
    ['ééé', '-'],
    ['éééé', '1 new'],
    ['\u{1f30a}ab', '-'],
    ['\u{1f30a}abc', '1 new'],
  ])('go to topics that are long enough to pay: %j', (topic, second) => {
    const aliases = new OutgoingAliases(9)
    expect([sent(aliases, topic), sent(aliases, topic)]).toEqual(['-', second])
  })

  it('are none unless the peer allows some', () => {
    expect(sendAll(new OutgoingAliases(), 'a a a')).toEqual(['-', '-', '-'])
  })

  it.each([[0], [1], [2]])(
    'are never above the maximum of %i [MQTT-3.3.2-9] [MQTT-3.3.2-11] [MQTT-3.1.2-27]',
    (maximum) => {
      const aliases = new OutgoingAliases(maximum)
      const used = new Set(
        sendAll(aliases, 'a a b b c c c d d d d e e a a a a').map((it) => Number.parseInt(it, 10) || 0),
      )
      expect(Math.max(...used)).toBe(maximum)
    },
  )

  it('pass on from the topic that has not been used for longest', () => {
    const aliases = new OutgoingAliases(3)
    sendAll(aliases, 'a a b b c c')
    expect(sendAll(aliases, 'd a c b d')).toEqual('-,1,3,2,-'.split(',')) // all were used since d came before
    expect(sendAll(aliases, 'b c d')).toEqual('2,3,1 new'.split(',')) // a was not
    expect(sendAll(aliases, 'e c d e')).toEqual('-,3,1,2 new'.split(','))
  })

  it('are not taken away by more topics in turn than there are aliases', () => {
    const aliases = new OutgoingAliases(10)
    const round = Array.from({ length: 30 }, (_, i) => `${i}`).join(' ')
    sendAll(aliases, round)
    sendAll(aliases, round)
    for (let i = 0; i < 5; i++) {
      expect(sendAll(aliases, round).filter((it) => /^\d+$/.test(it)).length).toBe(10)
    }
  })

  /** Bytes that aliases save of topics, each sent once in a turn, and of how many. */
  function savedOf(maximum: number, turn: readonly string[]): number {
    const aliases = new OutgoingAliases(maximum)
    let saved = 0
    for (let i = 0; i < 100; i++) {
      for (const topic of turn) {
        const { alias, known } = aliases.for(topic)
        if (alias > 0) saved += known ? topic.length - 3 : -3
      }
    }
    return saved
  }

  it.each([
    ['one of two', 1, ['abcdefg', 'x'.repeat(200)], 197],
    ['ten of thirty', 10, Array.from({ length: 30 }, (_, i) => `${i}/${'x'.repeat(i < 20 ? 8 : 100)}`), 10 * 100],
  ])('go to the topics that save most: %s', (_, maximum, topics, most) => {
    expect(savedOf(maximum, topics)).toBeGreaterThan(0.9 * 100 * most)
    expect(savedOf(maximum, topics.toReversed())).toBeGreaterThan(0.9 * 100 * most)
  })

  it('come to the topics that are in use now', () => {
    const aliases = new OutgoingAliases(3)
    for (let i = 0; i < 100; i++) sendAll(aliases, 'a b c')
    sendAll(aliases, 'd e f d e f d e f')
    expect(sendAll(aliases, 'd e f').every((it) => /^\d$/.test(it))).toBe(true)
  })

  it('are of no use for topics that never come again', () => {
    const aliases = new OutgoingAliases(100)
    const used = Array.from({ length: 20_000 }, (_, i) => sent(aliases, `site/${i}/of/many`))
    expect(new Set(used)).toEqual(new Set('-'))
  })

  it('are understood by the other end, on every connection anew [MQTT-3.3.2-7]', () => {
    const topic = fc.constantFrom(...'abcdefghijklmnop').chain((name) => fc.constantFrom(name, `${name}/long/enough`))
    const step = fc.oneof({ weight: 60, arbitrary: topic }, { weight: 1, arbitrary: fc.constant(undefined) })
    const steps = fc.array(step, { maxLength: 200, size: 'max' })
    fc.assert(
      fc.property(steps, fc.nat(6), fc.nat(3), (run, maximum, more) => {
        let outgoing = new OutgoingAliases(maximum)
        let incoming = new IncomingAliases(maximum + more)
        let lastUse = new Map<number, number>() // of each alias, to tell which one has not been used for longest
        const topics = new Map<number, string>()
        for (const [now, topic] of run.entries()) {
          if (topic === undefined) {
            outgoing = new OutgoingAliases(maximum)
            incoming = new IncomingAliases(maximum + more)
            lastUse = new Map()
            topics.clear()
            continue
          }
          const { alias, known } = outgoing.for(topic)
          expect(alias).toBeLessThanOrEqual(maximum)
          if (alias === 0) expect([...topics.values()]).not.toContain(topic)
          else {
            if (!known && lastUse.has(alias)) {
              expect(lastUse.size).toBe(maximum)
              expect(lastUse.get(alias)).toBe(Math.min(...lastUse.values()))
            }
            lastUse.set(alias, now)
            topics.set(alias, topic)
          }
          expect(incoming.resolve(known ? '' : topic, alias === 0 ? undefined : alias)).toBe(topic)
        }
      }),
      { numRuns: 100 },
    )
  })
})
