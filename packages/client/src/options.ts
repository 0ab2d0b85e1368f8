/** What a client may be told. */

import type { ConnectProperties, ProtocolVersion, QoS, WillProperties } from '@tidewire/codec'
import type { SessionStore } from './store.js'

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

export interface Credentials {
  readonly userName?: string | undefined
  readonly password?: string | Uint8Array | undefined
}

/** How to go on when a connection is lost or cannot be made. Each wait is a random part of a time that doubles. */
export interface ReconnectOptions {
  /** Milliseconds that the first wait takes at most. Default 250. */
  readonly min?: number
  /** Milliseconds that any wait takes at most. Default 30,000. */
  readonly max?: number
  /** Try again also when the very first attempts fail, until `signal` says so. Default false. */
  readonly first?: boolean
  /** How often in a row a Server Reference is followed, 0 for never. Default 3. */
  readonly redirects?: number
  /** Whether to give up for this reason. Default: `isFinal`. */
  readonly isFinal?: (reason: Error) => boolean
}

/** The session that the server keeps while there is no connection. */
export interface SessionOptions {
  /** Seconds that it outlives a connection; before MQTT 5.0 the server decides. */
  readonly expiry: number
  /** Where this side of it is kept. Default: in memory, as long as the client. Needs a `clientId`. */
  readonly store?: SessionStore
}

/** Messages that wait: for a connection, for the server's Receive Maximum, or for the network. */
export interface QueueOptions {
  /** Default 1,000. */
  readonly maxMessages?: number
  /** Bytes of their packets. Default 8 MiB. */
  readonly maxBytes?: number
  /** What is rejected when one more comes: it, or those that have waited for longest. Default `rejectNewest`. */
  readonly overflow?: 'rejectNewest' | 'rejectOldest'
}

/** Enhanced authentication (section 4.12): one side of a conversation that CONNECT begins. */
export interface Authentication {
  readonly method: string
  /** The Authentication Data of CONNECT, or of the AUTH that authenticates again. */
  start(): Uint8Array | undefined | Promise<Uint8Array | undefined>
  /** Answers the data of the server; what comes with its last packet is given, too. Rejects when the server is not to be trusted. */
  continue(data: Uint8Array | undefined): Uint8Array | undefined | Promise<Uint8Array | undefined>
}

/** How to connect, and as whom. */
export interface ConnectOptions {
  /** 3 is MQTT 3.1, 4 is MQTT 3.1.1, 5 is MQTT 5.0. Default 5. */
  readonly protocolVersion?: ProtocolVersion
  /** Default: empty, and the server assigns one; before MQTT 5.0 a random one. */
  readonly clientId?: string
  /** Seconds without traffic after which the connection is tried; 0 never. Default 60. */
  readonly keepAlive?: number
  /** Default: that of the URL. */
  readonly userName?: string
  /** Default: that of the URL. */
  readonly password?: string | Uint8Array
  /** Asked for at each attempt, in place of `userName` and `password`. */
  readonly credentials?: () => Credentials | Promise<Credentials>
  /** Default: none. */
  readonly authentication?: Authentication
  /** Default: none. */
  readonly will?: WillOptions
  /** Properties of CONNECT, of MQTT 5.0. `receiveMaximum` is 256 and `topicAliasMaximum` 32 unless given. */
  readonly properties?: Pick<
    ConnectProperties,
    | 'receiveMaximum'
    | 'maximumPacketSize'
    | 'topicAliasMaximum'
    | 'requestResponseInformation'
    | 'requestProblemInformation'
    | 'userProperty'
  >
  /** Default: one that begins with the client and ends with it; MQTT 5.0 servers keep it for 300 seconds without connection. */
  readonly session?: SessionOptions
  /** False to stay closed when the connection is lost. */
  readonly reconnect?: false | ReconnectOptions
  readonly queue?: QueueOptions
  /** Milliseconds that an attempt may take, until CONNACK has come. Default 10,000. */
  readonly connectTimeout?: number
  /** Gives up the attempts to connect for the first time. */
  readonly signal?: AbortSignal
}

const names =
  'protocolVersion clientId keepAlive userName password credentials authentication will properties session reconnect queue connectTimeout signal'

/** Throws TypeError for what cannot be meant, such as an option that is misspelt. */
export function checkOptions(options: ConnectOptions): void {
  for (const name of Object.keys(options)) {
    if (!names.split(' ').includes(name)) throw new TypeError(`there is no option called ${name}`)
  }
  const { protocolVersion = 5, clientId = '', userName = '', keepAlive = 0, connectTimeout = 0, session } = options
  if (![3, 4, 5].includes(protocolVersion)) throw new TypeError('protocolVersion must be 3, 4 or 5')
  if (typeof clientId !== 'string' || typeof userName !== 'string') {
    throw new TypeError('clientId and userName must be strings')
  }
  for (const value of [keepAlive, connectTimeout, session?.expiry ?? 0]) {
    if (!(value >= 0))
      throw new RangeError('keepAlive, connectTimeout and session.expiry must be numbers of at least 0')
  }
  if (clientId === '' && session !== undefined) throw new TypeError('a session needs a clientId')
}
