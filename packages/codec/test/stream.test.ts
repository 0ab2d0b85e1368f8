import { Decoder, decode, decodeFrame, encode, Framer, MqttError, type Packet, type Received } from '@tidewire/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyPacket, plain } from './arbitraries.js'
import { joined } from './bytes.js'
import { vectors } from './vectors/index.js'
import { bytesOf, type Vector } from './vectors/vector.js'

/** Gives the bytes in pieces of the sizes, the last as often as it takes; each in memory of its own. */
function* pieces(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[Math.min(i, sizes.length - 1)]!
    yield bytes.slice(at, at + size)
    at += size
  }
}

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 400 })), {
  minLength: 1,
  maxLength: 40,
})

describe.each([3, 4, 5] as const)('a stream of version %i', (protocolVersion) => {
  it('gives the same packets however it is cut into chunks [MQTT-6.0.0-2, 3.1.1 MQTT-6.0.0-2]', () => {
    fc.assert(
      fc.property(fc.array(anyPacket(protocolVersion), { maxLength: 8 }), sizes, (packets, cuts) => {
        const stream = joined(packets.map((packet) => encode(packet, protocolVersion)))
        const decoder = new Decoder({ protocolVersion })
        const decoded = [...pieces(stream, cuts)].flatMap((piece) => [...decoder.push(piece)].map(plain))
        expect(decoded).toEqual(packets)
      }),
    )
  })

  it('gives the same packets when chunks are pushed before the last is read', () => {
    fc.assert(
      fc.property(fc.array(anyPacket(protocolVersion), { maxLength: 5 }), sizes, fc.nat(3), (packets, cuts, wait) => {
        const stream = joined(packets.map((packet) => encode(packet, protocolVersion)))
        const decoder = new Decoder({ protocolVersion })
        const decoded: object[] = []
        let pushed = 0
        for (const piece of pieces(stream, cuts)) {
          decoder.push(piece)
          if (pushed++ % (wait + 1) > 0) continue
          const { value } = decoder.next() // one alone: the others stay
          if (value !== undefined) decoded.push(plain(value))
        }
        decoded.push(...[...decoder].map(plain))
        expect(decoded).toEqual(packets)
      }),
    )
  })
})

