// hot: runs per packet
/** Topics as UTF-8 bytes: given so, or made of a string. */

/** A Topic Name or Topic Filter: a string, or its bytes in UTF-8. */
export type Topic = string | Uint8Array

interface Platform {
  TextEncoder: new () => { encodeInto(text: string, into: Uint8Array): { read: number; written: number } }
}

const encoder = /* @__PURE__ */ new (globalThis as unknown as Platform).TextEncoder()

/** Where `encode` puts the bytes of a string, until it is called again. */
export const encoded: Uint8Array = /* @__PURE__ */ new Uint8Array(0xffff)

/** Puts a string's bytes into `encoded`. Returns how many they are: -1 for more than 65,535. */
export function encode(text: string): number {
  const { read, written } = encoder.encodeInto(text, encoded)
  return read < text.length ? -1 : written
}

/** The same; throws RangeError for more. */
export function encodeAll(text: string): number {
  const length = encode(text)
  if (length < 0) throw new RangeError('more than 65,535 bytes')
  return length
}
