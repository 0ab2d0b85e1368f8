/** Which of its possible causes each effect had: an assignment that may change as long as more becomes known. */

export class Matching<Effect, Cause> {
  readonly #possible: Map<Effect, readonly Cause[]> = new Map()
  readonly #assigned: Map<Cause, Effect> = new Map()

  /** Finds a cause of its own for an effect; others may change theirs for it. Returns false when none is left. */
  add(effect: Effect, causes: readonly Cause[]): boolean {
    this.#possible.set(effect, causes)
    return this.#assign(effect, new Set())
  }

  #assign(effect: Effect, tried: Set<Cause>): boolean {
    for (const cause of this.#possible.get(effect)!) {
      if (tried.has(cause)) continue
      tried.add(cause)
      const other = this.#assigned.get(cause)
      if (other !== undefined && !this.#assign(other, tried)) continue
      this.#assigned.set(cause, effect)
      return true
    }
    return false
  }

  /** Takes an effect back: what caused it may have another one. Returns what may have been its cause. */
  delete(effect: Effect): readonly Cause[] {
    const causes = this.#possible.get(effect) ?? []
    for (const cause of causes) if (this.#assigned.get(cause) === effect) this.#assigned.delete(cause)
    this.#possible.delete(effect)
    return causes
  }

  /** Those of some causes that had no effect, however the effects are assigned: as few as can be, the last ones. */
  idle(causes: readonly Cause[]): Cause[] {
    const effects = new Map<Cause, Effect[]>()
    for (const [effect, possible] of this.#possible) {
      for (const cause of possible) effects.set(cause, [...(effects.get(cause) ?? []), effect])
    }
    const reversed = new Matching<Cause, Effect>()
    return causes.filter((cause) => !reversed.add(cause, effects.get(cause) ?? []))
  }
}
