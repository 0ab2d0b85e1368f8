/** What a listener is, and what it may be told. */

import type { TlsOptions, Server as TlsServer } from 'node:tls'
import { checkNames, completeLimits, type Limits } from '../options.js'

/** An open door. */
export interface Listener {
  /** What hooks and the log call it: the option `name`, or else its URL. */
  readonly name: string
  /** Where clients reach it, such as `mqtt://127.0.0.1:1883`; `ws:/mqtt` while the server it is attached to is closed. */
  readonly url: string
  /** Its TCP port; 0 where it has none. */
  readonly port: number
  /**
   * Takes no more connections, and cuts those that are still in a TLS handshake or an HTTP request. Clients stay, unless
   * `disconnect` is true. Settles when the port is free and those who were sent away are gone.
   */
  close(options?: { readonly disconnect?: boolean }): Promise<void>
}

/** The limits that a listener may set for those who come in there. */
export type ListenerLimits = Partial<Omit<Limits, (typeof ofTheBroker)[number]>>

const ofTheBroker = [
  'maxSessions',
  'maxRetainedBytes',
  'maxQueuedMessages',
  'maxQueuedBytes',
  'maxInFlightBytes',
  'maxSharedGroups',
  'hookTimeout',
  'lagToRefuse',
  'lagToShed',
] as const

export interface AttachOptions {
  /** What hooks and the log call the listener. Default: its URL. */
  readonly name?: string
  /** Limits that differ from those of the broker. */
  readonly limits?: ListenerLimits
  /** Closes the listener when it is aborted. */
  readonly signal?: AbortSignal
  /**
   * WebSocket: the web pages that may connect, such as `https://example.com`; `*` stands for all. Default: those of the
   * same host name, which for a browser on the broker's own machine must be localhost or an IP address, so that no page
   * can call itself local. Clients outside browsers send no Origin, and may always.
   */
  readonly origins?: readonly string[]
  /**
   * WebSocket: addresses and networks, such as `10.0.0.0/8`, of proxies that are believed when they say in
   * X-Forwarded-For for whom they connect. Default: none.
   */
  readonly forwardedFor?: readonly string[]
  /** The path of the requests that are for MQTT. Default `/mqtt`. */
  readonly path?: string
}

/** Options of TLS that may change while a server has them: `serverTls` of `@tidewire/security` makes one. */
export interface TlsSource {
  readonly options: TlsOptions
  /** Brings a server what changes, from now on; returns what ends that. */
  attach(server: TlsServer): () => void
}

export interface ListenOptions extends Omit<AttachOptions, 'path'> {
  /**
   * TLS: at least `key` and `cert`, as `node:tls` has them, or what `serverTls` of `@tidewire/security` gives; only for
   * `mqtts` and `wss`, which need it.
   */
  readonly tls?: TlsOptions | TlsSource
  /**
   * Addresses and networks, such as `10.0.0.0/8`, of the proxies from which connections come, each beginning with a
   * header of the PROXY protocol, version 1 or 2; nobody else may connect. At a Unix socket, whoever may open it is one of
   * them, and the list stays empty. Default: there are no proxies.
   */
  readonly proxyProtocol?: readonly string[]
  /** Connections that may wait to be accepted; the system may allow fewer. Default 1,024. */
  readonly backlog?: number
  /** Unix: the permissions of the socket's file. Default 0o600, for the own user alone. */
  readonly mode?: number
}

const shared = ['name', 'limits', 'signal', 'origins', 'forwardedFor']

/** Throws TypeError or RangeError for options that do not fit each other or the kind of listener. */
export function checkListenOptions(
  options: ListenOptions,
  kind: { tls: boolean; webSocket: boolean; unix: boolean },
): void {
  checkNames(options, [...shared, 'tls', 'proxyProtocol', 'backlog', 'mode'])
  checkShared(options)
  const { tls, origins, forwardedFor, mode, backlog = 1, proxyProtocol } = options
  const only = (value: unknown, fits: boolean, option: string, kinds: string): void => {
    if (value !== undefined && !fits) throw new TypeError(`the option ${option} is for ${kinds}`)
  }
  // Not ignored: who asks for TLS may not get a listener without.
  only(tls, kind.tls, 'tls', 'mqtts and wss')
  only(origins, kind.webSocket, 'origins', 'WebSocket')
  only(forwardedFor, kind.webSocket, 'forwardedFor', 'WebSocket')
  only(mode, kind.unix, 'mode', 'Unix sockets')
  if (kind.tls && !hasKey(tlsSourceOf(tls).options)) throw new TypeError('the option tls needs a key and a certificate')
  if (!Number.isInteger(backlog) || backlog < 1) throw new RangeError('backlog must be a whole number above 0')
  if (mode !== undefined && (!Number.isInteger(mode) || mode < 0 || mode > 0o777)) {
    throw new RangeError('mode must be permissions such as 0o660')
  }
  if (kind.unix && proxyProtocol !== undefined && proxyProtocol.length > 0) {
    throw new TypeError('at a Unix socket proxyProtocol must be empty: its permissions say who may connect')
  }
}

/** Throws TypeError or RangeError for options that do not fit. */
export function checkAttachOptions(options: AttachOptions): void {
  checkNames(options, [...shared, 'path'])
  checkShared(options)
  const { path = '/' } = options
  if (typeof path !== 'string' || !/^\/[^?#\s]*$/.test(path))
    throw new TypeError('path must begin with / and have no query')
}

function checkShared({ name, signal }: AttachOptions): void {
  if (name !== undefined && (typeof name !== 'string' || name === '')) throw new TypeError('name must be text')
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError('signal must be an AbortSignal')
}

/** Options of TLS as something that may change them. */
export function tlsSourceOf(tls: TlsOptions | TlsSource = {}): TlsSource {
  return 'attach' in tls ? tls : { options: tls, attach: () => () => {} }
}

function hasKey({ key, cert, pfx, SNICallback, pskCallback }: TlsOptions): boolean {
  return (key !== undefined && cert !== undefined) || [pfx, SNICallback, pskCallback].some((each) => each !== undefined)
}

/** The limits of a listener. Throws RangeError for one that is none, or is not for a listener to set. */
export function listenerLimits(own: ListenerLimits = {}, broker: Limits): Limits {
  const name = Object.keys(own).find((each) => (ofTheBroker as readonly string[]).includes(each))
  if (name !== undefined) throw new RangeError(`the limit ${name} is one of the broker, not of a listener`)
  return completeLimits(own, broker)
}
