/** The numbers that name a packet, a version and a quality of service on the wire. */

/** MQTT Control Packet types by name (section 2.1.2). */
export const PacketType = {
  Connect: 1,
  Connack: 2,
  Publish: 3,
  Puback: 4,
  Pubrec: 5,
  Pubrel: 6,
  Pubcomp: 7,
  Subscribe: 8,
  Suback: 9,
  Unsubscribe: 10,
  Unsuback: 11,
  Pingreq: 12,
  Pingresp: 13,
  Disconnect: 14,
  Auth: 15,
} as const

/** Protocol Version byte of CONNECT: 3 is MQTT 3.1, 4 is MQTT 3.1.1, 5 is MQTT 5.0 (section 3.1.2.2). */
export type ProtocolVersion = 3 | 4 | 5

/** At most once, at least once, exactly once (section 4.3). */
export type QoS = 0 | 1 | 2
