/** The client: one session with a server, over one connection after the other. */

import {
  type Connack,
  type ConnackProperties,
  type Disconnect,
  MqttError,
  type PacketInput,
  type Properties,
  type ProtocolVersion,
  protocolError,
  type Received,
} from '@tidewire/codec'
import { PacketIds } from '@tidewire/session'
import { abortable } from './abortable.js'
import type { Authenticator } from './authenticator.js'
import type { Acknowledgeable, Address, Callback, Client, ClientState, Source, StateName } from './client.js'
import { Connection, type ConnectionHandler } from './connection.js'
import type { Message } from './message.js'
import type { ConnectOptions, Credentials } from './options.js'
import type { Parts } from './parts.js'
import { Publisher, type PublishOptions, type PublishResult } from './publisher.js'
import { delayOf, isFinal } from './reconnect.js'
import type { Server } from './server.js'
import { type IncomingRecord, Journal, type OutgoingRecord } from './store.js'
import { type SubscribeOptions, Subscriber } from './subscriber.js'
import type { Subscription } from './subscription.js'

const encoder = /* @__PURE__ */ new TextEncoder()

// QoS 1 and 2 messages that may come before the first of them is acknowledged.
const defaultReceiveMaximum = 256
const defaultAliasMaximum = 32
// Seconds that a session nobody asked for outlives its connection, so that nothing is lost while it comes back.
const defaultExpiry = 300

// What the Connect Return Codes of MQTT 3.1.1 (section 3.2.2.3) are called in MQTT 5.0.
const returnCodes: readonly number[] = [0, 0x84, 0x85, 0x88, 0x86, 0x87]

export class MqttClient implements Client, ConnectionHandler {
  readonly protocolVersion: ProtocolVersion
  readonly closed: Promise<Error | undefined>
  /** Settles when the client is online for the first time; rejects when it never will be. */
  readonly opened: Promise<void>
  clientId: string
  serverProperties: ConnackProperties = {}
  state: ClientState = { name: 'connecting', reason: undefined }
  readonly #servers: readonly Server[]
  readonly #options: ConnectOptions
  readonly #listeners: Set<(state: ClientState) => void> = new Set()
  readonly #nameOf: (reasonCode: number) => string
  readonly #authenticator: Authenticator | undefined
  readonly #journal: Journal | undefined
  readonly #publisher: Publisher
  readonly #subscriber: Subscriber
  readonly #receiveMaximum: number
  readonly #topicAliasMaximum: number
  #packetIds: PacketIds = new PacketIds() // shared [MQTT-2.2.1-3]
  #connection: Connection | undefined
  /** The attempt to connect that is under way. */
  #attempt: { readonly controller: AbortController; readonly timer: ReturnType<typeof setTimeout> } | undefined
  #hasBeenOnline = false
  /** Whether the next CONNECT asks for a new session. */
  #isClean: boolean
  /** Whether the reason that is to come means not to connect again. */
  #isFinal = false
  #reference: string | undefined
  #closing: Promise<void> | undefined
  #wake: () => void = () => {}
  #onOpened!: () => void
  #onClosed!: (reason: Error | undefined) => void

