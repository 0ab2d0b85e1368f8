import {
  type DecodeOptions,
  Decoder,
  decode,
  MqttError,
  mayCarry,
  type Packet,
  type Properties,
  ReasonCode,
} from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { plain } from './arbitraries.js'
import { counted, fromHex, marked, measured, toHex } from './bytes.js'
import { packets } from './refusals/packets.js'
import { before, type CarrierName, carriers, properties } from './refusals/properties.js'
import { reasonCodes } from './refusals/reason-codes.js'
import { errorOf, expectRefusal, titleOf } from './refusals/refusal.js'
import { allowed, controls, field, illFormed, nulls, type StringField, stringFields } from './refusals/strings.js'
import { vectors } from './vectors/index.js'
import { bytesOf, type Vector } from './vectors/vector.js'

const { MalformedPacket, ProtocolError, TopicAliasInvalid, PacketTooLarge } = ReasonCode

const list = (...ids: (string | undefined)[]): string => ids.filter((id) => id !== undefined && id !== '').join(', ')

/** The packet with all that it holds. */
function read(hex: string, options: DecodeOptions): object | undefined {
  const packet = decode(fromHex(hex), options)
  return packet && plain(packet)
}

describe('a packet is refused for', () => {
  for (const refusal of packets) {
    it(titleOf(refusal), () => expectRefusal(refusal))
  }
})

describe('the flags of', () => {
  const ids: Record<string, readonly [statement: string, also: string]> = {
    pubrel: ['MQTT-3.6.1-1', '3.1.1 MQTT-3.6.1-1'],
    subscribe: ['MQTT-3.8.1-1', '3.1.1 MQTT-3.8.1-1'],
    unsubscribe: ['MQTT-3.10.1-1', '3.1.1 MQTT-3.10.1-1'],
    disconnect: ['MQTT-3.14.1-1', '3.1.1 MQTT-3.14.1-1'],
    auth: ['MQTT-3.15.1-1', ''],
  }
  const others = ['MQTT-2.1.3-1', '3.1.1 MQTT-2.2.2-1, 3.1.1 MQTT-2.2.2-2, PE-2.1.3-1'] as const
  for (const [type, table] of Object.entries<readonly Vector[]>(vectors)) {
    if (type === 'publish') continue
    const [statement, also] = ids[type] ?? others
    for (const vector of table.filter(({ decodeOnly }) => !decodeOnly).slice(0, 1)) {
      it(`${type.toUpperCase()} are fixed [${list(statement, also)}]`, () => {
        const right = bytesOf(vector)
        for (let flags = 0; flags < 16; flags++) {
          const bytes = right.slice()
          bytes[0] = (bytes[0]! & 0xf0) | flags
          if (bytes[0] === right[0]) continue
          for (const protocolVersion of vector.versions) {
            const isAgain = protocolVersion === 3 && (right[0]! & 2) > 0 && flags === 0x0a
            if (isAgain) expect(decode(bytes, { protocolVersion })).toEqual(vector.packet)
            else {
              const error = errorOf(bytes, { protocolVersion })
              expect(error).toMatchObject({ reasonCode: MalformedPacket, statement, offset: 0 })
            }
            const options = { protocolVersion, relaxed: { unusedFlags: true } }
            if (protocolVersion === 3) expect(decode(bytes, options)).toEqual(vector.packet)
            else expect(errorOf(bytes, options)).toMatchObject({ reasonCode: MalformedPacket, statement, offset: 0 })
          }
        }
      })
    }
  }
})

