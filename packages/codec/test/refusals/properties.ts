/** Table 2-4 of the standard once more: the properties, and the packets that may carry them. */

import { measured } from '../bytes.js'

interface Carrier {
  /** The section of its properties. */
  readonly section: string
  /** The packet with this Property Length and these properties. */
  make(block: string): string
}

/** All that has properties, the Will among them. */
export const carriers = {
  connect: { section: '3.1.2.11', make: (block) => `10 ${measured(`0004 'MQTT' 05 02 0000 ${block} 0000`)}` },
  will: {
    section: '3.1.3.2',
    make: (block) => `10 ${measured(`0004 'MQTT' 05 06 0000 00 0000 ${block} 0001 't' 0000`)}`,
  },
  connack: { section: '3.2.2.3', make: (block) => `20 ${measured(`00 00 ${block}`)}` },
  publish: { section: '3.3.2.3', make: (block) => `30 ${measured(`0001 't' ${block}`)}` },
  puback: { section: '3.4.2.2', make: (block) => `40 ${measured(`0001 00 ${block}`)}` },
  pubrec: { section: '3.5.2.2', make: (block) => `50 ${measured(`0001 00 ${block}`)}` },
  pubrel: { section: '3.6.2.2', make: (block) => `62 ${measured(`0001 00 ${block}`)}` },
  pubcomp: { section: '3.7.2.2', make: (block) => `70 ${measured(`0001 00 ${block}`)}` },
  subscribe: { section: '3.8.2.1', make: (block) => `82 ${measured(`0001 ${block} 0001 'a' 00`)}` },
  suback: { section: '3.9.2.1', make: (block) => `90 ${measured(`0001 ${block} 00`)}` },
  unsubscribe: { section: '3.10.2.1', make: (block) => `a2 ${measured(`0001 ${block} 0001 'a'`)}` },
  unsuback: { section: '3.11.2.1', make: (block) => `b0 ${measured(`0001 ${block} 00`)}` },
  disconnect: { section: '3.14.2.2', make: (block) => `e0 ${measured(`00 ${block}`)}` },
  auth: { section: '3.15.2.2', make: (block) => `f0 ${measured(`18 ${block}`)}` },
} as const satisfies Record<string, Carrier>

export type CarrierName = keyof typeof carriers

/** What must stand before the property in that packet: AUTH always has an Authentication Method. */
export function before(carrier: CarrierName, id: string): string {
  if (carrier === 'auth' && id !== '15') return "15 0001 'M'"
  return id === '16' && carrier === 'connect' ? "15 0001 'M'" : ''
}

interface Row {
  readonly id: string
  readonly name: string
  /** A value that it may have, with `>` before its last field. */
  readonly value: string
  /** Values that it may not have. */
  readonly wrong?: readonly string[]
  /** Whether it may come again in a packet. */
  readonly repeats?: readonly CarrierName[]
  /** The packets that may carry it, with the statement that it comes once. */
  readonly in: Partial<Record<CarrierName, string>>
}

const string = "0002 >'ab'"
const flag = { value: '>01', wrong: ['>02', '>ff'] } as const

