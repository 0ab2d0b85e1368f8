/** What a caller gives to be encoded: a packet whose fields with a default may be left out. */

type Defaulted = 'qos' | 'retain' | 'dup' | 'cleanStart' | 'keepAlive' | 'sessionPresent' | 'reasonCode' | 'properties'

/** A packet as `encode` takes it. What is left out is 0, false, Success or empty; only `cleanStart` is true. */
export type Input<P> = P extends object
  ? Omit<P, Defaulted | 'will'> &
      Partial<Pick<P, keyof P & Defaulted>> & { readonly [K in keyof P & 'will']?: Input<P[K]> }
  : P
