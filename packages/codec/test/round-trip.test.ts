import { Decoder, decode, encode, encodedLength, encodeInto, MqttError, type Packet } from '@tidewire/codec'
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

  it('are the same bytes in a buffer of the caller, where there is room', () => {
    fc.assert(
      fc.property(anyPacket(version), fc.nat(20), (packet, at) => {
        const bytes = encode(packet, version)
        const target = new Uint8Array(at + bytes.length)
        expect(encodeInto(packet, target, at, version)).toBe(target.length)
        expect(target.subarray(at)).toEqual(bytes)
        const short = new Uint8Array(target.length - 1)
        expect(encodeInto(packet, short, at, version)).toBe(-1)
        expect(short.subarray(0, at).every((byte) => byte === 0)).toBe(true)
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

  it('are the same however the stream is cut into chunks, and do not alias each other', () => {
    fc.assert(
      fc.property(fc.array(anyPacket(version), { maxLength: 6 }), fc.array(fc.nat(40)), (packets, cuts) => {
        const stream = Buffer.concat(packets.map((packet) => encode(packet, version)))
        const decoder = new Decoder(options)
        const decoded: Packet[] = []
        let at = 0
        for (const cut of [...cuts, stream.length]) {
          decoded.push(...decoder.push(stream.subarray(at, at + cut)))
          at = Math.min(at + cut, stream.length)
        }
        expect(decoded.map(plain)).toEqual(packets)
      }),
    )
  })
})
