/** Which numbered messages of which senders have come. */

/** Numbers of a sender, of which those that lie too far back count as having come. */
class Numbers {
  readonly #slots: Float64Array
  #highest = -1

  constructor(size: number) {
    this.#slots = new Float64Array(size).fill(-1)
  }

  take(number: number): boolean {
    const slots = this.#slots
    const slot = number % slots.length
    if (number <= this.#highest - slots.length || slots[slot] === number) return false
    slots[slot] = number
    this.#highest = Math.max(this.#highest, number)
    return true
  }
}

export class ReplayWindow {
  readonly #size: number
  readonly #mostSenders: number
  readonly #senders: Map<string, Numbers> = new Map()

  /** Remembers so many numbers of each of so many senders; who was silent for longest is forgotten. */
  constructor(size: number, mostSenders: number) {
    this.#size = size
    this.#mostSenders = mostSenders
  }

  /** Takes a number, or says that it has come before. */
  take(sender: string, number: number): boolean {
    const numbers = this.#senders.get(sender) ?? new Numbers(this.#size)
    this.#senders.delete(sender) // to the end
    this.#senders.set(sender, numbers)
    if (this.#senders.size > this.#mostSenders) this.#senders.delete(this.#senders.keys().next().value!)
    return numbers.take(number)
  }
}
