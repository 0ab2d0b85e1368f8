// hot: runs per packet
/** Topic Aliases of this end (section 3.3.2.3.4): which topics have one on a Network Connection [MQTT-3.3.2-7]. */

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
  readonly alias: number
  /** The number of the message that used it last. */
  usedAt = 0
  newer: Entry = this
  older: Entry = this

  constructor(topic: string, alias: number) {
    this.topic = topic
    this.alias = alias
  }
}

// An alias takes three bytes: from this length on the second use of it has paid for the first.
const leastLength = 7

// Of so many topics without an alias is it known when they came last, at least and at most.
const leastSeen = 256
const mostSeen = 4096
const noHashes = new Int32Array(0)
const neverSeen = new Float64Array(0)

/**
 * Made for each connection anew. A topic gets an alias when it comes for the second time; when all are given, instead of
 * the topic that has not been used for longest, if it has not been since this one came before. So more topics in turn
 * than there are aliases do not take them from each other.
 */
export class OutgoingAliases {
  readonly #maximum: number
  readonly #entries: Map<string, Entry> = new Map()
  /** Where the ring closes: `older` is the entry used last, `newer` the one that has not been used for longest. */
  readonly #end: Entry = new Entry('', 0)
  readonly #use: { alias: number; known: boolean } = { alias: 0, known: false }
  /** Messages so far. */
  #now = 0
  /** Hashes of topics without an alias, each in one of the two places that its bits say. */
  #hashes: Int32Array = noHashes
  /** When they came. */
  #seenAt: Float64Array = neverSeen

  /**
   * `maximum` is the Topic Alias Maximum of the peer [MQTT-3.3.2-9] [MQTT-3.3.2-11], or less: so many topics are kept.
   */
  constructor(maximum: number) {
    this.#maximum = maximum
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
    if (this.#maximum === 0 || topic.length < leastLength) return 0
    const before = this.#seen(topic)
    if (before === 0) return 0
    const { size } = this.#entries
    let entry = this.#end.newer
    if (size < this.#maximum) {
      entry = new Entry(topic, size + 1)
    } else {
      if (entry.usedAt > before) return 0
      this.#entries.delete(entry.topic)
      entry.topic = topic
    }
    this.#entries.set(topic, entry)
    return this.#touch(entry)
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

  /** When a topic came before, 0 for never, and that it comes now. A topic of the same hash only costs three bytes. */
  #seen(topic: string): number {
    if (this.#hashes.length === 0) {
      let places = leastSeen
      while (places < this.#maximum * 4 && places < mostSeen) places *= 2
      this.#hashes = new Int32Array(places)
      this.#seenAt = new Float64Array(places)
    }
    const hashes = this.#hashes
    const seenAt = this.#seenAt
    let hash = 0
    for (let i = 0; i < topic.length; i++) hash = Math.imul(hash ^ topic.charCodeAt(i), 0x01000193)
    let place = (hash ^ (hash >>> 15)) & (hashes.length - 1)
    if (hashes[place] !== hash && (hashes[place ^ 1] === hash || seenAt[place]! > seenAt[place ^ 1]!)) place ^= 1
    const before = hashes[place] === hash ? seenAt[place]! : 0
    hashes[place] = hash
    seenAt[place] = this.#now
    return before
  }
}
