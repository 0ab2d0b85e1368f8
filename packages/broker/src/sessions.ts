/** All sessions by Client Identifier [MQTT-3.1.3-2], and how long each is kept. */

import { randomUUID } from 'node:crypto'
import { Timer } from './clock.js'
import type { Environment } from './environment.js'
import type { Client } from './hooks.js'
import { Session } from './session.js'
import { encodeSession } from './store/records.js'
import { recordKinds } from './store/store.js'

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

  /** Takes a session that was there before the broker began. */
  restore(session: Session): void {
    this.#byClientId.set(session.clientId, session)
  }

  /**
   * Writes a session down: one that outlives its connection, or has a Will that outlives the broker. `endedAt` is the date
   * when its connection ended.
   */
  write(session: Session, endedAt = 0): void {
    const { journal } = this.#environment
    const { client, expiryInterval, will, record } = session
    if (journal === undefined || (record === 0 && expiryInterval === 0 && will === undefined)) return
    const written = encodeSession({ client, expiryInterval, endedAt })
    if (record === 0) session.record = journal.add(recordKinds.session, 0, written)
    else journal.replace(record, 0, written)
  }

  /** The session has lost its connection: it ends now or, unless it is resumed, when its time is over. */
  release(session: Session): void {
    if (session.expiryInterval === 0) return this.end(session)
    const { journal } = this.#environment
    if (journal !== undefined) this.write(session, journal.date)
    this.expireIn(session, session.expiryInterval * 1000)
  }

  /** Ends the session after so many milliseconds. */
  expireIn(session: Session, milliseconds: number): void {
    if (milliseconds === Number.POSITIVE_INFINITY) return
    session.expiryTimer ??= new Timer(() => {
      this.#environment.metrics.sessionsExpired++
      this.end(session)
    })
    this.#environment.timers.set(session.expiryTimer, milliseconds)
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
    if (session.record === 0) return
    this.#environment.journal!.remove(session.record)
    session.record = 0
  }
}
