/** SUBACK and UNSUBACK (sections 3.9 and 3.11): what became of each Topic Filter of a SUBSCRIBE or UNSUBSCRIBE. */

import { packetId } from './acks.js'
import type { Fields } from './fields.js'
import type { Input } from './input.js'
import type { ReasonProperties } from './properties.js'
import { reason } from './reason.js'
import { atLeastOne } from './subscribe.js'

interface Answer<T extends 'suback' | 'unsuback'> {
  readonly type: T
  readonly packetId: number
  /**
   * In the order of the Topic Filters. SUBACK: the granted QoS or a failure, before MQTT 5.0 always 0x80. UNSUBACK: none
   * before MQTT 5.0.
   */
  readonly reasonCodes: readonly number[]
  readonly properties: ReasonProperties
}

export type Suback = Answer<'suback'>
export type Unsuback = Answer<'unsuback'>

export function suback(fields: Fields, given: Partial<Input<Suback>>): Suback {
  return { type: 'suback', ...answer(fields, 9, given, '3.8.4-6') }
}

export function unsuback(fields: Fields, given: Partial<Input<Unsuback>>): Unsuback {
  return { type: 'unsuback', ...answer(fields, 11, given, '3.11.3-2') }
}

function answer<T extends 'suback' | 'unsuback'>(
  fields: Fields,
  packetType: number,
  given: Partial<Input<Answer<T>>>,
  statement: string,
): Omit<Answer<T>, 'type'> {
  return {
    packetId: packetId(fields, given.packetId),
    properties: fields.propertiesOf(packetType, given.properties),
    reasonCodes:
      fields.version < 5 && packetType === 11
        ? []
        : atLeastOne(
            fields,
            given.reasonCodes,
            'reasonCodes',
            (code) => reason(fields, packetType, code as number),
            statement,
          ),
  }
}
