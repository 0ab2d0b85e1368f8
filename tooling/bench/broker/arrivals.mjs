/** Which messages came, which came again, and which came after a later one. */

/** The numbers that were seen, from 1. */
class Seen {
  #bits = new Uint32Array(64)

  /** Whether it is the first time. @param {number} number */
  add(number) {
    const word = number >>> 5
    if (word >= this.#bits.length) {
      const larger = new Uint32Array(Math.max(word + 1, this.#bits.length * 2))
      larger.set(this.#bits)
      this.#bits = larger
    }
    const bit = 1 << (number & 31)
    const bits = this.#bits[word] ?? 0
    if ((bits & bit) !== 0) return false
    this.#bits[word] = bits | bit
    return true
  }
}

/** Counts over all receivers; strange is what no publisher here has sent. */
export const counts = { received: 0, duplicates: 0, disordered: 0, strange: 0 }

/** What those have seen who get each message once: one subscriber, or all of a Shared Subscription. */
export class Audience {
  /** By publisher. @type {(Seen | undefined)[]} */
  #seen = []

  /** @param {number} publisher @param {number} sequence */
  first(publisher, sequence) {
    this.#seen[publisher] ??= new Seen()
    return this.#seen[publisher].add(sequence)
  }
}

/** What one subscriber has received. */
export class Arrivals {
  #audience
  /** The last sequence number by publisher. */
  #last

  /** @param {number} publishers @param {Audience} audience */
  constructor(publishers, audience = new Audience()) {
    this.#audience = audience
    this.#last = new Uint32Array(publishers)
  }

  /** Whether it is new. @param {number} publisher @param {number} sequence */
  note(publisher, sequence) {
    if (publisher >= this.#last.length) {
      counts.strange++
      return false
    }
    if (!this.#audience.first(publisher, sequence)) {
      counts.duplicates++
      return false
    }
    if (sequence < (this.#last[publisher] ?? 0)) counts.disordered++
    else this.#last[publisher] = sequence
    counts.received++
    return true
  }
}
