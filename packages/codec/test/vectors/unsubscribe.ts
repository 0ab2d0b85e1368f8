/** UNSUBSCRIBE (section 3.10). */

import type { Vector } from './vector.js'

export const unsubscribe: readonly Vector[] = [
  {
    name: 'from one Topic Filter [MQTT-3.10.3-1]',
    versions: [5],
    lines: [
      ['a2', 'UNSUBSCRIBE'],
      ['06', 'Remaining Length'],
      ['0001', 'Packet Identifier: 1'],
      ['00', 'Property Length'],
      ["0001 'a'", 'Topic Filter'],
    ],
    packet: { type: 'unsubscribe', packetId: 1, topicFilters: ['a'], properties: {} },
  },
  {
    name: 'with every property and several Topic Filters',
    versions: [5],
    lines: [
      ['a2', 'UNSUBSCRIBE'],
      ['2a', 'Remaining Length: 42'],
      ['ffff', 'Packet Identifier: 65,535'],
      ['0e', 'Property Length'],
      ["26 0001 'k' 0001 'v'", 'User Property: k = v'],
      ["26 0001 'k' 0001 'v'", 'User Property: k = v, once more'],
      ["000a '$share/g/+'", 'Topic Filter of a Shared Subscription'],
      ["0003 'a/#'", 'Topic Filter'],
      ['0006', 'Topic Filter of six bytes:'],
      ['efbbbf', 'U+FEFF'],
      ["'/'", '/'],
      ['c3a9', 'é'],
    ],
    packet: {
      type: 'unsubscribe',
      packetId: 65535,
      topicFilters: ['$share/g/+', 'a/#', '\ufeff/é'],
      properties: {
        userProperty: [
          ['k', 'v'],
          ['k', 'v'],
        ],
      },
    },
  },
  {
    name: 'before MQTT 5.0 [3.1.1 MQTT-3.10.3-1]',
    versions: [3, 4],
    lines: [
      ['a2', 'UNSUBSCRIBE'],
      ['0c', 'Remaining Length'],
      ['0100', 'Packet Identifier: 256'],
      ["0003 'a/+'", 'Topic Filter'],
      ["0003 '$sh'", 'Topic Filter'],
    ],
    packet: { type: 'unsubscribe', packetId: 256, topicFilters: ['a/+', '$sh'], properties: {} },
  },
  {
    name: 'of MQTT 3.1, sent again',
    versions: [3],
    lines: [
      ['aa', 'UNSUBSCRIBE DUP, QoS 1'],
      ['05', 'Remaining Length'],
      ['0001', 'Packet Identifier: 1'],
      ["0001 'a'", 'Topic Filter'],
    ],
    packet: { type: 'unsubscribe', packetId: 1, topicFilters: ['a'], properties: {} },
    decodeOnly: true,
  },
]
