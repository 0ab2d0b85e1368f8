// hot: runs per packet
/** The levels of a topic as hashes that nobody who chooses the topic can foresee. */

export const slash = 0x2f
export const plus = 0x2b
export const multi = 0x23

interface Platform {
  crypto: { getRandomValues(into: Int32Array): Int32Array }
}

const key: Int32Array = /* @__PURE__ */ (globalThis as unknown as Platform).crypto.getRandomValues(
  /* @__PURE__ */ new Int32Array(2),
)

/**
 * What `readLevels` has read. Of level i, counted from 0, at 3 i: the exclusive or of the hashes of those before it, its
 * hash, and where it begins. As large as the longest topic needed.
 */
export let levels: Int32Array = /* @__PURE__ */ new Int32Array(384)

/** Reads a topic, and returns three times the number of its levels. A hash depends on the place of a level as well. */
export function readLevels(bytes: Uint8Array, start: number, end: number): number {
  const most = (end - start) * 3 + 6
  if (levels.length < most) levels = new Int32Array(most)
  // Odd, because only the product with an odd number keeps all bits.
  const seed = key[0]! | 1
  const factor = key[1]! | 1
  let at = 0
  for (; ; start++) {
    levels[at + 2] = start
    if (start > end) return at
    // not taken: HalfSipHash-1-3; five levels take 150 ns with it and 60 so
    let hash = Math.imul(at + 1, seed)
    for (; start < end && bytes[start] !== slash; start++) {
      hash = Math.imul(hash ^ bytes[start]!, factor)
      hash ^= hash >>> 15
    }
    hash = Math.imul(hash ^ (hash >>> 16), seed)
    hash ^= hash >>> 16
    levels[at + 1] = hash
    levels[at + 3] = levels[at]! ^ hash
    at += 3
  }
}

/** The hash that `readLevels` gives to a level of one byte, as a wildcard is. */
export function hashOf(byte: number, at: number): number {
  const seed = key[0]! | 1
  let hash = Math.imul(Math.imul(at + 1, seed) ^ byte, key[1]! | 1)
  hash ^= hash >>> 15
  hash = Math.imul(hash ^ (hash >>> 16), seed)
  return hash ^ (hash >>> 16)
}

/** The wildcard that a level of a filter is, by its place in `levels`; or 0. */
export function wildcardAt(filter: Uint8Array, end: number, at: number): number {
  const start = levels[at + 2]!
  const byte = start < end ? filter[start] : 0
  return byte === plus || byte === multi ? byte : 0
}

/** Where the level that begins at `start` ends. */
export function levelEnd(bytes: Uint8Array, start: number, end: number): number {
  while (start < end && bytes[start] !== slash) start++
  return start
}
