/** Will Messages (section 3.1.2.5): published when a client is lost. */

import { Timer } from './clock.js'
import type { Environment } from './environment.js'
import type { Client, Publication } from './hooks.js'
import type { Session } from './session.js'

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
    if (session.will.delayInterval === 0) return this.fire(session)
    session.willTimer ??= new Timer(() => this.fire(session))
    this.#environment.timers.set(session.willTimer, session.will.delayInterval * 1000)
  }

  /** Deletes the Will [MQTT-3.1.2-10] [MQTT-3.1.3-9]. */
  discard(session: Session): void {
    session.will = undefined
    if (session.willTimer !== undefined) this.#environment.timers.cancel(session.willTimer)
  }

  /** Publishes the Will, if there is one, and deletes it. */
  fire(session: Session): void {
    const { will, client } = session
    this.discard(session)
    if (will !== undefined && !this.#stopped) this.#submit(client, will)
  }
}
