/** Packets that break a rule of their own. */

import { ReasonCode } from '@tidewire/codec'
import { counted, measured } from '../bytes.js'
import type { Refusal } from './refusal.js'

const { MalformedPacket, ProtocolError, UnsupportedProtocolVersion, TopicAliasInvalid, ClientIdentifierNotValid } =
  ReasonCode
const early = [3, 4] as const
const all = [3, 4, 5] as const

/** CONNECT of MQTT 5.0 and 3.1.1, with what follows the Protocol Version; as a function, to count it. */
const v5 = (rest: string): string => `10 ${measured(`0004 'MQTT' 05 ${rest}`)}`
const v4 = (rest: string): string => `10 ${measured(`0004 'MQTT' 04 ${rest}`)}`
const v3 = (rest: string): string => `10 ${measured(`0006 'MQIsdp' 03 ${rest}`)}`

const tooShort = { reasonCode: MalformedPacket, statement: '2.1.4' } as const

// biome-ignore format: a table
const fixedHeader: readonly Refusal[] = [
  { name: 'a Remaining Length of 0 in two bytes', bytes: 'c0 >8000', reasonCode: MalformedPacket, statement: 'MQTT-1.5.5-1', versions: all },
  { name: 'a Remaining Length of 0 in three bytes', bytes: 'c0 >808000', reasonCode: MalformedPacket, statement: 'MQTT-1.5.5-1', versions: all },
  { name: 'a Remaining Length of 0 in four bytes', bytes: 'c0 >80808000', reasonCode: MalformedPacket, statement: 'MQTT-1.5.5-1', versions: all },
  { name: 'a Remaining Length of 127 in two bytes', bytes: '30 >ff00', reasonCode: MalformedPacket, statement: 'MQTT-1.5.5-1', versions: all },
  { name: 'a Remaining Length of 16,383 in three bytes', bytes: '30 >ffff00', reasonCode: MalformedPacket, statement: 'MQTT-1.5.5-1', versions: all },
  { name: 'a Remaining Length of 2,097,151 in four bytes', bytes: '30 >ffffff00', reasonCode: MalformedPacket, statement: 'MQTT-1.5.5-1', versions: all },
  { name: 'a Remaining Length of five bytes', bytes: 'c0 >8080808001', reasonCode: MalformedPacket, statement: '1.5.5', versions: all },
  { name: 'a Remaining Length that does not end in four bytes', bytes: '30 >ffffffff', reasonCode: MalformedPacket, statement: '1.5.5', versions: all },
  { name: 'packet type 0', bytes: '>00 00', reasonCode: MalformedPacket, statement: '2.1.2', versions: all },
  { name: 'packet type 0 with flags', bytes: '>0f 00', reasonCode: MalformedPacket, statement: 'MQTT-2.1.3-1', versions: all },
  { name: 'AUTH before MQTT 5.0', bytes: '>f0 00', reasonCode: MalformedPacket, statement: '3.1.1 MQTT-2.2.2-2', versions: early },
  { name: 'AUTH with a body before MQTT 5.0', bytes: ">f0 06 18 04 15 0001 'M'", reasonCode: MalformedPacket, statement: '3.1.1 MQTT-2.2.2-2', versions: early },
]

