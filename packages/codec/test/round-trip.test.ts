import { decode, encode, encodedLength, encodeInto, MqttError } from '@tidewire/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyPacket, plain } from './arbitraries.js'

describe.each([3, 4, 5] as const)('packets of protocol version %i', (version) => {
  const options = { protocolVersion: version }

  it('come back as they were sent', () => {
    fc.assert(
      fc.property(anyPacket(version), (packet) => {
        const bytes = encode(packet, version)
        expect(plain(decode(bytes, options)!)).toEqual(packet)
        expect(bytes.length).toBe(encodedLength(packet, version))
      }),
    )
  })

  it('are the same bytes in a buffer of the caller, at any place where there is room', () => {
    fc.assert(
      fc.property(
        anyPacket(version),
        fc.nat(20),
        fc.nat(5),
        fc.integer({ min: 0, max: 255 }),
        (packet, at, more, fill) => {
          const bytes = encode(packet, version)
          const end = at + bytes.length
          const target = new Uint8Array(end + more).fill(fill)
          expect(encodeInto(packet, target, at, version)).toBe(end)
          expect(target.subarray(at, end)).toEqual(bytes)
          expect(target.subarray(0, at).every((byte) => byte === fill)).toBe(true)
          expect(target.subarray(end).every((byte) => byte === fill)).toBe(true)
        },
      ),
    )
  })

  it('do not fit into fewer bytes, and nothing is written before or behind them', () => {
    fc.assert(
      fc.property(anyPacket(version), fc.nat(9), (packet, at) => {
        const { length } = encode(packet, version)
        for (const missing of [1, 2, 3, 5, 8, 20, length]) {
          const memory = new Uint8Array(at + length + 20).fill(0xaa)
          const target = memory.subarray(3, 3 + at + Math.max(0, length - missing))
          expect(encodeInto(packet, target, at, version)).toBe(-1)
          expect(memory.subarray(0, 3 + at).every((byte) => byte === 0xaa)).toBe(true)
          expect(memory.subarray(3 + target.length).every((byte) => byte === 0xaa)).toBe(true)
        }
      }),
    )
  })

  it('ask for more bytes wherever they are cut off', () => {
    fc.assert(
      fc.property(anyPacket(version), (packet) => {
        const bytes = encode(packet, version)
        for (let length = 0; length < bytes.length; length++) {
          expect(decode(bytes.subarray(0, length), options)).toBeUndefined()
        }
      }),
      { numRuns: 50 },
    )
  })

  it('decode or throw MqttError after any change of a byte', () => {
    fc.assert(
      fc.property(anyPacket(version), fc.nat(), fc.integer({ min: 1, max: 255 }), (packet, where, change) => {
        const bytes = encode(packet, version)
        bytes[where % bytes.length]! ^= change
        try {
          const changed = decode(bytes, options)
          if (changed !== undefined) plain(changed)
        } catch (error) {
          expect(error).toBeInstanceOf(MqttError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
