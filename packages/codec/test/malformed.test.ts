import { type DecodeOptions, decode, MqttError, type ProtocolVersion, ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'

interface Case {
  readonly name: string
  /** Hexadecimal, blanks where it helps to read. */
  readonly bytes: string
  readonly reasonCode: number
  readonly statement: string
  readonly version?: ProtocolVersion
}

const { MalformedPacket, ProtocolError, UnsupportedProtocolVersion, TopicAliasInvalid } = ReasonCode

// biome-ignore format: a table
const cases: readonly Case[] = [
  { name: 'Remaining Length in more bytes than needed', bytes: 'c0 8000', reasonCode: MalformedPacket, statement: 'MQTT-1.5.5-1' },
  { name: 'Remaining Length of five bytes', bytes: 'c0 8080808001', reasonCode: MalformedPacket, statement: 'MQTT-1.5.5-1' },
  { name: 'packet type 0', bytes: '00 00', reasonCode: MalformedPacket, statement: '2.1.2' },
  { name: 'flags on PINGREQ', bytes: 'c1 00', reasonCode: MalformedPacket, statement: 'MQTT-2.1.3-1' },
  { name: 'flags on PUBREL', bytes: '60 02 0001', reasonCode: MalformedPacket, statement: 'MQTT-3.6.1-1' },
  { name: 'flags on SUBSCRIBE', bytes: '80 07 0001 00 000161 00', reasonCode: MalformedPacket, statement: 'MQTT-3.8.1-1' },
  { name: 'flags on UNSUBSCRIBE', bytes: 'a0 06 0001 00 000161', reasonCode: MalformedPacket, statement: 'MQTT-3.10.1-1' },
  { name: 'flags on DISCONNECT', bytes: 'e1 00', reasonCode: MalformedPacket, statement: 'MQTT-3.14.1-1' },
  { name: 'flags on AUTH', bytes: 'f1 00', reasonCode: MalformedPacket, statement: 'MQTT-3.15.1-1' },
  { name: 'AUTH before MQTT 5.0', bytes: 'f0 00', reasonCode: MalformedPacket, statement: '3.1.1 MQTT-2.2.2-2', version: 4 },
  { name: 'a body on PINGREQ', bytes: 'c0 01 00', reasonCode: MalformedPacket, statement: '2.1.4' },
  { name: 'another protocol name', bytes: '10 0d 0004 4d515456 05 02 0000 00 0000', reasonCode: UnsupportedProtocolVersion, statement: 'MQTT-3.1.2-1' },
  { name: 'another Protocol Version', bytes: '10 0d 0004 4d515454 06 02 0000 00 0000', reasonCode: UnsupportedProtocolVersion, statement: 'MQTT-3.1.2-2' },
  { name: 'the reserved Connect Flag', bytes: '10 0d 0004 4d515454 05 03 0000 00 0000', reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-3' },
  { name: 'Will QoS without Will', bytes: '10 0d 0004 4d515454 05 0a 0000 00 0000', reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-11' },
  { name: 'Will QoS 3', bytes: '10 13 0004 4d515454 05 1e 0000 00 0000 00 000161 0000', reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-12' },
  { name: 'Will Retain without Will', bytes: '10 0d 0004 4d515454 05 22 0000 00 0000', reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-13' },
  { name: 'Password without User Name', bytes: '10 0e 0004 4d515454 04 42 0000 0000 0000', reasonCode: MalformedPacket, statement: '3.1.1 MQTT-3.1.2-22' },
  { name: 'a Will Topic with a wildcard', bytes: '10 13 0004 4d515454 05 06 0000 00 0000 00 000123 0000', reasonCode: MalformedPacket, statement: 'MQTT-4.7.0-1' },
  { name: 'a Receive Maximum of 0', bytes: '10 10 0004 4d515454 05 02 0000 03 210000 0000', reasonCode: ProtocolError, statement: '3.1.2.11' },
  { name: 'a Maximum Packet Size of 0', bytes: '10 12 0004 4d515454 05 02 0000 05 2700000000 0000', reasonCode: ProtocolError, statement: '3.1.2.11' },
  { name: 'a property twice', bytes: '10 13 0004 4d515454 05 02 0000 06 210001 210001 0000', reasonCode: ProtocolError, statement: '3.1.2.11' },
  { name: 'a property of another packet', bytes: '10 10 0004 4d515454 05 02 0000 03 230001 0000', reasonCode: MalformedPacket, statement: '2.2.2.2' },
  { name: 'an unknown property', bytes: '10 0f 0004 4d515454 05 02 0000 02 7f00 0000', reasonCode: MalformedPacket, statement: '2.2.2.2' },
  { name: 'a flag property of 2', bytes: '10 0f 0004 4d515454 05 02 0000 02 1702 0000', reasonCode: ProtocolError, statement: '3.1.2.11' },
  { name: 'Authentication Data without Method', bytes: '10 11 0004 4d515454 05 02 0000 04 16000161 0000', reasonCode: ProtocolError, statement: '3.1.2.11.10' },
  { name: 'a reserved CONNACK flag', bytes: '20 03 02 00 00', reasonCode: MalformedPacket, statement: 'MQTT-3.2.2-1' },
  { name: 'Session Present with a refusal', bytes: '20 03 01 87 00', reasonCode: ProtocolError, statement: 'MQTT-3.2.2-6' },
  { name: 'a CONNACK Reason Code of another packet', bytes: '20 03 00 8e 00', reasonCode: ProtocolError, statement: 'MQTT-3.2.2-8' },
  { name: 'QoS 3', bytes: '36 06 000161 0001 00', reasonCode: MalformedPacket, statement: 'MQTT-3.3.1-4' },
  { name: 'DUP with QoS 0', bytes: '38 04 000161 00', reasonCode: MalformedPacket, statement: 'MQTT-3.3.1-2' },
  { name: 'Packet Identifier 0', bytes: '32 06 000161 0000 00', reasonCode: ProtocolError, statement: 'MQTT-2.2.1-3' },
  { name: 'a Topic Name with #', bytes: '30 04 000123 00', reasonCode: MalformedPacket, statement: 'MQTT-3.3.2-2' },
  { name: 'a Topic Name with +', bytes: '30 05 0002612b 00', reasonCode: MalformedPacket, statement: 'MQTT-3.3.2-2' },
  { name: 'an empty Topic Name without alias', bytes: '30 03 0000 00', reasonCode: ProtocolError, statement: '3.3.2.1' },
  { name: 'an empty Topic Name before MQTT 5.0', bytes: '30 02 0000', reasonCode: MalformedPacket, statement: 'MQTT-4.7.3-1', version: 4 },
  { name: 'Topic Alias 0', bytes: '30 07 000161 03 230000', reasonCode: TopicAliasInvalid, statement: 'MQTT-3.3.2-8' },
  { name: 'a Response Topic with a wildcard', bytes: '30 08 000161 04 08000123', reasonCode: MalformedPacket, statement: 'MQTT-3.3.2-14' },
  { name: 'Subscription Identifier 0', bytes: '30 06 000161 02 0b00', reasonCode: ProtocolError, statement: '3.3.2.3' },
  { name: 'properties past the end', bytes: '30 04 000161 01', reasonCode: MalformedPacket, statement: '2.1.4' },
  { name: 'a topic past the end', bytes: '30 04 000561 00', reasonCode: MalformedPacket, statement: '2.1.4' },
  { name: 'U+0000 in a string', bytes: '30 04 000100 00', reasonCode: MalformedPacket, statement: 'MQTT-1.5.4-2' },
  { name: 'a control character in a string', bytes: '30 04 000107 00', reasonCode: MalformedPacket, statement: '1.5.4' },
  { name: 'a surrogate in a string', bytes: '30 06 0003eda080 00', reasonCode: MalformedPacket, statement: 'MQTT-1.5.4-1' },
  { name: 'an overlong form in a string', bytes: '30 05 0002c0af 00', reasonCode: MalformedPacket, statement: 'MQTT-1.5.4-1' },
  { name: 'a code point above U+10FFFF in a string', bytes: '30 07 0004f4908080 00', reasonCode: MalformedPacket, statement: 'MQTT-1.5.4-1' },
  { name: 'half a code point at the end of a string', bytes: '30 04 0001c3 00', reasonCode: MalformedPacket, statement: 'MQTT-1.5.4-1' },
  { name: 'a PUBACK Reason Code of another packet', bytes: '40 03 0001 92', reasonCode: ProtocolError, statement: 'MQTT-3.4.2-1' },
  { name: 'a PUBREC Reason Code of another packet', bytes: '50 03 0001 92', reasonCode: ProtocolError, statement: 'MQTT-3.5.2-1' },
  { name: 'a PUBREL Reason Code of another packet', bytes: '62 03 0001 10', reasonCode: ProtocolError, statement: 'MQTT-3.6.2-1' },
  { name: 'a PUBCOMP Reason Code of another packet', bytes: '70 03 0001 10', reasonCode: ProtocolError, statement: 'MQTT-3.7.2-1' },
  { name: 'PUBACK with more before MQTT 5.0', bytes: '40 03 0001 00', reasonCode: MalformedPacket, statement: '2.1.4', version: 4 },
  { name: 'SUBSCRIBE without Topic Filter', bytes: '82 03 0001 00', reasonCode: ProtocolError, statement: 'MQTT-3.8.3-2' },
  { name: 'a reserved Subscription Option', bytes: '82 07 0001 00 000161 40', reasonCode: MalformedPacket, statement: 'MQTT-3.8.3-5' },
  { name: 'Retain Handling 3', bytes: '82 07 0001 00 000161 30', reasonCode: ProtocolError, statement: '3.8.3.1' },
  { name: 'a Maximum QoS of 3', bytes: '82 07 0001 00 000161 03', reasonCode: ProtocolError, statement: '3.8.3.1' },
  { name: 'No Local on a Shared Subscription', bytes: '82 10 0001 00 000a 2473686172652f672f61 04', reasonCode: ProtocolError, statement: 'MQTT-3.8.3-4' },
  { name: '# within a Topic Filter', bytes: '82 09 0001 00 0003232f61 00', reasonCode: MalformedPacket, statement: 'MQTT-4.7.1-1' },
  { name: '+ within a level', bytes: '82 08 0001 00 0002612b 00', reasonCode: MalformedPacket, statement: 'MQTT-4.7.1-2' },
  { name: 'an empty Topic Filter', bytes: '82 06 0001 00 0000 00', reasonCode: MalformedPacket, statement: 'MQTT-4.7.3-1' },
  { name: 'an empty ShareName', bytes: '82 0f 0001 00 0009 2473686172652f2f61 00', reasonCode: MalformedPacket, statement: 'MQTT-4.8.2-1' },
  { name: 'a ShareName without Topic Filter', bytes: '82 0e 0001 00 0008 2473686172652f67 00', reasonCode: MalformedPacket, statement: 'MQTT-4.8.2-2' },
  { name: 'SUBACK without Reason Code', bytes: '90 03 0001 00', reasonCode: ProtocolError, statement: 'MQTT-3.8.4-6' },
  { name: 'a SUBACK Reason Code of another packet', bytes: '90 04 0001 00 03', reasonCode: ProtocolError, statement: 'MQTT-3.9.3-2' },
  { name: 'a SUBACK return code of MQTT 5.0', bytes: '90 03 0001 87', reasonCode: ProtocolError, statement: 'MQTT-3.9.3-2', version: 4 },
  { name: 'UNSUBSCRIBE without Topic Filter', bytes: 'a2 03 0001 00', reasonCode: ProtocolError, statement: 'MQTT-3.10.3-2' },
  { name: 'an UNSUBACK Reason Code of another packet', bytes: 'b0 04 0001 00 01', reasonCode: ProtocolError, statement: 'MQTT-3.11.3-2' },
  { name: 'a DISCONNECT Reason Code of another packet', bytes: 'e0 01 84', reasonCode: ProtocolError, statement: 'MQTT-3.14.2-1' },
  { name: 'an AUTH Reason Code of another packet', bytes: 'f0 06 87 04 15000158', reasonCode: ProtocolError, statement: 'MQTT-3.15.2-1' },
  { name: 'AUTH without Authentication Method', bytes: 'f0 02 18 00', reasonCode: ProtocolError, statement: '3.15.2.2.2' },
]

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

function errorOf(bytes: string, options: DecodeOptions): MqttError {
  try {
    decode(fromHex(bytes), options)
  } catch (error) {
    expect(error).toBeInstanceOf(MqttError)
    return error as MqttError
  }
  throw new Error('it was accepted')
}

describe('a packet is refused for', () => {
  it.each(cases)('$name [$statement]', ({ bytes, reasonCode, statement, version = 5 }) => {
    const error = errorOf(bytes, { protocolVersion: version })
    expect(error).toMatchObject({ reasonCode, statement })
    expect(error.offset).toBeGreaterThanOrEqual(0)
    expect(error.offset).toBeLessThanOrEqual(fromHex(bytes).length)
  })

  it('its size, before its bytes have come [MQTT-3.2.2-15]', () => {
    const error = errorOf('30 ff7f', { maxPacketSize: 16 })
    expect(error).toMatchObject({ reasonCode: ReasonCode.PacketTooLarge, statement: 'MQTT-3.2.2-15', offset: 1 })
  })
})

describe('a relaxation', () => {
  const control = '30 04 000107 00'
  const longId = '10 26 0006 4d5149736470 03 02 0000 0018 616161616161616161616161616161616161616161616161'

  it('lets control characters pass', () => {
    expect(decode(fromHex(control), { relaxed: { controlCharacters: true } })).toMatchObject({ topic: '\u0007' })
  })

  it('lets a long Client Identifier of MQTT 3.1 pass', () => {
    expect(errorOf(longId, {})).toMatchObject({ reasonCode: ReasonCode.ClientIdentifierNotValid })
    expect(decode(fromHex(longId), { relaxed: { clientIdLength: true } })).toMatchObject({ clientId: 'a'.repeat(24) })
  })

  it('lets unused flags of MQTT 3.1 pass', () => {
    expect(errorOf('c1 00', { protocolVersion: 3 })).toMatchObject({ statement: 'MQTT-2.1.3-1' })
    expect(decode(fromHex('c1 00'), { protocolVersion: 3, relaxed: { unusedFlags: true } })).toEqual({
      type: 'pingreq',
    })
  })
})

it('a byte order mark is text [MQTT-1.5.4-3]', () => {
  expect(decode(fromHex('30 06 0003efbbbf 00'))).toMatchObject({ topic: '\ufeff' })
})
