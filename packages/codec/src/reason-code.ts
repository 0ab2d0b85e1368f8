/** The Reason Codes of MQTT 5.0, their names, and the packets that may carry each (section 2.4). */

import type { ProtocolVersion } from './packet-type.js'

/**
 * Reason Codes by name (section 2.4). A value below 0x80 reports success, any other failure.
 * Three names share 0x00: the packet that carries it decides which one is meant.
 */
export const ReasonCode = {
  Success: 0x00,
  NormalDisconnection: 0x00,
  GrantedQoS0: 0x00,
  GrantedQoS1: 0x01,
  GrantedQoS2: 0x02,
  DisconnectWithWillMessage: 0x04,
  NoMatchingSubscribers: 0x10,
  NoSubscriptionExisted: 0x11,
  ContinueAuthentication: 0x18,
  ReAuthenticate: 0x19,
  UnspecifiedError: 0x80,
  MalformedPacket: 0x81,
  ProtocolError: 0x82,
  ImplementationSpecificError: 0x83,
  UnsupportedProtocolVersion: 0x84,
  ClientIdentifierNotValid: 0x85,
  BadUserNameOrPassword: 0x86,
  NotAuthorized: 0x87,
  ServerUnavailable: 0x88,
  ServerBusy: 0x89,
  Banned: 0x8a,
  ServerShuttingDown: 0x8b,
  BadAuthenticationMethod: 0x8c,
  KeepAliveTimeout: 0x8d,
  SessionTakenOver: 0x8e,
  TopicFilterInvalid: 0x8f,
  TopicNameInvalid: 0x90,
  PacketIdentifierInUse: 0x91,
  PacketIdentifierNotFound: 0x92,
  ReceiveMaximumExceeded: 0x93,
  TopicAliasInvalid: 0x94,
  PacketTooLarge: 0x95,
  MessageRateTooHigh: 0x96,
  QuotaExceeded: 0x97,
  AdministrativeAction: 0x98,
  PayloadFormatInvalid: 0x99,
  RetainNotSupported: 0x9a,
  QoSNotSupported: 0x9b,
  UseAnotherServer: 0x9c,
  ServerMoved: 0x9d,
  SharedSubscriptionsNotSupported: 0x9e,
  ConnectionRateExceeded: 0x9f,
  MaximumConnectTime: 0xa0,
  SubscriptionIdentifiersNotSupported: 0xa1,
  WildcardSubscriptionsNotSupported: 0xa2,
} as const

/** The name of a Reason Code. */
export type ReasonName = keyof typeof ReasonCode

// Table 2-6: Reason Codes behind a bit for each packet type that may carry them.
// biome-ignore format: a table
const table: readonly (readonly number[])[] = [
  [0xcaf4, 0], // all that have any
  [0x4a34, 128, 131, 135], // CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK, DISCONNECT
  [0x4234, 151], // the same without UNSUBACK
  [0x4034, 144, 153], // and without SUBACK
  [0x4004, 129, 130, 137, 140, 149, 154, 155, 156, 157, 159], // CONNACK, DISCONNECT
  [0x0004, 132, 133, 134, 136, 138], // CONNACK
  [0x0030, 16], // PUBACK, PUBREC
  [0x0a30, 145], // PUBACK, PUBREC, SUBACK, UNSUBACK
  [0x00c0, 146], // PUBREL, PUBCOMP
  [0x0200, 1, 2], // SUBACK
  [0x4200, 158, 161, 162], // SUBACK, DISCONNECT
  [0x4a00, 143], // SUBACK, UNSUBACK, DISCONNECT
  [0x0800, 17], // UNSUBACK
  [0x4000, 4, 139, 141, 142, 147, 148, 150, 152, 160], // DISCONNECT
  [0x8000, 24, 25], // AUTH
]

/** Whether a packet of the type may carry the Reason Code, or before MQTT 5.0 the return code. */
export function carries(packetType: number, code: number, version: ProtocolVersion): boolean {
  if (version < 5) return packetType === 2 ? code <= 5 : code <= 2 || code === 128
  return table.some((row) => row.indexOf(code, 1) > 0 && (row[0]! & (1 << packetType)) > 0)
}

/** The name of a Reason Code, such as `NotAuthorized`; of 0x00 the name `Success`; of an unknown one its number in hex. */
export function reasonName(reasonCode: number): string {
  for (const name in ReasonCode) if (ReasonCode[name as ReasonName] === reasonCode) return name
  return `0x${reasonCode.toString(16).padStart(2, '0')}`
}