describe('packets of a stream', () => {
  const all = Object.values<readonly Vector[]>(vectors).flat()
  const ofVersion5 = all.filter(({ versions, lines }) => versions.includes(5) && lines.length < 40)

  it('are what they were when all have been read', () => {
    for (const size of [1, 7, 100, 1000, 65536]) {
      const stream = joined(ofVersion5.map(bytesOf))
      const decoder = new Decoder({ maxPacketSize: 1e6 })
      const held: Received[] = []
      for (const piece of pieces(stream, [size])) held.push(...decoder.push(piece))
      expect(held.length).toBe(ofVersion5.length)
      held.forEach((packet, index) => {
        expect(JSON.stringify(plain(packet))).toBe(JSON.stringify(sorted(ofVersion5[index]!.packet, plain(packet))))
      })
    }
  })

  /** The fields of a packet in the order of another. */
  function sorted(packet: object, like: object): object {
    return Object.fromEntries(Object.keys(like).map((name) => [name, packet[name as keyof object]]))
  }

  it('that were split are in memory that is not used again', () => {
    const packet = (fill: number): Uint8Array =>
      encode({ type: 'publish', topic: 't', payload: new Uint8Array(300).fill(fill) })
    const decoder = new Decoder()
    const held: Received[] = []
    for (let fill = 0; fill < 50; fill++) {
      for (const piece of pieces(packet(fill), [fill + 1])) {
        held.push(...decoder.push(piece))
        piece.fill(0xee) // what comes in pieces is copied
      }
    }
    held.forEach((packet, fill) => {
      expect(packet).toMatchObject({ topic: 't', payload: new Uint8Array(300).fill(fill) })
    })
    const buffers = held.map((packet) => (packet as Extract<Packet, { type: 'publish' }>).payload.buffer)
    expect(new Set(buffers).size).toBe(50)
  })

  it('that lie whole in a chunk are not copied', () => {
    const chunk = joined([
      encode({ type: 'pingreq' }),
      encode({ type: 'publish', topic: 't', payload: new Uint8Array(9) }),
    ])
    const [, packet] = [...new Decoder().push(chunk)] as [Received, Extract<Packet, { type: 'publish' }>]
    expect(packet.payload.buffer).toBe(chunk.buffer)
  })

  it('have views that are plain and end where their fields end', () => {
    const bytes = bytesOf(vectors.connect[1]!)
    const chunk = joined([bytes, Uint8Array.of(0xc0, 0)])
    const packet = decode(chunk) as Extract<Packet, { type: 'connect' }>
    for (const view of [packet.password!, packet.will!.payload, packet.properties.authenticationData!]) {
      expect(Object.getPrototypeOf(view)).toBe(Uint8Array.prototype)
    }
    expect(packet.password!.length).toBe(24)
  })

  it('are found at any place of their bytes', () => {
    const bytes = bytesOf(vectors.publish[4]!)
    for (let offset = 0; offset < 5; offset++) {
      const memory = new Uint8Array(bytes.length + 10)
      memory.set(bytes, offset)
      expect(plain(decode(memory.subarray(offset))!)).toEqual(vectors.publish[4]!.packet)
    }
  })

  it('come before the error of the next, which names it again when asked again', () => {
    const decoder = new Decoder().push(Uint8Array.of(0xc0, 0, 0xc0, 0x80, 0x00, 0xd0, 0))
    expect(decoder.next().value).toEqual({ type: 'pingreq' })
    for (let times = 0; times < 3; times++) expect(() => decoder.next()).toThrow(MqttError)
    expect(() => decoder.push(Uint8Array.of(0xc0, 0)).next()).toThrow(MqttError)
  })

  it('are refused byte by byte as they are at once', () => {
    for (const bad of [
      [0xc0, 0x80, 0x00],
      [0x30, 0xff, 0xff, 0xff, 0xff],
      [0x30, 0xff, 0x01],
    ]) {
      const decoder = new Decoder({ maxPacketSize: 200 })
      const feed = (): void => {
        for (const byte of bad) for (const _ of decoder.push(Uint8Array.of(byte))) throw new Error('a packet')
      }
      expect(feed).toThrow(MqttError)
      expect(() => decoder.next()).toThrow(MqttError)
    }
  })

  it('are in the version that CONNECT told', () => {
    const connect = bytesOf(vectors.connect[5]!)
    const decoder = new Decoder()
    expect([...decoder.push(connect)]).toEqual([vectors.connect[5]!.packet])
    expect(decoder.protocolVersion).toBe(4)
    expect([...decoder.push(Uint8Array.of(0xb0, 2, 0, 1))]).toEqual([
      { type: 'unsuback', packetId: 1, reasonCodes: [], properties: {} },
    ])
    // One that does not pass changes nothing.
    const bad = connect.slice()
    bad[9] = 0x03
    const other = new Decoder()
    expect(() => other.push(bad).next()).toThrow(MqttError)
    expect(other.protocolVersion).toBe(5)
  })
})

