/** Will Messages (section 3.1.2.5): published when a client is lost. */

import { Timer } from './clock.js'
import type { Environment } from './environment.js'
import type { Client, Publication } from './hooks.js'
import { Message } from './message.js'
import type { Session } from './session.js'
import { encodeWill } from './store/records.js'
import { recordKinds } from './store/store.js'

export class Wills {
  readonly #environment: Environment
  readonly #submit: (client: Client, publication: Publication) => void
  #stopped = false

  /** `submit` sends a Will on its way, if its client still has the right to. */
  constructor(environment: Environment, submit: (client: Client, publication: Publication) => void) {
    this.#environment = environment
    this.#submit = submit
  }

  /** The broker closes: no Will is published any more, for no client is lost by that. */
  stop(): void {
    this.#stopped = true
  }

  /** The connection is lost: publishes the Will after its delay, or when the session ends before [MQTT-3.1.2-8]. */
  arm(session: Session): void {
    if (session.will === undefined) return
    if (this.#stopped) return this.discard(session)
    if (session.will.delayInterval === 0) return this.fire(session)
    const { record, will, storedWill } = session
    const delay = will.delayInterval * 1000
    if (storedWill !== undefined) {
      const journal = this.#environment.journal!
      const { delayInterval } = will
      const written = encodeWill({ session: record, delayInterval, dueAt: journal.date + delay })
      journal.replace(storedWill.record, storedWill.message, written)
    }
    this.fireIn(session, delay)
  }

  /** Publishes the Will after so many milliseconds. */
  fireIn(session: Session, milliseconds: number): void {
    session.willTimer ??= new Timer(() => this.fire(session))
    this.#environment.timers.set(session.willTimer, milliseconds)
  }

  /** Writes the Will of a client down that has just connected, so that it is published though the broker dies. */
  write(session: Session): void {
    const { journal, clock } = this.#environment
    const { will, client, record } = session
    if (journal === undefined || will === undefined) return
    const { bytes, start, end, version } = Message.of(will, clock.now(), client)
    const message = { stored: 0, bytes, start, end, version, publisher: client, expiresAt: Number.POSITIVE_INFINITY }
    const number = journal.numberOf(message)
    const written = encodeWill({ session: record, delayInterval: will.delayInterval, dueAt: 0 })
    session.storedWill = { record: journal.add(recordKinds.will, number, written), message: number }
  }

  /** Deletes the Will [MQTT-3.1.2-10] [MQTT-3.1.3-9]. */
  discard(session: Session): void {
    session.will = undefined
    if (session.storedWill !== undefined) this.#environment.journal!.remove(session.storedWill.record)
    session.storedWill = undefined
    if (session.willTimer !== undefined) this.#environment.timers.cancel(session.willTimer)
  }

  /** Publishes the Will, if there is one, and deletes it. */
  fire(session: Session): void {
    const { will, client } = session
    this.discard(session)
    if (will !== undefined && !this.#stopped) this.#submit(client, will)
  }
}
