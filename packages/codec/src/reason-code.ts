/** The Reason Codes of MQTT 5.0, their names, and the packets that may carry each (section 2.4). */

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

// Table 2-6, one bit per packet type (1 << type): CONNACK 2, PUBACK 4, PUBREC 5, PUBREL 6, PUBCOMP 7, SUBACK 9,
// UNSUBACK 11, DISCONNECT 14, AUTH 15.
const carriers: Readonly<Record<number, number>> = {
  0: 0xcaf4,
  1: 0x0200,
  2: 0x0200,
  4: 0x4000,
  16: 0x0030,
  17: 0x0800,
  24: 0x8000,
  25: 0x8000,
  128: 0x4a34,
  129: 0x4004,
  130: 0x4004,
  131: 0x4a34,
  132: 0x0004,
  133: 0x0004,
  134: 0x0004,
  135: 0x4a34,
  136: 0x0004,
  137: 0x4004,
  138: 0x0004,
  139: 0x4000,
  140: 0x4004,
  141: 0x4000,
  142: 0x4000,
  143: 0x4a00,
  144: 0x4034,
  145: 0x0a30,
  146: 0x00c0,
  147: 0x4000,
  148: 0x4000,
  149: 0x4004,
  150: 0x4000,
  151: 0x4234,
  152: 0x4000,
  153: 0x4034,
  154: 0x4004,
  155: 0x4004,
  156: 0x4004,
  157: 0x4004,
  158: 0x4200,
  159: 0x4004,
  160: 0x4000,
  161: 0x4200,
  162: 0x4200,
}

/** Whether a packet of the type (1 to 15) may carry the Reason Code in MQTT 5.0 (table 2-6). */
export function mayCarry(packetType: number, reasonCode: number): boolean {
  return ((carriers[reasonCode] ?? 0) & (1 << packetType)) !== 0
}

/** The name of a Reason Code, such as `NotAuthorized`; of 0x00 the name `Success`; of an unknown one its number in hex. */
export function reasonName(reasonCode: number): string {
  for (const name in ReasonCode) if (ReasonCode[name as ReasonName] === reasonCode) return name
  return `0x${reasonCode.toString(16).padStart(2, '0')}`
}
