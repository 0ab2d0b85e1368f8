import {
  Decoder,
  encode,
  encodedLength,
  encodeInto,
  encodePublish,
  MqttError,
  type PacketInput,
  type ProtocolVersion,
} from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { unencodable } from './unencodable.js'

const good: PacketInput = { type: 'publish', topic: 'a/b', payload: Uint8Array.of(1, 2), qos: 1, packetId: 9 }
const goodBytes = Uint8Array.of(0x32, 10, 0, 3, 0x61, 0x2f, 0x62, 0, 9, 0, 1, 2)

function errorOf(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('it was accepted')
}

describe('a packet is not encoded with', () => {
  for (const { name, packet: given, error, statement, versions = [5] as const } of unencodable) {
    const packet = given as PacketInput
    it(statement === undefined ? name : `${name} [${statement}]`, () => {
      for (const version of versions) {
        const before = encode(good)
        const target = new Uint8Array(100).fill(0xaa)
        const runs = [
          () => encode(packet, version),
          () => encodedLength(packet, version),
          () => encodeInto(packet, target, 5, version),
          () => encodeInto(packet, new Uint8Array(), 0, version), // said also where there is no room
        ]
        for (const run of runs) {
          const found = errorOf(run) as Error
          expect(found).toBeInstanceOf(error)
          if (statement === undefined) continue
          expect(found.cause).toBeInstanceOf(MqttError)
          expect(found.cause).toMatchObject({ statement })
        }
        expect(target.subarray(0, 5)).toEqual(new Uint8Array(5).fill(0xaa))
        // What was encoded stays as it was, and the next is as if nothing had been.
        expect(encode(good)).toEqual(goodBytes)
        expect(before).toEqual(goodBytes)
      }
    })
  }
})

describe('encodeInto', () => {
  it.each([-1, 0.5, 13, Number.NaN, '1', null])('does not take %j for a place in 12 bytes', (at) => {
    expect(() => encodeInto(good, new Uint8Array(12), at as number)).toThrow(RangeError)
  })

  it.each([undefined, null, new ArrayBuffer(20), [], 'text', new Uint16Array(20)])('writes into no %o', (target) => {
    expect(() => encodeInto(good, target as unknown as Uint8Array)).toThrow(TypeError)
  })

  it('writes to the end of the bytes, and behind it nothing', () => {
    expect(encodeInto(good, new Uint8Array(12))).toBe(12)
    expect(encodeInto(good, new Uint8Array(12), 12)).toBe(-1)
    expect(encodeInto({ type: 'pingreq' }, new Uint8Array(14), 12)).toBe(14)
  })
})

describe('encode', () => {
  it('gives bytes that no other packet is written into', () => {
    const packets: PacketInput[] = Array.from({ length: 150 }, (_, index) => ({
      type: 'publish',
      topic: `t/${index}`,
      payload: new Uint8Array((index * 97) % 1500).fill(index),
    }))
    const all = packets.map((packet) => encode(packet))
    packets.forEach((packet, index) => {
      const target = new Uint8Array(encodedLength(packet))
      encodeInto(packet, target)
      expect(all[index]).toEqual(target)
    })
    expect(Object.getPrototypeOf(all[0])).toBe(Uint8Array.prototype)
  })

  it('leaves out what is of MQTT 5.0 before it', () => {
    const properties = { reasonString: 'why' }
    expect(encode({ type: 'puback', packetId: 1, reasonCode: 0x80, properties }, 4)).toEqual(
      Uint8Array.of(0x40, 2, 0, 1),
    )
    expect(encode({ type: 'disconnect', reasonCode: 4, properties }, 4)).toEqual(Uint8Array.of(0xe0, 0))
    const subscription = {
      topicFilter: 'a',
      qos: 1,
      noLocal: true,
      retainAsPublished: true,
      retainHandling: 2,
    } as const
    const subscribe = encode({ type: 'subscribe', packetId: 1, subscriptions: [subscription] }, 4)
    expect(subscribe).toEqual(Uint8Array.of(0x82, 6, 0, 1, 0, 1, 0x61, 1))
    const publish = { ...good, properties: { contentType: 'x', topicAlias: 4 } }
    expect(encode(publish as PacketInput, 4)).toEqual(Uint8Array.of(0x32, 9, 0, 3, 0x61, 0x2f, 0x62, 0, 9, 1, 2))
  })

  it('puts no Packet Identifier into a PUBLISH of QoS 0 [MQTT-2.2.1-2, 3.1.1 MQTT-2.3.1-5]', () => {
    const packet: PacketInput = { type: 'publish', topic: 't', payload: new Uint8Array(), packetId: 7 }
    expect(encode(packet, 4)).toEqual(Uint8Array.of(0x30, 3, 0, 1, 0x74))
  })

  it('takes a property of undefined for one that is not there [MQTT-2.2.2-1]', () => {
    const properties = { reasonString: undefined, userProperty: undefined } as object
    expect(encode({ type: 'puback', packetId: 1, properties })).toEqual(Uint8Array.of(0x40, 2, 0, 1))
    expect(encode({ type: 'disconnect', properties })).toEqual(Uint8Array.of(0xe0, 0))
    const publish: PacketInput = { type: 'publish', topic: 't', payload: new Uint8Array(), properties }
    expect(encode(publish)).toEqual(Uint8Array.of(0x30, 4, 0, 1, 0x74, 0))
    expect(encode({ ...publish, properties: { userProperty: [] } })).toEqual(Uint8Array.of(0x30, 4, 0, 1, 0x74, 0))
  })

  it('writes what the standard only advises against, and what it allows', () => {
    for (const text of ['\u0001', '\u007f', '\ufffe', '\ufeff', '\ue000', '\u{10ffff}', '~', ' ']) {
      const bytes = encode({ type: 'publish', topic: text, payload: new Uint8Array() }, 4)
      expect([...bytes.subarray(4)]).toEqual([...new TextEncoder().encode(text)])
    }
    expect(encode({ type: 'connect', protocolVersion: 3, clientId: 'x'.repeat(24) }).length).toBe(40)
  })

  it('of a PUBLISH alone is the same', () => {
    expect(encodePublish(good as Parameters<typeof encodePublish>[0])).toEqual(goodBytes)
    const large = { type: 'publish', topic: 't', payload: new Uint8Array(5000).fill(7) } as const
    for (const version of [3, 4, 5] as const) expect(encodePublish(large, version)).toEqual(encode(large, version))
  })
})

