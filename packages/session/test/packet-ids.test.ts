import { PacketIds } from '@tidewire/session'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

describe('Packet Identifiers', () => {
  it('ascend from 1, skip those in use and never are 0 [MQTT-2.2.1-3] [MQTT-2.2.1-4]', () => {
    const ids = new PacketIds()
    expect([ids.take(), ids.take(), ids.take()]).toEqual([1, 2, 3])
    ids.free(1)
    const more = Array.from({ length: 0xffff - 3 }, () => ids.take())
    expect(more).toEqual(more.map((_, i) => i + 4))
    expect(ids.take()).toBe(1)
    expect(ids.take()).toBe(0)
    expect(ids.size).toBe(0xffff)
    ids.free(500)
    expect(ids.take()).toBe(500)
  })

  it('go round without ever being in use twice [MQTT-2.2.1-3]', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant('take' as const) },
      { weight: 2, arbitrary: fc.nat(40) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 0xffff }).map((id) => ({ restore: id })) },
    )
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300, size: 'max' }),
        fc.integer({ min: 1, max: 0xffff }),
        (steps, first) => {
          const ids = new PacketIds()
          const inUse: number[] = []
          const restore = (id: number): void => {
            if (inUse.includes(id)) expect(() => ids.restore(id)).toThrow(RangeError)
            else {
              ids.restore(id)
              inUse.push(id)
            }
          }
          restore(first)
          for (const it of steps) {
            if (it === 'take') {
              const id = ids.take()
              expect(id).toBeGreaterThan(0)
              expect(id).toBeLessThanOrEqual(0xffff)
              expect(inUse).not.toContain(id)
              inUse.push(id)
            } else if (typeof it === 'number') {
              const [id] = inUse.splice(it, 1)
              if (id !== undefined) ids.free(id)
            } else restore(it.restore)
            expect(ids.size).toBe(inUse.length)
          }
          for (const id of inUse) ids.free(id)
          expect(ids.size).toBe(0)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('go past one that is never given back, in little memory', () => {
    const ids = new PacketIds()
    const stuck = ids.take()
    const seen = new Set<number>()
    for (let i = 0; i < 200_000; i++) {
      const id = ids.take()
      seen.add(id)
      ids.free(id)
    }
    expect(seen.has(stuck) || seen.has(0)).toBe(false)
    expect(seen.size).toBeGreaterThan(50_000)
    expect(seen.has(stuck + 8)).toBe(false) // would have to have the place of the one that is stuck
  })

  it('take no more memory than those in use need, after trim', () => {
    const ids = new PacketIds()
    const stuck = Array.from({ length: 512 }, () => ids.take())[4]!
    for (let id = 1; id <= 512; id++) if (id !== stuck) ids.free(id)
    ids.trim()
    for (let i = 0; i < 1000; i++) {
      const id = ids.take()
      expect(id % 8).not.toBe(stuck % 8) // of eight places one is taken
      ids.free(id)
    }
    expect(ids.has(stuck)).toBe(true)
  })

  it('may be restored whatever they are, in little memory [MQTT-2.2.1-3]', () => {
    const restored = [1, 0x8001, 0x4001, 9]
    const ids = new PacketIds()
    for (const id of restored) ids.restore(id)
    expect(restored.every((id) => ids.has(id))).toBe(true)
    ids.free(1)
    ids.free(0x4001)
    const more = Array.from({ length: 0x8000 }, () => {
      const id = ids.take()
      ids.free(id)
      return id
    })
    expect(more).toContain(0x4001)
    expect(more).not.toContain(0x8001)
    expect(more).not.toContain(0xa009) // would be in the place of 9, were there only eight
    expect(ids.size).toBe(2)
  })

  it('that are not in use are not given back', () => {
    const ids = new PacketIds()
    ids.free(1)
    ids.take()
    ids.free(9)
    ids.free(0)
    expect(ids.size).toBe(1)
  })

  it.each([0, 65536, 1.5, Number.NaN, -1])('are not %d', (packetId) => {
    expect(() => new PacketIds().restore(packetId)).toThrow(RangeError)
  })

  it('go on from the last one when memory was given back', () => {
    const ids = new PacketIds()
    ids.restore(700)
    ids.trim()
    expect(() => ids.restore(700)).toThrow(RangeError)
    ids.free(700)
    ids.trim()
    expect(ids.take()).toBe(701)
  })
})
