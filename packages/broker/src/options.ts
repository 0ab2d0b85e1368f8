/** What a broker may be told, with its limits and their defaults. */

import type { Clock } from './clock.js'
import type { Hooks } from './hooks.js'

/** Bounds on what clients may ask of the broker. */
export interface Limits {
  /**
   * Milliseconds from the acceptance of a connection to a complete CONNECT, the PROXY header, the TLS handshake and the
   * upgrade to WebSocket included. Default 10,000.
   */
  readonly connectTimeout: number
  /** Bytes of a whole packet; told to MQTT 5.0 clients as Maximum Packet Size. Default 1 MiB. */
  readonly maxPacketSize: number
  /** Bytes of a CONNECT, which comes before anyone is known. Default 64 KiB. */
  readonly maxConnectSize: number
  /** QoS 1 and 2 messages that a client may have under way to the broker (Receive Maximum). Default 64. */
  readonly receiveMaximum: number
  /** QoS 1 and 2 messages under way to a client at once, if it allows as many. Default 64. */
  readonly maxInFlight: number
  /** QoS 1 and 2 messages that wait for a client that is away; further ones are dropped. Default 1,000. */
  readonly maxQueuedMessages: number
  /** Bytes of QoS 1 and 2 messages that wait for a client, away or not; further ones are dropped. Default 8 MiB. */
  readonly maxQueuedBytes: number
  /** Bytes written to a connection and not taken by the network, above which QoS 0 is dropped. Default 1 MiB. */
  readonly maxBufferedBytes: number
  /** Seconds; a longer Keep Alive of an MQTT 5.0 client, or none, is replaced by this one. Default 3,600. */
  readonly maxKeepAlive: number
  /** Seconds that a session may outlive its connection. Default 30 days. */
  readonly maxSessionExpiry: number
  /** Seconds that a session of MQTT 3.1 or 3.1.1 without Clean Session outlives its connection. Default one day. */
  readonly sessionExpiryBefore5: number
  /** Levels of a Topic Name or Topic Filter. Default 128. */
  readonly maxTopicLevels: number
  /** Characters of a Client Identifier. Default 1,024. */
  readonly maxClientIdLength: number
  /** Topic Filters of one client. Default 10,000. */
  readonly maxSubscriptions: number
  /** Topic Filters in one SUBSCRIBE or UNSUBSCRIBE. Default 1,000. */
  readonly maxFiltersPerPacket: number
  /** Connections at once, to the broker; those of a listener, if it is told another number. Default 100,000. */
  readonly maxConnections: number
  /** Connections of one IP address at once, or of one IPv6 network of 64 bits. Not for loopback. Default 1,000. */
  readonly maxConnectionsPerAddress: number
  /** New connections that a listener accepts in a second. Not for loopback. Default 1,000. */
  readonly maxConnectionRate: number
  /** Of these, from one IP address, or from one IPv6 network of 64 bits. Default 100. */
  readonly maxConnectionRatePerAddress: number
  /** Sessions, of clients that are connected or away. Default 100,000. */
  readonly maxSessions: number
  /** Memory of all retained messages in bytes, as far as it can be told. Default 256 MiB. */
  readonly maxRetainedBytes: number
  /** The largest Topic Alias that clients may use. Default 32. */
  readonly topicAliasMaximum: number
}

export const defaultLimits: Limits = {
  connectTimeout: 10_000,
  maxPacketSize: 1024 * 1024,
  maxConnectSize: 64 * 1024,
  receiveMaximum: 64,
  maxInFlight: 64,
  maxQueuedMessages: 1_000,
  maxQueuedBytes: 8 * 1024 * 1024,
  maxBufferedBytes: 1024 * 1024,
  maxKeepAlive: 3_600,
  maxSessionExpiry: 30 * 24 * 3600,
  sessionExpiryBefore5: 24 * 3600,
  maxTopicLevels: 128,
  maxClientIdLength: 1_024,
  maxSubscriptions: 10_000,
  maxFiltersPerPacket: 1_000,
  maxConnections: 100_000,
  maxConnectionsPerAddress: 1_000,
  maxConnectionRate: 1_000,
  maxConnectionRatePerAddress: 100,
  maxSessions: 100_000,
  maxRetainedBytes: 256 * 1024 * 1024,
  topicAliasMaximum: 32,
}

// What the protocol can express, where that is less than a safe integer.
const greatest: Partial<Limits> = {
  maxPacketSize: 0x1000_0004,
  maxConnectSize: 0x1000_0004,
  receiveMaximum: 0xffff,
  maxInFlight: 0xffff,
  maxKeepAlive: 0xffff,
  maxSessionExpiry: 0xffff_fffe,
  topicAliasMaximum: 0xffff,
}

/** Where the broker writes what an operator should know; `console` fits. */
export interface Log {
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

export interface BrokerOptions extends Hooks {
  /** Limits that differ from their defaults. */
  readonly limits?: Partial<Limits>
  /** Default: nothing is logged. */
  readonly log?: Log
  /** Default: the system's. */
  readonly clock?: Clock
}

/** The limits with their defaults. Throws RangeError for one that is not a whole number in its range, or not known. */
export function completeLimits(limits: Partial<Limits> = {}, defaults: Limits = defaultLimits): Limits {
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(defaultLimits, name)) throw new RangeError(`there is no limit called ${name}`)
    const least = name === 'topicAliasMaximum' ? 0 : 1
    const most = greatest[name as keyof Limits] ?? Number.MAX_SAFE_INTEGER
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      throw new RangeError(`the limit ${name} must be a whole number from ${least} to ${most}, not ${value}`)
    }
  }
  return { ...defaults, ...limits }
}

const optionNames = ['limits', 'log', 'clock', 'authenticate', 'authorize']

/** Throws TypeError for an option that is not known, such as one that is misspelt. */
export function checkOptions(options: object, known: readonly string[] = optionNames): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`there is no option called ${name}`)
  }
}
