/** Will Messages (section 3.1.2.5): published when a client is lost. */

import { Timer } from './clock.js'
import type { Environment } from './environment.js'
import { Message } from './message.js'
import type { Session } from './session.js'

export class Wills {
  readonly #environment: Environment
  readonly #publish: (message: Message) => void
  #stopped = false

  /** `publish` sends a Will on its way. */
  constructor(environment: Environment, publish: (message: Message) => void) {
    this.#environment = environment
    this.#publish = publish
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
    if (will === undefined || this.#stopped) return
    const { topic, payload, qos, retain, properties } = will
    // The right to publish may have gone since CONNECT.
    if (!this.#environment.authorize(client, 'publish', topic)) return
    const now = this.#environment.clock.now()
    this.#publish(new Message(topic, payload, qos, retain, properties, now, session.clientId))
  }
}
