// hot: runs per packet
/** Routes: a Topic Name with those who get its messages, kept by the bytes of the name. */

import type { Client } from './hooks.js'
import type { Receiver } from './subscription.js'

/** A Topic Name, and who gets its messages. `G` are the groups of Shared Subscriptions. */
export interface Route<G> {
  readonly topic: string
  /** How many levels the name has. */
  readonly levels: number
  /** The state of all subscriptions that the rest belongs to; -1 before it is filled. */
  generation: number
  receivers: readonly Receiver[]
  groups: readonly G[]
  /** What the rights below belong to. */
  epoch: number
  /** Who has the right to publish to it: the last one who did. */
  writer: Client | undefined
  /** Who of the receivers has the right to its messages, each in the place that it has there. */
  readers: (Client | undefined)[]
  /** The same for the members of each group. */
  members: (Client | undefined)[][]
}

export function newRoute<G>(topic: string): Route<G> {
  return {
    topic,
    levels: topic.split('/').length,
    generation: -1,
    receivers: [],
    groups: [],
    epoch: Number.NaN,
    writer: undefined,
    readers: [],
    members: [],
  }
}

/** Forgets rights that belong to another epoch. Returns whether those of this one may be remembered. */
export function remembers(route: Route<unknown>, epoch: number): boolean {
  if (route.epoch === epoch) return true
  if (Number.isNaN(epoch)) return false
  route.epoch = epoch
  route.writer = undefined
  route.readers = []
  route.members = route.groups.map(() => [])
  return true
}

// Topics that are kept: each in one place that its bytes say, where the next one takes its place.
const places = 8192
const longest = 256

/** Routes by the bytes of their Topic Name, which then need no check and no match. */
export class Routes<G> {
  readonly #routes: (Route<G> | undefined)[] = new Array(places).fill(undefined)
  readonly #names: Uint8Array[] = new Array(places).fill(nothing)

  find(bytes: Uint8Array, start: number, end: number): Route<G> | undefined {
    const place = placeOf(bytes, start, end)
    const name = this.#names[place]!
    if (name.length !== end - start) return undefined
    for (let i = 0; start < end; i++, start++) if (name[i] !== bytes[start]) return undefined
    return this.#routes[place]
  }

  add(route: Route<G>, bytes: Uint8Array, start: number, end: number): void {
    if (end - start > longest) return
    const place = placeOf(bytes, start, end)
    this.#names[place] = Uint8Array.prototype.slice.call(bytes, start, end)
    this.#routes[place] = route
  }

  clear(): void {
    this.#routes.fill(undefined)
    this.#names.fill(nothing)
  }
}

const nothing = new Uint8Array(0)

function placeOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start
  for (; start < end; start++) hash = Math.imul(hash ^ bytes[start]!, 0x01000193)
  return (hash ^ (hash >>> 13)) & (places - 1)
}
