/** PINGREQ (section 3.12). */

import type { Vector } from './vector.js'

export const pingreq: readonly Vector[] = [
  {
    name: 'the only one',
    versions: [3, 4, 5],
    lines: [
      ['c0', 'PINGREQ'],
      ['00', 'Remaining Length'],
    ],
    packet: { type: 'pingreq' },
  },
]
