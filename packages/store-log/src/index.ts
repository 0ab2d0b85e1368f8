/**
 * A durable store for the broker: an append-only log.
 *
 * @packageDocumentation
 */

export type { LogFile, LogFiles } from './files.js'
export { type LogStore, openLog } from './log-store.js'
export type { LogOptions } from './options.js'
export type { Cut } from './replay.js'
