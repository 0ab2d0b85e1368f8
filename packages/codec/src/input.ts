/** What a caller gives to be encoded: a packet whose fields with a default may be left out. */

import type { Given } from './properties.js'

type Defaulted = 'qos' | 'retain' | 'dup' | 'cleanStart' | 'keepAlive' | 'sessionPresent' | 'reasonCode'

/** A packet as `encode` takes it. What is left out is 0, false, Success or empty; only `cleanStart` is true. */
export type Input<P> = P extends object
  ? Omit<P, Defaulted | 'will' | 'properties'> & {
      readonly [K in keyof P & Defaulted]?: P[K] | undefined
    } & { readonly [K in keyof P & 'will']?: Input<P[K]> } & {
      readonly [K in keyof P & 'properties']?: Given<P[K]> | undefined
    }
  : P
