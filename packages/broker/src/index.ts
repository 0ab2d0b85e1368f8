/**
 * An MQTT broker to run or to embed.
 *
 * @packageDocumentation
 */

export type { ProtocolVersion } from '@tidewire/codec'
export type { AuthenticationExchange, AuthenticationMethod, AuthenticationStep } from './authentication.js'
export { type Broker, type CloseOptions, createBroker, type PublishOptions } from './broker.js'
export type { Clock } from './clock.js'
export type {
  Action,
  Authorize,
  Authorizer,
  Client,
  Goodbye,
  Grant,
  Hooks,
  Publication,
  Refusal,
  SubscriptionChange,
  SubscriptionRequest,
} from './hooks.js'
export type { AttachOptions, Listener, ListenerLimits, ListenOptions, TlsSource } from './listeners/listener.js'
export type { LocalOptions } from './local.js'
export type { DropReason, Metrics, RefusalReason, StoreStatus, SubscriptionLimit } from './metrics.js'
export { type BrokerOptions, defaultLimits, type Limits, type Log } from './options.js'
export type { Overflow, SharedStrategy } from './policy.js'
