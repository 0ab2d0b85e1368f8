/**
 * An MQTT client.
 *
 * @packageDocumentation
 */

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
export type { Client } from './client.js'
export { connect } from './connect.js'
export type { Message } from './message.js'
export type { ConnectOptions, WillOptions } from './options.js'
export type { PublishOptions, PublishResult } from './publisher.js'
export type { SubscribeOptions } from './subscriber.js'
export type { Subscription } from './subscription.js'
