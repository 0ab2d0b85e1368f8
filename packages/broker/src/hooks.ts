/** Functions of the application that the broker asks. */

import type { ProtocolVersion } from '@tidewire/codec'

/** Who is asking. */
export interface Client {
  readonly clientId: string
  readonly userName: string | undefined
  readonly protocolVersion: ProtocolVersion
  /** Its own IP address, not that of a proxy; undefined where it has none, as at a Unix socket, or none is known. */
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  /** The name of the listener where it came in. */
  readonly listener: string
}

/** What is done with a topic: sending a message to it, asking for a Topic Filter, or being sent a message of it. */
export type Action = 'publish' | 'subscribe' | 'receive'

export interface Hooks {
  /**
   * Whether a client may connect; false, a throw or a rejection refuse it. Default: everyone may.
   * It may take its time: the client waits, others do not.
   */
  authenticate?(client: Client, password: Uint8Array | undefined): boolean | Promise<boolean>
  /**
   * Whether a client may do it; false and a throw refuse. The topic is a Topic Filter for `subscribe` and a Topic Name
   * otherwise. Default: everyone may do everything but publish to topics that begin with `$`.
   */
  authorize?(client: Client, action: Action, topic: string): boolean
}