// biome-ignore format: a table
const trailing: readonly Refusal[] = ([
  ['CONNECT [MQTT-3.1.4-1]', v5('02 0000 00 0000 >00')],
  ['CONNECT of MQTT 3.1.1 [3.1.1 MQTT-3.1.4-1]', v4('02 0000 0000 >00')],
  ['CONNECT of MQTT 3.1', v3("02 0000 0001 'a' >00")],
  ['CONNACK', '20 04 00 00 00 >00'],
  ['CONNACK before MQTT 5.0', '20 03 00 00 >00', early],
  ['PUBACK', '40 05 0001 00 00 >00'],
  ['PUBACK before MQTT 5.0', '40 03 0001 >00', early],
  ['PUBREC', '50 05 0001 00 00 >00'],
  ['PUBREC before MQTT 5.0', '50 03 0001 >00', early],
  ['PUBREL', '62 05 0001 00 00 >00'],
  ['PUBREL before MQTT 5.0', '62 03 0001 >00', early],
  ['PUBCOMP', '70 05 0001 00 00 >00'],
  ['PUBCOMP before MQTT 5.0', '70 03 0001 >00', early],
  ['SUBSCRIBE', "82 08 0001 00 0001 'a' 00 >00"],
  ['SUBSCRIBE before MQTT 5.0', "82 07 0001 0001 'a' 00 >00", early],
  ['UNSUBSCRIBE', "a2 07 0001 00 0001 'a' >00"],
  ['UNSUBSCRIBE before MQTT 5.0', "a2 06 0001 0001 'a' >00", early],
  ['UNSUBACK before MQTT 5.0', 'b0 03 0001 >00', early],
  ['PINGREQ', 'c0 01 >00', all],
  ['PINGRESP', 'd0 01 >00', all],
  ['DISCONNECT', 'e0 03 00 00 >00'],
  ['DISCONNECT before MQTT 5.0', 'e0 01 >00', early],
  ['AUTH', "f0 07 18 04 15 0001 'M' >00"],
] as const).map(([packet, bytes, versions = [bytes.includes("'MQIsdp'") ? 3 : 5]]) => ({ name: `a byte behind ${packet}`, bytes, ...tooShort, versions }))

// biome-ignore format: a table
const cutShort: readonly Refusal[] = ([
  ['CONNECT without anything', '10 00 >', undefined],
  ['CONNECT with half a Protocol Name', "10 04 0004 >'MQ'", undefined],
  ['CONNECT without Protocol Version', "10 06 0004 'MQTT' >", undefined],
  ['CONNECT without Connect Flags', v5('>'), undefined],
  ['CONNECT with half a Keep Alive', v5('02 >00'), undefined],
  ['CONNECT without Property Length', v5('02 0000 >'), undefined],
  ['CONNECT without Client Identifier', v5('02 0000 00 >'), 'MQTT-3.1.3-3'],
  ['CONNECT of MQTT 3.1.1 without Client Identifier', v4('02 0000 >'), '3.1.1 MQTT-3.1.3-3'],
  ['CONNECT with a Will Flag and no Will Properties', v5('06 0000 00 0000 >'), 'MQTT-3.1.2-9'],
  ['CONNECT with a Will Flag and no Will Topic', v5('06 0000 00 0000 00 >'), 'MQTT-3.1.2-9'],
  ['CONNECT with a Will Flag and no Will Payload', v5("06 0000 00 0000 00 0001 't' >"), 'MQTT-3.1.2-9'],
  ['CONNECT with a User Name Flag and no User Name', v5('82 0000 00 0000 >'), 'MQTT-3.1.2-17'],
  ['CONNECT with a Password Flag and no Password', v5("c2 0000 00 0000 0001 'u' >"), 'MQTT-3.1.2-19'],
  ['CONNECT of MQTT 3.1.1 with a Will Flag and no Will', v4('06 0000 0000 >'), '3.1.1 MQTT-3.1.2-9'],
  ['CONNECT of MQTT 3.1.1 with a User Name Flag and no User Name', v4('82 0000 0000 >'), '3.1.1 MQTT-3.1.2-19'],
  ['CONNECT of MQTT 3.1.1 with a Password Flag and no Password', v4("c2 0000 0000 0001 'u' >"), '3.1.1 MQTT-3.1.2-21'],
  ['CONNACK without anything', '20 00 >', undefined],
  ['CONNACK without Reason Code', '20 01 00 >', undefined],
  ['CONNACK without Property Length', '20 02 00 00 >', 'MQTT-2.2.2-1'],
  ['PUBLISH without anything', '30 00 >', 'MQTT-3.3.2-1'],
  ['PUBLISH with half a length', '30 01 >00', undefined],
  ['PUBLISH with a Topic Name past its end', "30 04 0003 >'aa'", undefined],
  ['PUBLISH without Packet Identifier', "32 03 0001 'a' >", undefined],
  ['PUBLISH with half a Packet Identifier', "34 04 0001 'a' >00", undefined],
  ['PUBLISH without Property Length', "30 03 0001 'a' >", 'MQTT-2.2.2-1'],
  ['PUBLISH with half a Property Length', "30 04 0001 'a' 80 >", undefined],
  ['PUBLISH with properties past its end', "30 04 0001 'a' 01 >", undefined],
  ['PUBACK without anything', '40 00 >', undefined],
  ['PUBREC with half a Packet Identifier', '50 01 >00', undefined],
  ['PUBREL with half a Packet Identifier', '62 01 >00', undefined],
  ['PUBCOMP with half a Packet Identifier', '70 01 >00', undefined],
  ['PUBACK with half a property', '40 05 0001 00 01 1f >', undefined],
  ['SUBSCRIBE without anything', '82 00 >', undefined],
  ['SUBSCRIBE without Property Length', '82 02 0001 >', 'MQTT-2.2.2-1'],
  ['SUBSCRIBE with a Topic Filter past its end', "82 06 0001 00 0002 >'a'", undefined],
  ['SUBSCRIBE without Subscription Options', "82 06 0001 00 0001 'a' >", 'MQTT-3.8.3-2'],
  ['SUBACK without anything', '90 00 >', undefined],
  ['UNSUBSCRIBE without anything', 'a2 00 >', undefined],
  ['UNSUBSCRIBE with half a length', 'a2 04 0001 00 >00', undefined],
  ['UNSUBACK without anything', 'b0 00 >', undefined],
  ['DISCONNECT with properties past its end', 'e0 02 00 01 >', undefined],
  ['AUTH without Property Length', 'f0 01 18 >', 'MQTT-2.2.2-1'],
] as const).map(([name, bytes, also]) => ({ name, bytes, ...tooShort, ...(also !== undefined && { also }) }))

