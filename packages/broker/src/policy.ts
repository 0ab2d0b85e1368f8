/** Choices that are the operator's, by name. */

export const overflows = ['dropNewest', 'dropOldest', 'keepLatest', 'disconnect'] as const

/**
 * What becomes of messages that a subscriber does not take in time, when no more may wait for it: `dropNewest` leaves out
 * the one that comes, `dropOldest` the one that has waited longest, `keepLatest` lets only the last of each topic wait,
 * and `disconnect` ends the connection.
 */
export type Overflow = (typeof overflows)[number]

export const sharedStrategies = ['roundRobin', 'leastInFlight', 'sticky', 'ordered'] as const

/**
 * Who of a group of Shared Subscriptions gets the next message: `roundRobin`, one after the other; `leastInFlight`, who
 * has least to do; `sticky`, the same one for the same publisher: of these one that can take the message goes before one
 * that cannot. `ordered`, the same one for all as long as it is connected, though messages may have to wait for it.
 */
export type SharedStrategy = (typeof sharedStrategies)[number]