  constructor(servers: readonly Server[], options: ConnectOptions, parts: Parts) {
    const { protocolVersion = 5, clientId = '', properties = {}, session, queue = {} } = options
    this.#servers = servers
    this.#nameOf = parts.reasonName ?? String
    this.#authenticator = options.authentication && parts.authenticator?.(this, options.authentication)
    this.#options = options
    this.protocolVersion = protocolVersion
    // Only an MQTT 5.0 server tells the identifier that it assigned.
    this.clientId = clientId === '' && protocolVersion < 5 ? randomClientId() : clientId
    this.#isClean = session === undefined
    this.#journal = session?.store && new Journal(session.store)
    this.#receiveMaximum = protocolVersion === 5 ? (properties.receiveMaximum ?? defaultReceiveMaximum) : 0xffff
    this.#topicAliasMaximum = protocolVersion === 5 ? (properties.topicAliasMaximum ?? defaultAliasMaximum) : 0
    this.#publisher = new Publisher(queue, this.#journal, this.#packetIds, parts)
    this.#subscriber = new Subscriber(this.#receiveMaximum, this.#topicAliasMaximum, this.#journal, this.#nameOf)
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve
    })
    this.opened = new Promise((resolve, reject) => {
      this.#onOpened = resolve
      void this.closed.then((reason) => reject(reason ?? closedError()))
    })
    const abort = (): void => this.#stop(options.signal?.reason)
    options.signal?.addEventListener('abort', abort)
    this.opened.then(
      () => options.signal?.removeEventListener('abort', abort),
      () => options.signal?.removeEventListener('abort', abort),
    )
    void this.#run()
  }

  on(_: 'state', listener: (state: ClientState) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #is(name: StateName): boolean {
    return this.state.name === name
  }

  #enter(name: StateName, reason: Error | undefined): void {
    const state = { name, reason }
    this.state = state
    for (const listener of this.#listeners) {
      try {
        listener(state)
      } catch (error) {
        // The listener's own fault must not be ours, nor be hidden.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  /** One connection after the other, until there is a reason to have no more. */
  async #run(): Promise<void> {
    const { reconnect } = this.#options
    const { redirects = 3, max = 30_000, first = false, isFinal: gaveUp } = reconnect || {}
    let reason: Error | undefined
    let failures = 0
    let redirected = 0
    let at = 0
    let [server] = this.#servers
    try {
      await this.#load()
      while (!this.#is('closing')) {
        this.#enter('connecting', reason)
        const since = performance.now()
        const connected = await this.#connect(server!)
        reason = connected.reason
        if (this.#is('closing')) break
        if (this.#reference !== undefined && redirects > 0) {
          const next = server!.refer?.(this.#reference)
          if (redirected++ === redirects) reason = new Error('too many Server References, one after the other')
          else if (next !== undefined) {
            server = next
            continue
          }
          break
        }
        if (reconnect === false || reason === undefined || (gaveUp === undefined ? this.#isFinal : gaveUp(reason)))
          break
        if (connected.wasOnline) {
          redirected = 0
          // A server that closes as soon as it has accepted is not asked more often than one that refuses.
          if (performance.now() - since > max) failures = 0
        } else {
          server = this.#servers[++at % this.#servers.length]
          if (at % this.#servers.length > 0) continue
          if (!this.#hasBeenOnline && !first) break
        }
        this.#enter('waiting', reason)
        await this.#sleep(delayOf(reconnect ?? {}, failures++))
      }
    } catch (error) {
      reason = error as Error
    }
    await this.#end(this.#is('closing') ? this.state.reason : reason)
  }

  /** Ends the client, whatever it does. */
  #stop(reason: Error | undefined): void {
    if (this.#is('closing') || this.#is('closed')) return
    this.#enter('closing', reason)
    this.#attempt?.controller.abort(reason ?? closedError())
    this.#connection?.cut(reason ?? closedError())
    this.#wake()
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #load(): Promise<void> {
    const records = (await this.#options.session?.store?.load(this.clientId)) ?? []
    const sorted = records.sort((a, b) => a.key - b.key)
    this.#subscriber.restore(sorted.filter((record): record is IncomingRecord => record.key < 0))
    this.#publisher.restore(sorted.filter((record): record is OutgoingRecord => record.key > 0))
  }

  /** Has a connection from its beginning to its end. */
  async #connect(server: Server): Promise<{ reason: Error | undefined; wasOnline: boolean }> {
    let onEnd!: (reason: Error | undefined) => void
    const ended = new Promise<Error | undefined>((resolve) => {
      onEnd = resolve
    })
    const { maximumPacketSize } = this.#options.properties ?? {}
    const connection = new Connection(this.protocolVersion, maximumPacketSize, this, onEnd)
    this.#connection = connection
    this.#isFinal = false
    this.#reference = undefined
    let reason: Error | undefined
    try {
      await this.#establish(server, connection)
      reason = await ended
    } catch (error) {
      connection.cut(error as Error)
      reason = error as Error
    }
    this.#endAttempt()
    const wasOnline = this.#is('online')
    this.#publisher.suspend()
    this.#subscriber.suspend()
    this.#authenticator?.reset(reason ?? closedError())
    return { reason, wasOnline }
  }

  /** Opens a stream and sends CONNECT. What it needs for that is gone when CONNACK has come. */
  async #establish(server: Server, connection: Connection): Promise<void> {
    const { connectTimeout = 10_000, credentials, authentication } = this.#options
    const attempt = new AbortController()
    const { signal } = attempt
    const late = new Error(`the server did not answer in ${connectTimeout} ms`)
    this.#attempt = { controller: attempt, timer: setTimeout(() => attempt.abort(late), connectTimeout) }
    signal.addEventListener('abort', () => connection.cut(signal.reason))
    const prepared = Promise.all([credentials?.(), authentication?.start()])
    const [who = this.#credentialsFor(server), proof] = await abortable(prepared, signal)
    this.#sendConnect(connection, who, proof)
    const opened = server.transport(connection, signal).then((stream) => connection.open(stream))
    await abortable(opened, signal)
  }

  /** CONNACK has come, or never will. */
  #endAttempt(): void {
    clearTimeout(this.#attempt?.timer)
    this.#attempt = undefined
  }

  #credentialsFor({ userName, password }: Server): Credentials {
    return { userName: this.#options.userName ?? userName, password: this.#options.password ?? password }
  }

  #sendConnect(connection: Connection, { userName, password }: Credentials, proof: Uint8Array | undefined): void {
    const { keepAlive = 60, will, authentication, session, reconnect, properties } = this.#options
    const hasExpiry = session !== undefined || reconnect !== false
    connection.send({
      type: 'connect',
      protocolVersion: this.protocolVersion,
      clientId: this.clientId,
      cleanStart: this.#isClean,
      keepAlive,
      userName,
      password: password === undefined ? undefined : bytesOf(password),
      will: will && { qos: 0, retain: false, properties: {}, ...will, payload: bytesOf(will.payload) },
      properties: {
        ...properties,
        receiveMaximum: this.#receiveMaximum,
        topicAliasMaximum: this.#topicAliasMaximum || undefined,
        sessionExpiryInterval: hasExpiry ? (session?.expiry ?? defaultExpiry) : undefined,
        authenticationMethod: authentication?.method,
        authenticationData: proof,
      },
    })
  }

  packet(packet: Received): void {
    if (this.#authenticator?.holds(packet) === true) return
    if (packet.type === 'disconnect' && this.protocolVersion === 5) return this.#disconnected(packet)
    if (packet.type === 'auth' && this.#authenticator !== undefined) return this.#authenticator.auth(packet)
    if (!this.#is('online') && !this.#is('closing')) {
      if (packet.type === 'connack') return this.#connack(packet)
      throw protocolError('the first packet is not CONNACK', '3.2.0-1')
    }
    if (packet.type !== 'publish' && 'properties' in packet && hasProblem(packet.properties)) {
      // PE-3.1.2.11.7-2
      if (this.#options.properties?.requestProblemInformation === false)
        throw protocolError('a reason that was not asked for', '3.1.2.11.7')
    }
    switch (packet.type) {
      case 'publish':
        return this.#subscriber.deliver(packet)
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        return this.#publisher.answered(packet)
      case 'pubrel':
        return this.#subscriber.pubrel(packet.packetId)
      case 'suback':
      case 'unsuback':
        return this.#subscriber.answered(packet.type, packet.packetId, packet.reasonCodes)
      case 'pingresp':
        return
      default:
        throw protocolError(`${packet.type.toUpperCase()} from a Server`, '4.13.1')
    }
  }

  #disconnected({ reasonCode, properties }: Disconnect): void {
    // What only a Client may say.
    if (reasonCode === 4 || properties.sessionExpiryInterval !== undefined) {
      throw protocolError('DISCONNECT of a Client from a Server', '3.14.2-2')
    }
    this.#refused(reasonCode, 'the server closed the connection', properties)
  }

  /** The server does not want the connection. */
  #refused(reasonCode: number, message: string, { reasonString, serverReference }: ConnackProperties): void {
    this.#isFinal = isFinal(reasonCode)
    if (reasonCode === 0x9c || reasonCode === 0x9d) this.#reference = serverReference
    this.#connection!.cut(new MqttError(reasonCode, `${message}: ${reasonString ?? this.#nameOf(reasonCode)}`))
  }

  #connack(packet: Connack): void {
    const { reasonCode, sessionPresent, properties } = packet
    if (reasonCode !== 0) {
      const code = this.protocolVersion === 5 ? reasonCode : returnCodes[reasonCode]!
      return this.#refused(code, 'the server refused the connection', properties)
    }
    if (sessionPresent && this.#isClean) throw protocolError('Session Present after Clean Start', '3.2.2-4')
    if (properties.authenticationMethod !== this.#options.authentication?.method) {
      throw protocolError('CONNACK of another Authentication Method', '4.12.0-5')
    }
    if (this.#authenticator === undefined) this.#open(packet)
    else this.#authenticator.connack(packet, () => this.#open(packet))
  }

  #open({ sessionPresent, properties }: Connack): void {
    const connection = this.#connection!
    const isFirst = !this.#hasBeenOnline
    this.#endAttempt()
    this.serverProperties = properties
    this.clientId = properties.assignedClientIdentifier ?? this.clientId
    this.#hasBeenOnline = true
    // Before MQTT 5.0 a session that is not asked for ends with the connection.
    this.#isClean = this.protocolVersion < 5 && this.#options.session === undefined
    connection.maximumPacketSize = properties.maximumPacketSize ?? Number.POSITIVE_INFINITY
    connection.keepAlive(properties.serverKeepAlive ?? this.#options.keepAlive ?? 60) // [MQTT-3.2.2-21]
    if (!sessionPresent) this.#packetIds = new PacketIds()
    this.#subscriber.begin(connection, this.#packetIds, properties, sessionPresent, isFirst)
    this.#publisher.begin(connection, this.#packetIds, properties, sessionPresent)
    this.#enter('online', undefined)
    this.#onOpened()
  }

  get isOnline(): boolean {
    return this.#is('online')
  }

  send(packet: PacketInput): void {
    this.#connection!.send(packet)
  }

  refuse(error: MqttError, isFinal: boolean): void {
    this.#isFinal = isFinal
    this.#connection!.fail(error)
  }

  async reauthenticate(): Promise<void> {
    if (this.#authenticator === undefined) throw new TypeError('there is no option authentication')
    return this.#authenticator.again()
  }

  beforeWrite(): Promise<void> | undefined {
    return this.#journal?.write()?.catch((error) => {
      // What is not written down may not be promised.
      this.#stop(error)
      throw error
    })
  }

  /** The connection has room. */
  hasRoom(): void {
    this.#publisher.pump()
  }

  publish<T>(
    to: string | Address<T>,
    payload: string | Uint8Array | T,
    options: PublishOptions = {},
  ): Promise<PublishResult> {
    try {
      this.#checkOpen()
      if (typeof to !== 'object') return this.#publisher.publish(to, bytesOf(payload), options)
    } catch (error) {
      return Promise.reject(error)
    }
    const properties = { ...to.properties, ...options.properties }
    return (async () => {
      const encoded = await to.encode(payload as T)
      this.#checkOpen()
      return this.#publisher.publish(to.topic, encoded, { ...options, properties })
    })()
  }

  tryPublish(
    topic: string,
    payload: string | Uint8Array,
    { retain = false, properties = {} }: Pick<PublishOptions, 'retain' | 'properties'> = {},
  ): boolean {
    this.#checkOpen()
    return this.#publisher.tryPublish(topic, bytesOf(payload), retain, properties)
  }

  drained(): Promise<void> {
    return this.#publisher.when('room')
  }

  async subscribe<M extends Acknowledgeable>(
    from: string | Source<M>,
    options: SubscribeOptions = {},
    callback?: Callback<M>,
  ): Promise<Subscription<M>> {
    this.#checkOpen()
    const isTyped = typeof from !== 'string'
    const stream: Subscription<Message> = await this.#subscriber.subscribe(isTyped ? from.filter : from, options)
    const subscription = isTyped ? from.from(stream) : (stream as unknown as Subscription<M>)
    if (callback !== undefined) void callEach(subscription, callback)
    return subscription
  }

  #checkOpen(): void {
    const { name, reason } = this.state
    if (this.#closing !== undefined || name === 'closing' || name === 'closed') throw reason ?? closedError()
  }

  wake(): void {
    if (this.#is('online')) this.#connection!.ping()
    else this.#wake()
  }

  close({ drain = 0 }: { readonly drain?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(drain)
    return this.#closing
  }

  async #close(drain: number): Promise<void> {
    if (drain > 0) {
      let timer: ReturnType<typeof setTimeout> | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, drain)
      })
      await Promise.race([this.#publisher.when('done'), late]).catch(() => {}) // closed meanwhile
      clearTimeout(timer)
    }
    if (this.#is('online')) {
      this.#enter('closing', undefined)
      // A session that nobody asked for is of no use to anybody else.
      const properties = this.#options.session === undefined ? { sessionExpiryInterval: 0 } : {}
      this.#connection!.close({ type: 'disconnect', properties })
    } else {
      this.#stop(undefined)
    }
    await this.closed
  }

  /** There will be no more connections. */
  async #end(reason: Error | undefined): Promise<void> {
    const error = reason ?? closedError()
    this.#publisher.end(error)
    this.#subscriber.end(reason, error)
    let last = reason
    try {
      await this.#journal?.write()
      await this.#options.session?.store?.close()
    } catch (error) {
      last ??= error as Error
    }
    this.#enter('closed', last)
    this.#onClosed(last)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Calls back with one message after the other. */
async function callEach<M extends Acknowledgeable>(
  subscription: Subscription<M>,
  callback: Callback<M>,
): Promise<void> {
  try {
    for await (const message of subscription) {
      try {
        await callback(message)
      } catch (error) {
        message.ack(0x80)
        await subscription.close(error as Error)
      }
    }
  } catch {
    // `ended` of the subscription tells why.
  }
}

function hasProblem({ reasonString, userProperty }: Pick<Properties, 'reasonString' | 'userProperty'>): boolean {
  return reasonString !== undefined || userProperty !== undefined
}

function closedError(): Error {
  return new Error('the client is closed')
}

function bytesOf(payload: unknown): Uint8Array {
  if (typeof payload === 'string') return encoder.encode(payload)
  if (payload instanceof Uint8Array) return payload
  throw new TypeError('a payload or password must be a string or a Uint8Array')
}

/** That nobody guesses, in the 23 characters that MQTT 3.1 allows. */
function randomClientId(): string {
  const random = crypto.getRandomValues(new Uint32Array(2))
  return `tidewire-${Array.from(random, (part) => part.toString(36).padStart(7, '0')).join('')}`
}
