/** Variable Byte Integers (section 1.5.5): seven bits a byte, least significant first, four bytes at most. */

/** The largest value: 268,435,455. */
export const varintMax = 0xfffffff

/** The number of bytes that a value takes. */
export function varintLength(value: number): number {
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
