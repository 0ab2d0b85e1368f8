/**
 * An MQTT broker to run or to embed.
 *
 * @packageDocumentation
 */

export type { ProtocolVersion } from '@tidewire/codec'
export { type Broker, createBroker } from './broker.js'
export type { Clock } from './clock.js'
export type { Action, Client, Hooks } from './hooks.js'
export type { AttachOptions, Listener, ListenerLimits, ListenOptions } from './listeners/listener.js'
export type { DropReason, Metrics, RefusalReason } from './metrics.js'
export { type BrokerOptions, defaultLimits, type Limits, type Log } from './options.js'
