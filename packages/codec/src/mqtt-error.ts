/** The one error of the protocol: what was wrong, which rule it broke, and the Reason Code that says so to the peer. */

/** Thrown for bytes that break the standard. */
export class MqttError extends Error {
  override readonly name = 'MqttError'
  /** The Reason Code to send, in a CONNACK or DISCONNECT of MQTT 5.0 (section 4.13). */
  readonly reasonCode: number
  /**
   * The broken rule: an id such as `MQTT-3.3.2-2`, or the section where a rule without id stands, such as `3.3.2.3.4`; of
   * MQTT 5.0, also for packets of a version before, unless it begins with another version: `3.1.1 MQTT-3.1.2-22`.
   */
  readonly statement: string | undefined
  /** Where the offending byte lies, counted from the first byte of its packet. */
  readonly offset: number | undefined

  /** The statement is given without its `MQTT-`: an id such as `3.3.2-2`, `3.1.1 3.1.2-22`, or a section such as `2.2.2.2`. */
  constructor(reasonCode: number, message: string, statement?: string, offset?: number) {
    statement = statement?.replace(/(MQTT-)?([\d.]+-)/, 'MQTT-$2')
    super(statement === undefined ? message : `${message} [${statement}]`)
    this.reasonCode = reasonCode
    this.statement = statement
    this.offset = offset
  }
}

/** A Malformed Packet, 0x81: it cannot be parsed (section 1.2). */
export function malformed(message: string, statement?: string, offset?: number): MqttError {
  return new MqttError(0x81, message, statement, offset)
}

/** A Protocol Error, 0x82: parsed, but not allowed (section 1.2). */
export function protocolError(message: string, statement?: string, offset?: number): MqttError {
  return new MqttError(0x82, message, statement, offset)
}
