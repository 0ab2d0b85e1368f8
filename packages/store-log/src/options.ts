/** What a log may be told. */

import type { LogFiles } from './files.js'

export interface LogOptions {
  /** `os` leaves it to the system when to write to the disk: what the loss of power takes may be lost. Default `fsync`. */
  readonly durability?: 'os' | 'fsync'
  /**
   * Bytes of a file of the log, after which the next one is begun: 4 KiB to 1 GiB. One is always made ahead. Default
   * 16 MiB.
   */
  readonly segmentSize?: number
  /** Bytes that wait to be written from which on the store says that it is congested. Default 4 MiB. */
  readonly maxPending?: number
  /** Other files than those of the system, for tests. */
  readonly files?: LogFiles
}

export type CompleteOptions = Required<Omit<LogOptions, 'files'>> & Pick<LogOptions, 'files'>

const ranges: Readonly<Record<string, readonly [least: number, most: number]>> = {
  segmentSize: [4 * 1024, 1024 ** 3],
  maxPending: [1024, 256 * 1024 ** 2],
}

/** The options with their defaults. Throws TypeError or RangeError for one that cannot be. */
export function checkLogOptions(options: LogOptions): CompleteOptions {
  for (const [name, value] of Object.entries(options)) {
    const range = ranges[name]
    if (value === undefined || name === 'files') continue
    if (name === 'durability') {
      if (value !== 'os' && value !== 'fsync') throw new TypeError(`the option durability must be 'os' or 'fsync'`)
    } else if (range === undefined) {
      throw new TypeError(`there is no option called ${name}`)
    } else if (!Number.isSafeInteger(value) || value < range[0] || value > range[1]) {
      throw new RangeError(`the option ${name} must be a whole number from ${range[0]} to ${range[1]}, not ${value}`)
    }
  }
  return {
    durability: options.durability ?? 'fsync',
    segmentSize: options.segmentSize ?? 16 * 1024 ** 2,
    maxPending: options.maxPending ?? 4 * 1024 ** 2,
    ...(options.files !== undefined && { files: options.files }),
  }
}
