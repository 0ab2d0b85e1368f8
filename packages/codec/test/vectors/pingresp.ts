/** PINGRESP (section 3.13). */

import type { Vector } from './vector.js'

export const pingresp: readonly Vector[] = [
  {
    name: 'the only one',
    versions: [3, 4, 5],
    lines: [
      ['d0', 'PINGRESP'],
      ['00', 'Remaining Length'],
    ],
    packet: { type: 'pingresp' },
  },
]
