/** Checks of what a caller gives to be encoded. */

/** Returns a number that is whole and from 0 to `most`. Throws RangeError for any other value. */
export function whole(value: number, name: string | undefined, most: number): number {
  if (!Number.isInteger(value) || value < 0 || value > most)
    throw new RangeError(`${name} must be 0 to ${most}, not ${value}`)
  return value
}

/** Returns bytes. Throws TypeError for any other value. */
export function byteArray(value: Uint8Array, name: string): Uint8Array {
  // A Uint8Array of another realm, such as a Buffer in a test runner's sandbox, is no instance of this one's.
  if (value?.BYTES_PER_ELEMENT !== 1) throw new TypeError(`${name} must be a Uint8Array`)
  return value
}
