// hot: runs per packet
/** Packet Identifiers of one end (section 2.2.1): which are in use, and which comes next. */

const none: never[] = []
const leastCapacity = 8
const mostCapacity = 0x10000

/** The places that a table for so many identifiers has: a power of two, less than three quarters of it in use. */
export function capacityFor(size: number): number {
  if (size === 0) return 0
  let capacity = leastCapacity
  while (size * 4 >= capacity * 3 && capacity < mostCapacity) capacity *= 2
  return capacity
}

/** Returns the identifiers, or throws RangeError for what is none, is in use or comes twice. */
export function checkUnused(packetIds: Iterable<unknown>, isInUse: (packetId: number) => boolean): Set<number> {
  const checked = new Set<number>()
  for (const packetId of packetIds) {
    if (!isPacketId(packetId) || checked.has(packetId) || isInUse(packetId)) {
      const shown = typeof packetId === 'number' ? packetId : JSON.stringify(packetId)
      throw new RangeError(`${shown} is not an unused Packet Identifier`)
    }
    checked.add(packetId)
  }
  return checked
}

function isPacketId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= 0xffff
}

/** Hands out numbers from 1 to 65,535, ascending and then from the beginning again, never one that is in use. */
export class PacketIds {
  /** Those in use, each in the place that its lowest bits say; 0 where none is. The length is a power of two. */
  #places: number[] = none
  /** Those whose place is taken: what was restored may be so, and no memory should come of it. */
  #others: Set<number> | undefined = undefined
  #size = 0
  #last = 0

  /** How many are in use. */
  get size(): number {
    return this.#size
  }

  /**
   * Takes the next unused identifier [MQTT-2.2.1-3] [MQTT-2.2.1-4]; 0 when all are in use. When nearly all are, it may look
   * at all of them.
   */
  take(): number {
    if (this.#size === 0xffff) return 0
    // With a quarter of the places free the next one is near. measured: 65,535 in flight and the newest acknowledged
    // first, 80 us for each, 60 times as much as oldest first. not taken: a ring of those not in use, which bounds that, for 5 ns more with each message.
    if (this.#size * 4 >= this.#places.length * 3) this.#makeRoom()
    const places = this.#places
    const mask = places.length - 1
    let packetId = this.#last
    // An unused identifier is passed over, too, when another one has its place: one message that is never acknowledged
    // does not make the table larger.
    do packetId = packetId === 0xffff ? 1 : packetId + 1
    while (places[packetId & mask] !== 0 || this.#others?.has(packetId))
    places[packetId & mask] = packetId
    this.#last = packetId
    this.#size++
    return packetId
  }

  /** Whether an identifier is in use. */
  has(packetId: number): boolean {
    if (packetId === 0) return false
    return this.#places[packetId & (this.#places.length - 1)] === packetId || this.#others?.has(packetId) === true
  }

  /**
   * Marks an identifier as used that was handed out before a restart; the next ones follow it. Throws RangeError when it
   * is none, or in use.
   */
  restore(packetId: number): void {
    checkUnused([packetId], (id) => this.has(id))
    if (this.#size * 4 >= this.#places.length * 3) this.#makeRoom()
    this.#put(packetId)
    this.#last = packetId
    this.#size++
  }

  /** Gives an identifier back. */
  free(packetId: number): void {
    const place = packetId & (this.#places.length - 1)
    if (packetId !== 0 && this.#places[place] === packetId) this.#places[place] = 0
    else if (this.#others?.delete(packetId) !== true) return
    this.#size--
  }

  /** Gives memory back that those in use do not need. */
  trim(): void {
    const capacity = capacityFor(this.#size)
    if (capacity < this.#places.length) this.#resize(capacity)
  }

  #makeRoom(): void {
    const capacity = capacityFor(this.#size + 1)
    if (capacity > this.#places.length) this.#resize(capacity)
  }

  #resize(capacity: number): void {
    const inUse = [...this.#places.filter((packetId) => packetId !== 0), ...(this.#others ?? none)]
    this.#places = capacity === 0 ? none : new Array<number>(capacity).fill(0)
    this.#others = undefined
    for (const packetId of inUse) this.#put(packetId)
  }

  #put(packetId: number): void {
    const place = packetId & (this.#places.length - 1)
    if (this.#places[place] === 0) {
      this.#places[place] = packetId
    } else {
      this.#others ??= new Set()
      this.#others.add(packetId)
    }
  }
}
