/** The inner side of a listener: who comes in, and has become a client or not yet. */

import { isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import type { PeerCertificate } from 'node:tls'
import { ReasonCode } from '@tidewire/codec'
import { Timer } from '../clock.js'
import type { Environment } from '../environment.js'
import type { RefusalReason } from '../metrics.js'
import type { Limits } from '../options.js'
import type { Peer, Transport } from '../transport.js'
import { type Admission, Rate } from './admission.js'
import { isLoopback, networkOf } from './remote-address.js'

/** What a connection becomes for the broker. */
export interface Guest {
  disconnect(reasonCode: number): void
}

// Milliseconds between two warnings of the same: a flood may not flood the log.
const warningInterval = 10_000

const nothing = (): void => {}

export class Entrance {
  /** The name of the listener; set before the first connection comes. */
  name = ''
  readonly limits: Limits
  readonly environment: Environment
  readonly admission: Admission
  readonly accept: (transport: Transport) => Guest
  readonly #visits: Set<Visit> = new Set()
  readonly #rate: Rate = new Rate()
  readonly #warned: Map<string, number> = new Map()
  /** Told when the last one is gone. */
  #waiting: (() => void)[] = []

  constructor(limits: Limits, environment: Environment, admission: Admission, accept: (transport: Transport) => Guest) {
    this.limits = limits
    this.environment = environment
    this.admission = admission
    this.accept = accept
  }

  /** Takes in a connection, and watches its time; undefined if there are too many. */
  enter(stream: Duplex): Visit | undefined {
    const { admission, environment } = this
    if (admission.connections >= environment.limits.maxConnections || this.#visits.size >= this.limits.maxConnections) {
      return void this.refuse('full', 'there are too many')
    }
    const visit = new Visit(this, stream)
    admission.connections++
    this.#visits.add(visit)
    stream.on('close', () => {
      admission.connections--
      this.#visits.delete(visit)
      visit.left()
      if (this.#visits.size === 0) for (const tell of this.#waiting.splice(0)) tell()
    })
    return visit
  }

  /** Whether a connection may come from an address; it is counted. */
  admit(address: string): boolean {
    const now = this.environment.clock.now()
    const network = networkOf(address)
    const reason = this.admission.enter(network, this.limits, now)
    if (reason === undefined && this.#rate.take(this.limits.maxConnectionRate, now)) return true
    if (reason === undefined) this.admission.leave(network)
    this.refuse(reason ?? 'rate', reason === undefined ? 'too many come at once' : `too many of ${address}`)
    return false
  }

  /** Counts a connection that is refused, and tells the log. */
  refuse(reason: RefusalReason, message: string): void {
    const { metrics, log } = this.environment
    metrics.connectionsRefused++
    metrics.refused[reason]++
    const isLimit = reason === 'full' || reason === 'addressFull' || reason === 'rate' || reason === 'addressRate'
    if (isLimit) this.warn(reason, `connections are refused: ${message}`)
    else log.info(`${this.name}: ${message}`)
  }

  /** Warns of what may come again and again, once in a while. */
  warn(subject: string, message: string): void {
    const { log, clock } = this.environment
    const now = clock.now()
    if (now - (this.#warned.get(subject) ?? Number.NEGATIVE_INFINITY) < warningInterval) return
    this.#warned.set(subject, now)
    log.warn(`${this.name}: ${message}`)
  }

  /** Cuts the connections on which MQTT has not begun, and sends all others away too if asked; settles when they are gone. */
  async close(disconnect: boolean): Promise<void> {
    for (const visit of this.#visits) visit.close(disconnect)
    if (!disconnect || this.#visits.size === 0) return
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

/** A connection, from its acceptance to its end. */
export class Visit implements Peer {
  readonly listener: string
  readonly limits: Limits
  readonly acceptedAt: number
  address: string | undefined = undefined
  port: number | undefined = undefined
  certificate: PeerCertificate | undefined = undefined
  pskIdentity: string | undefined = undefined
  readonly #entrance: Entrance
  readonly #stream: Duplex
  /** Only until MQTT begins. */
  #timer: Timer | undefined = new Timer(() => this.refuse('timeout', 'it was not ready for MQTT in time'))
  #admitted: string | undefined
  #guest: Guest | undefined

  constructor(entrance: Entrance, stream: Duplex) {
    const { clock, timers } = entrance.environment
    this.listener = entrance.name
    this.limits = entrance.limits
    this.acceptedAt = clock.now()
    this.#entrance = entrance
    this.#stream = stream
    stream.on('error', nothing) // `close` follows
    timers.set(this.#timer!, this.limits.connectTimeout)
  }

  get name(): string {
    const { address, port, listener } = this
    if (address === undefined) return `somebody at ${listener}`
    return `${isIPv6(address) ? `[${address}]` : address}${port === undefined ? '' : `:${port}`}`
  }

  /** Whose connection it is, as far as is known. */
  identify(address: string | undefined, port: number | undefined): void {
    this.address = address
    this.port = port
  }

  /** Whether it may stay; counts it from now on, unless it comes from the machine itself. */
  admit(): boolean {
    const { address } = this
    if (address === undefined || isLoopback(address)) return true
    if (!this.#entrance.admit(address)) return false
    this.#admitted = networkOf(address)
    return true
  }

  /** MQTT begins: the broker keeps the time from here on. */
  begin(transport: Transport): void {
    this.#endTimer()
    this.#guest = this.#entrance.accept(transport)
  }

  #endTimer(): void {
    if (this.#timer !== undefined) this.#entrance.environment.timers.cancel(this.#timer)
    this.#timer = undefined
  }

  /** Refuses it, and cuts it off. */
  refuse(reason: RefusalReason, message: string): void {
    this.note(reason, message)
    this.cut()
  }

  /** Counts and logs that it is refused. */
  note(reason: RefusalReason, message: string): void {
    this.#entrance.refuse(reason, `${this.name} is refused: ${message}`)
  }

  cut(): void {
    this.#stream.destroy()
  }

  close(disconnect: boolean): void {
    if (this.#guest === undefined) this.cut()
    else if (disconnect) this.#guest.disconnect(ReasonCode.ServerShuttingDown)
  }

  /** The connection is gone. */
  left(): void {
    this.#endTimer()
    if (this.#admitted !== undefined) this.#entrance.admission.leave(this.#admitted)
  }
}
