/**
 * A durable store for the broker, on LevelDB.
 *
 * @packageDocumentation
 */

export { type LevelOptions, type LevelStore, openLevel } from './level-store.js'
