/** SUBSCRIBE (section 3.8): Topic Filters that a Client wants messages for. */

import { packetId } from './acks.js'
import type { Fields } from './fields.js'
import type { Input } from './input.js'
import type { QoS } from './packet-type.js'
import type { Properties } from './properties.js'
import { whole } from './range.js'
import { isShared, topicFilterFault } from './topic.js'

/** A Topic Filter and its Subscription Options (section 3.8.3.1). All but `qos` are of MQTT 5.0. */
export interface Subscription {
  readonly topicFilter: string
  /** The highest QoS that messages may come with. */
  readonly qos: QoS
  /** Not the messages that this Client publishes itself. */
  readonly noLocal?: boolean
  /** Keep the RETAIN flag as it was published. */
  readonly retainAsPublished?: boolean
  /** Retained messages: 0 send them, 1 send them for a new subscription only, 2 do not send them. */
  readonly retainHandling?: 0 | 1 | 2
}

export interface SubscribeProperties extends Pick<Properties, 'userProperty'> {
  readonly subscriptionIdentifier?: number
}

export interface Subscribe {
  readonly type: 'subscribe'
  readonly packetId: number
  /** At least one. */
  readonly subscriptions: readonly Subscription[]
  readonly properties: SubscribeProperties
}

export function subscribe(fields: Fields, given: Partial<Input<Subscribe>>): Subscribe {
  return {
    type: 'subscribe',
    packetId: packetId(fields, given.packetId),
    properties: fields.propertiesOf(8, given.properties) as SubscribeProperties,
    subscriptions: atLeastOne(
      fields,
      given.subscriptions,
      'subscriptions',
      (item) => subscription(fields, item),
      '3.8.3-2',
    ),
  }
}

function subscription(fields: Fields, given: Partial<Subscription>): Subscription {
  const filter = topicFilter(fields, given.topicFilter)
  const { version } = fields
  const isNew = version === 5
  const options = fields.uint(1, whole(given.qos ?? 0, 'qos', 2) | (isNew ? optionsOf(given) : 0), 'options')
  const qos = (options & 3) as QoS
  const retainHandling = (options >> 4) as 0 | 1 | 2
  const noLocal = (options & 4) > 0
  if (options > (isNew ? 0x3f : 2)) throw fields.fault(0x81, 'options', isNew ? '3.8.3-5' : '3.1.1 3.8.3-4')
  if (qos > 2 || retainHandling > 2) throw fields.fault(0x82, 'options', '3.8.3.1')
  if (!isNew) return { topicFilter: filter, qos }
  if (noLocal && isShared(filter, version)) throw fields.fault(0x82, 'No Local', '3.8.3-4')
  return { topicFilter: filter, qos, noLocal, retainAsPublished: (options & 8) > 0, retainHandling }
}

function optionsOf({ noLocal, retainAsPublished, retainHandling = 0 }: Partial<Subscription>): number {
  return (
    (noLocal === true ? 4 : 0) |
    (retainAsPublished === true ? 8 : 0) |
    (whole(retainHandling, 'retainHandling', 2) << 4)
  )
}

/** A Topic Filter of the right form (sections 4.7 and 4.8.2). */
export function topicFilter(fields: Fields, given: string | undefined): string {
  const filter = fields.string(given)
  const fault = topicFilterFault(filter, fields.version)
  if (fault !== undefined) throw fields.fault(0x81, 'Topic Filter', fault)
  return filter
}

/** A payload of fields that repeat, but may not be missing. */
export function atLeastOne<T>(
  fields: Fields,
  given: readonly T[] | undefined,
  name: string,
  describe: (item: Partial<T>) => T,
  statement: string,
): T[] {
  const list = fields.list(given, name, describe)
  if (list.length === 0) throw fields.fault(0x82, 'empty', statement)
  return list
}