describe('a string', () => {
  const title = ({ ids }: StringField, ...more: string[]): string => `[${list(...more, ids)}]`
  for (const string of stringFields) {
    const { name, topic, versions, make } = string
    const refuse = (text: string, statement: string, options: DecodeOptions = {}): void =>
      expectRefusal({ name, bytes: make(field(text)), reasonCode: MalformedPacket, statement, versions }, options)

    it(`is well-formed: ${name} ${title(string, 'MQTT-1.5.4-1', 'PE-1.5.4-1', '3.1.1 MQTT-1.5.3-1')}`, () => {
      for (const text of Object.values(illFormed)) {
        refuse(text, 'MQTT-1.5.4-1')
        refuse(text, 'MQTT-1.5.4-1', { relaxed: { controlCharacters: true } })
      }
    })

    const topics = topic === undefined ? [] : ['MQTT-4.7.3-2', '3.1.1 MQTT-4.7.3-2']
    it(`has no U+0000: ${name} ${title(string, 'MQTT-1.5.4-2', 'PE-1.5.4-2', '3.1.1 MQTT-1.5.3-2', ...topics)}`, () => {
      for (const text of nulls) {
        refuse(text, 'MQTT-1.5.4-2')
        refuse(text, 'MQTT-1.5.4-2', { relaxed: { controlCharacters: true } })
      }
    })

    it(`has no control characters, unless they are let pass: ${name} [PE-1.5.4-3]`, () => {
      for (const text of controls) {
        refuse(text, '1.5.4')
        for (const protocolVersion of versions) {
          const options = { protocolVersion, relaxed: { controlCharacters: true } }
          expect(JSON.stringify(read(make(field(text)), options))).toContain(escaped(text))
        }
      }
    })

    it(`may hold all else: ${name} [MQTT-1.5.4-3, 3.1.1 MQTT-1.5.3-3]`, () => {
      for (const text of allowed) {
        for (const protocolVersion of versions) {
          for (const lazy of [false, true]) {
            const packet = read(make(field(text)), { protocolVersion, lazy })
            expect(JSON.stringify(packet)).toContain(escaped(text))
          }
        }
      }
    })

    it(`ends with its packet: ${name}`, () => {
      const whole = make(">00ff 'a'")
      const { length } = fromHex(whole.slice(0, whole.indexOf('>')))
      const bytes = `${toHex(fromHex(whole).subarray(0, length + 2))} >'a'`
      const cut = bytes.replace(/^(..)../, (_, first) => `${first}${toHex([length + 1])}`)
      const error = errorOf(fromHex(cut), { protocolVersion: versions[0]! })
      expect(error).toMatchObject({ reasonCode: MalformedPacket, statement: '2.1.4' })
      // In properties it is the Property Length that does not fit any more.
      if (topic) expect(error.offset).toBe(marked(cut))
    })
  }

  /** The text as it stands in JSON. */
  function escaped(text: string): string {
    return JSON.stringify(new TextDecoder('utf-8', { ignoreBOM: true }).decode(fromHex(text)))
  }
})

