import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { overflows } from '../src/policy.js'
import * as records from '../src/store/records.js'
import { StoreError } from '../src/store/store.js'

const number = fc.nat({ max: 2 ** 40 })
const text = fc.string({ unit: 'grapheme' })
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const)
const packetId = fc.integer({ min: 0, max: 0xffff })
const time = fc.oneof(number, fc.constant(Number.POSITIVE_INFINITY))
const version = fc.constantFrom(3 as const, 4 as const, 5 as const)
const client = fc.record({
  clientId: text,
  userName: fc.option(text, { nil: undefined }),
  protocolVersion: version,
  remoteAddress: fc.option(text, { nil: undefined }),
  remotePort: fc.option(fc.nat(65535), { nil: undefined }),
  listener: text,
})

interface Kind {
  readonly record: fc.Arbitrary<unknown>
  readonly encode: (record: never) => records.Written
  readonly decode: (bytes: Uint8Array, start: number, end: number) => unknown
}

const kinds: Readonly<Record<string, Kind>> = {
  session: {
    record: fc.record({ client, expiryInterval: time, endedAt: number }),
    encode: records.encodeSession,
    decode: records.decodeSession,
  },
  subscription: {
    record: fc.record({
      session: number,
      topicFilter: text,
      qos,
      noLocal: fc.boolean(),
      retainAsPublished: fc.boolean(),
      identifier: number,
      overflow: fc.constantFrom(...overflows),
    }),
    encode: records.encodeSubscription,
    decode: records.decodeSubscription,
  },
  delivery: {
    record: fc.record({
      session: number,
      subscription: number,
      qos,
      retain: fc.boolean(),
      subscriptionIdentifiers: fc.array(number),
      packetId,
      awaits: fc.constantFrom('puback', 'pubrec', 'pubcomp'),
      order: number,
    }),
    encode: records.encodeDelivery,
    decode: records.decodeDelivery,
  },
  received: {
    record: fc.record({ session: number, packetId }),
    encode: records.encodeReceived,
    decode: records.decodeReceived,
  },
  will: {
    record: fc.record({ session: number, delayInterval: number, dueAt: number }),
    encode: records.encodeWill,
    decode: records.decodeWill,
  },
  delayed: { record: fc.record({ dueAt: number }), encode: records.encodeDelayed, decode: records.decodeDelayed },
}

describe.each(Object.entries(kinds))('the record of a %s', (_, { record, encode, decode }) => {
  it('comes back as it was written, wherever it lies', () => {
    const whole = fc.property(record, fc.nat(9), (given, start) => {
      const { bytes, end } = encode(given as never)
      const copy = Buffer.concat([Buffer.alloc(start, 1), bytes.subarray(0, end), Buffer.alloc(3, 2)])
      expect(decode(copy, start, start + end)).toEqual(given)
    })
    fc.assert(whole, { numRuns: 200 })
  })

  it('is read, or refused with a StoreError, whatever its bytes are', () => {
    const any = fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        decode(bytes, 0, bytes.length)
      } catch (error) {
        expect(error).toBeInstanceOf(StoreError)
      }
    })
    fc.assert(any, { numRuns: 500 })
  })

  it('is refused when bytes are missing', () => {
    const cut = fc.property(record, (given) => {
      const { bytes, end } = encode(given as never)
      expect(() => decode(bytes, 0, end - 1)).toThrow(StoreError)
    })
    fc.assert(cut, { numRuns: 100 })
  })
})

describe('the head of a message', () => {
  const head = fc.record({ publisher: fc.option(client, { nil: undefined }), expiresAt: time, version })

  it('comes back as it was written, and says where the packet begins', () => {
    const whole = fc.property(head, fc.uint8Array(), (given, packet) => {
      const head = records.encodeMessageHead(given)
      records.encodeDelayed({ dueAt: 0 }) // the head is not lent, as records are
      const bytes = Buffer.concat([head, packet])
      const { packetAt, ...decoded } = records.decodeMessageHead(bytes, 0, bytes.length)
      expect(decoded).toEqual(given)
      expect(bytes.subarray(packetAt)).toEqual(Buffer.from(packet))
    })
    fc.assert(whole, { numRuns: 200 })
  })

  it('is refused when bytes are missing', () => {
    const cut = fc.property(head, (given) => {
      const bytes = records.encodeMessageHead(given)
      expect(() => records.decodeMessageHead(bytes, 0, bytes.length - 1)).toThrow(StoreError)
    })
    fc.assert(cut, { numRuns: 100 })
  })
})
