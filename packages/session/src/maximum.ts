/** Receive Maximum and Topic Alias Maximum (sections 3.1.2.11.3 and 3.1.2.11.5), as the caller gives them. */

/** Returns `value`, or throws RangeError unless it is a whole number from `least` to 65,535. */
export function checkMaximum(value: number, least: 0 | 1): number {
  if (Number.isInteger(value) && value >= least && value <= 0xffff) return value
  throw new RangeError(`a maximum must be ${least} to 65535, not ${value}`)
}
