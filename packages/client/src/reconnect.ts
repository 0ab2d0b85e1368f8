/** When to connect again, and when not to. */

import type { ReconnectOptions } from './options.js'

// Refusals that the same packet would meet again, and the ends of a connection that mean it: a session that was taken over
// would be taken back for ever.
const final = [0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x8a, 0x8c, 0x8e, 0x90, 0x95, 0x99, 0x9a, 0x9b]

/** Whether a Reason Code of CONNACK or DISCONNECT means that connecting again is of no use. */
export function isFinal(reasonCode: number): boolean {
  return final.includes(reasonCode)
}

/** Milliseconds to wait after so many failures: a random part of a time that doubles, so that clients do not come in waves. */
export function delayOf({ min = 250, max = 30_000 }: ReconnectOptions, failures: number): number {
  return Math.random() * Math.min(max, min * 2 ** failures)
}
