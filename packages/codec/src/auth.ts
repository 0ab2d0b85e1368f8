/** AUTH (section 3.15): a step of enhanced authentication, of MQTT 5.0 only. */

import type { Fields } from './fields.js'
import type { Input } from './input.js'
import { hasProperties, type Properties } from './properties.js'
import { reason } from './reason.js'

export type AuthProperties = Pick<
  Properties,
  'authenticationMethod' | 'authenticationData' | 'reasonString' | 'userProperty'
>

export interface Auth {
  readonly type: 'auth'
  readonly reasonCode: number
  readonly properties: AuthProperties
}

export function auth(fields: Fields, given: Partial<Input<Auth>>): Auth {
  if (fields.version < 5) throw fields.fault(0x81, 'AUTH', '3.1.1 2.2.2-2')
  const { reasonCode = 0 } = given
  // An empty body means Success without properties (section 3.15.2.1).
  if (!fields.more(reasonCode !== 0 || hasProperties(given.properties))) {
    return { type: 'auth', reasonCode: 0, properties: {} }
  }
  const found = {
    type: 'auth',
    reasonCode: reason(fields, 15, reasonCode),
    properties: fields.propertiesOf(15, given.properties),
  } as const
  if (found.properties.authenticationMethod === undefined) {
    throw fields.fault(0x82, 'Authentication Method', '3.15.2.2.2')
  }
  return found
}
