/** The part of qlobber that is measured, and the fastest way to the strings that it needs; both come without types. */

interface Buffer {
  latin1Slice(start?: number, end?: number): string
}

declare module 'qlobber' {
  export class Qlobber {
    constructor(options: {
      separator: string
      wildcard_one: string
      wildcard_some: string
      match_empty_levels: boolean
    })
    add(topic: string, value: number): unknown
    remove(topic: string, value: number): unknown
    match(topic: string): number[]
  }
}
