/** Every UTF-8 Encoded String of every packet, and what may and may not stand in one. */

import type { ProtocolVersion } from '@tidewire/codec'
import { fromHex, measured, toHex } from '../bytes.js'
import { before, type CarrierName, carriers, properties } from './properties.js'

export interface StringField {
  readonly name: string
  /** The statements that say that it is a string. */
  readonly ids?: string
  readonly versions: readonly ProtocolVersion[]
  /** Whether it is a Topic Name or Topic Filter. */
  readonly topic?: true
  /** The packet with this field, its length before it. */
  make(field: string): string
}

const early = [3, 4] as const
const pairs = 'MQTT-1.5.7-1, PE-1.5.7-1'

const ofPackets: readonly StringField[] = [
  {
    name: 'Client Identifier',
    ids: 'MQTT-3.1.3-4',
    versions: [5],
    make: (field) => `10 ${measured(`0004 'MQTT' 05 02 0000 00 ${field}`)}`,
  },
  {
    name: 'Client Identifier of MQTT 3.1.1',
    ids: '3.1.1 MQTT-3.1.3-4',
    versions: [4],
    make: (field) => `10 ${measured(`0004 'MQTT' 04 02 0000 ${field}`)}`,
  },
  {
    name: 'Client Identifier of MQTT 3.1',
    versions: [3],
    make: (field) => `10 ${measured(`0006 'MQIsdp' 03 02 0000 ${field}`)}`,
  },
  {
    name: 'Will Topic',
    ids: 'MQTT-3.1.3-11',
    versions: [5],
    topic: true,
    make: (field) => `10 ${measured(`0004 'MQTT' 05 06 0000 00 0000 00 ${field} 0000`)}`,
  },
  {
    name: 'Will Topic of MQTT 3.1.1',
    ids: '3.1.1 MQTT-3.1.3-10',
    versions: [4],
    topic: true,
    make: (field) => `10 ${measured(`0004 'MQTT' 04 06 0000 0000 ${field} 0000`)}`,
  },
  {
    name: 'User Name',
    ids: 'MQTT-3.1.3-12',
    versions: [5],
    make: (field) => `10 ${measured(`0004 'MQTT' 05 82 0000 00 0000 ${field}`)}`,
  },
  {
    name: 'User Name of MQTT 3.1.1',
    ids: '3.1.1 MQTT-3.1.3-11',
    versions: [4],
    make: (field) => `10 ${measured(`0004 'MQTT' 04 82 0000 0000 ${field}`)}`,
  },
  {
    name: 'Topic Name',
    ids: 'MQTT-3.3.2-1',
    versions: [5],
    topic: true,
    make: (field) => `30 ${measured(`${field} 00`)}`,
  },
  {
    name: 'Topic Name before MQTT 5.0',
    ids: '3.1.1 MQTT-3.3.2-1',
    versions: early,
    topic: true,
    make: (field) => `30 ${measured(field)}`,
  },
  {
    name: 'Topic Filter of SUBSCRIBE',
    ids: 'MQTT-3.8.3-1',
    versions: [5],
    topic: true,
    make: (field) => `82 ${measured(`0001 00 ${field} 00`)}`,
  },
  {
    name: 'second Topic Filter of SUBSCRIBE before MQTT 5.0',
    ids: '3.1.1 MQTT-3.8.3-1',
    versions: early,
    topic: true,
    make: (field) => `82 ${measured(`0001 0001 'a' 00 ${field} 00`)}`,
  },
  {
    name: 'second Topic Filter of UNSUBSCRIBE',
    ids: 'MQTT-3.10.3-1',
    versions: [5],
    topic: true,
    make: (field) => `a2 ${measured(`0001 00 0001 'a' ${field}`)}`,
  },
  {
    name: 'Topic Filter of UNSUBSCRIBE before MQTT 5.0',
    ids: '3.1.1 MQTT-3.10.3-1',
    versions: early,
    topic: true,
    make: (field) => `a2 ${measured(`0001 ${field}`)}`,
  },
]

