/** Checks of what a caller gives to be encoded. */

/** Returns a number that is whole and from `least` to `most`. Throws RangeError for any other value. */
export function whole(value: number, name: string | undefined, most: number, least = 0): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} must be ${least} to ${most}, not ${value}`)
  }
  return value
}

/** Returns a list. Throws TypeError for any other value. */
export function listOf<T>(value: readonly T[] | undefined, name: string): readonly T[] {
  if (!Array.isArray(value)) throw new TypeError(`${name} must be a list`)
  return value
}

/** Returns bytes. Throws TypeError for any other value. */
export function byteArray(value: Uint8Array, name: string): Uint8Array {
  // One of another realm, such as a test runner's sandbox, is no instance of this one's; JSON could have its properties.
  if (value?.[Symbol.toStringTag] !== 'Uint8Array') throw new TypeError(`${name} must be a Uint8Array`)
  return value
}
