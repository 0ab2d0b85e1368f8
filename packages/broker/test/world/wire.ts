/** A Network Connection of the simulated world: what both ends and the model know of it. */

import { Decoder, encode, type PacketInput, type Publish, type Received, type Subscription } from '@tidewire/codec'
import { IncomingAliases } from '@tidewire/session'
import type { Session } from './model.js'
import type { Pipe } from './network.js'

export type ConnectInput = Extract<PacketInput, { type: 'connect' }>
type Acknowledgement = Extract<PacketInput, { type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp' }>

/** A PUBLISH of a client with its whole topic, whatever Topic Alias it came with. */
export interface Sent {
  readonly topic: string
  readonly payload: string
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  readonly properties: Publish['properties']
}

/** What the broker has got and has to deal with, one after the other. SUBSCRIBE comes as its Topic Filters and its end. */
export type Item =
  | { readonly type: 'connect'; readonly packet: ConnectInput; questions: number; answers: boolean[] }
  | {
      readonly type: 'filter'
      readonly request: Subscription
      readonly identifier: number
      isAsked: boolean
      answer?: boolean
    }
  | { readonly type: 'subscribed'; readonly packetId: number }
  | { readonly type: 'unsubscribe'; readonly packetId: number; readonly topicFilters: readonly string[] }
  | {
      readonly type: 'publish'
      readonly sent: Sent
      readonly packetId: number
      isAsked: boolean
      answer?: boolean
      /** When the broker began to deal with it. */
      begunAt?: number
      isRouted: boolean
    }
  | { readonly type: 'acknowledgement'; readonly packet: Acknowledgement }
  | { readonly type: 'pingreq' }
  | { readonly type: 'disconnect'; readonly reasonCode: number; readonly expiry: number | undefined }
  /** Something that ends the connection with a Reason Code. */
  | { readonly type: 'violation'; readonly reasonCode: number }
  /** The stream has ended. */
  | { readonly type: 'gone' }

/** A packet that the broker has to send. */
export interface Reply {
  readonly type: Received['type']
  readonly packetId?: number
  /** What it has to say; undefined where that is left to it. */
  readonly reasonCodes?: readonly number[]
  readonly sessionPresent?: boolean
  /** Whether it may come before those that it stands behind. */
  readonly isLoose?: boolean
}

export class Wire {
  readonly sequence: number
  readonly pipe: Pipe
  readonly connect: ConnectInput
  readonly acceptedAt: number
  readonly clientId: string
  readonly version: 4 | 5
  readonly maxPacketSize: number
  readonly receiveMaximum: number
  /** What the client has sent and the broker has not read: bytes, with what they complete. */
  readonly outgoing: { bytes: Uint8Array; readonly items: readonly Item[] }[] = []
  /** Whether the network holds back what the client sends, or what the broker does. */
  isHeld = false
  isStalled = false
  /** Whether the network has lost it. */
  isCut = false
  /** How the client reads what the broker sends. */
  readonly decoder: Decoder

  // What follows is the model's.
  readonly inbox: Item[] = []
  /** Waits for the answer of a hook. */
  blocked: Item | undefined = undefined
  session: Session | undefined = undefined
  /** When the broker accepted it, in the order of the model. */
  order = 0
  /** The broker has ended it, or has to. */
  isOver = false
  replies: Reply[] = []
  /** Codes of the SUBACK to come, and the retained messages to follow it. */
  granted: number[] = []
  readonly observer: Decoder
  readonly aliases: IncomingAliases
  /** When the client was heard last: a whole packet at least, anything at most. */
  packetAt = 0
  heardAt = 0
  /** Whether so much has waited for the network that QoS 0 may be dropped. */
  wasCongested = false

  constructor(sequence: number, pipe: Pipe, connect: ConnectInput, now: number) {
    this.sequence = sequence
    this.pipe = pipe
    this.connect = connect
    this.acceptedAt = now
    this.clientId = connect.clientId
    this.version = connect.protocolVersion as 4 | 5
    const { maximumPacketSize, receiveMaximum = 0xffff, topicAliasMaximum = 0 } = connect.properties ?? {}
    this.maxPacketSize = maximumPacketSize ?? Number.POSITIVE_INFINITY
    this.receiveMaximum = receiveMaximum
    const strict = { protocolVersion: this.version, maxPacketSize: maximumPacketSize }
    this.decoder = new Decoder(strict)
    this.observer = new Decoder(strict)
    this.aliases = new IncomingAliases(topicAliasMaximum)
  }

  /** The client sends a packet, or bytes that are none. */
  send(packet: PacketInput | Uint8Array, ...items: Item[]): void {
    const bytes = packet instanceof Uint8Array ? packet : encode(packet, this.version)
    this.outgoing.push({ bytes, items })
  }
}
