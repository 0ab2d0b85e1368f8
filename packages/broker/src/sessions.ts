/** All sessions by Client Identifier [MQTT-3.1.3-2], and how long each is kept. */

import { randomUUID } from 'node:crypto'
import { Timer } from './clock.js'
import type { Environment } from './environment.js'
import type { Client } from './hooks.js'
import { Session } from './session.js'

export class Sessions {
  readonly #byClientId: Map<string, Session> = new Map()
  readonly #environment: Environment
  readonly #onEnd: (session: Session) => void

  /** `onEnd` is called for each session that ends, after it is gone from here. */
  constructor(environment: Environment, onEnd: (session: Session) => void) {
    this.#environment = environment
    this.#onEnd = onEnd
  }

  get isFull(): boolean {
    return this.#byClientId.size >= this.#environment.limits.maxSessions
  }

  get size(): number {
    return this.#byClientId.size
  }

  /** Those that have a connection. */
  get connected(): number {
    let count = 0
    for (const { isConnected } of this.#byClientId.values()) if (isConnected) count++
    return count
  }

  get(clientId: string): Session | undefined {
    return this.#byClientId.get(clientId)
  }

  create(client: Client): Session {
    const session = new Session(client, this.#environment)
    this.#byClientId.set(session.clientId, session)
    return session
  }

  /** A Client Identifier that no session has [MQTT-3.2.2-16] and nobody can guess. */
  newClientId(): string {
    return `auto-${randomUUID()}`
  }

  /** The session has lost its connection: it ends now or, unless it is resumed, when its time is over. */
  release(session: Session): void {
    if (session.expiryInterval === 0) return this.end(session)
    if (session.expiryInterval === Number.POSITIVE_INFINITY) return
    session.expiryTimer ??= new Timer(() => {
      this.#environment.metrics.sessionsExpired++
      this.end(session)
    })
    this.#environment.timers.set(session.expiryTimer, session.expiryInterval * 1000)
  }

  /** The session has a connection again. */
  retain(session: Session): void {
    if (session.expiryTimer !== undefined) this.#environment.timers.cancel(session.expiryTimer)
  }

  /** Discards the session [MQTT-4.1.0-2]. */
  end(session: Session): void {
    this.retain(session)
    this.#byClientId.delete(session.clientId)
    this.#onEnd(session)
  }
}
