/** UNSUBACK (section 3.11). */

import type { Vector } from './vector.js'

export const unsuback: readonly Vector[] = [
  {
    name: 'of one Topic Filter',
    versions: [5],
    lines: [
      ['b0', 'UNSUBACK'],
      ['04', 'Remaining Length'],
      ['0001', 'Packet Identifier: 1'],
      ['00', 'Property Length'],
      ['11', 'Reason Code: No subscription existed'],
    ],
    packet: { type: 'unsuback', packetId: 1, reasonCodes: [0x11], properties: {} },
  },
  {
    name: 'with every property and every Reason Code, in their order [MQTT-3.11.3-1]',
    versions: [5],
    lines: [
      ['b0', 'UNSUBACK'],
      ['1d', 'Remaining Length: 29'],
      ['ffff', 'Packet Identifier: 65,535'],
      ['13', 'Property Length: 19'],
      ["26 0001 'k' 0001 'v'", 'User Property: k = v'],
      ["26 0001 'k' 0001 'v'", 'User Property: k = v, once more'],
      ["1f 0002 'so'", 'Reason String'],
      ['91', 'Reason Code: Packet Identifier in use'],
      ['8f', 'Reason Code: Topic Filter invalid'],
      ['87', 'Reason Code: Not authorized'],
      ['83', 'Reason Code: Implementation specific error'],
      ['80', 'Reason Code: Unspecified error'],
      ['11', 'Reason Code: No subscription existed'],
      ['00', 'Reason Code: Success'],
    ],
    packet: {
      type: 'unsuback',
      packetId: 65535,
      reasonCodes: [0x91, 0x8f, 0x87, 0x83, 0x80, 0x11, 0],
      properties: {
        userProperty: [
          ['k', 'v'],
          ['k', 'v'],
        ],
        reasonString: 'so',
      },
    },
  },
  {
    name: 'before MQTT 5.0, where it has no Reason Codes',
    versions: [3, 4],
    lines: [
      ['b0', 'UNSUBACK'],
      ['02', 'Remaining Length'],
      ['8001', 'Packet Identifier: 32,769'],
    ],
    packet: { type: 'unsuback', packetId: 32769, reasonCodes: [], properties: {} },
  },
]
