import {
  decode,
  encode,
  encodedLength,
  encodeInto,
  type Forward,
  MqttError,
  type ProtocolVersion,
  type Publish,
  type PublishInput,
  type PublishProperties,
  type ReceivedPublish,
} from '@tidewire/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyPublish, plain } from './arbitraries.js'

type Changes = Partial<Omit<Publish, 'type'>>

function received(packet: Publish, version: ProtocolVersion, lazy = true): ReceivedPublish {
  return decode(encode(packet, version), { protocolVersion: version, lazy }) as ReceivedPublish
}

/** What a PUBLISH is when it is sent on: properties in their order, those given in the place of its own or at the end. */
function changed(from: Publish, { properties: given = {}, ...changes }: Changes): Publish {
  const kept = Object.entries(from.properties).filter(([name]) => name !== 'topicAlias' || name in given)
  const { dup, packetId, ...rest } = from
  return { ...rest, dup: false, ...changes, properties: { ...Object.fromEntries(kept), ...given } } as Publish
}

const changes: fc.Arbitrary<Changes> = fc
  .record(
    {
      topic: fc.constantFrom('other', 'é/漢'),
      payload: fc.uint8Array({ maxLength: 200 }),
      qos: fc.constantFrom(0, 1, 2),
      retain: fc.boolean(),
      dup: fc.boolean(),
      properties: fc.record(
        {
          topicAlias: fc.integer({ min: 1, max: 0xffff }),
          messageExpiryInterval: fc.nat(),
          userProperty: fc.constant([['sent', 'on']]),
          contentType: fc.constant(undefined),
          subscriptionIdentifier: fc.constant([1, 16384]),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  )
  .map((fields) => fields as unknown as Changes)

const plainPublish: Publish = {
  type: 'publish',
  topic: 't',
  payload: Uint8Array.of(1),
  qos: 0,
  retain: false,
  dup: false,
  properties: {},
}

describe('a PUBLISH that is sent on', () => {
  for (const from of [3, 4, 5] as const) {
    for (const to of [3, 4, 5] as const) {
      it(`from version ${from} to ${to} is what a new one would be [MQTT-3.3.2-4, MQTT-3.3.2-15, MQTT-3.3.2-16, MQTT-3.3.2-17, MQTT-3.3.2-18, MQTT-3.3.2-20]`, () => {
        fc.assert(
          fc.property(anyPublish(from), changes, fc.integer({ min: 1, max: 0xffff }), (packet, some, packetId) => {
            const source = received(packet, from)
            const qos = some.qos ?? source.qos
            const dup = some.dup === true && qos > 0
            const all = { ...some, dup, ...(qos > 0 && { packetId }) }
            const forward: Forward = { type: 'publish', from: source, ...all }
            const expected = encode(changed(packet, all), to)
            expect(encode(forward, to)).toEqual(expected)
            expect(encodedLength(forward, to)).toBe(expected.length)
            const target = new Uint8Array(expected.length + 3)
            expect(encodeInto(forward, target, 2, to)).toBe(expected.length + 2)
            expect(target.subarray(2, -1)).toEqual(expected)
            expect(plain(source)).toEqual(packet) // it is as it was
          }),
          { numRuns: 60 },
        )
      })
    }
  }

  it('is changed in every combination of fields', () => {
    const packet: Publish = {
      type: 'publish',
      topic: 'a/b',
      payload: Uint8Array.of(1, 2),
      qos: 1,
      packetId: 7,
      retain: true,
      dup: true,
      properties: {
        userProperty: [['a', 'b']],
        topicAlias: 3,
        messageExpiryInterval: 60,
        correlationData: Uint8Array.of(9),
        subscriptionIdentifier: [4, 200],
      },
    }
    const fields: Changes = {
      topic: 'c',
      payload: Uint8Array.of(3),
      retain: false,
      dup: true,
      properties: {
        messageExpiryInterval: 5,
        topicAlias: 8,
        subscriptionIdentifier: undefined,
      } as unknown as PublishProperties,
    }
    const names = Object.keys(fields) as (keyof Changes)[]
    for (let bits = 0; bits < 1 << names.length; bits++) {
      const some = Object.fromEntries(names.filter((_, i) => (bits & (1 << i)) > 0).map((name) => [name, fields[name]]))
      for (const qos of [1, 2] as const) {
        const all = { ...some, qos, packetId: 300 }
        for (const version of [3, 4, 5] as const) {
          const forward = encode({ type: 'publish', from: received(packet, 5), ...all }, version)
          expect(forward).toEqual(encode(changed(packet, all), version))
        }
      }
    }
  })

  it('keeps properties that come more than once where they stand', () => {
    const bytes = Uint8Array.from([
      ...[0x30, 0x1d, 0, 1, 0x74, 0x19],
      ...[0x26, 0, 1, 0x62, 0, 1, 0x31],
      ...[0x01, 0x00],
      ...[0x26, 0, 1, 0x61, 0, 1, 0x32],
      ...[0x0b, 0x05],
      ...[0x26, 0, 1, 0x62, 0, 1, 0x31],
    ])
    const from = decode(bytes, { lazy: true }) as ReceivedPublish
    expect(encode({ type: 'publish', from })).toEqual(bytes)
    const other = encode({ type: 'publish', from, properties: { payloadFormatIndicator: 1, contentType: 'c' } })
    const expected = [...bytes.subarray(6), 0x03, 0, 1, 0x63]
    expected[8] = 1
    expect([...other.subarray(6)]).toEqual(expected)
    const without = encode({ type: 'publish', from, properties: { payloadFormatIndicator: undefined } })
    expect([...without.subarray(6)]).toEqual([...bytes.subarray(6, 13), ...bytes.subarray(15)])
  })

  it('lives on where it is copied to when its bytes are overwritten', () => {
    const packet = { type: 'publish', topic: 'a/b', payload: Uint8Array.of(1, 2, 3), qos: 1, packetId: 7 } as const
    const properties = { contentType: 'text', userProperty: [['a', 'b']] as const }
    const source = Uint8Array.of(0xff, 0xff, ...encode({ ...packet, properties }))
    const from = decode(source.subarray(2), { lazy: true }) as ReceivedPublish
    const target = new Uint8Array(100)
    const copied = from.copyTo(target, 50)
    source.fill(0)
    expect(plain(copied)).toEqual({ ...packet, retain: false, dup: false, properties })
    expect(encode({ type: 'publish', from: copied, qos: 1, packetId: 7 })).toEqual(target.subarray(50, copied.end))
    expect(() => copied.copyTo(new Uint8Array(10))).toThrow(RangeError)
  })

  it('has no alias of the connection that it came on', () => {
    const from = received(
      {
        type: 'publish',
        topic: 't',
        payload: new Uint8Array(),
        qos: 0,
        retain: false,
        dup: false,
        properties: { topicAlias: 1 },
      },
      5,
    )
    expect(encode({ type: 'publish', from })).toEqual(Uint8Array.of(0x30, 4, 0, 1, 0x74, 0))
  })

  it('that came with an alias alone needs a topic or an alias', () => {
    const from = decode(Uint8Array.of(0x30, 6, 0, 0, 3, 0x23, 0, 1), { lazy: true }) as ReceivedPublish
    const forward: PublishInput = { type: 'publish', from }
    for (const version of [3, 4, 5] as const) expect(() => encode(forward, version)).toThrow(TypeError)
    expect(() => encode({ ...forward, properties: { topicAlias: 2 } }, 4)).toThrow(TypeError)
    expect(encode({ ...forward, properties: { topicAlias: 2 } })).toEqual(Uint8Array.of(0x30, 6, 0, 0, 3, 0x23, 0, 2))
    expect(encode({ ...forward, topic: 't' })).toEqual(Uint8Array.of(0x30, 4, 0, 1, 0x74, 0))
  })

  it('is not set DUP because it came so [MQTT-3.3.1-3, 3.1.1 MQTT-3.3.1-3]', () => {
    const bytes = Uint8Array.of(0x3a, 5, 0, 1, 0x74, 0, 1)
    const from = decode(bytes, { protocolVersion: 4, lazy: true }) as ReceivedPublish
    expect(encode({ type: 'publish', from, packetId: 2 }, 4)).toEqual(Uint8Array.of(0x32, 5, 0, 1, 0x74, 0, 2))
    expect(encode({ type: 'publish', from, packetId: 2, dup: true }, 4)[0]).toBe(0x3a)
    expect(() => encode({ type: 'publish', from }, 4)).toThrow(RangeError)
  })

  it('has the payload of a received one as bytes of its own', () => {
    const chunk = Uint8Array.of(0x30, 4, 0, 1, 0x74, 0x70)
    const from = decode(chunk, { protocolVersion: 4 }) as ReceivedPublish
    const sent = encode({ type: 'publish', from }, 4)
    chunk.fill(0)
    expect(sent).toEqual(Uint8Array.of(0x30, 4, 0, 1, 0x74, 0x70))
  })

  it('takes nothing of the payload for a property, when the properties lie', () => {
    // A Content Type of five bytes, in properties that end before it.
    const bytes = Uint8Array.of(0x30, 18, 0, 1, 0x61, 3, 3, 0, 5, ...new TextEncoder().encode('hello world'))
    const from = decode(bytes, { lazy: true }) as ReceivedPublish
    expect(() => encode({ type: 'publish', from })).toThrow(MqttError)
    expect(from.payload).toEqual(bytes.subarray(9))
  })

  it('tells where a property lies', () => {
    const properties = { contentType: 'text', messageExpiryInterval: 0x01020304, userProperty: [['a', 'b']] as const }
    const from = received({ ...plainPublish, properties }, 5)
    const at = from.indexOf('messageExpiryInterval')
    expect([...from.bytes.subarray(at - 1, at + 4)]).toEqual([2, 1, 2, 3, 4])
    expect(from.bytes[from.indexOf('userProperty') - 1]).toBe(38)
    expect(from.indexOf('topicAlias')).toBe(0)
    expect(received(plainPublish, 4).indexOf('contentType')).toBe(0)
  })
})