describe('a Framer', () => {
  it('stands at one packet after the other', () => {
    const framer = new Framer()
    framer.push(Uint8Array.of(0xc0, 0, 0x40, 2, 0, 1, 0xd0))
    expect([framer.next(), framer.start, framer.body, framer.end]).toEqual([true, 0, 2, 2])
    expect([framer.next(), framer.start, framer.body, framer.end]).toEqual([true, 2, 4, 6])
    expect(decodeFrame(framer, 4)).toMatchObject({ type: 'puback', packetId: 1 })
    expect([framer.next(), framer.next()]).toEqual([false, false])
    framer.push(Uint8Array.of(0))
    expect([framer.next(), framer.start, framer.body, framer.end]).toEqual([true, 0, 2, 2])
    expect(decodeFrame(framer, 4)).toEqual({ type: 'pingresp' })
  })

  it('lets a chunk be overwritten after the next push, of nothing if need be', () => {
    const framer = new Framer()
    const chunk = Uint8Array.of(0xc0, 0, 0x40, 2, 0, 1, 0x50)
    framer.push(chunk)
    expect(framer.next()).toBe(true)
    framer.push(new Uint8Array())
    chunk.fill(0xff)
    expect(framer.next()).toBe(true)
    expect(decodeFrame(framer, 4)).toMatchObject({ type: 'puback', packetId: 1 })
    expect(framer.next()).toBe(false)
    framer.push(Uint8Array.of(2, 0, 3))
    expect(framer.next()).toBe(true)
    expect(decodeFrame(framer, 4)).toMatchObject({ type: 'pubrec', packetId: 3 })
  })

  it('takes a limit that changes while a packet comes', () => {
    const framer = new Framer(10)
    framer.push(Uint8Array.of(0x30, 20, 0))
    expect(() => framer.next()).toThrow(MqttError)
    framer.maxPacketSize = 22
    expect(framer.next()).toBe(false)
    framer.maxPacketSize = 21
    framer.push(new Uint8Array(19))
    expect(() => framer.next()).toThrow(MqttError)
  })

  it('reserves memory for bytes that came, not for a length that was told', () => {
    const told = Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f) // 268,435,455 bytes
    let came = 0
    let reserved = 0
    const Real = globalThis.Uint8Array
    const framer = new Framer()
    const chunks = [told, ...Array.from({ length: 40 }, () => new Real(5000))]
    // Every array that is made from now on is counted.
    globalThis.Uint8Array = new Proxy(Real, {
      construct(target, args) {
        if (typeof args[0] === 'number') reserved = Math.max(reserved, args[0])
        return Reflect.construct(target, args)
      },
    })
    const all: { came: number; reserved: number; isWhole: boolean }[] = []
    try {
      for (const chunk of chunks) {
        framer.push(chunk)
        came += chunk.length
        all.push({ came, reserved, isWhole: framer.next() })
        all.at(-1)!.reserved = reserved
      }
    } finally {
      globalThis.Uint8Array = Real
    }
    for (const step of all) {
      expect(step.isWhole).toBe(false)
      expect(step.reserved).toBeLessThanOrEqual(Math.max(2 * step.came, 256))
    }
    expect(reserved).toBeGreaterThanOrEqual(came) // it was counted
  })
})

describe('Framer', () => {
  it('holds no memory of a chunk when all of it is read', () => {
    const framer = new Framer()
    const chunk = encode({ type: 'publish', topic: 'a', payload: new Uint8Array(5000) })
    for (const pieces of [[chunk], [chunk.subarray(0, 3000), chunk.subarray(3000)]]) {
      let packets = 0
      for (const piece of pieces) {
        framer.push(piece)
        while (framer.next()) packets++
      }
      expect(packets).toBe(1)
      expect(framer.bytes.length).toBe(0)
    }
  })

  it('keeps many chunks in order that nobody reads', () => {
    const framer = new Framer()
    const one = Uint8Array.of(0xc0, 0)
    framer.push(Uint8Array.of(...one, ...one))
    expect(framer.next()).toBe(true)
    for (let i = 1; i < 2000; i++) framer.push(i % 2 === 0 ? one.subarray(1) : one.subarray(0, 1))
    let packets = 1
    while (framer.next()) packets++
    expect(packets).toBe(1001)
  })

  it.each([0, 1, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 268_435_461, '1k', null])(
    'has no maxPacketSize of %s',
    (size) => {
      expect(() => new Framer(size as number)).toThrow(RangeError)
      expect(() => new Decoder({ maxPacketSize: size as number })).toThrow(RangeError)
    },
  )
})
