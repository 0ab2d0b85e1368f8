/** Counters of what the broker does. */

import type { Store } from './store/store.js'

export class Metrics {
  /** Now, not since the start. */
  connections = 0
  /** Connections that were refused or not even accepted. */
  connectionsRefused = 0
  /** Of these, the ones that were not answered with a CONNACK, by reason. */
  readonly refused: Record<RefusalReason, number> = {
    full: 0,
    addressFull: 0,
    rate: 0,
    addressRate: 0,
    proxy: 0,
    tls: 0,
    upgrade: 0,
    origin: 0,
    timeout: 0,
  }
  /** Of them, those that were refused because the broker ran late. */
  connectionsRefusedByLag = 0
  /** Milliseconds that the event loop was late, lately. */
  lag = 0
  /** Clients that were let in. */
  connectionsAccepted = 0
  /** Sessions that ended because their time was over. */
  sessionsExpired = 0
  packetsReceived = 0
  packetsSent = 0
  bytesReceived = 0
  bytesSent = 0
  /** Answers of hooks that could not be had, and counted as no. */
  hooksFailed = 0
  /** Topic Filters that were refused, by the limit that they were above. */
  readonly subscriptionsRefused: Record<SubscriptionLimit, number> = {
    maxSubscriptions: 0,
    maxWildcardLevels: 0,
    maxSharedGroups: 0,
  }
  /** PUBLISH packets, duplicates included. */
  messagesReceived = 0
  /** PUBLISH packets, those sent again not included. */
  messagesSent = 0
  /** Of the same packets. */
  payloadBytesReceived = 0
  payloadBytesSent = 0
  /** The store, if there is one. */
  store: StoreStatus | undefined = undefined
  /** Messages, or copies for single subscribers, that went no further, by reason. */
  readonly dropped: Record<DropReason, number> = {
    queueFull: 0,
    slowConnection: 0,
    tooLarge: 0,
    expired: 0,
    notAuthorized: 0,
    refused: 0,
    retainedFull: 0,
    replaced: 0,
    overload: 0,
    hook: 0,
    noMember: 0,
    store: 0,
  }
}

/** How a store is, and what it has done and holds. */
export type StoreStatus = Pick<Store, 'durability' | 'state' | 'error' | 'congested' | 'metrics'>

/**
 * `full`, `addressFull`: too many connections, of all or of one address; `rate`, `addressRate`: too many in a second;
 * `proxy`: not from a proxy that is listed, or without a right PROXY header; `tls`: no TLS handshake; `upgrade`: an HTTP
 * request, but none for MQTT over WebSocket; `origin`: from a web page that may not; `timeout`: not connected in time.
 */
export type RefusalReason =
  | 'full'
  | 'addressFull'
  | 'rate'
  | 'addressRate'
  | 'proxy'
  | 'tls'
  | 'upgrade'
  | 'origin'
  | 'timeout'

export type SubscriptionLimit = 'maxSubscriptions' | 'maxWildcardLevels' | 'maxSharedGroups'

/**
 * `queueFull`, `slowConnection`: the subscriber does not keep up; `tooLarge`: above what it takes in one packet; `expired`:
 * past the Message Expiry Interval; `notAuthorized`: it may not be published or received; `refused`: the subscriber said
 * no; `retainedFull`: no memory is left for retained messages; `replaced`: a later message of the same topic took its
 * place while it waited; `overload`: the broker runs late; `hook`: a hook of the application said so; `noMember`: no
 * session of a Shared Subscription could take it; `store`: the store is full or has failed.
 */
export type DropReason =
  | 'queueFull'
  | 'slowConnection'
  | 'tooLarge'
  | 'expired'
  | 'notAuthorized'
  | 'refused'
  | 'retainedFull'
  | 'replaced'
  | 'overload'
  | 'hook'
  | 'noMember'
  | 'store'
