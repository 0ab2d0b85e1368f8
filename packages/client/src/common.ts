/** What the package offers wherever it runs. */

export {
  type ConnackProperties,
  type ConnectProperties,
  MqttError,
  type ProtocolVersion,
  type PublishProperties,
  type QoS,
  ReasonCode,
  type WillProperties,
} from '@tidewire/codec'
export type { Address, Callback, Client, ClientState, Source, StateName } from './client.js'
export type { Message } from './message.js'
export type {
  Authentication,
  ConnectOptions,
  Credentials,
  QueueOptions,
  ReconnectOptions,
  SessionOptions,
  WillOptions,
} from './options.js'
export type { PublishOptions, PublishResult } from './publisher.js'
export { isFinal } from './reconnect.js'
export type { Target } from './server.js'
export type { Change, IncomingRecord, OutgoingRecord, SessionRecord, SessionStore, StoredMessage } from './store.js'
export { memoryStore } from './stores/memory.js'
export type { SubscribeOptions } from './subscriber.js'
export type { Overflow, StreamOptions, Subscription } from './subscription.js'
export type { Stream, StreamHandler, Transport } from './transport.js'
export { type WebSocketLike, webSocket } from './transports/web-socket.js'
