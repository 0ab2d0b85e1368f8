/** How often something may happen before those who do it are kept out for a while. */

import { isIPv6 } from 'node:net'
import type { Client, Refusal } from './client.js'

/** By what clients are told apart. IPv6 addresses count by their network of 64 bits, which one customer has. */
export type LimitKey = 'address' | 'userName' | 'clientId'

export interface LimitOptions {
  /** How often it may happen. */
  readonly most?: number
  /** Within so many seconds. */
  readonly seconds?: number
  /** How many seconds those who do it more often are kept out. */
  readonly ban?: number
  readonly by?: LimitKey
  /** Milliseconds of a clock that only goes forward. Default: the system's. */
  readonly now?: () => number
}

/** Part of a guard. */
export interface Limit {
  /** What a client is told that may not come in now. Asked before anything else. */
  enter(client: Client): Refusal | undefined
  /** The same, of a client that has proved to have another name than it says. */
  known?(client: Client): Refusal | undefined
  /** A client was let in, or not. */
  decided?(client: Client, isIn: boolean): void
  /** A client that was in has gone. */
  gone?(client: Client): void
  /** How many were kept out. */
  readonly refused: number
}

// Those of whom nothing was heard for longest are forgotten first.
const mostKnown = 10_000

const banned: Refusal = { reasonCode: 0x8a, reasonString: 'too often: not now' }
const rateExceeded: Refusal = { reasonCode: 0x9f, reasonString: 'too many connections at once' }

interface Past {
  count: number
  since: number
  bannedUntil: number
}

/** What has happened, by key. */
class Occurrences {
  readonly #known: Map<string, Past> = new Map()
  readonly #most: number
  readonly #window: number
  readonly #ban: number
  readonly #by: LimitKey
  readonly #now: () => number
  refused = 0

  constructor({ most = 10, seconds = 60, ban = 300, by = 'address', now = () => performance.now() }: LimitOptions) {
    for (const [name, value] of Object.entries({ most, seconds, ban })) {
      if (!(value > 0)) throw new RangeError(`${name} must be a number above 0, not ${value}`)
    }
    this.#most = most
    this.#window = seconds * 1000
    this.#ban = ban * 1000
    this.#by = by
    this.#now = now
  }

  /** It happened again; false when that was too often. */
  count(client: Client): boolean {
    const key = this.#keyOf(client)
    if (key === undefined) return true
    const now = this.#now()
    const past = this.#known.get(key) ?? { count: 0, since: now, bannedUntil: 0 }
    if (now - past.since >= this.#window) Object.assign(past, { count: 0, since: now })
    past.count++
    this.#known.delete(key) // to the end
    this.#known.set(key, past)
    if (this.#known.size > mostKnown) this.#known.delete(this.#known.keys().next().value!)
    if (past.count <= this.#most) return true
    past.bannedUntil = now + this.#ban
    return false
  }

  isBanned(client: Client): boolean {
    const key = this.#keyOf(client)
    const past = key === undefined ? undefined : this.#known.get(key)
    if (past === undefined || this.#now() >= past.bannedUntil) return false
    this.refused++
    return true
  }

  /** It may happen again from the beginning. */
  forget(client: Client): void {
    const key = this.#keyOf(client)
    if (key !== undefined) this.#known.delete(key)
  }

  /** Undefined where a client has none, as at a Unix socket: it is not limited. */
  #keyOf({ remoteAddress, userName, clientId }: Client): string | undefined {
    if (this.#by === 'userName') return userName
    if (this.#by === 'clientId') return `${userName?.length ?? -1} ${userName ?? ''} ${clientId}`
    return remoteAddress === undefined ? undefined : networkOf(remoteAddress)
  }
}

function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address
  const [left = '', right] = address.split('::')
  const groups = left === '' ? [] : left.split(':')
  const rest = right === undefined || right === '' ? [] : right.split(':')
  while (right !== undefined && groups.length + rest.length < 8) groups.push('0')
  return groups
    .concat(rest)
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}

/**
 * Keeps out, by address, who has given wrong credentials too often: more than 10 times a minute, for 5 minutes. By user
 * name, anyone could lock anyone out.
 */
export function failedLogins(options: LimitOptions = {}): Limit {
  const failures = new Occurrences(options)
  return {
    enter: (client) => (failures.isBanned(client) ? banned : undefined),
    decided: (client, isIn) => void (isIn || failures.count(client)),
    get refused() {
      return failures.refused
    },
  }
}

/** Keeps out clients that come and go too often: more than 15 times a minute, for 5 minutes. */
export function flapping(options: LimitOptions = {}): Limit {
  // Counted when one goes that was in: who is not let in cannot have another one banned.
  const departures = new Occurrences({ most: 15, by: 'clientId', ...options })
  const check = (client: Client): Refusal | undefined => (departures.isBanned(client) ? banned : undefined)
  return {
    enter: check,
    known: check,
    gone: (client) => void departures.count(client),
    get refused() {
      return departures.refused
    },
  }
}

/** Refuses to connect more often than so: by address, 20 times a second. */
export function connectionRate(options: Omit<LimitOptions, 'ban'> = {}): Limit {
  const arrivals = new Occurrences({ most: 20, seconds: 1, ...options, ban: 1e-9 })
  let refused = 0
  return {
    enter(client) {
      if (arrivals.count(client)) return undefined
      refused++
      return rateExceeded
    },
    get refused() {
      return refused
    },
  }
}
