// hot: runs per packet
/** Packet Identifiers of one end (section 2.2.1): which are in use, and which comes next. */

const none: never[] = []
const leastCapacity = 8

/** Whether it is a number from 1 to 65,535. */
export function isPacketId(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= 0xffff
}

/** Hands out numbers from 1 to 65,535, ascending and then from the beginning again, never one that is in use. */
export class PacketIds {
  /** Those in use, each in the place that its lowest bits say; 0 where none is. The length is a power of two. */
  #places: number[] = none
  #size = 0
  #last = 0

  /** How many are in use. */
  get size(): number {
    return this.#size
  }

  /** Takes the next unused identifier [MQTT-2.2.1-3] [MQTT-2.2.1-4]; 0 when all are in use. */
  take(): number {
    if (this.#size === 0xffff) return 0
    // With a quarter of the places free the next one is near.
    if (this.#size * 4 >= this.#places.length * 3 && this.#places.length <= 0xffff) this.#grow()
    const places = this.#places
    const mask = places.length - 1
    let packetId = this.#last
    // An unused identifier is passed over, too, when another one has its place: one message that is never acknowledged
    // does not make the table larger.
    do packetId = packetId === 0xffff ? 1 : packetId + 1
    while (places[packetId & mask] !== 0)
    places[packetId & mask] = packetId
    this.#last = packetId
    this.#size++
    return packetId
  }

  /**
   * Marks an identifier as used that was handed out before a restart; the next ones follow it. Throws RangeError when it
   * is none, or in use.
   */
  restore(packetId: number): void {
    if (!isPacketId(packetId) || this.#has(packetId)) {
      throw new RangeError(`${packetId} is not an unused Packet Identifier`)
    }
    while (this.#places[packetId & (this.#places.length - 1)] !== 0) this.#grow()
    this.#places[packetId & (this.#places.length - 1)] = packetId
    this.#last = packetId
    this.#size++
  }

  /** Gives an identifier back. */
  free(packetId: number): void {
    if (!this.#has(packetId)) return
    this.#places[packetId & (this.#places.length - 1)] = 0
    this.#size--
  }

  /** Gives memory back if no identifier is in use. */
  trim(): void {
    if (this.#size === 0) this.#places = none
  }

  #has(packetId: number): boolean {
    return packetId !== 0 && this.#places[packetId & (this.#places.length - 1)] === packetId
  }

  #grow(): void {
    const places = new Array<number>(Math.max(leastCapacity, this.#places.length * 2)).fill(0)
    for (const packetId of this.#places) {
      if (packetId !== 0) places[packetId & (places.length - 1)] = packetId
    }
    this.#places = places
  }
}
