import { Decoder, decode, encode, MqttError, type Packet, type Properties, type ProtocolVersion } from '@tidewire/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyPacket, plain } from '../../packages/codec/test/arbitraries.js'
import { fullPackets } from './full-packets.js'
import { generate, parsed, peerPacket } from './mqtt-packet.js'

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

/** All properties of a packet, those of its Will too. */
function propertiesOf(packet: Packet): Properties[] {
  const will = packet.type === 'connect' && packet.will !== undefined ? [packet.will.properties] : []
  return 'properties' in packet ? [packet.properties, ...will] : []
}

/** What mqtt-packet does wrong with packets that the standard allows. It fails when a new version does it right. */
interface Defect {
  readonly what: string
  readonly statement: string
  /** Whether it can happen with the packet, which lies in the bytes. */
  concerns(packet: Packet, bytes: Uint8Array, version: ProtocolVersion): boolean
  /** Shows it with as few bytes as can be. */
  prove(): void
}

const readingDefects: readonly Defect[] = [
  {
    what: 'reads beyond a DISCONNECT that leaves out Reason Code or properties',
    statement: '3.14.2.1, 3.14.2.2.1',
    concerns: ({ type }, { length }, version) => type === 'disconnect' && length < 4 && version === 5,
    prove: () => {
      const bytes = fromHex('e0 00 c0 00')
      expect(parsed(bytes.subarray(0, 2), 5)).toEqual([{ cmd: 'disconnect', reasonCode: 0 }])
      expect(() => parsed(bytes, 5)).toThrow('Invalid disconnect reason code')
      expect([...new Decoder().push(bytes)]).toMatchObject([{ type: 'disconnect' }, { type: 'pingreq' }])
    },
  },
  {
    what: 'refuses an AUTH that leaves out its Reason Code',
    statement: '3.15.2.1',
    concerns: ({ type }, { length }) => type === 'auth' && length < 4,
    prove: () => {
      expect(() => parsed(fromHex('f0 00'), 5)).toThrow('Invalid auth reason code')
      expect(decode(fromHex('f0 00'))).toMatchObject({ type: 'auth', reasonCode: 0 })
    },
  },
  {
    what: 'refuses DUP where MQTT 3.1 sends it: PUBREL, SUBSCRIBE, UNSUBSCRIBE',
    statement: '3.1',
    concerns: ({ type }, bytes) => type !== 'publish' && (bytes[0]! & 8) > 0,
    prove: () => {
      const bytes = fromHex('6a 02 0001')
      expect(() => parsed(bytes, 3)).toThrow('Invalid header flag bits')
      expect(decode(bytes, { protocolVersion: 3 })).toMatchObject({ type: 'pubrel', packetId: 1 })
    },
  },
  {
    what: 'loses an empty User Property when another of its name follows',
    statement: 'MQTT-3.3.2-17',
    concerns: (packet) =>
      propertiesOf(packet).some(({ userProperty = [] }) =>
        userProperty.some(
          ([name, value], i) => value === '' && userProperty.slice(i + 1).some(([next]) => next === name),
        ),
      ),
    prove: () => {
      const bytes = fromHex('30 11 000161 0d 26 000161 0000 26 000161 000162')
      expect(parsed(bytes, 5)).toMatchObject([{ properties: { userProperties: { a: 'b' } } }])
      expect(decode(bytes)).toMatchObject({
        properties: {
          userProperty: [
            ['a', ''],
            ['a', 'b'],
          ],
        },
      })
    },
  },
]

