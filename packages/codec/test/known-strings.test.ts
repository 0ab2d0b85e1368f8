import { type DecodeOptions, decode, encode, type ReceivedPublish } from '@tidewire/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** The Topic Name that comes out when this one is sent. */
function through(topic: string, options?: DecodeOptions): string {
  const bytes = encode({ type: 'publish', topic, payload: new Uint8Array() }, options?.protocolVersion)
  return (decode(bytes, options) as ReceivedPublish).topic
}

// Strings that were read are kept by a hash of some of their bytes.
describe('a string that was read before', () => {
  it('is not taken for one that differs in a byte', () => {
    for (const length of [1, 2, 3, 5, 8, 16, 31, 63, 64, 65, 200]) {
      const base = 'abcdefghij'.repeat(20).slice(0, length)
      for (let round = 0; round < 2; round++) {
        expect(through(base)).toBe(base)
        for (let at = 0; at < length; at++) {
          for (const letter of ['a', 'b', '/', '~', ' ']) {
            const other = `${base.slice(0, at)}${letter}${base.slice(at + 1)}`
            expect(through(other)).toBe(other)
          }
        }
      }
    }
  })

  it('is not taken for one of the same place', () => {
    // All topics of the form aXbYc, of which many share a place.
    const topics = Array.from({ length: 5000 }, (_, i) => `s${i % 71}/x${(i * 7) % 97}/${i % 13}`)
    for (let round = 0; round < 2; round++) for (const topic of topics) expect(through(topic)).toBe(topic)
  })

  it('is not taken for one that it begins with, or ends with', () => {
    const whole = 'building/7/floor/3/room/12/temperature'
    expect(through(whole)).toBe(whole)
    for (let length = 1; length < whole.length; length++) {
      for (const part of [whole.slice(0, length), whole.slice(-length)]) expect(through(part)).toBe(part)
    }
  })

  it('is not taken for the end of a longer one', () => {
    // What is kept of strings lies side by side: one that is too long to be kept would reach into the next.
    const end = 'abcdefgh'
    const other = 'aXcdefgh'
    const letter = (code: number): string => String.fromCharCode(0x30 + code)
    // Their first byte, the one in the middle and the one at three quarters are such that they come to every place.
    for (let i = 0; i < 8 * 5 * 40; i++) {
      const [first, middle, third] = [letter(i % 8), letter((i >> 3) % 5), letter(Math.floor(i / 40))]
      const long = `${first}${'x'.repeat(35)}${middle}${'x'.repeat(17)}${third}${'x'.repeat(9)}${end}`
      expect(through(other)).toBe(other)
      expect(through(long)).toBe(long)
      expect(through(end)).toBe(end)
    }
  })

  it('is what it was when the bytes that it was read from have changed', () => {
    const bytes = encode({ type: 'publish', topic: 'a/b/c', payload: new Uint8Array() }).slice()
    const first = (decode(bytes) as ReceivedPublish).topic
    bytes[4] = 0x78
    const second = (decode(bytes) as ReceivedPublish).topic
    bytes[4] = 0x23
    expect(() => decode(bytes)).toThrow()
    expect([first, second, through('a/b/c'), through('x/b/c')]).toEqual(['a/b/c', 'x/b/c', 'a/b/c', 'x/b/c'])
  })

  it('is not let pass where it is not allowed because it was read where it is [MQTT-3.3.2-2, PE-1.5.4-3]', () => {
    const subscribe = encode({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: 'kept/+', qos: 0 }] })
    const publish = Uint8Array.of(0x30, 9, 0, 6, 0x6b, 0x65, 0x70, 0x74, 0x2f, 0x2b, 0)
    const control = Uint8Array.of(0x30, 4, 0, 1, 0x07, 0)
    for (let round = 0; round < 3; round++) {
      expect(decode(subscribe)).toMatchObject({ subscriptions: [{ topicFilter: 'kept/+' }] })
      expect(() => decode(publish)).toThrow('MQTT-3.3.2-2')
      expect(decode(control, { relaxed: { controlCharacters: true } })).toMatchObject({ topic: '\u0007' })
      expect(() => decode(control)).toThrow('1.5.4')
    }
  })

  it('is the same in all fields and versions', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab/é'), minLength: 1, maxLength: 70 }), (text) => {
        for (const protocolVersion of [3, 4, 5] as const) expect(through(text, { protocolVersion })).toBe(text)
        const bytes = encode({ type: 'connect', protocolVersion: 4, clientId: text, userName: text })
        expect(decode(bytes)).toMatchObject({ clientId: text, userName: text })
      }),
    )
  })
})