describe('a version that there is not', () => {
  for (const version of [0, 2, 6, 311, '5', null] as unknown as ProtocolVersion[]) {
    it(`such as ${JSON.stringify(version)} is refused`, () => {
      expect(() => encode({ type: 'pingreq' }, version)).toThrow(RangeError)
      expect(() => encodedLength({ type: 'pingreq' }, version)).toThrow(RangeError)
      expect(() => encodeInto({ type: 'pingreq' }, new Uint8Array(9), 0, version)).toThrow(RangeError)
      expect(() => encodePublish({ type: 'publish', topic: 'a', payload: new Uint8Array() }, version)).toThrow(
        RangeError,
      )
      expect(() => new Decoder({ protocolVersion: version })).toThrow(RangeError)
    })
  }
})

describe('what only looks like bytes', () => {
  const fakes = [
    { BYTES_PER_ELEMENT: 1 },
    { BYTES_PER_ELEMENT: 1, length: -17 },
    { BYTES_PER_ELEMENT: 1, length: '0' },
    new Uint8ClampedArray(3),
    new Int8Array(3),
    new Uint8Array(3).buffer,
    [1, 2, 3],
  ]

  for (const [index, fake] of fakes.entries()) {
    it(`is refused, and nothing else suffers (${index})`, () => {
      const bytes = fake as unknown as Uint8Array
      const before = encode(good)
      expect(() => encode({ type: 'publish', topic: 'a', payload: bytes })).toThrow(TypeError)
      const properties = { correlationData: bytes }
      expect(() => encode({ type: 'publish', topic: 'a', payload: new Uint8Array(), properties })).toThrow(TypeError)
      expect(() => encodeInto(good, bytes)).toThrow(TypeError)
      expect(() => new Decoder().push(bytes)).toThrow(TypeError)
      for (let i = 0; i < 300; i++) expect(encode(good)).toEqual(goodBytes)
      expect(before).toEqual(goodBytes)
    })
  }

  it('is a Uint8Array of any kind otherwise', () => {
    class Bytes extends Uint8Array {}
    const payload = Bytes.of(1, 2)
    expect(encode({ type: 'publish', topic: 'a/b', payload, qos: 1, packetId: 9 })).toEqual(goodBytes)
  })
})

it('a packet whose getter encodes another one is encoded all the same', () => {
  const inner: Uint8Array[] = []
  const packet = {
    type: 'unsubscribe',
    packetId: 3,
    get topicFilters() {
      inner.push(encode(good))
      return ['a']
    },
  } as const
  for (let i = 0; i < 50; i++) {
    expect(encode(packet)).toEqual(Uint8Array.of(0xa2, 6, 0, 3, 0, 0, 1, 0x61))
  }
  for (const bytes of inner) expect(bytes).toEqual(goodBytes)
})

describe('lists', () => {
  const packets = [
    { type: 'suback', packetId: 1, reasonCodes: new Array(3) },
    { type: 'suback', packetId: 1, reasonCodes: [undefined] },
    { type: 'unsubscribe', packetId: 1, topicFilters: new Array(1) },
    { type: 'unsubscribe', packetId: 1, topicFilters: 'a' },
    { type: 'unsubscribe', packetId: 1 },
    { type: 'pubrel', packetId: 1, properties: { userProperty: ['id', 'v1'] } },
    { type: 'pubrel', packetId: 1, properties: { userProperty: [['a', 'b', 'c']] } },
    { type: 'pubrel', packetId: 1, properties: { userProperty: [undefined] } },
    { type: 'pubrel', packetId: 1, properties: { userProperty: { a: 'b' } } },
  ] as unknown as PacketInput[]

  for (const packet of packets) {
    it(`with holes or of another kind are refused: ${JSON.stringify(packet)}`, () => {
      const error = errorOf(() => encode(packet))
      expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
      expect(String(error)).not.toContain('undefined (reading')
    })
  }
})

it('encodePublish takes nothing but a PUBLISH', () => {
  for (const packet of [{ topic: 'a', payload: good }, { type: 'pingreq' }, { cmd: 'publish' }]) {
    expect(() => encodePublish(packet as never)).toThrow(TypeError)
  }
})
