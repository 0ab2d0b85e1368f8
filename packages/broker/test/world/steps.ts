/** What may happen in a simulated world, at random. */

import type { QoS, Subscription } from '@tidewire/codec'
import fc from 'fast-check'
import { overflows, sharedStrategies } from '../../src/policy.js'
import { violations } from './client.js'
import { clientCount, type Settings, type Step } from './world.js'

const who = fc.nat(clientCount - 1)
const topic = fc.constantFrom('a', 'a/b', 'b/b', 'b/a-long-name', 'b/another-name')
const willTopic = fc.constantFrom('w/1', 'w/2')
const qos = fc.constantFrom<QoS>(0, 1, 1, 2, 2)
const often = (of: number): fc.Arbitrary<boolean> => fc.nat(of).map((number) => number > 0)
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

/** An object without what is undefined. */
const given = <T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never

const messageProperties = fc
  .record({
    messageExpiryInterval: maybe(fc.constantFrom(1, 3, 20)),
    contentType: fc.constantFrom(undefined, undefined, 'text'),
    userProperty: fc.constantFrom(undefined, undefined, [
      ['b', '1'],
      ['a', '2'],
    ] as const),
  })
  .map(given)

const will = fc.record({
  topic: willTopic,
  qos,
  retain: fc.boolean(),
  properties: fc
    .record({
      willDelayInterval: maybe(fc.constantFrom(1, 5, 40, 100)),
      messageExpiryInterval: maybe(fc.constantFrom(2, 30)),
    })
    .map(given),
})

const connect = fc.record({
  type: fc.constant('connect' as const),
  who,
  packet: fc.record({
    protocolVersion: fc.constantFrom(4 as const, 5 as const, 5 as const),
    cleanStart: fc.nat(3).map((number) => number === 0),
    keepAlive: fc.constantFrom(0, 0, 0, 4, 30),
    properties: fc
      .record({
        sessionExpiryInterval: fc.constantFrom(undefined, 0, 5, 50, 50, 50, 1000),
        receiveMaximum: maybe(fc.constantFrom(1, 2, 10)),
        maximumPacketSize: fc.constantFrom(undefined, undefined, undefined, 60, 300),
        topicAliasMaximum: maybe(fc.constantFrom(1, 2, 10)),
      })
      .map(given),
  }),
  will: maybe(will),
})

const filters = [
  'a',
  'a/b',
  'a/+',
  '+/b',
  '#',
  'b/#',
  'w/#',
  '$share/g/a',
  // Twice, so that groups have more members than one.
  '$share/g/#',
  '$share/g/#',
  '$share/h/+/b',
  '$share/h/w/+',
]
const topicFilter = fc.constantFrom(...filters)

const subscription = fc
  .record({
    topicFilter,
    qos,
    noLocal: fc.boolean(),
    retainAsPublished: fc.boolean(),
    retainHandling: fc.constantFrom(0 as const, 1 as const, 2 as const),
  })
  .map(
    ({ noLocal, ...rest }): Subscription => ({ ...rest, noLocal: noLocal && !rest.topicFilter.startsWith('$share') }),
  )

const subscribe = fc
  .record({
    type: fc.constant('subscribe' as const),
    who,
    subscriptions: fc.array(subscription, { minLength: 1, maxLength: 3 }),
    identifier: fc.nat(3),
  })
  // So that what comes by a group is known for it.
  .map((step) => {
    const isShared = step.subscriptions.some((each) => each.topicFilter.startsWith('$share'))
    return isShared ? { ...step, identifier: 100 } : step
  })

const publish = fc.record({
  type: fc.constant('publish' as const),
  who,
  topic,
  qos,
  retain: fc.nat(3).map((number) => number === 0),
  size: fc.constantFrom(5, 5, 5, 5, 0, 200, 1_500, 6_000),
  properties: messageProperties,
  usesAlias: fc.boolean(),
  times: fc.constantFrom(1, 1, 1, 2, 3, 10),
})

/** A step of a kind, so often among the others. */
function kind(weight: number, type: Step['type'], fields: Record<string, fc.Arbitrary<unknown>>) {
  return { weight, arbitrary: fc.record({ type: fc.constant(type), ...fields }) as fc.Arbitrary<Step> }
}

const on = fc.boolean()
const milliseconds = fc.constantFrom(40, 100, 150, 1_000, 3_000, 6_500, 45_000)
const topicFilters = fc.array(topicFilter, { minLength: 1, maxLength: 5 })
const anyTopic = fc.oneof({ weight: 3, arbitrary: topic }, willTopic)

const step = fc.oneof(
  { weight: 8, arbitrary: connect as fc.Arbitrary<Step> },
  { weight: 8, arbitrary: subscribe as fc.Arbitrary<Step> },
  { weight: 16, arbitrary: publish as fc.Arbitrary<Step> },
  kind(6, 'return', { who, receiveMaximum: fc.constantFrom(1, 2, 20) }),
  kind(3, 'unsubscribe', { who, topicFilters }),
  kind(3, 'manner', { who, manner: fc.constantFrom('now', 'held', 'held', 'refuse') }),
  kind(3, 'release', { who, count: fc.nat(5) }),
  kind(2, 'disconnect', { who, reasonCode: fc.constantFrom(0, 0, 4), expiry: maybe(fc.constantFrom(0, 10, 50)) }),
  kind(3, 'cut', { who }),
  kind(1, 'hold', { who, on }),
  kind(2, 'stall', { who, on }),
  kind(1, 'violate', { who, which: fc.nat(violations.length - 1) }),
  kind(1, 'ping', { who }),
  kind(4, 'pass', { milliseconds }),
  kind(5, 'rights', { who, action: fc.constantFrom('receive', 'receive', 'publish'), topic: anyTopic, isAllowed: on }),
  kind(1, 'rights', { who, action: fc.constant('subscribe'), topic: fc.constantFrom('#', 'a/+', 'a'), isAllowed: on }),
  kind(3, 'answer', { which: fc.nat(5) }),
)

/** Steps, each with how often the network moves after it. */
export const steps = fc.array(fc.tuple(step, fc.constantFrom(0, 1, 2, 5, 12)), {
  minLength: 10,
  maxLength: 80,
  size: 'max',
})

export const settings: fc.Arbitrary<Settings> = fc.record({
  seed: fc.nat(),
  overlapping: fc.constantFrom('once' as const, 'once' as const, 'each' as const),
  overflow: fc.constantFrom(...overflows),
  sharedStrategy: fc.constantFrom(...sharedStrategies),
  hooks: fc.constantFrom('none' as const, 'now' as const, 'now' as const, 'later' as const),
  isTight: often(2).map((isNot) => !isNot),
})