describe('a property', () => {
  for (const { id, name, value, wrong = [], repeats = [], in: packets } of properties) {
    for (const carrier of Object.keys(carriers) as CarrierName[]) {
      const { section, make } = carriers[carrier]
      const once = packets[carrier]
      const first = before(carrier, id)
      const block = (text: string): string => make(measured(`${first} ${text}`))

      if (once === undefined) {
        it(`may not be in ${carrier}: ${name} [PE-2.2.2.2-1]`, () => {
          const bytes = block(`>${id} ${value.replace('>', '')}`)
          expectRefusal({ name, bytes, reasonCode: MalformedPacket, statement: '2.2.2.2' })
        })
        continue
      }

      it(`may be in ${carrier}: ${name}`, () => {
        expect(read(block(`${id} ${value}`), {})).toBeDefined()
      })

      if (repeats.includes(carrier)) {
        it(`may come again in ${carrier}, in its order: ${name}`, () => {
          const second = id === '0b' ? '02' : value.replace("'v'", "'w'")
          const packet = read(block(`${id} ${value} ${id} ${second}`), {})
          const expected = id === '0b' ? '"subscriptionIdentifier":[1,2]' : '"userProperty":[["k","v"],["k","w"]]'
          expect(JSON.stringify(packet)).toContain(expected)
        })
      } else {
        it(`comes once in ${carrier}: ${name} [${list(section, once)}]`, () => {
          const plain = `${id} ${value.replace('>', '')}`
          const bytes = block(`${plain} >${plain}`)
          expectRefusal({ name, bytes, reasonCode: ProtocolError, statement: section })
          // Also when others stand between, and with another value.
          const between = block(`${plain} 26 0000 0000 >${plain}`)
          expectRefusal({ name, bytes: between, reasonCode: ProtocolError, statement: section })
        })
      }

      if (wrong.length > 0) {
        const ids = id === '0b' && carrier === 'subscribe' ? 'PE-3.8.2.1.2-1' : once
        it(`has no wrong value in ${carrier}: ${name} [${list(section, ids)}]`, () => {
          for (const text of wrong) {
            expectRefusal({ name, bytes: block(`${id} ${text}`), reasonCode: ProtocolError, statement: section })
          }
        })
      }

      it(`ends within the Property Length of ${carrier}: ${name}`, () => {
        const whole = fromHex(`${first} ${id} ${value}`)
        // The last byte of the value is behind the properties.
        const bytes = make(`${toHex([whole.length - 1])} ${first} ${id} ${value}`)
        expectRefusal({ name, bytes, reasonCode: MalformedPacket, statement: '2.1.4' })
      })
    }
  }

  for (const [carrier, { make }] of Object.entries(carriers)) {
    it(`may stand before and behind any other, in ${carrier}`, () => {
      const own = properties.filter((row) => row.in[carrier as CarrierName] !== undefined)
      for (const one of own) {
        for (const other of own) {
          if (one === other) continue
          const first = [one.id, other.id].includes('15') ? '' : before(carrier as CarrierName, '16')
          const bytes = make(measured(`${first} ${one.id} ${one.value} ${other.id} ${other.value}`))
          expect(read(bytes, {})).toBeDefined()
        }
      }
    })

    it(`is known, in ${carrier} [PE-2.2.2.2-1]`, () => {
      const known = new Set(properties.map(({ id }) => id))
      for (let id = 0; id < 256; id++) {
        const hex = toHex([id])
        if (known.has(hex)) continue
        const bytes = make(`02 >${hex} 00`)
        expectRefusal({ name: hex, bytes, reasonCode: MalformedPacket, statement: '2.2.2.2' })
      }
    })

    it(`has a Property Length in the fewest bytes, in ${carrier} [MQTT-1.5.5-1]`, () => {
      for (const length of ['80>00', '8080>00', '808080>00', '85>00', 'ffff>00']) {
        const bytes = make(length)
        expectRefusal({ name: length, bytes, reasonCode: MalformedPacket, statement: 'MQTT-1.5.5-1' })
      }
      for (const length of ['808080>80', 'ffffff>ff01']) {
        expectRefusal({ name: length, bytes: make(length), reasonCode: MalformedPacket, statement: '1.5.5' })
      }
    })

    it(`ends within its packet, in ${carrier}`, () => {
      const body = make('ff7f')
      const end = fromHex(body).length - fromHex(body.slice(body.indexOf('ff7f') + 4)).length
      const error = errorOf(fromHex(body), {})
      expect(error).toMatchObject({ reasonCode: MalformedPacket, statement: '2.1.4', offset: end })
    })
  }

  it.each(['publish', 'subscribe'] as const)(
    'Subscription Identifier is in the fewest bytes, in %s [MQTT-1.5.5-1]',
    (carrier) => {
      for (const value of ['81>00', 'ff80>00', '808081>00']) {
        const bytes = carriers[carrier].make(measured(`0b ${value}`))
        expectRefusal({ name: value, bytes, reasonCode: MalformedPacket, statement: 'MQTT-1.5.5-1' })
      }
      const bytes = carriers[carrier].make(measured('0b 808080>8001'))
      expectRefusal({ name: 'five bytes', bytes, reasonCode: MalformedPacket, statement: '1.5.5' })
    },
  )

  it('of another packet is not taken for one that came twice, where the bits of both are one', () => {
    // 2 and 33, 3 and 34 and so on differ by 31: those from 33 are in CONNECT, the others are not.
    const bytes = carriers.connect.make(measured('21 0001 >02 00000000'))
    expectRefusal({ name: '2 behind 33', bytes, reasonCode: MalformedPacket, statement: '2.2.2.2' })
  })

  it('Topic Alias is not 0 [MQTT-3.3.2-8]', () => {
    const bytes = carriers.publish.make(measured('23 >0000'))
    expectRefusal({ name: 'alias', bytes, reasonCode: TopicAliasInvalid, statement: 'MQTT-3.3.2-8' })
  })

  it('keeps its value, whatever it is called', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    const pairs = names.map((name) => `26 ${toHex([0, name.length])} '${name}' 0001 'v'`).join(' ')
    const packet = decode(fromHex(carriers.publish.make(measured(pairs)))) as Extract<Packet, { type: 'publish' }>
    const expected: Properties = { userProperty: names.map((name) => [name, 'v']) }
    expect(packet.properties).toEqual(expected)
    expect(Object.getPrototypeOf(packet.properties)).toBe(Object.prototype)
  })
})

describe('a Reason Code', () => {
  for (const { packet, statement, also, versions, codes, make } of reasonCodes) {
    const before5 = versions[0] === 5 ? '' : ' before MQTT 5.0'
    it(`is one that ${packet.toUpperCase()} may carry${before5} [${list(statement, also)}]`, () => {
      for (let code = 0; code < 256; code++) {
        const bytes = make(toHex([code]))
        if (versions[0] === 5) expect(mayCarry(packet as Packet['type'], code)).toBe(codes.includes(code))
        if (codes.includes(code)) {
          for (const protocolVersion of versions) expect(read(bytes, { protocolVersion })).toBeDefined()
        } else expectRefusal({ name: packet, bytes, reasonCode: ProtocolError, statement, versions })
      }
    })
  }

  it('has one place in a packet that has none', () => {
    for (const type of ['connect', 'publish', 'subscribe', 'unsubscribe', 'pingreq', 'pingresp'] as const) {
      expect(mayCarry(type, 0)).toBe(false)
    }
  })
})

describe('a Client Identifier', () => {
  it('of 1 to 23 letters and digits passes [MQTT-3.1.3-5, 3.1.1 MQTT-3.1.3-5]', () => {
    const letters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
    const names = { 3: "0006 'MQIsdp' 03 02 0000", 4: "0004 'MQTT' 04 02 0000", 5: "0004 'MQTT' 05 02 0000 00" }
    for (const head of Object.values(names)) {
      for (let length = 1; length <= 23; length++) {
        for (let at = 0; at + length <= letters.length; at += 13) {
          const clientId = letters.slice(at, at + length)
          expect(read(`10 ${measured(`${head} ${counted(`'${clientId}'`)}`)}`, {})).toMatchObject({ clientId })
        }
      }
    }
  })
})

