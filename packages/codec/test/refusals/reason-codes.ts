/** Table 2-6 of the standard once more: the Reason Codes, by packet; and the return codes before MQTT 5.0. */

import type { ProtocolVersion } from '@tidewire/codec'

interface Row {
  readonly packet: string
  readonly statement: string
  readonly also?: string
  readonly versions: readonly ProtocolVersion[]
  readonly codes: readonly number[]
  /** The packet with the code in two hexadecimal digits. */
  make(code: string): string
}

const five = [5] as const
const publish = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
const unsubscribe = [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]

// biome-ignore format: a table
export const reasonCodes: readonly Row[] = [
  { packet: 'connack', statement: 'MQTT-3.2.2-8', versions: five, make: (code) => `20 03 00 >${code} 00`,
    codes: [0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f] },
  { packet: 'puback', statement: 'MQTT-3.4.2-1', versions: five, make: (code) => `40 03 0001 >${code}`, codes: publish },
  { packet: 'pubrec', statement: 'MQTT-3.5.2-1', versions: five, make: (code) => `50 03 0001 >${code}`, codes: publish },
  { packet: 'pubrel', statement: 'MQTT-3.6.2-1', versions: five, make: (code) => `62 03 0001 >${code}`, codes: [0x00, 0x92] },
  { packet: 'pubcomp', statement: 'MQTT-3.7.2-1', versions: five, make: (code) => `70 04 0001 >${code} 00`, codes: [0x00, 0x92] },
  { packet: 'suback', statement: 'MQTT-3.9.3-2', also: 'MQTT-3.8.4-7', versions: five, make: (code) => `90 05 0001 00 00 >${code}`,
    codes: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2] },
  { packet: 'unsuback', statement: 'MQTT-3.11.3-2', versions: five, make: (code) => `b0 05 0001 00 11 >${code}`, codes: unsubscribe },
  { packet: 'disconnect', statement: 'MQTT-3.14.2-1', versions: five, make: (code) => `e0 01 >${code}`,
    codes: [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2] },
  { packet: 'auth', statement: 'MQTT-3.15.2-1', versions: five, make: (code) => `f0 06 >${code} 04 15 0001 'M'`, codes: [0x00, 0x18, 0x19] },
  { packet: 'connack', statement: 'MQTT-3.2.2-8', also: '3.1.1 MQTT-3.2.2-6', versions: [3, 4], make: (code) => `20 02 00 >${code}`, codes: [0, 1, 2, 3, 4, 5] },
  { packet: 'suback', statement: 'MQTT-3.9.3-2', also: '3.1.1 MQTT-3.9.3-2', versions: [3, 4], make: (code) => `90 04 0001 00 >${code}`, codes: [0, 1, 2, 0x80] },
]
