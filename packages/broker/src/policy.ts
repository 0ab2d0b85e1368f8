/** Choices that are the operator's, by name. */

/**
 * What becomes of messages that a subscriber does not take in time, when no more may wait for it: `dropNewest` leaves out
 * the one that comes, `dropOldest` the one that has waited longest, `keepLatest` lets only the last of each topic wait,
 * and `disconnect` ends the connection.
 */
export type Overflow = 'dropNewest' | 'dropOldest' | 'keepLatest' | 'disconnect'

/**
 * Who of a group of Shared Subscriptions gets the next message: `roundRobin`, one after the other; `leastInFlight`, who
 * has least to do; `sticky`, the same one for the same publisher; `ordered`, the same one for all, until it is gone. In any
 * case one that can take the message goes before one that cannot.
 */
export type SharedStrategy = 'roundRobin' | 'leastInFlight' | 'sticky' | 'ordered'
