/** The numbers that name a version and a quality of service on the wire. */

/** Protocol Version byte of CONNECT: 3 is MQTT 3.1, 4 is MQTT 3.1.1, 5 is MQTT 5.0 (section 3.1.2.2). */
export type ProtocolVersion = 3 | 4 | 5

/** Returns a version that there is. Throws RangeError for any other value. */
export function knownVersion(version: ProtocolVersion): ProtocolVersion {
  if (version !== 5 && version !== 4 && version !== 3) {
    throw new RangeError(`the protocol version must be 3, 4 or 5, not ${version}`)
  }
  return version
}

/** At most once, at least once, exactly once (section 4.3). */
export type QoS = 0 | 1 | 2
