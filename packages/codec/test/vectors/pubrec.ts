/** PUBREC (section 3.5). */

import type { Vector } from './vector.js'

export const pubrec: readonly Vector[] = [
  {
    name: 'of success, in its short form',
    versions: [3, 4, 5],
    lines: [
      ['50', 'PUBREC'],
      ['02', 'Remaining Length'],
      ['0001', 'Packet Identifier: 1'],
    ],
    packet: { type: 'pubrec', packetId: 1, reasonCode: 0, properties: {} },
  },
  {
    name: 'of the largest Packet Identifier',
    versions: [3, 4, 5],
    lines: [
      ['50', 'PUBREC'],
      ['02', 'Remaining Length'],
      ['ffff', 'Packet Identifier: 65,535'],
    ],
    packet: { type: 'pubrec', packetId: 65535, reasonCode: 0, properties: {} },
  },
  {
    name: 'with a Reason Code alone',
    versions: [5],
    lines: [
      ['50', 'PUBREC'],
      ['03', 'Remaining Length'],
      ['1234', 'Packet Identifier: 4,660'],
      ['97', 'Reason Code: Quota exceeded'],
    ],
    packet: { type: 'pubrec', packetId: 0x1234, reasonCode: 0x97, properties: {} },
  },
  {
    name: 'with every property',
    versions: [5],
    lines: [
      ['50', 'PUBREC'],
      ['17', 'Remaining Length: 23'],
      ['0100', 'Packet Identifier: 256'],
      ['97', 'Reason Code: Quota exceeded'],
      ['13', 'Property Length: 19'],
      ["1f 0002 'so'", 'Reason String'],
      ["26 0001 'k' 0001 'v'", 'User Property: k = v'],
      ["26 0001 'k' 0001 'w'", 'User Property: k = w'],
    ],
    packet: {
      type: 'pubrec',
      packetId: 256,
      reasonCode: 0x97,
      properties: {
        reasonString: 'so',
        userProperty: [
          ['k', 'v'],
          ['k', 'w'],
        ],
      },
    },
  },
  {
    name: 'of success with a property',
    versions: [5],
    lines: [
      ['50', 'PUBREC'],
      ['07', 'Remaining Length'],
      ['0001', 'Packet Identifier: 1'],
      ['00', 'Reason Code: Success'],
      ['03', 'Property Length'],
      ['1f 0000', 'Reason String: empty'],
    ],
    packet: { type: 'pubrec', packetId: 1, reasonCode: 0, properties: { reasonString: '' } },
  },
  {
    name: 'with a Reason Code of success that could be left out',
    versions: [5],
    lines: [
      ['50', 'PUBREC'],
      ['03', 'Remaining Length'],
      ['0001', 'Packet Identifier: 1'],
      ['00', 'Reason Code: Success'],
    ],
    packet: { type: 'pubrec', packetId: 1, reasonCode: 0, properties: {} },
    decodeOnly: true,
  },
  {
    name: 'with a Property Length of 0 that could be left out',
    versions: [5],
    lines: [
      ['50', 'PUBREC'],
      ['04', 'Remaining Length'],
      ['0001', 'Packet Identifier: 1'],
      ['97', 'Reason Code: Quota exceeded'],
      ['00', 'Property Length'],
    ],
    packet: { type: 'pubrec', packetId: 1, reasonCode: 0x97, properties: {} },
    decodeOnly: true,
  },
]
