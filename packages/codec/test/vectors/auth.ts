/** AUTH (section 3.15). */

import { octets, type Vector } from './vector.js'

export const auth: readonly Vector[] = [
  {
    name: 'of success, in its short form',
    versions: [5],
    lines: [
      ['f0', 'AUTH'],
      ['00', 'Remaining Length'],
    ],
    packet: { type: 'auth', reasonCode: 0, properties: {} },
  },
  {
    name: 'that goes on, with every property',
    versions: [5],
    lines: [
      ['f0', 'AUTH'],
      ['23', 'Remaining Length: 35'],
      ['18', 'Reason Code: Continue authentication'],
      ['21', 'Property Length: 33'],
      ["15 0005 'SCRAM'", 'Authentication Method'],
      ['16 0003 00ff01', 'Authentication Data'],
      ["1f 0002 'so'", 'Reason String'],
      ["26 0001 'k' 0001 'v'", 'User Property: k = v'],
      ['26 0000 0002 c3a9', 'User Property: nothing = é'],
    ],
    packet: {
      type: 'auth',
      reasonCode: 0x18,
      properties: {
        authenticationMethod: 'SCRAM',
        authenticationData: octets(0, 0xff, 1),
        reasonString: 'so',
        userProperty: [
          ['k', 'v'],
          ['', 'é'],
        ],
      },
    },
  },
  {
    name: 'that begins anew',
    versions: [5],
    lines: [
      ['f0', 'AUTH'],
      ['06', 'Remaining Length'],
      ['19', 'Reason Code: Re-authenticate'],
      ['04', 'Property Length'],
      ["15 0001 'M'", 'Authentication Method'],
    ],
    packet: { type: 'auth', reasonCode: 0x19, properties: { authenticationMethod: 'M' } },
  },
  {
    name: 'of success, with a property',
    versions: [5],
    lines: [
      ['f0', 'AUTH'],
      ['06', 'Remaining Length'],
      ['00', 'Reason Code: Success'],
      ['04', 'Property Length'],
      ["15 0001 'M'", 'Authentication Method'],
    ],
    packet: { type: 'auth', reasonCode: 0, properties: { authenticationMethod: 'M' } },
  },
]
