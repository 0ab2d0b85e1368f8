/** What a client can do. */

import type { ConnackProperties, ProtocolVersion, PublishProperties } from '@tidewire/codec'
import type { Message } from './message.js'
import type { PublishOptions, PublishResult } from './publisher.js'
import type { SubscribeOptions } from './subscriber.js'
import type { Subscription } from './subscription.js'

/**
 * `connecting`: CONNACK has not come; `online`: it has; `waiting`: for the next attempt; `closing`: `close` was called;
 * `closed`: there will be no more.
 */
export type StateName = 'connecting' | 'online' | 'waiting' | 'closing' | 'closed'

export interface ClientState {
  readonly name: StateName
  /** Why the connection before ended, if it did. */
  readonly reason: Error | undefined
}

/** Where and how a message is to be published; `topic` of this package makes them. */
export interface Address<T> {
  readonly topic: string
  /** What is said of the payload. */
  readonly properties: PublishProperties
  encode(data: T): Uint8Array | Promise<Uint8Array>
}

/** What to subscribe to, and what becomes of the messages; `topic` of this package makes them. */
export interface Source<M> {
  readonly filter: string
  /** Makes a subscription to something of one to bytes. */
  from(subscription: Subscription): Subscription<M>
}

/** Whatever a message is made into can be acknowledged. */
export interface Acknowledgeable {
  ack(reasonCode?: number): void
}

/** Is done with a message when what it returns has settled. */
export type Callback<M> = (message: M) => unknown

/** A session with a server. */
export interface Client extends AsyncDisposable {
  /** The Client Identifier, given or assigned. */
  readonly clientId: string
  readonly protocolVersion: ProtocolVersion
  readonly state: ClientState
  /** What the server said of itself in the last CONNACK. */
  readonly serverProperties: ConnackProperties
  /** Settles when the client is closed: with the reason, or with undefined after `close`. */
  readonly closed: Promise<Error | undefined>
  /** Calls the listener whenever the state has changed. Returns what takes it away again. */
  on(event: 'state', listener: (state: ClientState) => void): () => void
  /**
   * Sends a message, or keeps it until it can be sent. Settles when it is sent at QoS 0, and when the server has
   * acknowledged it at QoS 1 and 2. Rejects with MqttError when the server refuses it or does not allow it or too many
   * wait, with TypeError for what is not a Topic Name, and with the reason when the client is closed before.
   */
  publish(topic: string, payload: string | Uint8Array, options?: PublishOptions): Promise<PublishResult>
  publish<T>(address: Address<T>, data: T, options?: PublishOptions): Promise<PublishResult>
  /**
   * Sends a message at QoS 0 at once, without a promise. Returns whether there was room for it: if not it was not sent,
   * and `drained` tells when to try again. Throws what `publish` rejects with.
   */
  tryPublish(
    topic: string,
    payload: string | Uint8Array,
    options?: Pick<PublishOptions, 'retain' | 'properties'>,
  ): boolean
  /** Settles when `tryPublish` has room. Rejects when the client is closed. */
  drained(): Promise<void>
  /** Asks for the messages of a Topic Filter. Rejects as `publish` does. */
  subscribe(topicFilter: string, options?: SubscribeOptions): Promise<Subscription>
  subscribe<M extends Acknowledgeable>(source: Source<M>, options?: SubscribeOptions): Promise<Subscription<M>>
  /**
   * The same with a callback, which is called with one message after the other, each when the one before has been dealt
   * with. When it throws, the message is refused with 0x80 and the subscription ends with the error: see `ended`.
   */
  subscribe(topicFilter: string, options: SubscribeOptions, callback: Callback<Message>): Promise<Subscription>
  subscribe<M extends Acknowledgeable>(
    source: Source<M>,
    options: SubscribeOptions,
    callback: Callback<M>,
  ): Promise<Subscription<M>>
  /** Authenticates again (section 4.12.1). Settles when the server is content; needs the option `authentication`. */
  reauthenticate(): Promise<void>
  /** Tries the connection now, or the next attempt: after a sleep, or when there is a network again. */
  wake(): void
  /**
   * Says goodbye; the server discards the Will. With `drain`, up to so many milliseconds before are given to what waits
   * and what is under way. Settles when the connection is gone, which it never takes long to be.
   */
  close(options?: { readonly drain?: number }): Promise<void>
}
