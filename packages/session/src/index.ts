/**
 * MQTT protocol state without I/O: no sockets, no timers, no promises.
 *
 * @packageDocumentation
 */

export { type AliasFault, IncomingAliases } from './incoming-aliases.js'
export { type AliasUse, OutgoingAliases } from './outgoing-aliases.js'
export { PacketIds } from './packet-ids.js'
export { type Arrival, type Receipt, Receiver } from './receiver.js'
export { type Awaited, type InFlight, Sender, type Step } from './sender.js'
