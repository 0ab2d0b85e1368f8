/** DISCONNECT (section 3.14). */

import type { Vector } from './vector.js'

export const disconnect: readonly Vector[] = [
  {
    name: 'in its short form',
    versions: [3, 4, 5],
    lines: [
      ['e0', 'DISCONNECT'],
      ['00', 'Remaining Length'],
    ],
    packet: { type: 'disconnect', reasonCode: 0, properties: {} },
  },
  {
    name: 'with a Reason Code alone',
    versions: [5],
    lines: [
      ['e0', 'DISCONNECT'],
      ['01', 'Remaining Length'],
      ['04', 'Reason Code: Disconnect with Will Message'],
    ],
    packet: { type: 'disconnect', reasonCode: 4, properties: {} },
  },
  {
    name: 'with every property',
    versions: [5],
    lines: [
      ['e0', 'DISCONNECT'],
      ['22', 'Remaining Length: 34'],
      ['9c', 'Reason Code: Use another server'],
      ['20', 'Property Length: 32'],
      ['11 ffffffff', 'Session Expiry Interval: for ever'],
      ["1f 0003 'why'", 'Reason String'],
      ["26 0001 'k' 0001 'v'", 'User Property: k = v'],
      ["26 0001 'k' 0001 'v'", 'User Property: k = v, once more'],
      ["1c 0004 'host'", 'Server Reference'],
    ],
    packet: {
      type: 'disconnect',
      reasonCode: 0x9c,
      properties: {
        sessionExpiryInterval: 4294967295,
        reasonString: 'why',
        userProperty: [
          ['k', 'v'],
          ['k', 'v'],
        ],
        serverReference: 'host',
      },
    },
  },
  {
    name: 'that is normal, with a property',
    versions: [5],
    lines: [
      ['e0', 'DISCONNECT'],
      ['07', 'Remaining Length'],
      ['00', 'Reason Code: Normal disconnection'],
      ['05', 'Property Length'],
      ['11 00000000', 'Session Expiry Interval: 0 s'],
    ],
    packet: { type: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } },
  },
  {
    name: 'with a Reason Code that could be left out',
    versions: [5],
    lines: [
      ['e0', 'DISCONNECT'],
      ['01', 'Remaining Length'],
      ['00', 'Reason Code: Normal disconnection'],
    ],
    packet: { type: 'disconnect', reasonCode: 0, properties: {} },
    decodeOnly: true,
  },
  {
    name: 'with a Property Length that could be left out',
    versions: [5],
    lines: [
      ['e0', 'DISCONNECT'],
      ['02', 'Remaining Length'],
      ['8b', 'Reason Code: Server shutting down'],
      ['00', 'Property Length'],
    ],
    packet: { type: 'disconnect', reasonCode: 0x8b, properties: {} },
    decodeOnly: true,
  },
]
