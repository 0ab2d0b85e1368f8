import type { QoS } from '@tidewire/codec'
import { matches, parseShared } from '@tidewire/topics'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Environment } from '../src/environment.js'
import type { Client } from '../src/hooks.js'
import { Message } from '../src/message.js'
import { Router } from '../src/router.js'
import { type Subscriber, Subscription } from '../src/subscription.js'
import { clientOf, ManualClock } from './fixture.js'

/** A subscriber that writes down what it gets. */
class Witness implements Subscriber {
  readonly clientId: string
  readonly client: Client
  readonly subscriptions = new Map<string, Subscription>()
  readonly record = 0
  readonly isDurable = false
  wildcardLevels = 0
  readonly isConnected = true
  readonly load = 0
  got: { readonly filter: string; readonly qos: QoS; readonly identifiers: readonly number[] }[] = []

  constructor(clientId: string) {
    this.clientId = clientId
    this.client = clientOf(clientId)
  }

  mayReceive(): boolean {
    return true
  }

  canTake(): boolean {
    return true
  }

  deliver(
    _: Message,
    { topicFilter: filter }: Subscription,
    qos: QoS,
    __: boolean,
    identifiers: readonly number[],
  ): void {
    this.got.push({ filter, qos, identifiers })
  }
}

const filters = ['a', 'a/#', '+', '#', 'b/+', '$share/g/a', '$share/g/#', '$share/h/a', '$share/__proto__/+', '$SYS/#']
const topics = ['a', 'b', 'a/b', 'b/', '$SYS/a', 'constructor']

type Routes = ReadonlyMap<string, ReturnType<Router['routeOf']>>

const step = fc.record({
  who: fc.nat(3),
  filter: fc.constantFrom(...filters),
  kind: fc.constantFrom('subscribe', 'subscribe', 'unsubscribe', 'end'),
  qos: fc.constantFrom<QoS>(0, 1, 2),
  noLocal: fc.boolean(),
})

it('the router finds who has subscribed, however that came to be, and forgets all who left [MQTT-3.3.4-2] [MQTT-3.8.4-3]', () => {
  const run = fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom('once', 'each'), (steps, overlapping) => {
    const router = new Router(new Environment({ overlapping: overlapping as 'once' }))
    const routes: Routes = new Map(topics.map((topic) => [topic, router.routeOf(topic)])) // as they are kept
    const all = ['0', '1', '2', '3'].map((clientId) => new Witness(clientId))
    for (const [index, { who, filter, kind, qos, noLocal }] of steps.entries()) {
      const session = all[who]!
      const had = session.subscriptions.has(filter)
      if (kind === 'subscribe') {
        const options = { qos, noLocal: noLocal && !filter.startsWith('$share'), identifier: index + 1 } as const
        const subscription = new Subscription(session, filter, { ...options, overflow: 'dropNewest' })
        expect(router.subscribe(subscription)).toBe(had)
      } else if (kind === 'unsubscribe') {
        expect(router.unsubscribe(session, filter)).toBe(had)
      } else {
        router.unsubscribeAll(session)
      }
      check(router, routes, all, overlapping)
    }
    for (const session of all) router.unsubscribeAll(session)
    expect([router.size, router.sharedSize, router.groups.size]).toEqual([0, 0, 0])
  })
  fc.assert(run, { numRuns: 60 })
})

/** A router that has published to topics, as packets of clients do, and how many of their routes it has still got. */
function published(router: Router, count: number): () => number {
  const names = Array.from({ length: count }, (_, at) => Buffer.from(`topic/${at}`))
  for (const name of names) {
    const topic = name.toString()
    const route = router.routeOf(topic)
    router.routes.add(route, name, 0, name.length)
    const publication = { topic, payload: new Uint8Array(1), qos: 0, retain: false, properties: {} } as const
    router.route(Message.of(publication, 0, clientOf('0')), route)
  }
  return () => names.filter((name) => router.routes.find(name, 0, name.length) !== undefined).length
}

it('routes do not hold who has left, nor what waited for them, for more than a second', () => {
  const clock = new ManualClock()
  const environment = new Environment({ clock })
  environment.timers.start()
  const router = new Router(environment)
  const session = new Witness('1')
  router.subscribe(new Subscription(session, '#', { qos: 0, overflow: 'dropNewest' }))
  clock.advance(1.2)
  const kept = published(router, 10)
  clock.advance(5)
  expect(kept()).toBeGreaterThan(8) // two may have the same place
  router.unsubscribeAll(session)
  clock.advance(1.2)
  expect(kept()).toBe(0)
})

it('routes of many topics with many subscribers take no more than so much memory', () => {
  const router = new Router(new Environment({}))
  for (let at = 0; at < 1_000; at++)
    router.subscribe(new Subscription(new Witness(`${at}`), '#', { qos: 0, overflow: 'dropNewest' }))
  expect(published(router, 600)()).toBeLessThan(501)
})

function check(router: Router, routes: Routes, all: readonly Witness[], overlapping: string): void {
  const subscriptions = all.flatMap((session) => [...session.subscriptions.values()])
  const shared = subscriptions.filter(({ topicFilter }) => topicFilter.startsWith('$share'))
  expect([router.size, router.sharedSize]).toEqual([subscriptions.length, shared.length])
  for (const topic of topics) {
    const publication = { topic, payload: new Uint8Array(1), qos: 2, retain: false, properties: {} } as const
    const copies = router.route(Message.of(publication, 0, clientOf('0')), routes.get(topic)!)
    let expected = 0
    for (const session of all) {
      const own = [...session.subscriptions.values()].filter(
        ({ topicFilter, noLocal, group }) =>
          group === undefined && matches(topicFilter, topic) && !(noLocal && session.clientId === '0'),
      )
      const got = session.got.filter(({ filter }) => parseShared(filter) === undefined)
      const identifiers = own.map(({ identifier }) => identifier)
      expect(got.flatMap((each) => each.identifiers).sort()).toEqual(identifiers.sort())
      expect(got).toHaveLength(overlapping === 'each' ? own.length : Math.min(1, own.length))
      if (own.length > 0) expect(Math.max(...got.map(({ qos }) => qos))).toBe(Math.max(...own.map(({ qos }) => qos)))
      expected += got.length
    }
    for (const topicFilter of router.groups.keys()) {
      const count = all.flatMap(({ got }) => got).filter(({ filter }) => filter === topicFilter).length
      expect(count).toBe(matches(parseShared(topicFilter)!.filter, topic) ? 1 : 0)
      expected += count
    }
    expect(copies).toBe(expected)
    for (const session of all) session.got = []
  }
}
