/** What a broker may be told, with its limits and their defaults. */

import { inspect } from 'node:util'
import type { AuthenticationMethod } from './authentication.js'
import type { Clock } from './clock.js'
import type { Client, Hooks } from './hooks.js'
import { type Overflow, overflows, type SharedStrategy, sharedStrategies } from './policy.js'
import type { Store } from './store/store.js'

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
  /** QoS 1 and 2 messages under way to a client at once, if it allows as many. Default 512. */
  readonly maxInFlight: number
  /** Bytes from which on no more of them are under way. Default 1 MiB. */
  readonly maxInFlightBytes: number
  /** QoS 1 and 2 messages that wait for a client that is away; further ones are dropped. Default 1,000. */
  readonly maxQueuedMessages: number
  /** Bytes of QoS 1 and 2 messages that wait for a client, away or not; further ones are dropped. Default 8 MiB. */
  readonly maxQueuedBytes: number
  /** Bytes written to a connection and not taken by the network, above which QoS 0 is dropped. Default 1 MiB. */
  readonly maxBufferedBytes: number
  /** Seconds; a longer Keep Alive, or none, is replaced by this one, of which MQTT 5.0 clients are told. Default 3,600. */
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
  /**
   * Levels of Topic Filters behind their first +, up to the last wildcard, of all filters of one client together: what each
   * message can be made to cost by filters that are like its topic, but do not match. `a/+/b` has none, `a/+/b/+/#` three.
   * Default 10,000.
   */
  readonly maxWildcardLevels: number
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
  /** Topic Aliases that are used to one client, if it allows as many. Default 32. */
  readonly maxOutgoingAliases: number
  /** QoS 2 messages of a client of MQTT 3.1 or 3.1.1 that wait for its PUBREL. Default 100. */
  readonly maxAwaitingRelease: number
  /** User Properties of one packet. Default 64. */
  readonly maxUserProperties: number
  /** Groups of Shared Subscriptions. Default 100,000. */
  readonly maxSharedGroups: number
  /** Milliseconds that a hook may take for its answer. Default 5,000. */
  readonly hookTimeout: number
  /** Milliseconds by which the event loop is late, from which on new connections are refused. Default 200. */
  readonly lagToRefuse: number
  /** The same, from which on messages of QoS 0 are dropped. Default 1,000. */
  readonly lagToShed: number
}

export const defaultLimits: Limits = {
  connectTimeout: 10_000,
  maxPacketSize: 1024 * 1024,
  maxConnectSize: 64 * 1024,
  receiveMaximum: 64,
  maxInFlight: 512, // measured: Shared Subscriptions, 100 to 10: twice as fast as with 64
  maxInFlightBytes: 1024 * 1024,
  maxQueuedMessages: 1_000,
  maxQueuedBytes: 8 * 1024 * 1024,
  maxBufferedBytes: 1024 * 1024,
  maxKeepAlive: 3_600,
  maxSessionExpiry: 30 * 24 * 3600,
  sessionExpiryBefore5: 24 * 3600,
  maxTopicLevels: 128,
  maxClientIdLength: 1_024,
  maxSubscriptions: 10_000,
  maxWildcardLevels: 10_000,
  maxFiltersPerPacket: 1_000,
  maxConnections: 100_000,
  maxConnectionsPerAddress: 1_000,
  maxConnectionRate: 1_000,
  maxConnectionRatePerAddress: 100,
  maxSessions: 100_000,
  maxRetainedBytes: 256 * 1024 * 1024,
  topicAliasMaximum: 32,
  maxOutgoingAliases: 32,
  maxAwaitingRelease: 100,
  maxUserProperties: 64,
  maxSharedGroups: 100_000,
  hookTimeout: 5_000,
  lagToRefuse: 200,
  lagToShed: 1_000,
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
  maxOutgoingAliases: 0xffff,
  maxAwaitingRelease: 0xffff,
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
  /** Where all that outlives the broker is kept; it is the broker's, which closes it. Default: it ends with the broker. */
  readonly store?: Store
  /** Methods of enhanced authentication by name (section 4.12). Default: none. */
  readonly authenticationMethods?: Readonly<Record<string, AuthenticationMethod>>
  /**
   * A message for which several subscriptions of a client match: sent once, with the highest QoS and all Subscription
   * Identifiers, or once for each. Default `once`.
   */
  readonly overlapping?: 'once' | 'each'
  /** What becomes of messages that a subscriber does not take in time. Default `dropNewest`. */
  readonly overflow?: Overflow
  /** Who of a Shared Subscription gets a message; asked once for each group. Default `roundRobin`. */
  readonly sharedStrategy?: SharedStrategy | ((shareName: string, topicFilter: string) => SharedStrategy)
  /** What a client gets that asks for Response Information (section 3.2.2.3.15). Default: nothing. */
  readonly responseInformation?: (client: Client) => string | undefined
  /** Seconds between updates of the topics below `$SYS`; 0 for none. Default 10. */
  readonly sysInterval?: number
  /** Refuse payloads that are not the UTF-8 that their Payload Format Indicator says (0x99). Default false. */
  readonly checkPayloadFormat?: boolean
  /** Accept control characters and Unicode non-characters in strings. Default false. */
  readonly controlCharacters?: boolean
}

