/** What the broker tells of itself below `$SYS`, under the names that mosquitto gave it. */

import { createRequire } from 'node:module'
import type { Core } from './core.js'
import { Message } from './message.js'

/** The version of this package; unknown in a bundle, beside which its description does not lie. */
function versionOf(): string {
  try {
    return (createRequire(import.meta.url)('../package.json') as { version: string }).version
  } catch {
    return 'unknown'
  }
}

// Minutes over which rates are averaged.
const spans = [1, 5, 15] as const

/** Publishes the topics every so many seconds, retained, those that have changed. */
export class Sys {
  readonly #core: Core
  readonly #seconds: number
  readonly #told: Map<string, string> = new Map()
  readonly #loads: Load[]
  readonly #startedAt: number
  #maxHeap = 0
  #maxClients = 0
  #stop: (() => void) | undefined

  constructor(core: Core, seconds: number) {
    const { metrics, clock } = core.environment
    this.#core = core
    this.#seconds = seconds
    this.#startedAt = clock.now()
    this.#loads = [
      new Load('messages/received', () => metrics.packetsReceived),
      new Load('messages/sent', () => metrics.packetsSent),
      new Load('publish/received', () => metrics.messagesReceived),
      new Load('publish/sent', () => metrics.messagesSent),
      new Load('publish/dropped', () => dropped(core)),
      new Load('bytes/received', () => metrics.bytesReceived),
      new Load('bytes/sent', () => metrics.bytesSent),
      new Load('connections', () => metrics.connectionsAccepted),
      new Load('sockets', () => metrics.connectionsAccepted + metrics.connectionsRefused),
    ]
  }

  start(): void {
    if (this.#seconds === 0) return
    this.#tell('version', `tidewire ${versionOf()}`)
    this.#publish()
    this.#stop ??= this.#core.environment.clock.every(this.#seconds * 1000, () => {
      for (const load of this.#loads) load.update(this.#seconds)
      this.#publish()
    })
  }

  stop(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  #publish(): void {
    const { environment, sessions, router, retained } = this.#core
    const { metrics, clock } = environment
    const { connected } = sessions
    const away = sessions.size - connected
    const heap = process.memoryUsage().heapUsed
    this.#maxHeap = Math.max(this.#maxHeap, heap)
    this.#maxClients = Math.max(this.#maxClients, connected)
    const values: Readonly<Record<string, number | string>> = {
      uptime: `${Math.floor((clock.now() - this.#startedAt) / 1000)} seconds`,
      'clients/total': sessions.size,
      'clients/connected': connected,
      'clients/active': connected,
      'clients/disconnected': away,
      'clients/inactive': away,
      'clients/maximum': this.#maxClients,
      'clients/expired': metrics.sessionsExpired,
      'messages/received': metrics.packetsReceived,
      'messages/sent': metrics.packetsSent,
      'publish/messages/received': metrics.messagesReceived,
      'publish/messages/sent': metrics.messagesSent,
      'publish/messages/dropped': dropped(this.#core),
      'publish/bytes/received': metrics.payloadBytesReceived,
      'publish/bytes/sent': metrics.payloadBytesSent,
      'bytes/received': metrics.bytesReceived,
      'bytes/sent': metrics.bytesSent,
      'store/messages/count': retained.size,
      'store/messages/bytes': retained.bytes,
      'messages/stored': retained.size,
      'retained messages/count': retained.size,
      'subscriptions/count': router.size - router.sharedSize,
      'shared_subscriptions/count': router.sharedSize,
      'heap/current': heap,
      'heap/maximum': this.#maxHeap,
    }
    for (const name in values) this.#tell(name, String(values[name]))
    for (const load of this.#loads) {
      for (const [index, minutes] of spans.entries()) {
        this.#tell(`load/${load.name}/${minutes}min`, load.perMinute(index).toFixed(2))
      }
    }
  }

  #tell(name: string, value: string): void {
    if (this.#told.get(name) === value) return
    this.#told.set(name, value)
    const { clock } = this.#core.environment
    const payload = new TextEncoder().encode(value)
    const publication = { topic: `$SYS/broker/${name}`, payload, qos: 0, retain: true, properties: {} } as const
    this.#core.publish(Message.of(publication, clock.now(), undefined))
  }
}

function dropped({ environment }: Core): number {
  return Object.values(environment.metrics.dropped).reduce((sum, count) => sum + count, 0)
}

/** A rate, averaged over the last minutes: what is older counts ever less. */
class Load {
  readonly name: string
  readonly #total: () => number
  readonly #averages: number[] = spans.map(() => 0)
  #last: number

  constructor(name: string, total: () => number) {
    this.name = name
    this.#total = total
    this.#last = total()
  }

  update(seconds: number): void {
    const total = this.#total()
    const rate = ((total - this.#last) * 60) / seconds
    this.#last = total
    for (const [index, minutes] of spans.entries()) {
      const weight = Math.exp(-seconds / (minutes * 60))
      this.#averages[index] = rate + weight * (this.#averages[index]! - rate)
    }
  }

  perMinute(index: number): number {
    return this.#averages[index]!
  }
}
