/** UNSUBSCRIBE (section 3.10): Topic Filters that a Client no longer wants. */

import { packetId } from './acks.js'
import type { Fields } from './fields.js'
import type { Input } from './input.js'
import type { Properties } from './properties.js'
import { atLeastOne, topicFilter } from './subscribe.js'

export type UnsubscribeProperties = Pick<Properties, 'userProperty'>

export interface Unsubscribe {
  readonly type: 'unsubscribe'
  readonly packetId: number
  /** At least one. */
  readonly topicFilters: readonly string[]
  readonly properties: UnsubscribeProperties
}

export function unsubscribe(fields: Fields, given: Partial<Input<Unsubscribe>>): Unsubscribe {
  return {
    type: 'unsubscribe',
    packetId: packetId(fields, given.packetId),
    properties: fields.propertiesOf(10, given.properties),
    topicFilters: atLeastOne(
      fields,
      given.topicFilters,
      'topicFilters',
      (filter) => topicFilter(fields, filter as string),
      '3.10.3-2',
    ),
  }
}
