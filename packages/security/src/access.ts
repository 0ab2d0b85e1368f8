/** Who may do what, by rules of a file: what a broker asks, and what tells people why. */

import type { Action, Client, Grant } from './client.js'
import { type Decider, Permissions } from './permissions.js'
import type { Reloading } from './reloading.js'
import type { Explanation } from './rules.js'

/** What there is to ask of rules that have been read. */
export interface Rulebook {
  /** Whether there are rules of their own for messages that are to be retained. */
  readonly checksRetain: boolean
  /** What decides for a client. */
  deciderFor(client: Client, grant: Grant | undefined): Decider
}

/** Rules of a file, as they are now. */
export class Access<Book extends Rulebook = Rulebook> {
  readonly #book: Reloading<Book>
  readonly #permissions: WeakMap<Client, Permissions> = new WeakMap()
  readonly #grants: WeakMap<Client, Grant> = new WeakMap()

  constructor(book: Reloading<Book>) {
    this.#book = book
  }

  /** Changes with the rules: what was decided in an earlier one may be otherwise now. */
  get epoch(): number {
    return this.#book.epoch
  }

  /** Whether `retain` is something else than `publish`. */
  get checksRetain(): boolean {
    return this.#book.value.checksRetain
  }

  /** How often a broken file was not taken. */
  get failures(): number {
    return this.#book.failures
  }

  /** Calls a function after each change of the rules; returns what ends that. */
  onChange(tell: () => void): () => void {
    return this.#book.onChange(tell)
  }

  /** Reads the file again; settles with whether what it now says is in force. If not, the rules stay as they were. */
  reload(): Promise<boolean> {
    return this.#book.reload()
  }

  /** Watches the file no more. */
  close(): void {
    this.#book.close()
  }

  /** Takes in what was found out about a client when it was let in: its name, and roles and groups of its own. */
  accept(client: Client, grant: Grant): void {
    this.#grants.set(client, grant)
    this.#permissions.delete(client)
  }

  /** What a client may do, until the epoch changes. For who keeps it beside a session. */
  permissionsOf(client: Client): Permissions {
    const before = this.#permissions.get(client)
    if (before !== undefined && before.epoch === this.epoch) return before
    const permissions = new Permissions(this.#book.value.deciderFor(client, this.#grants.get(client)), this.epoch)
    this.#permissions.set(client, permissions)
    return permissions
  }

  /** Whether a client may; the topic is a Topic Filter for `subscribe`, and a Topic Name otherwise. */
  decide(client: Client, action: Action | 'retain', topic: string): boolean {
    return this.permissionsOf(client).allows(action, topic)
  }

  /** The same with the rule, its file and its line. */
  explain(client: Client, action: Action | 'retain', topic: string): Explanation {
    return this.permissionsOf(client).explain(action, topic)
  }
}
