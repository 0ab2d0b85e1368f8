/** SUBACK (section 3.9). */

import type { Vector } from './vector.js'

export const suback: readonly Vector[] = [
  {
    name: 'of one subscription',
    versions: [5],
    lines: [
      ['90', 'SUBACK'],
      ['04', 'Remaining Length'],
      ['0001', 'Packet Identifier: 1'],
      ['00', 'Property Length'],
      ['00', 'Reason Code: Granted QoS 0'],
    ],
    packet: { type: 'suback', packetId: 1, reasonCodes: [0], properties: {} },
  },
  {
    name: 'with every property and every Reason Code, in their order [MQTT-3.9.3-1]',
    versions: [5],
    lines: [
      ['90', 'SUBACK'],
      ['23', 'Remaining Length: 35'],
      ['ffff', 'Packet Identifier: 65,535'],
      ['14', 'Property Length: 20'],
      ["1f 0003 'why'", 'Reason String'],
      ["26 0001 'k' 0001 'v'", 'User Property: k = v'],
      ["26 0001 'a' 0001 'b'", 'User Property: a = b'],
      ['02', 'Reason Code: Granted QoS 2'],
      ['00', 'Reason Code: Granted QoS 0'],
      ['01', 'Reason Code: Granted QoS 1'],
      ['80', 'Reason Code: Unspecified error'],
      ['83', 'Reason Code: Implementation specific error'],
      ['87', 'Reason Code: Not authorized'],
      ['8f', 'Reason Code: Topic Filter invalid'],
      ['91', 'Reason Code: Packet Identifier in use'],
      ['97', 'Reason Code: Quota exceeded'],
      ['9e', 'Reason Code: Shared Subscriptions not supported'],
      ['a1', 'Reason Code: Subscription Identifiers not supported'],
      ['a2', 'Reason Code: Wildcard Subscriptions not supported'],
    ],
    packet: {
      type: 'suback',
      packetId: 65535,
      reasonCodes: [2, 0, 1, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
      properties: {
        reasonString: 'why',
        userProperty: [
          ['k', 'v'],
          ['a', 'b'],
        ],
      },
    },
  },
  {
    name: 'before MQTT 5.0, with every return code [3.1.1 MQTT-3.9.3-1, 3.1.1 MQTT-3.9.3-2]',
    versions: [3, 4],
    lines: [
      ['90', 'SUBACK'],
      ['06', 'Remaining Length'],
      ['0100', 'Packet Identifier: 256'],
      ['80', 'Return Code: failure'],
      ['02', 'Return Code: QoS 2'],
      ['01', 'Return Code: QoS 1'],
      ['00', 'Return Code: QoS 0'],
    ],
    packet: { type: 'suback', packetId: 256, reasonCodes: [0x80, 2, 1, 0], properties: {} },
  },
]
