/** The 27 properties of MQTT 5.0 (section 2.2.2) as an object. */

/** A name and a value. The same name may come more than once; the order is kept (section 1.5.7). */
export type UserProperty = readonly [name: string, value: string]

/** All properties; a packet may carry those of its own type only (table 2-4). */
export interface Properties {
  /** 1 when the payload is UTF-8 text, 0 when it is bytes. */
  readonly payloadFormatIndicator?: 0 | 1
  /** Seconds until the message is of no use, 0 to 4,294,967,295. */
  readonly messageExpiryInterval?: number
  readonly contentType?: string
  readonly responseTopic?: string
  readonly correlationData?: Uint8Array
  /** One number, 1 to 268,435,455, in SUBSCRIBE; in PUBLISH those of all subscriptions that matched. */
  readonly subscriptionIdentifier?: number | readonly number[]
  /** Seconds that the session outlives its connection; 4,294,967,295 is for ever. */
  readonly sessionExpiryInterval?: number
  readonly assignedClientIdentifier?: string
  /** Seconds, in place of the client's own choice. */
  readonly serverKeepAlive?: number
  readonly authenticationMethod?: string
  readonly authenticationData?: Uint8Array
  /** Whether Reason String and User Properties may be sent with failures; true when absent. */
  readonly requestProblemInformation?: boolean
  /** Seconds between the loss of the connection and the Will Message. */
  readonly willDelayInterval?: number
  readonly requestResponseInformation?: boolean
  readonly responseInformation?: string
  readonly serverReference?: string
  /** For people and logs, not to be parsed. */
  readonly reasonString?: string
  /** QoS 1 and 2 messages that may be under way at once, 1 to 65,535; 65,535 when absent. */
  readonly receiveMaximum?: number
  /** The largest Topic Alias that is accepted; 0 when absent. */
  readonly topicAliasMaximum?: number
  /** A number, 1 to 65,535, that stands for the Topic Name on this connection. */
  readonly topicAlias?: number
  /** 2 when absent. */
  readonly maximumQoS?: 0 | 1
  readonly retainAvailable?: boolean
  readonly userProperty?: readonly UserProperty[]
  /** Bytes of a whole packet, 1 to 4,294,967,295; no limit when absent. */
  readonly maximumPacketSize?: number
  readonly wildcardSubscriptionAvailable?: boolean
  readonly subscriptionIdentifierAvailable?: boolean
  readonly sharedSubscriptionAvailable?: boolean
}

/** The properties of acknowledgements. */
export type ReasonProperties = Pick<Properties, 'reasonString' | 'userProperty'>

/** Properties of which some may be named only to be left out. */
export type Given<P> = { readonly [K in keyof P]: P[K] | undefined }

/** No properties. */
export const none: Properties = /* @__PURE__ */ Object.freeze({})

/** Whether there is any property. */
export function hasProperties(properties: Given<Properties> | undefined): boolean {
  for (const name in properties) if (properties[name as keyof Properties] !== undefined) return true
  return false
}
