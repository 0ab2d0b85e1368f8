/** The rules that a caller may choose not to have enforced on bytes received. */

/** Named relaxations of decoding; each is off unless set to true. */
export interface Relaxations {
  /** Accept control characters and Unicode non-characters in strings, which section 1.5.4 only advises against. */
  readonly controlCharacters?: boolean
  /** MQTT 3.1: accept a Client Identifier of no or of more than 23 characters. */
  readonly clientIdLength?: boolean
  /** MQTT 3.1: ignore fixed header flags that it calls "not used". */
  readonly unusedFlags?: boolean
}
