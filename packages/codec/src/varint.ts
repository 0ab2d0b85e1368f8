/** Variable Byte Integers (section 1.5.5): seven bits a byte, least significant first, four bytes at most. */

/** What is said of one that is not in its shortest form, or longer than four bytes. */
export const varintFault = 'Variable Byte Integer'

/** The largest value: 268,435,455. */
export const varintMax = 0xfffffff

/** The number of bytes that a value takes. */
function varintLength(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4
}

/** Writes a value. Returns the index behind it. */
export function writeVarint(value: number, target: { [index: number]: number }, at: number): number {
  while (value > 0x7f) {
    target[at++] = (value & 0x7f) | 0x80
    value >>>= 7
  }
  target[at++] = value
  return at
}

/**
 * Writes at `start`, where a byte was left for it, how many bytes are behind that up to `end`, with so many more that
 * follow. Returns the new end. Throws RangeError for more than can be told.
 */
export function insertLength(bytes: Uint8Array, start: number, end: number, more: number): number {
  const length = end - start - 1 + more
  if (length > varintMax) throw new RangeError(`a packet of ${length} bytes is too long`)
  const width = varintLength(length)
  if (width > 1) bytes.copyWithin(start + width, start + 1, end)
  writeVarint(length, bytes, start)
  return end + width - 1
}