describe('a packet above the size that is allowed', () => {
  const statement = 'MQTT-3.2.2-15'

  it(`is refused before its bytes have come [${statement}, PE-3.1.2.11.4-2, PE-3.2.2.3.6-2]`, () => {
    const error = errorOf(fromHex('30 ff7f'), { maxPacketSize: 16 })
    expect(error).toMatchObject({ reasonCode: PacketTooLarge, statement, offset: 1 })
  })

  it.each([
    ["30 05 0001 'a' 0000", 7],
    [`30 8001 0001 'a' 00 ${'00'.repeat(124)}`, 131],
  ])('counts its fixed header: %s', (hex, size) => {
    expect(read(hex, { maxPacketSize: size })).toBeDefined()
    expect(errorOf(fromHex(hex), { maxPacketSize: size - 1 })).toMatchObject({ reasonCode: PacketTooLarge })
  })
})

function errorOfCall(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

describe('after an error', () => {
  it('a Decoder gives no more packets, for what follows it is not to be trusted [MQTT-4.13.1-1]', () => {
    for (const hex of ['c0 00 c1 00 c0 00', 'c0 00 c0 80808080 00 c0 00']) {
      const decoder = new Decoder()
      decoder.push(fromHex(hex))
      expect(decoder.next().value).toEqual({ type: 'pingreq' })
      const first = errorOfCall(() => decoder.next())
      expect(first).toBeInstanceOf(MqttError)
      decoder.push(fromHex('c0 00'))
      expect(errorOfCall(() => decoder.next())).toBe(first)
    }
  })
})

describe('MQTT 3.1', () => {
  const head = "0006 'MQIsdp' 03"

  it('lets a packet end before the User Name and Password that its flags promise', () => {
    expect(read(`10 0f ${head} 82 000a 0001 'a'`, {})).toMatchObject({ clientId: 'a', userName: undefined })
    expect(read(`10 12 ${head} c2 000a 0001 'a' 0001 'u'`, {})).toMatchObject({ userName: 'u', password: undefined })
  })

  it('disregards QoS and Retain of a Will that there is not', () => {
    for (const flags of ['0a', '12', '1a', '22', '3a']) {
      expect(read(`10 0f ${head} ${flags} 000a 0001 'a'`, {})).toMatchObject({ clientId: 'a', will: undefined })
    }
    expect(errorOf(fromHex(`10 15 ${head} 1e 000a 0001 'a' 0001 'w' 0001 00`), {})).toMatchObject({
      statement: 'MQTT-3.1.2-12',
    })
  })
})

describe('a relaxation', () => {
  const longId = "10 26 0006 'MQIsdp' 03 02 0000 0018 'abcdefghijklmnopqrstuvwx'"
  const noId = "10 0e 0006 'MQIsdp' 03 02 0000 0000"

  it('lets a Client Identifier of MQTT 3.1 be of any length', () => {
    const relaxed = { clientIdLength: true }
    expect(read(longId, { relaxed })).toMatchObject({ clientId: 'abcdefghijklmnopqrstuvwx' })
    expect(read(noId, { relaxed })).toMatchObject({ clientId: '' })
    for (const hex of [longId, noId]) {
      const options = { relaxed: { clientIdLength: false, controlCharacters: true, unusedFlags: true } }
      expect(errorOf(fromHex(hex), options)).toMatchObject({ reasonCode: ReasonCode.ClientIdentifierNotValid })
    }
  })

  it('lets the byte before the return code of CONNACK be anything in MQTT 3.1 alone', () => {
    for (const flags of ['01', '02', 'ff']) {
      const hex = `20 02 ${flags} 00`
      const options = { relaxed: { unusedFlags: true } }
      expect(read(hex, { ...options, protocolVersion: 3 })).toMatchObject({ sessionPresent: false })
      if (flags === '01') continue
      expect(errorOf(fromHex(hex), { ...options, protocolVersion: 4 })).toMatchObject({ statement: 'MQTT-3.2.2-1' })
      expect(errorOf(fromHex(`20 03 ${flags} 00 00`), options)).toMatchObject({ statement: 'MQTT-3.2.2-1' })
    }
  })

  it('of one rule leaves the others', () => {
    const relaxed = { controlCharacters: true, clientIdLength: true, unusedFlags: true }
    for (const refusal of packets) {
      if (refusal.statement === '3.1 CONNECT' || refusal.versions?.includes(3)) continue
      expectRefusal(refusal, { relaxed })
    }
  })
})