/** The limits with their defaults. Throws RangeError for one that is not a whole number in its range, or not known. */
export function completeLimits(limits: Partial<Limits> = {}, defaults: Limits = defaultLimits): Limits {
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(defaultLimits, name)) throw new RangeError(`there is no limit called ${name}`)
    const least = name === 'topicAliasMaximum' || name === 'maxOutgoingAliases' ? 0 : 1
    const most = greatest[name as keyof Limits] ?? Number.MAX_SAFE_INTEGER
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      throw new RangeError(`the limit ${name} must be a whole number from ${least} to ${most}, not ${value}`)
    }
  }
  const complete = { ...defaults, ...limits }
  const { lagToRefuse, lagToShed } = complete
  if (lagToShed < lagToRefuse) {
    throw new RangeError(`the limit lagToShed must not be below lagToRefuse: ${lagToShed} < ${lagToRefuse}`)
  }
  return complete
}

const isFunction = (value: unknown): boolean => typeof value === 'function'
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** What the value of an option must be. */
interface Rule {
  readonly kind: string
  readonly accepts: (value: unknown) => boolean
}

function anObjectWith(...methods: string[]): Rule {
  const accepts = (value: unknown): boolean =>
    isObject(value) && methods.every((name) => isFunction(Reflect.get(value, name)))
  return { kind: `an object with the functions ${methods.join(', ')}`, accepts }
}

function oneOf(names: readonly string[]): Rule {
  return { kind: names.map((name) => `'${name}'`).join(' or '), accepts: (value) => names.includes(value as string) }
}

const aFunction: Rule = { kind: 'a function', accepts: isFunction }
const aBoolean: Rule = { kind: 'true or false', accepts: (value) => typeof value === 'boolean' }
const aStrategy = oneOf(sharedStrategies)
// Timers of the system count 2^31 milliseconds at most.
const longest = 2_000_000

const rules: Readonly<Record<keyof BrokerOptions, Rule>> = {
  limits: { kind: 'an object', accepts: isObject },
  log: anObjectWith('info', 'warn', 'error'),
  clock: anObjectWith('now', 'every', 'defer'),
  store: anObjectWith('load', 'addMessage', 'add', 'replace', 'remove', 'has', 'commit', 'close'),
  authenticationMethods: {
    kind: 'an object with a function for each name',
    accepts: (value) => isObject(value) && !(value instanceof Map) && Object.values(value).every(isFunction),
  },
  overlapping: oneOf(['once', 'each']),
  overflow: oneOf(overflows),
  sharedStrategy: {
    kind: `${aStrategy.kind} or a function`,
    accepts: (value) => isFunction(value) || aStrategy.accepts(value),
  },
  responseInformation: aFunction,
  sysInterval: {
    kind: `a number of seconds from 0 to ${longest}`,
    accepts: (value) => typeof value === 'number' && value >= 0 && value <= longest,
  },
  checkPayloadFormat: aBoolean,
  controlCharacters: aBoolean,
  authenticate: aFunction,
  authorize: {
    kind: 'a function, or an object with the function authorize and the number epoch',
    accepts: (value) =>
      isFunction(value) ||
      (isObject(value) && isFunction(Reflect.get(value, 'authorize')) && Number.isFinite(Reflect.get(value, 'epoch'))),
  },
  onPublish: aFunction,
  onSubscribe: aFunction,
  onDeliver: aFunction,
  onConnect: aFunction,
  onDisconnect: aFunction,
}

/** Throws TypeError for an option that is not known, such as one that is misspelt. */
export function checkNames(options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`there is no option called ${name}`)
  }
}

/** Throws TypeError, or RangeError for a number, for an option that is not known or not what it must be. */
export function checkOptions(options: BrokerOptions): void {
  checkNames(options, Object.keys(rules))
  for (const [name, rule] of Object.entries(rules)) checkOption(name, options[name as keyof BrokerOptions], rule)
}

/** Throws TypeError for a policy that there is not. */
export function checkOverflow(value: unknown): void {
  checkOption('overflow', value, rules.overflow)
}

function checkOption(name: string, value: unknown, { kind, accepts }: Rule): void {
  if (value === undefined || accepts(value)) return
  const message = `the option ${name} must be ${kind}, not ${inspect(value, { depth: 0 })}`
  throw typeof value === 'number' ? new RangeError(message) : new TypeError(message)
}
