/** DISCONNECT (section 3.14): the last packet of a Network Connection; before MQTT 5.0 from the Client only. */

import type { Fields } from './fields.js'
import type { Input } from './input.js'
import type { Properties } from './properties.js'
import { shortProperties, shortReason } from './reason.js'

export type DisconnectProperties = Pick<
  Properties,
  'sessionExpiryInterval' | 'reasonString' | 'userProperty' | 'serverReference'
>

export interface Disconnect {
  readonly type: 'disconnect'
  /** Always 0, Normal disconnection, before MQTT 5.0. */
  readonly reasonCode: number
  readonly properties: DisconnectProperties
}

export function disconnect(fields: Fields, given: Partial<Input<Disconnect>>): Disconnect {
  return {
    type: 'disconnect',
    reasonCode: shortReason(fields, 14, given),
    properties: shortProperties(fields, 14, given),
  }
}
