/** The rules that a caller may choose not to have enforced on bytes received. */

/** Named relaxations of decoding; each is off unless set to true. */
export interface Relaxations {
  /** Accept control characters and Unicode non-characters in strings, which section 1.5.4 only advises against. */
  readonly controlCharacters?: boolean
  /** MQTT 3.1: accept a Client Identifier of more than 23 characters, and with Clean Session of none. */
  readonly clientIdLength?: boolean
  /** MQTT 3.1: ignore what it calls "not used": flags of fixed headers, and the first byte of CONNACK. */
  readonly unusedFlags?: boolean
}