const writingDefects: readonly Defect[] = [
  {
    what: 'writes User Properties by name, not in their order',
    statement: 'MQTT-3.3.2-18',
    concerns: (packet) =>
      propertiesOf(packet).some(({ userProperty = [] }) => new Set(userProperty.map(([name]) => name)).size > 1),
    prove: () => {
      const bytes = fromHex('30 19 000161 15 26 000161 000131 26 000162 000132 26 000161 000133')
      const [packet] = parsed(bytes, 5)
      const changed = fromHex('30 19 000161 15 26 000161 000131 26 000161 000133 26 000162 000132')
      expect(Uint8Array.from(generate(packet as never, { protocolVersion: 5 }))).toEqual(changed)
      expect(encode(decode(bytes)!)).toEqual(bytes)
    },
  },
  {
    what: 'refuses an empty Client Identifier with Clean Start 0',
    statement: '3.1.3.1',
    concerns: (packet) => packet.type === 'connect' && packet.clientId === '' && !packet.cleanStart,
    prove: () => {
      const packet = { type: 'connect', protocolVersion: 5, clientId: '', cleanStart: false } as const
      const refusal = 'clientId must be given if cleanSession set to 0'
      expect(() => generate({ cmd: 'connect', protocolVersion: 5, clientId: '', clean: false })).toThrow(refusal)
      expect(decode(encode(packet))).toMatchObject(packet)
    },
  },
  {
    what: 'refuses a Password without User Name',
    statement: '3.1.2.9',
    concerns: (packet) => packet.type === 'connect' && packet.password !== undefined && packet.userName === undefined,
    prove: () => {
      const password = Buffer.from('p')
      const refusal = 'Username is required to use password'
      expect(() => generate({ cmd: 'connect', protocolVersion: 5, clientId: 'c', password })).toThrow(refusal)
      expect(decode(encode({ type: 'connect', protocolVersion: 5, clientId: 'c', password }))).toMatchObject({
        userName: undefined,
        password: Uint8Array.from(password),
      })
    },
  },
]

/** Random packets of the version that no defect concerns. */
function packets(version: ProtocolVersion, defects: readonly Defect[]): fc.Arbitrary<Packet> {
  return anyPacket(version).filter(
    (packet) => !defects.some(({ concerns }) => concerns(packet, encode(packet, version), version)),
  )
}

/** Every packet that differs from a full one by one bit, of which the Remaining Length is still right. */
function changedPackets(version: ProtocolVersion): Uint8Array[] {
  return fullPackets(version).flatMap((packet) => {
    const bytes = encode(packet, version)
    const body = bytes[1]! < 0x80 ? 2 : 3
    return Array.from(bytes.keys()).flatMap((at) =>
      at > 0 && at < body
        ? []
        : [1, 2, 4, 8, 16, 32, 64, 128].map((bit) => bytes.map((byte, i) => (i === at ? byte ^ bit : byte))),
    )
  })
}

function attempt<T>(action: () => T): T | Error {
  try {
    return action()
  } catch (error) {
    return error as Error
  }
}

describe.each([3, 4, 5] as const)('packets of protocol version %i', (version) => {
  const options = { protocolVersion: version }

  it('that we write are read the same by mqtt-packet', () => {
    fc.assert(
      fc.property(fc.array(packets(version, readingDefects), { maxLength: 5 }), (sent) => {
        const stream = Buffer.concat(sent.map((packet) => encode(packet, version)))
        expect(parsed(stream, version)).toEqual(sent.map((packet) => peerPacket(packet, version)))
      }),
      { numRuns: 500 },
    )
  })

  it('that mqtt-packet writes are read the same by us', () => {
    fc.assert(
      fc.property(packets(version, writingDefects), (packet) => {
        const bytes = generate(peerPacket(packet, version), options)
        expect(plain(decode(bytes, options)!)).toEqual(packet)
      }),
      { numRuns: 1000 },
    )
  })

  it('with one bit changed are read the same by mqtt-packet, unless we refuse them', async ({ annotate }) => {
    const refused: string[] = []
    const accepted: string[] = []
    for (const bytes of changedPackets(version)) {
      const ours = attempt(() => decode(bytes, options)!)
      const theirs = attempt(() => parsed(bytes, version))
      if (ours instanceof Error) {
        expect(ours).toBeInstanceOf(MqttError)
        const { statement } = ours as MqttError
        refused.push(statement!)
        if (!(theirs instanceof Error)) accepted.push(statement!)
      } else if (!readingDefects.some(({ concerns }) => concerns(ours, bytes, version))) {
        expect(theirs).toEqual([peerPacket(ours, version)])
      }
    }
    const statements = `${new Set(accepted).size} of ${new Set(refused).size} statements`
    await annotate(`mqtt-packet accepts ${accepted.length} of ${refused.length} that we refuse, against ${statements}`)
  })
})

describe('mqtt-packet', () => {
  for (const { what, statement, prove } of [...readingDefects, ...writingDefects]) it(`${what} [${statement}]`, prove)
})
