/**
 * The MQTT codec: packets of MQTT 3.1, 3.1.1 and 5.0 from and to bytes.
 *
 * @packageDocumentation
 */

export type { AckType, Puback, Pubcomp, Pubrec, Pubrel } from './acks.js'
export type { Auth, AuthProperties } from './auth.js'
export type { Connack, ConnackProperties } from './connack.js'
export type { Connect, ConnectProperties, Will, WillProperties } from './connect.js'
export { type DecodeOptions, Decoder, decode, decodeFrame } from './decode.js'
export { mayCarry } from './description.js'
export type { Disconnect, DisconnectProperties } from './disconnect.js'
export { encode, encodedLength, encodeInto, encodePublish } from './encode.js'
export { Framer } from './framer.js'
export type { Input } from './input.js'
export { MqttError, malformed, protocolError } from './mqtt-error.js'
export type { Packet, PacketInput, Received } from './packet.js'
export type { ProtocolVersion, QoS } from './packet-type.js'
export type { Pingreq, Pingresp } from './ping.js'
export type { Given, Properties, ReasonProperties, UserProperty } from './properties.js'
export type { Forward, Publish, PublishInput, PublishProperties, ReceivedPublish } from './publish.js'
export { ReasonCode, type ReasonName, reasonName } from './reason-code.js'
export type { Relaxations } from './relaxations.js'
export type { Suback, Unsuback } from './suback.js'
export type { Subscribe, SubscribeProperties, Subscription } from './subscribe.js'
export type { Unsubscribe, UnsubscribeProperties } from './unsubscribe.js'
