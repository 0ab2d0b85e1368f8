/**
 * MQTT protocol state without I/O: no sockets, no timers, no promises.
 *
 * @packageDocumentation
 */

export { PacketIds } from './packet-ids.js'
export { type Arrival, Receiver } from './receiver.js'
export { type Awaited, type InFlight, Sender, type Step } from './sender.js'
export { IncomingAliases } from './topic-aliases.js'