const ofProperties: readonly StringField[] = properties
  .filter(({ value }) => value.includes("'"))
  .flatMap(({ id, name, in: packets }) =>
    (Object.keys(packets) as CarrierName[]).flatMap((carrier): StringField[] => {
      const { make } = carriers[carrier]
      const packet = (value: string): string => make(measured(`${before(carrier, id)} ${id} ${value}`))
      const versions = [5] as const
      if (id === '26') {
        return [
          { name: `name of a User Property of ${carrier}`, ids: pairs, versions, make: (f) => packet(`${f} 0000`) },
          { name: `value of a User Property of ${carrier}`, ids: pairs, versions, make: (f) => packet(`0000 ${f}`) },
        ]
      }
      const ids = { '03': 'MQTT-3.3.2-19', '08': 'MQTT-3.3.2-13' }[id]
      return [{ name: `${name} of ${carrier}`, ...(ids !== undefined && { ids }), versions, make: packet }]
    }),
  )

export const stringFields: readonly StringField[] = [...ofPackets, ...ofProperties]

/** A string with its length, and with `>` before its first byte. */
export function field(text: string): string {
  const { length } = fromHex(text)
  return `${toHex([length >> 8, length & 0xff])} >${text}`
}

/** Ill-formed UTF-8, by what is wrong with it. */
export const illFormed: Readonly<Record<string, string>> = {
  'a first surrogate': 'eda080',
  'a last surrogate': 'edbfbf',
  'a pair of surrogates': 'eda080 edb080',
  'a surrogate behind text': "'abc' edb080 'd'",
  'an overlong U+0000': 'c080',
  'an overlong slash': 'c0af',
  'an overlong U+007F': 'c1bf',
  'an overlong U+07FF': 'e09fbf',
  'an overlong U+FFFF': 'f08fbfbf',
  'a code point above U+10FFFF': 'f4908080',
  'a form of five bytes': 'f888808080',
  'a form of six bytes': 'fc8480808080',
  'a byte FE': 'fe',
  'a byte FF': "'a' ff 'b'",
  'a continuation alone': '80',
  'a continuation behind text': "'a' bf",
  'half a form of two bytes': 'c3',
  'half a form of two bytes before text': "c3 'a'",
  'a third of a form of three bytes': 'e6',
  'two thirds of a form of three bytes': "'a' e6bc",
  'half a form of four bytes': 'f09f',
  'three quarters of a form of four bytes': 'f09f98',
  'three quarters of a form of four bytes before text': "f09f98 'a'",
}

/** Text that holds U+0000. */
export const nulls: readonly string[] = ['00', "00 'a'", "'a' 00", "'a/' 00 '/b'", 'c3a9 00', '0000']

/** Text that the standard advises against. */
export const controls: readonly string[] = [
  ...Array.from({ length: 31 }, (_, index) => toHex([index + 1])),
  '7f',
  "'a' 07 'b'",
  'c3a9 0a',
  ...Array.from({ length: 32 }, (_, index) => toHex([0xc2, 0x80 + index])),
  'efb790', // U+FDD0
  'efb7af', // U+FDEF
  'efbfbe', // U+FFFE
  'efbfbf', // U+FFFF
  'f09fbfbe', // U+1FFFE
  'f48fbfbf', // U+10FFFF
]

/** Text at the edge of what is allowed. */
export const allowed: readonly string[] = [
  '20', // a blank
  '7e', // ~, the last of ASCII
  'c2a0', // U+00A0, the first above the controls
  'dfbf', // U+07FF
  'e0a080', // U+0800
  'ed9fbf', // U+D7FF, the last below the surrogates
  'ee8080', // U+E000, the first above them
  'efb78f', // U+FDCF
  'efb7b0', // U+FDF0
  'efbbbf', // U+FEFF, which is not stripped
  'efbbbf efbbbf', // two of them
  "'a' efbbbf",
  'efbfbd', // U+FFFD
  'f0908080', // U+10000
  'f09f9880', // 😀
  'f48fbfbd', // U+10FFFD, the last that is a character
]
