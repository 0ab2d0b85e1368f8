/** Functions of the application that the broker asks and tells. */

import type { PeerCertificate } from 'node:tls'
import type { ProtocolVersion, PublishProperties, QoS } from '@tidewire/codec'
import type { Overflow } from './policy.js'

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
  /** Its certificate, where it has one that the listener's CA has signed, and that is valid. */
  readonly certificate?: PeerCertificate | undefined
  /** The identity of the pre-shared key with which its connection was made. */
  readonly pskIdentity?: string | undefined
}

/**
 * What is done with a topic: sending a message to it, having one retained, asking for a Topic Filter, or being sent a
 * message of it.
 */
export type Action = 'publish' | 'retain' | 'subscribe' | 'receive'

/** A no in the words of the standard. */
export interface Refusal {
  /** A Reason Code that the answering packet may carry, 0x80 or above. */
  readonly reasonCode: number
  /** For people; told to clients of MQTT 5.0. */
  readonly reasonString?: string
}

/** Who a client that is let in is, and for how long. */
export interface Grant {
  /** Who it has proved to be: its session belongs to that name. Default: what it says as User Name in CONNECT. */
  readonly userName?: string
  /** Milliseconds since 1970: its connection ends then (0xA0), unless it has authenticated anew. Default: never. */
  readonly expiresAt?: number
}

/** A message as hooks and applications see it. Others see the same bytes: they are not to be changed. */
export interface Publication {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly properties: PublishProperties
}

/** A Topic Filter that a client asks for. */
export interface SubscriptionRequest {
  /** With `$share/{ShareName}/` where it is a Shared Subscription. */
  readonly topicFilter: string
  readonly qos: QoS
}

/** What a hook may make of a subscription. */
export interface SubscriptionChange {
  /** A lower QoS than was asked for. */
  readonly qos?: QoS
  readonly overflow?: Overflow
}

/** Why a connection ended. */
export interface Goodbye {
  /** The Reason Code of the DISCONNECT, whoever sent it; undefined when the connection was lost without one. */
  readonly reasonCode: number | undefined
  /** Whether it was the broker that closed. */
  readonly byBroker: boolean
}

type Answer<T> = T | Promise<T>

/** Whether a client may do it. */
export type Authorize = (client: Client, action: Action, topic: string) => Answer<boolean>

/**
 * An `authorize` whose answers are remembered: while `epoch` stays the same it answers the same for a client, an action
 * and a topic. A change of the rules gives it another number, and counts for the next message.
 */
export interface Authorizer {
  readonly epoch: number
  /** Whether `retain` is asked too, after `publish`, of messages that are to be retained. Default false. */
  readonly checksRetain?: boolean
  authorize: Authorize
}

/**
 * Each may answer at once or, where a promise is allowed, later: then this client waits and others do not. A throw, a
 * rejection, an answer of the wrong kind and one that takes longer than the limit `hookTimeout` count as no.
 */
export interface Hooks {
  /** Whether a client may connect; a grant says yes. Default: everyone may. */
  authenticate?(client: Client, password: Uint8Array | undefined): Answer<boolean | Refusal | Grant>
  /**
   * Whether a client may do it. The topic is a Topic Filter for `subscribe`, without `$share/{ShareName}/`, and a Topic
   * Name otherwise. For `receive` it must answer at once. Default: everyone may do everything but publish to topics that
   * begin with `$`. A function is asked for each message.
   */
  authorize?: Authorize | Authorizer
  /**
   * Before an authorized message goes on its way, Wills included: true and undefined let it go, an object changes it, a
   * refusal is told to the publisher, and false drops it while the publisher is told that all is well.
   */
  onPublish?(client: Client, publication: Publication): Answer<undefined | boolean | Refusal | Partial<Publication>>
  /** Before an authorized subscription is made: true and undefined let it be, an object changes it. */
  onSubscribe?(client: Client, request: SubscriptionRequest): Answer<undefined | boolean | Refusal | SubscriptionChange>
  /** Before a message is sent to a client: false keeps it from this one, an object changes it for this one. */
  onDeliver?(
    client: Client,
    publication: Publication,
  ): undefined | boolean | Pick<Publication, 'payload' | 'properties'>
  /** A client has been accepted. */
  onConnect?(client: Client, sessionPresent: boolean): void
  /** The connection of an accepted client has ended. */
  onDisconnect?(client: Client, goodbye: Goodbye): void
}