// biome-ignore format: a table
const connect: readonly Refusal[] = [
  { name: 'no Protocol Name', bytes: '10 0b 0000 >05 02 0000 00 0000 0000', reasonCode: UnsupportedProtocolVersion, statement: 'MQTT-3.1.2-1' },
  { name: 'another Protocol Name', bytes: "10 0d 0004 >'MQTV' 05 02 0000 00 0000", reasonCode: UnsupportedProtocolVersion, statement: 'MQTT-3.1.2-1', also: '3.1.1 MQTT-3.1.2-1' },
  { name: 'a Protocol Name in small letters', bytes: "10 0d 0004 >'mqtt' 05 02 0000 00 0000", reasonCode: UnsupportedProtocolVersion, statement: 'MQTT-3.1.2-1' },
  { name: 'a longer Protocol Name', bytes: "10 0e 0005 >'MQTT ' 05 02 0000 00 0000", reasonCode: UnsupportedProtocolVersion, statement: 'MQTT-3.1.2-1' },
  { name: 'another Protocol Version', bytes: "10 0d 0004 'MQTT' >06 02 0000 00 0000", reasonCode: UnsupportedProtocolVersion, statement: 'MQTT-3.1.2-2', also: '3.1.1 MQTT-3.1.2-2' },
  { name: 'Protocol Version 0', bytes: "10 0d 0004 'MQTT' >00 02 0000 00 0000", reasonCode: UnsupportedProtocolVersion, statement: 'MQTT-3.1.2-2' },
  { name: 'Protocol Version 3 of MQTT', bytes: "10 0c 0004 'MQTT' >03 02 0000 0000", reasonCode: UnsupportedProtocolVersion, statement: 'MQTT-3.1.2-2' },
  { name: 'Protocol Version 4 of MQIsdp', bytes: "10 0f 0006 'MQIsdp' >04 02 0000 0001 'a'", reasonCode: UnsupportedProtocolVersion, statement: 'MQTT-3.1.2-2' },
  { name: 'Protocol Version 5 of MQIsdp', bytes: "10 10 0006 'MQIsdp' >05 02 0000 00 0001 'a'", reasonCode: UnsupportedProtocolVersion, statement: 'MQTT-3.1.2-2' },
  { name: 'the Protocol Version of a bridge', bytes: "10 0c 0004 'MQTT' >84 02 0000 0000", reasonCode: UnsupportedProtocolVersion, statement: 'MQTT-3.1.2-2' },
  { name: 'the reserved Connect Flag', bytes: v5('>03 0000 00 0000'), reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-3', also: 'PE-3.1.2.3-1' },
  { name: 'the reserved Connect Flag of MQTT 3.1.1', bytes: v4('>03 0000 0000'), reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-3', also: '3.1.1 MQTT-3.1.2-3' },
  { name: 'the reserved Connect Flag of MQTT 3.1', bytes: v3(">01 0000 0001 'a'"), reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-3' },
  { name: 'Will QoS 1 without Will', bytes: v5('>0a 0000 00 0000'), reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-11' },
  { name: 'Will QoS 2 without Will', bytes: v4('>12 0000 0000'), reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-11', also: '3.1.1 MQTT-3.1.2-11, 3.1.1 MQTT-3.1.2-13' },
  { name: 'Will QoS 3', bytes: v5(">1e 0000 00 0000 00 0001 't' 0000"), reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-12', also: 'PE-3.1.2.6-1' },
  { name: 'Will QoS 3 of MQTT 3.1.1', bytes: v4(">1e 0000 0000 0001 't' 0000"), reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-12', also: '3.1.1 MQTT-3.1.2-14' },
  { name: 'Will QoS 3 without Will', bytes: v5('>1a 0000 00 0000'), reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-12' },
  { name: 'Will Retain without Will', bytes: v5('>22 0000 00 0000'), reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-13' },
  { name: 'Will Retain without Will in MQTT 3.1.1', bytes: v4('>22 0000 0000'), reasonCode: MalformedPacket, statement: 'MQTT-3.1.2-13', also: '3.1.1 MQTT-3.1.2-11, 3.1.1 MQTT-3.1.2-15' },
  { name: 'a Will without Will Flag', bytes: v5("02 0000 00 0000 >00 0001 't' 0000"), ...tooShort },
  { name: 'a Will without Will Flag in MQTT 3.1.1', bytes: v4("02 0000 0000 >0001 't' 0000"), ...tooShort, also: '3.1.1 MQTT-3.1.2-11' },
  { name: 'a User Name without User Name Flag', bytes: v5("02 0000 00 0000 >0001 'u'"), ...tooShort, also: 'MQTT-3.1.2-16' },
  { name: 'a User Name without User Name Flag in MQTT 3.1.1', bytes: v4("02 0000 0000 >0001 'u'"), ...tooShort, also: '3.1.1 MQTT-3.1.2-18' },
  { name: 'a Password without Password Flag', bytes: v5("82 0000 00 0000 0001 'u' >0001 'p'"), ...tooShort, also: 'MQTT-3.1.2-18' },
  { name: 'a Password without Password Flag in MQTT 3.1.1', bytes: v4("82 0000 0000 0001 'u' >0001 'p'"), ...tooShort, also: '3.1.1 MQTT-3.1.2-20' },
  { name: 'a Password without User Name in MQTT 3.1.1', bytes: v4('>42 0000 0000 0000'), reasonCode: MalformedPacket, statement: '3.1.1 MQTT-3.1.2-22' },
  { name: 'a Password without User Name in MQTT 3.1', bytes: v3(">42 0000 0001 'a' 0000"), reasonCode: MalformedPacket, statement: '3.1.1 MQTT-3.1.2-22' },
  { name: 'no Client Identifier to keep a Session of MQTT 3.1.1 by', bytes: v4('00 0000 0000 >'), reasonCode: ClientIdentifierNotValid, statement: '3.1.1 MQTT-3.1.3-8', also: '3.1.1 MQTT-3.1.3-7' },
  { name: 'no Client Identifier of MQTT 3.1', bytes: v3('02 0000 0000 >'), reasonCode: ClientIdentifierNotValid, statement: '3.1 CONNECT' },
  { name: 'a Client Identifier of 24 characters in MQTT 3.1', bytes: v3("02 0000 0018 >'abcdefghijklmnopqrstuvwx'"), reasonCode: ClientIdentifierNotValid, statement: '3.1 CONNECT' },
  { name: 'a Will Topic with #', bytes: v5("06 0000 00 0000 00 0001 >'#' 0000"), reasonCode: MalformedPacket, statement: 'MQTT-4.7.0-1' },
  { name: 'a Will Topic with +', bytes: v4("06 0000 0000 0003 >'a/+' 0000"), reasonCode: MalformedPacket, statement: 'MQTT-4.7.0-1', also: '3.1.1 MQTT-4.7.1-1' },
  { name: 'an empty Will Topic', bytes: v5('06 0000 00 0000 00 0000 >0000'), reasonCode: MalformedPacket, statement: 'MQTT-4.7.3-1' },
  { name: 'an empty Will Topic in MQTT 3.1.1', bytes: v4('06 0000 0000 0000 >0000'), reasonCode: MalformedPacket, statement: 'MQTT-4.7.3-1', also: '3.1.1 MQTT-4.7.3-1' },
  { name: 'a Response Topic of a Will with #', bytes: v5("06 0000 00 0000 06 08 0003 >'a/#' 0001 't' 0000"), reasonCode: MalformedPacket, statement: 'MQTT-3.3.2-14' },
  { name: 'an empty Response Topic of a Will', bytes: v5("06 0000 00 0000 03 08 0000 >0001 't' 0000"), reasonCode: MalformedPacket, statement: 'MQTT-4.7.3-1' },
  { name: 'Authentication Data without Authentication Method', bytes: v5("02 0000 04 16 0001 >'a' 0000"), reasonCode: ProtocolError, statement: '3.1.2.11.10', also: 'PE-3.1.2.11.10-1' },
]

// biome-ignore format: a table
const others: readonly Refusal[] = [
  ...[0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80].map((bit) => ({ name: `CONNACK flag ${bit}`, bytes: `20 03 >${bit.toString(16).padStart(2, '0')} 00 00`, reasonCode: MalformedPacket, statement: 'MQTT-3.2.2-1' })),
  { name: 'a CONNACK flag of MQTT 3.1.1', bytes: '20 02 >03 00', reasonCode: MalformedPacket, statement: 'MQTT-3.2.2-1', versions: early },
  { name: 'Session Present in MQTT 3.1, which has none', bytes: '20 02 >01 00', reasonCode: MalformedPacket, statement: 'MQTT-3.2.2-1', versions: [3] },
  { name: 'Session Present with a refusal', bytes: '20 03 01 >87 00', reasonCode: ProtocolError, statement: 'MQTT-3.2.2-6' },
  { name: 'Session Present with a refusal in MQTT 3.1.1', bytes: '20 02 01 >05', reasonCode: ProtocolError, statement: 'MQTT-3.2.2-6', also: '3.1.1 MQTT-3.2.2-4', versions: [4] },
  ...['36', '37', '3e', '3f'].map((first) => ({ name: `QoS 3 in a first byte of ${first}`, bytes: `>${first} 06 0001 'a' 0001 00`, reasonCode: MalformedPacket, statement: 'MQTT-3.3.1-4', also: '3.1.1 MQTT-3.3.1-4, PE-3.3.1.2-1', versions: all })),
  ...['38', '39'].map((first) => ({ name: `DUP with QoS 0 in a first byte of ${first}`, bytes: `>${first} 04 0001 'a' 00`, reasonCode: MalformedPacket, statement: 'MQTT-3.3.1-2', also: '3.1.1 MQTT-3.3.1-2', versions: all })),
  ...['#', '+', 'a/#', '+/a', 'a+', 'a#b', '/////////////////////////////////////////////////////////////////+'].map((topic) => ({ name: `the Topic Name ${topic}`, bytes: `30 ${measured(`${counted(`'${topic}'`).slice(0, 4)} >'${topic}' 00`)}`, reasonCode: MalformedPacket, statement: 'MQTT-3.3.2-2', also: 'MQTT-4.7.0-1, 3.1.1 MQTT-3.3.2-2, 3.1.1 MQTT-4.7.1-1', versions: all })),
  { name: 'a Topic Name of two bytes a character with +', bytes: "30 06 0003 >c3a9 '+' 00", reasonCode: MalformedPacket, statement: 'MQTT-3.3.2-2', versions: all },
  { name: 'an empty Topic Name without alias', bytes: '30 03 0000 >00', reasonCode: ProtocolError, statement: '3.3.2.1', also: 'PE-3.3.2.1-1, PE-3.3.4-3, MQTT-4.7.3-1' },
  { name: 'an empty Topic Name with other properties than an alias', bytes: '30 05 0000 >02 01 00', reasonCode: ProtocolError, statement: '3.3.2.1', also: 'PE-3.3.2.1-1' },
  { name: 'an empty Topic Name at QoS 1', bytes: '32 06 0000 >0001 00 00', reasonCode: ProtocolError, statement: '3.3.2.1', also: 'PE-3.3.2.1-1' },
  { name: 'an empty Topic Name before MQTT 5.0', bytes: '30 03 0000 >00', reasonCode: MalformedPacket, statement: 'MQTT-4.7.3-1', also: '3.1.1 MQTT-4.7.3-1', versions: early },
  { name: 'Topic Alias 0', bytes: "30 07 0001 'a' 03 23 >0000", reasonCode: TopicAliasInvalid, statement: 'MQTT-3.3.2-8', also: 'PE-3.3.4-2' },
  { name: 'Topic Alias 0 in place of a topic', bytes: '30 06 0000 03 23 >0000', reasonCode: TopicAliasInvalid, statement: 'MQTT-3.3.2-8' },
  { name: 'a Response Topic with #', bytes: "30 08 0001 'a' 04 08 0001 >'#'", reasonCode: MalformedPacket, statement: 'MQTT-3.3.2-14' },
  { name: 'a Response Topic with +', bytes: "30 0a 0001 'a' 06 08 0003 >'a/+'", reasonCode: MalformedPacket, statement: 'MQTT-3.3.2-14' },
  { name: 'an empty Response Topic', bytes: "30 08 0001 'a' 03 08 0000 >00", reasonCode: MalformedPacket, statement: 'MQTT-4.7.3-1' },
  ...[['PUBLISH at QoS 1', "32 06 0001 'a' >0000 00"], ['PUBLISH at QoS 2', "34 06 0001 'a' >0000 00"], ['PUBACK', '40 02 >0000'], ['PUBREC', '50 02 >0000'], ['PUBREL', '62 02 >0000'], ['PUBCOMP', '70 02 >0000']]
    .map(([packet, bytes]) => ({ name: `Packet Identifier 0 of ${packet}`, bytes: bytes!, reasonCode: ProtocolError, statement: 'MQTT-2.2.1-3', also: 'MQTT-2.2.1-4, 3.1.1 MQTT-2.3.1-1', versions: all })),
  ...[['SUBSCRIBE', "82 07 >0000 00 0001 'a' 00"], ['SUBACK', '90 04 >0000 00 00'], ['UNSUBSCRIBE', "a2 06 >0000 00 0001 'a'"], ['UNSUBACK', 'b0 04 >0000 00 00']]
    .map(([packet, bytes]) => ({ name: `Packet Identifier 0 of ${packet}`, bytes: bytes!, reasonCode: ProtocolError, statement: 'MQTT-2.2.1-3' })),
  ...[['SUBSCRIBE', "82 06 >0000 0001 'a' 00"], ['SUBACK', '90 03 >0000 00'], ['UNSUBSCRIBE', "a2 05 >0000 0001 'a'"], ['UNSUBACK', 'b0 02 >0000']]
    .map(([packet, bytes]) => ({ name: `Packet Identifier 0 of ${packet} before MQTT 5.0`, bytes: bytes!, reasonCode: ProtocolError, statement: 'MQTT-2.2.1-3', also: '3.1.1 MQTT-2.3.1-1', versions: early })),
  { name: 'SUBSCRIBE without Topic Filter', bytes: '82 03 0001 00 >', reasonCode: ProtocolError, statement: 'MQTT-3.8.3-2', also: 'PE-3.8.3-1' },
  { name: 'SUBSCRIBE without Topic Filter before MQTT 5.0', bytes: '82 02 >0001', reasonCode: ProtocolError, statement: 'MQTT-3.8.3-2', also: '3.1.1 MQTT-3.8.3-3', versions: early },
  { name: 'UNSUBSCRIBE without Topic Filter', bytes: 'a2 03 0001 00 >', reasonCode: ProtocolError, statement: 'MQTT-3.10.3-2', also: 'PE-3.10.3-1' },
  { name: 'UNSUBSCRIBE without Topic Filter before MQTT 5.0', bytes: 'a2 02 >0001', reasonCode: ProtocolError, statement: 'MQTT-3.10.3-2', also: '3.1.1 MQTT-3.10.3-2', versions: early },
  { name: 'SUBACK without Reason Code', bytes: '90 03 0001 00 >', reasonCode: ProtocolError, statement: 'MQTT-3.8.4-6' },
  { name: 'SUBACK without return code before MQTT 5.0', bytes: '90 02 >0001', reasonCode: ProtocolError, statement: 'MQTT-3.8.4-6', also: '3.1.1 MQTT-3.8.4-5', versions: early },
  { name: 'UNSUBACK without Reason Code', bytes: 'b0 03 0001 00 >', reasonCode: ProtocolError, statement: 'MQTT-3.11.3-2' },
  ...['40', '80', 'c0', '41'].map((options) => ({ name: `Subscription Options ${options}`, bytes: `82 07 0001 00 0001 'a' >${options}`, reasonCode: MalformedPacket, statement: 'MQTT-3.8.3-5' })),
  ...['04', '08', '10', '20', '40', '80', '06'].map((options) => ({ name: `a Requested QoS of ${options}`, bytes: `82 06 0001 0001 'a' >${options}`, reasonCode: MalformedPacket, statement: '3.1.1 MQTT-3.8.3-4', versions: early })),
  ...['03', '07', '2f'].map((options) => ({ name: `a Maximum QoS of 3 in Subscription Options ${options}`, bytes: `82 07 0001 00 0001 'a' >${options}`, reasonCode: ProtocolError, statement: '3.8.3.1', also: 'PE-3.8.3.1-1' })),
  { name: 'a Requested QoS of 3', bytes: "82 06 0001 0001 'a' >03", reasonCode: MalformedPacket, statement: '3.1.1 MQTT-3.8.3-4', versions: early },
  ...['30', '32', '3e'].map((options) => ({ name: `Retain Handling 3 in Subscription Options ${options}`, bytes: `82 07 0001 00 0001 'a' >${options}`, reasonCode: ProtocolError, statement: '3.8.3.1', also: 'PE-3.8.3.1-2' })),
  { name: 'the options of the second Topic Filter', bytes: "82 0b 0001 00 0001 'a' 00 0001 'b' >03", reasonCode: ProtocolError, statement: '3.8.3.1' },
  ...['04', '2e'].map((options) => ({ name: `No Local on a Shared Subscription in Subscription Options ${options}`, bytes: `82 10 0001 00 000a '$share/g/a' >${options}`, reasonCode: ProtocolError, statement: 'MQTT-3.8.3-4' })),
  { name: 'AUTH without Authentication Method', bytes: 'f0 02 18 00 >', reasonCode: ProtocolError, statement: '3.15.2.2.2', also: 'PE-3.15.2.2.2-1' },
  { name: 'AUTH with other properties than an Authentication Method', bytes: 'f0 05 19 03 1f 0000 >', reasonCode: ProtocolError, statement: '3.15.2.2.2', also: 'PE-3.15.2.2.2-1' },
]

// biome-ignore format: a table
const badFilters = [
  ['', 'MQTT-4.7.3-1', '3.1.1 MQTT-4.7.3-1'],
  ['#/', 'MQTT-4.7.1-1', '3.1.1 MQTT-4.7.1-2'],
  ['#/a', 'MQTT-4.7.1-1', '3.1.1 MQTT-4.7.1-2'],
  ['##', 'MQTT-4.7.1-1', '3.1.1 MQTT-4.7.1-2'],
  ['a#', 'MQTT-4.7.1-1', '3.1.1 MQTT-4.7.1-2'],
  ['a/b#', 'MQTT-4.7.1-1', '3.1.1 MQTT-4.7.1-2'],
  ['a/#/b', 'MQTT-4.7.1-1', '3.1.1 MQTT-4.7.1-2'],
  ['a/#b', 'MQTT-4.7.1-1', '3.1.1 MQTT-4.7.1-2'],
  ['a+', 'MQTT-4.7.1-2', '3.1.1 MQTT-4.7.1-3'],
  ['+a', 'MQTT-4.7.1-2', '3.1.1 MQTT-4.7.1-3'],
  ['++', 'MQTT-4.7.1-2', '3.1.1 MQTT-4.7.1-3'],
  ['a/+b/c', 'MQTT-4.7.1-2', '3.1.1 MQTT-4.7.1-3'],
  ['a/b+', 'MQTT-4.7.1-2', '3.1.1 MQTT-4.7.1-3'],
  ['+#', 'MQTT-4.7.1-2', '3.1.1 MQTT-4.7.1-3'],
] as const

// biome-ignore format: a table
const badShared = [
  ['$share/', 'MQTT-4.8.2-1'],
  ['$share//', 'MQTT-4.8.2-1'],
  ['$share//a', 'MQTT-4.8.2-1'],
  ['$share/g', 'MQTT-4.8.2-2'],
  ['$share/g/', 'MQTT-4.8.2-2'],
  ['$share/+/a', 'MQTT-4.8.2-2'],
  ['$share/#/a', 'MQTT-4.8.2-2'],
  ['$share/#', 'MQTT-4.8.2-2'],
  ['$share/g+/a', 'MQTT-4.8.2-2'],
  ['$share/g#', 'MQTT-4.8.2-2'],
  ['$share/g/a#', 'MQTT-4.7.1-1'],
  ['$share/g/#/a', 'MQTT-4.7.1-1'],
  ['$share/g/a+', 'MQTT-4.7.1-2'],
] as const

const topicFilters: readonly Refusal[] = [...badFilters, ...badShared].flatMap(([filter, statement, also]) => {
  const field = `${counted(`'${filter}'`).slice(0, 4)} >'${filter}'`
  const refusal = { reasonCode: MalformedPacket, statement, ...(also !== undefined && { also }) }
  const name = `the Topic Filter ${filter === '' ? 'that is empty' : filter}`
  const packets = [
    { ...refusal, name: `${name} of SUBSCRIBE`, bytes: `82 ${measured(`0001 00 0001 'a' 00 ${field} 00`)}` },
    { ...refusal, name: `${name} of UNSUBSCRIBE`, bytes: `a2 ${measured(`0001 00 0001 'a' ${field}`)}` },
  ]
  if (also === undefined) return packets
  return [
    ...packets,
    { ...packets[0]!, bytes: `82 ${measured(`0001 ${field} 00`)}`, versions: early },
    { ...packets[1]!, bytes: `a2 ${measured(`0001 ${field}`)}`, versions: early },
  ]
})

export const packets: readonly Refusal[] = [
  ...fixedHeader,
  ...trailing,
  ...cutShort,
  ...connect,
  ...others,
  ...topicFilters,
]
