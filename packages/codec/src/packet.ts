/** All packets as one union, told apart by `type`. */

import type { Puback, Pubcomp, Pubrec, Pubrel } from './acks.js'
import type { Auth } from './auth.js'
import type { Connack } from './connack.js'
import type { Connect } from './connect.js'
import type { Disconnect } from './disconnect.js'
import type { Input } from './input.js'
import type { Pingreq, Pingresp } from './ping.js'
import type { Publish, PublishInput, ReceivedPublish } from './publish.js'
import type { Suback, Unsuback } from './suback.js'
import type { Subscribe } from './subscribe.js'
import type { Unsubscribe } from './unsubscribe.js'

/** An MQTT Control Packet. */
export type Packet =
  | Connect
  | Connack
  | Publish
  | Puback
  | Pubrec
  | Pubrel
  | Pubcomp
  | Subscribe
  | Suback
  | Unsubscribe
  | Unsuback
  | Pingreq
  | Pingresp
  | Disconnect
  | Auth

/** A packet that was decoded: a PUBLISH is read in place. */
export type Received = Exclude<Packet, Publish> | ReceivedPublish

/** A packet to be encoded: fields with a default may be left out. */
export type PacketInput = Input<Exclude<Packet, Publish>> | PublishInput
