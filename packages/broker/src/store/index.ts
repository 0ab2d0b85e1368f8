/**
 * The interface of stores, and the one in memory.
 *
 * @packageDocumentation
 */

export { MemoryStore } from './memory-store.js'
export {
  type Durability,
  type RecordKind,
  recordKinds,
  type Store,
  StoreError,
  type StoreFault,
  type StoreMetrics,
  type StoreState,
  type StoreVisitor,
} from './store.js'
