/** What a client may be told. */

import type { ConnectProperties, ProtocolVersion, QoS, WillProperties } from '@tidewire/codec'

/** The message that the server publishes when the client is lost (section 3.1.2.5). */
export interface WillOptions {
  readonly topic: string
  readonly payload: string | Uint8Array
  /** Default 0. */
  readonly qos?: QoS
  /** Default false. */
  readonly retain?: boolean
  readonly properties?: WillProperties
}

export interface ConnectOptions {
  /** 3 is MQTT 3.1, 4 is MQTT 3.1.1, 5 is MQTT 5.0. Default 5. */
  readonly protocolVersion?: ProtocolVersion
  /** Default: empty, and the server assigns one; before MQTT 5.0 a random one. */
  readonly clientId?: string
  /** Begin a new session. Default true. */
  readonly cleanStart?: boolean
  /** Seconds without traffic after which the connection is tried; 0 never. Default 60. */
  readonly keepAlive?: number
  readonly userName?: string
  readonly password?: string | Uint8Array
  readonly will?: WillOptions
  /** Properties of CONNECT, of MQTT 5.0. */
  readonly properties?: Omit<ConnectProperties, 'authenticationMethod' | 'authenticationData' | 'topicAliasMaximum'>
  /** Milliseconds for the connection to be open and CONNACK to come. Default 10,000. */
  readonly connectTimeout?: number
  /** Gives the attempt to connect up. */
  readonly signal?: AbortSignal
}
