/** What the tests have to know of a broker. */

import type { ProtocolVersion } from '@tidewire/codec'

/** A method of enhanced authentication that the broker knows, with one exchange that succeeds and one that fails. */
export interface Mechanism {
  readonly name: string
  readonly first: Uint8Array
  /** What the client answers to the broker's challenge. */
  readonly right: Uint8Array
  readonly wrong: Uint8Array
}

export interface BrokerUnderTest {
  readonly host: string
  readonly port: number
  readonly versions: readonly ProtocolVersion[]
  /** A port for MQTT over WebSocket. */
  readonly webSocketPort?: number | undefined
  /** The beginning of topics that nobody may publish to. */
  readonly deniedTopics?: string | undefined
  /** A Topic Filter that nobody may subscribe to. */
  readonly deniedFilters?: string | undefined
  /** A user who may not connect. */
  readonly deniedUser?: string | undefined
  readonly mechanism?: Mechanism | undefined
}
