/** Packet Identifiers of one end (section 2.2.1): which are in use, and which comes next. */

/** Hands out numbers from 1 to 65,535, ascending and then from the beginning again, never one that is in use. */
export class PacketIds {
  readonly #inUse: Set<number> = new Set()
  #last = 0

  /** How many are in use. */
  get size(): number {
    return this.#inUse.size
  }

  /** Takes the next unused identifier [MQTT-2.2.1-3]; 0 when all are in use. */
  take(): number {
    if (this.#inUse.size === 0xffff) return 0
    do this.#last = this.#last === 0xffff ? 1 : this.#last + 1
    while (this.#inUse.has(this.#last))
    this.#inUse.add(this.#last)
    return this.#last
  }

  /** Marks an identifier as used that was handed out before a restart; the next ones follow it. */
  restore(packetId: number): void {
    this.#inUse.add(packetId)
    this.#last = packetId
  }

  /** Gives an identifier back. */
  free(packetId: number): void {
    this.#inUse.delete(packetId)
  }
}