// biome-ignore format: a table
export const properties: readonly Row[] = [
  { id: '01', name: 'Payload Format Indicator', ...flag, in: { publish: '', will: 'PE-3.1.3.2.3-1' } },
  { id: '02', name: 'Message Expiry Interval', value: '>00000000', in: { publish: '', will: 'PE-3.1.3.2.4-1' } },
  { id: '03', name: 'Content Type', value: string, in: { publish: 'PE-3.3.2.3.9-1', will: 'PE-3.1.3.2.5-1' } },
  { id: '08', name: 'Response Topic', value: string, in: { publish: 'PE-3.3.2.3.5-1', will: 'PE-3.1.3.2.6-1' } },
  { id: '09', name: 'Correlation Data', value: '0001 >00', in: { publish: 'PE-3.3.2.3.6-1', will: 'PE-3.1.3.2.7-1' } },
  { id: '0b', name: 'Subscription Identifier', value: '>01', wrong: ['>00'], repeats: ['publish'], in: { publish: 'PE-3.3.2.3.8-1', subscribe: 'PE-3.8.2.1.2-2' } },
  { id: '11', name: 'Session Expiry Interval', value: '>ffffffff', in: { connect: 'PE-3.1.2.11.2-1', connack: 'PE-3.2.2.3.2-1', disconnect: 'PE-3.14.2.2.2-1' } },
  { id: '12', name: 'Assigned Client Identifier', value: string, in: { connack: 'PE-3.2.2.3.7-1' } },
  { id: '13', name: 'Server Keep Alive', value: '>0000', in: { connack: 'PE-3.2.2.3.14-1' } },
  { id: '15', name: 'Authentication Method', value: string, in: { connect: 'PE-3.1.2.11.9-1', connack: 'PE-3.2.2.3.17-1', auth: 'PE-3.15.2.2.2-1' } },
  { id: '16', name: 'Authentication Data', value: '0001 >ff', in: { connect: 'PE-3.1.2.11.10-2', connack: 'PE-3.2.2.3.18-1', auth: 'PE-3.15.2.2.3-1' } },
  { id: '17', name: 'Request Problem Information', ...flag, in: { connect: 'PE-3.1.2.11.7-1' } },
  { id: '18', name: 'Will Delay Interval', value: '>00000000', in: { will: 'PE-3.1.3.2.2-1' } },
  { id: '19', name: 'Request Response Information', ...flag, in: { connect: 'PE-3.1.2.11.6-1' } },
  { id: '1a', name: 'Response Information', value: string, in: { connack: 'PE-3.2.2.3.15-1' } },
  { id: '1c', name: 'Server Reference', value: string, in: { connack: 'PE-3.2.2.3.16-1', disconnect: 'PE-3.14.2.2.5-1' } },
  { id: '1f', name: 'Reason String', value: string, in: { connack: 'PE-3.2.2.3.9-1', puback: 'PE-3.4.2.2.2-1', pubrec: 'PE-3.5.2.2.2-1', pubrel: 'PE-3.6.2.2.2-1', pubcomp: 'PE-3.7.2.2.2-1', suback: 'PE-3.9.2.1.2-1', unsuback: 'PE-3.11.2.1.2-1', disconnect: 'PE-3.14.2.2.3-1', auth: 'PE-3.15.2.2.4-1' } },
  { id: '21', name: 'Receive Maximum', value: '>0001', wrong: ['>0000'], in: { connect: 'PE-3.1.2.11.3-1', connack: 'PE-3.2.2.3.3-1' } },
  { id: '22', name: 'Topic Alias Maximum', value: '>0000', in: { connect: 'PE-3.1.2.11.5-1', connack: 'PE-3.2.2.3.8-1' } },
  { id: '23', name: 'Topic Alias', value: '>0001', in: { publish: 'PE-3.3.2.3.4-1' } },
  { id: '24', name: 'Maximum QoS', ...flag, in: { connack: 'PE-3.2.2.3.4-1' } },
  { id: '25', name: 'Retain Available', ...flag, in: { connack: 'PE-3.2.2.3.5-1' } },
  { id: '26', name: 'User Property', value: "0001 'k' 0001 >'v'", repeats: ['connect', 'will', 'connack', 'publish', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'subscribe', 'suback', 'unsubscribe', 'unsuback', 'disconnect', 'auth'], in: { connect: '', will: '', connack: '', publish: '', puback: '', pubrec: '', pubrel: '', pubcomp: '', subscribe: '', suback: '', unsubscribe: '', unsuback: '', disconnect: '', auth: '' } },
  { id: '27', name: 'Maximum Packet Size', value: '>00000001', wrong: ['>00000000'], in: { connect: 'PE-3.1.2.11.4-1', connack: 'PE-3.2.2.3.6-1' } },
  { id: '28', name: 'Wildcard Subscription Available', ...flag, in: { connack: 'PE-3.2.2.3.11-1' } },
  { id: '29', name: 'Subscription Identifier Available', ...flag, in: { connack: 'PE-3.2.2.3.12-1' } },
  { id: '2a', name: 'Shared Subscription Available', ...flag, in: { connack: 'PE-3.2.2.3.13-1' } },
]
