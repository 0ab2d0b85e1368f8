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
export type { Acknowledgeable, Address, Callback, Client, ClientState, Source, StateName } from './client.js'
export { indexedDbStore } from './indexed-db-store.js'
export { memoryStore } from './memory-store.js'
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
export { bytes, json, type PayloadCodec, type SchemaResult, type StandardSchema, text } from './payload.js'
export type { PublishOptions, PublishResult } from './publisher.js'
export { isFinal } from './reconnect.js'
export { type RequestOptions, request, type ServeOptions, serve } from './request.js'
export type { Target } from './server.js'
export type { Change, IncomingRecord, OutgoingRecord, SessionRecord, SessionStore, StoredMessage } from './store.js'
export type { SubscribeOptions } from './subscriber.js'
export type { Overflow, StreamOptions, Subscription } from './subscription.js'
export { type Topic, type TopicOptions, type TypedMessage, topic } from './topic.js'
export type { Stream, StreamHandler, Transport } from './transport.js'
export { type WebSocketLike, webSocket } from './web-socket.js'
