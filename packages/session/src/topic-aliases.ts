/** Topic Aliases of one Network Connection (section 3.3.2.3.4); they never outlive it [MQTT-3.3.2-7]. */

/** What the peer has its Topic Aliases stand for. */
export class IncomingAliases {
  readonly #maximum: number
  readonly #topics: (string | undefined)[] = []

  /** `maximum` is the Topic Alias Maximum that was sent to the peer. */
  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /** Whether the peer may use an alias at all [MQTT-3.3.2-8] [MQTT-3.3.2-12]. */
  allows(alias: number): boolean {
    return alias > 0 && alias <= this.#maximum
  }

  /** Lets an allowed alias stand for a Topic Name from now on. */
  set(alias: number, topic: string): void {
    this.#topics[alias] = topic
  }

  /** The Topic Name that an alias stands for, if any. */
  get(alias: number): string | undefined {
    return this.#topics[alias]
  }
}
