// hot: runs per packet
/** Topic Aliases of this end (section 3.3.2.3.4): which topics have one on a Network Connection [MQTT-3.3.2-7]. */

import { checkMaximum } from './maximum.js'

/** How the topic of a PUBLISH is sent. */
export interface AliasUse {
  /** The Topic Alias to send, 0 for none. */
  readonly alias: number
  /** Whether the peer knows what it stands for: then the Topic Name is left empty. */
  readonly known: boolean
}

/** A topic that has an alias, in a ring in the order of use. */
class Entry {
  topic: string
  /** Bytes that it saves with each message. */
  saving: number
  readonly alias: number
  /** The number of the message that used it last. */
  usedAt = 0
  newer: Entry = this
  older: Entry = this

  constructor(topic: string, saving: number, alias: number) {
    this.topic = topic
    this.saving = saving
    this.alias = alias
  }
}

// An alias takes so many bytes, and from this saving on the second use of it has paid for the first.
const aliasSize = 3
const leastSaving = 4

// One of so many that have not been used for longest gives its alias up.
const candidates = 8

// Of so many topics without an alias is it known when they came last, at least and at most.
const leastSeen = 256
const mostSeen = 4096
const noHashes = new Int32Array(0)
const neverSeen = new Float64Array(0)

/**
 * Made for each connection anew. A topic gets an alias when it comes for the second time; when all are given, instead of
 * one of those that have not been used for longest, if it saves more: its bytes by the messages since it came before,
 * against theirs by the messages since they were used. So more topics in turn than there are aliases do not take them from
 * each other, unless they are longer.
 */
export class OutgoingAliases {
  readonly #maximum: number
  readonly #entries: Map<string, Entry> = new Map()
  /** Where the ring closes: `older` is the entry used last, `newer` the one that has not been used for longest. */
  readonly #end: Entry = new Entry('', 0, 0)
  readonly #use: { alias: number; known: boolean } = { alias: 0, known: false }
  /** Messages so far. */
  #now = 0
  /** Hashes of topics without an alias, each in one of the two places that its bits say. */
  #hashes: Int32Array = noHashes
  /** When they came. */
  #seenAt: Float64Array = neverSeen

  /**
   * `maximum` is the Topic Alias Maximum of the peer [MQTT-3.3.2-9] [MQTT-3.3.2-11], or less: so many topics are kept.
   * Throws RangeError unless it is 0 to 65,535.
   */
  constructor(maximum = 0) {
    this.#maximum = checkMaximum(maximum, 0)
  }

  /**
   * How to send the topic of a PUBLISH. Call it once for each PUBLISH that is sent, resent ones included, and for no other:
   * the peer is taken to know the alias from then on. The answer changes with the next call.
   */
  for(topic: string): AliasUse {
    const use = this.#use
    const entry = this.#entries.get(topic)
    this.#now++
    use.known = entry !== undefined
    use.alias = entry === undefined ? this.#assign(topic) : this.#touch(entry)
    return use
  }

  #assign(topic: string): number {
    if (this.#maximum === 0 || topic.length === 0) return 0
    let hash = 0
    let bits = 0
    for (let i = 0; i < topic.length; i++) {
      const code = topic.charCodeAt(i)
      hash = Math.imul(hash ^ code, 0x01000193)
      bits |= code
    }
    const saving = (bits < 0x80 ? topic.length : utf8Length(topic)) - aliasSize
    if (saving < leastSaving) return 0
    const before = this.#seen(hash)
    if (before === 0) return 0
    const { size } = this.#entries
    if (size < this.#maximum) {
      const entry = new Entry(topic, saving, size + 1)
      this.#entries.set(topic, entry)
      return this.#touch(entry)
    }
    const entry = this.#leastWorth()
    if (this.#worth(saving, before) <= this.#worth(entry.saving, entry.usedAt)) return 0
    this.#entries.delete(entry.topic)
    entry.topic = topic
    entry.saving = saving
    this.#entries.set(topic, entry)
    return this.#touch(entry)
  }

  /** Bytes that are saved with each message, if a topic comes as often as it did. */
  #worth(saving: number, before: number): number {
    return saving / (this.#now - before)
  }

  #leastWorth(): Entry {
    let least = this.#end.newer
    let worth = this.#worth(least.saving, least.usedAt)
    let entry = least.newer
    for (let i = 1; i < candidates && entry !== this.#end; i++) {
      const other = this.#worth(entry.saving, entry.usedAt)
      if (other < worth) {
        least = entry
        worth = other
      }
      entry = entry.newer
    }
    return least
  }

  /** Makes an entry the one used last. */
  #touch(entry: Entry): number {
    entry.usedAt = this.#now
    entry.older.newer = entry.newer
    entry.newer.older = entry.older
    entry.newer = this.#end
    entry.older = this.#end.older
    entry.older.newer = entry
    this.#end.older = entry
    return entry.alias
  }

  /** When a topic came before, 0 for never, and that it comes now. Another one of the same hash only costs three bytes. */
  #seen(hash: number): number {
    if (this.#hashes.length === 0) {
      let places = leastSeen
      while (places < this.#maximum * 4 && places < mostSeen) places *= 2
      this.#hashes = new Int32Array(places)
      this.#seenAt = new Float64Array(places)
    }
    const hashes = this.#hashes
    const seenAt = this.#seenAt
    let place = (hash ^ (hash >>> 15)) & (hashes.length - 1)
    if (hashes[place] !== hash && (hashes[place ^ 1] === hash || seenAt[place]! > seenAt[place ^ 1]!)) place ^= 1
    const before = hashes[place] === hash ? seenAt[place]! : 0
    hashes[place] = hash
    seenAt[place] = this.#now
    return before
  }
}

/** Bytes of a text in UTF-8: two for each half of what takes four. */
function utf8Length(text: string): number {
  let length = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x80) length++
    if (code >= 0x800 && (code < 0xd800 || code > 0xdfff)) length++
  }
  return length
}
