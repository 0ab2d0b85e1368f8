/** CONNACK (section 3.2): the Server's answer to CONNECT. */

import type { Fields } from './fields.js'
import type { Input } from './input.js'
import type { Properties } from './properties.js'
import { reason } from './reason.js'

export type ConnackProperties = Pick<
  Properties,
  | 'sessionExpiryInterval'
  | 'receiveMaximum'
  | 'maximumQoS'
  | 'retainAvailable'
  | 'maximumPacketSize'
  | 'assignedClientIdentifier'
  | 'topicAliasMaximum'
  | 'reasonString'
  | 'userProperty'
  | 'wildcardSubscriptionAvailable'
  | 'subscriptionIdentifierAvailable'
  | 'sharedSubscriptionAvailable'
  | 'serverKeepAlive'
  | 'responseInformation'
  | 'serverReference'
  | 'authenticationMethod'
  | 'authenticationData'
>

export interface Connack {
  readonly type: 'connack'
  readonly sessionPresent: boolean
  /** A Reason Code; before MQTT 5.0 a Connect Return Code, 0 to 5. */
  readonly reasonCode: number
  readonly properties: ConnackProperties
}

export function connack(fields: Fields, given: Partial<Input<Connack>>): Connack {
  const { reasonCode: code = 0 } = given
  const { version, relaxed } = fields
  const flags = fields.uint(1, given.sessionPresent === true ? 1 : 0)
  // MQTT 3.1 has no Session Present and calls the byte "not used".
  if (version === 3 ? flags > 0 && relaxed.unusedFlags !== true : flags > 1)
    throw fields.fault(0x81, 'flags', '3.2.2-1')
  const sessionPresent = version > 3 && (flags & 1) > 0
  const reasonCode = reason(fields, 2, code)
  if (sessionPresent && reasonCode > 0) throw fields.fault(0x82, 'Session Present', '3.2.2-6')
  return { type: 'connack', sessionPresent, reasonCode, properties: fields.propertiesOf(2, given.properties) }
}
