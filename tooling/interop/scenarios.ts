/** What clients of others do with the broker: one table, for all of them. */

import type { Broker } from '@tidewire/broker'
import type { ProtocolVersion, QoS } from '@tidewire/codec'
import { expect } from 'vitest'
import {
  type Ability,
  digest,
  type OnEnd,
  type Peer,
  type Ports,
  type Publication,
  type PublisherOptions,
  type Received,
  type Subscriber,
  type SubscriberOptions,
} from './peer.js'
import { type Relay, type Relayed, relay } from './relay.js'

/** One run of a scenario with one client. */
export class Stage {
  readonly peer: Peer
  readonly broker: Broker
  readonly #ports: Ports
  readonly #onEnd: OnEnd
  #ids = 0

  constructor(peer: Peer, broker: Broker, ports: Ports, onEnd: OnEnd) {
    this.peer = peer
    this.broker = broker
    this.#ports = ports
    this.#onEnd = onEnd
  }

  /** A subscriber whose last message `rest` can tell. */
  async subscribe(
    filters: string | readonly string[],
    options: SubscriberOptions = {},
    through: Ports = this.#ports,
  ): Promise<Listening> {
    const end = `end/${options.clientId ?? ++this.#ids}`
    const subscriber = await this.peer.subscribe(through, [filters, end].flat(), options, this.#onEnd)
    const rest = async (): Promise<Received[]> => {
      await this.broker.publish(end, '', { qos: 2 })
      const messages: Received[] = []
      for (;;) {
        const message = await subscriber.next()
        if (message.topic === end) return messages
        messages.push(message)
      }
    }
    return { ...subscriber, rest }
  }

  publish(
    messages: Publication | readonly Publication[],
    options: PublisherOptions = {},
    through: Ports = this.#ports,
  ): Promise<void> {
    return this.peer.publish(through, [messages].flat(), options, this.#onEnd)
  }

  request(question: Publication, responseTopic: string): Promise<string> {
    return this.peer.request(this.#ports, question, responseTopic, this.#onEnd)
  }

  /** A relay in front of the broker. */
  async relay(cutsAt?: (relayed: Relayed) => boolean): Promise<{ relay: Relay; through: Ports }> {
    const its = await relay(this.#ports.port, this.peer.version, this.#onEnd, cutsAt)
    return { relay: its, through: { ...this.#ports, port: its.port } }
  }

  /** What a subscriber gets that subscribes now. */
  async found(filter: string, options?: SubscriberOptions): Promise<Received[]> {
    return (await this.subscribe(filter, options)).rest()
  }
}

type Listening = Subscriber & {
  /** All messages that come before one that is published now, at the QoS that was granted. */
  readonly rest: () => Promise<Received[]>
}

export interface Scenario {
  readonly name: string
  readonly versions: readonly ProtocolVersion[]
  /** What a client must be able to do. */
  readonly needs: readonly Ability[]
  /** Whether WebSocket makes no difference, or packets are looked at on their way, which the relay does for TCP. */
  readonly isForTcp: boolean
  run(t: Stage): Promise<void>
}

const all: readonly ProtocolVersion[] = [3, 4, 5]
const since5: readonly ProtocolVersion[] = [5]

type Kind = Partial<Pick<Scenario, 'versions' | 'needs' | 'isForTcp'>>

function scenario(name: string, kind: Kind, run: Scenario['run']): Scenario {
  return { name, versions: all, needs: [], isForTcp: false, ...kind, run }
}

const payloads = (messages: readonly Received[]): string[] => messages.map(({ payload }) => payload)
const texts = (count: number): string[] => Array.from({ length: count }, (_, at) => `${at}`)
const wait = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000))

/** Messages of one topic, in a row. */
const series = (topic: string, qos: QoS, count: number): Publication[] =>
  texts(count).map((payload) => ({ topic, payload, qos }))

export const scenarios: readonly Scenario[] = [
  scenario('a retained message is kept, replaced and deleted', {}, async (t) => {
    const topic = 'kept/a'
    const keep = (payload: string, qos: QoS): Promise<void> => t.publish({ topic, payload, qos, retain: true })
    await keep('old', 1)
    expect(await t.found('kept/#')).toMatchObject([{ topic, payload: 'old', qos: 1, retain: true }])
    const live = await t.subscribe('kept/+')
    await keep('new', 2)
    // To those who are there it is a message like others [MQTT-3.3.1-12].
    expect(await live.rest()).toMatchObject([{ payload: 'old' }, { payload: 'new', qos: 2, retain: false }])
    expect(await t.found('kept/a')).toMatchObject([{ payload: 'new', qos: 2, retain: true }])
    await keep('', 1)
    expect(await live.rest()).toMatchObject([{ payload: '', retain: false }])
    expect(await t.found('kept/#')).toEqual([])
  }),

  scenario(
    'Retain Handling says when retained messages come',
    { versions: since5, needs: ['Retain Handling'] },
    async (t) => {
      await t.publish({ topic: 'kept', payload: 'x', retain: true, qos: 1 })
      const session = { clientId: 'again', sessionExpiry: 60 }
      const counts: number[] = []
      for (const retainHandling of [1, 1, 2, 0] as const) {
        const subscriber = await t.subscribe('kept', { ...session, retainHandling })
        counts.push((await subscriber.rest()).length)
        await subscriber.close()
      }
      expect(counts).toEqual([1, 0, 0, 1])
      expect(await t.found('kept', { retainHandling: 2 })).toEqual([])
    },
  ),

  scenario('Retain As Published leaves the flag as it came', { versions: since5 }, async (t) => {
    const subscriber = await t.subscribe('a', { retainAsPublished: true })
    await t.publish({ topic: 'a', payload: 'kept', retain: true, qos: 1 })
    await t.publish({ topic: 'a', payload: 'not', qos: 1 })
    expect(await subscriber.rest()).toMatchObject([
      { payload: 'kept', retain: true },
      { payload: 'not', retain: false },
    ])
  }),

  scenario('a Will is published and retained when its client is killed', { isForTcp: true }, async (t) => {
    const watcher = await t.subscribe('will', { qos: 1 })
    const userProperties = [['from', 'beyond']] as const
    const will = { topic: 'will', payload: 'gone', qos: 1, retain: true } as const
    const withProperties = t.peer.version === 5 ? { ...will, properties: { userProperties } } : will
    const client = await t.subscribe('a', { will: withProperties, alone: true })
    client.kill()
    const properties = t.peer.version === 5 ? { userProperties } : {}
    expect(await watcher.next()).toMatchObject({ payload: 'gone', qos: 1, retain: false, properties })
    expect(await t.found('will', { qos: 0 })).toMatchObject([{ payload: 'gone', qos: 0, retain: true, properties }])
  }),

  scenario('a Will is discarded when its client says goodbye', { needs: ['leaving without Will'] }, async (t) => {
    const watcher = await t.subscribe('will')
    const client = await t.subscribe('a', { will: { topic: 'will', payload: 'gone' } })
    await client.close()
    while (t.broker.metrics.connections > 1) await wait(0.01)
    expect(await watcher.rest()).toEqual([])
  }),

  scenario(
    'a Will waits for its delay, and does not come when the client does',
    { versions: since5, isForTcp: true },
    async (t) => {
      const watcher = await t.subscribe('will/#')
      const clients = ['stays', 'returns'].map((clientId) => {
        const will = { topic: `will/${clientId}`, payload: 'gone', delay: 1 }
        return t.subscribe('a', { clientId, sessionExpiry: 60, will, alone: true })
      })
      for (const client of await Promise.all(clients)) client.kill()
      const since = performance.now()
      const back = await t.subscribe('a', { clientId: 'returns', sessionExpiry: 60 })
      expect([true, undefined]).toContain(back.sessionPresent)
      expect(await watcher.rest()).toEqual([])
      expect(await watcher.next()).toMatchObject({ topic: 'will/stays', payload: 'gone' })
      expect(performance.now() - since).toBeGreaterThan(900)
      await wait(0.3)
      expect(await watcher.rest()).toEqual([])
    },
  ),

  scenario('a Shared Subscription gives each message to one of two members', {}, async (t) => {
    const members = [await t.subscribe('$share/group/a/+'), await t.subscribe('$share/group/a/+')]
    const other = await t.subscribe('a/#')
    await t.publish(series('a/b', 1, 20))
    const [first = [], second = []] = await Promise.all(members.map(async (each) => payloads(await each.rest())))
    expect([...first, ...second].map(Number).sort((a, b) => a - b)).toEqual(texts(20).map(Number))
    expect([first.length, second.length]).toEqual([10, 10])
    expect(payloads(await other.rest())).toEqual(texts(20))
  }),

  scenario('a member that leaves a Shared Subscription leaves all to the other', {}, async (t) => {
    const [first, second] = [await t.subscribe('$share/group/a'), await t.subscribe('$share/group/a')]
    await first.close()
    await t.publish(series('a', 2, 10))
    expect(payloads(await second.rest())).toEqual(texts(10))
  }),

  scenario('a request gets its response', {}, async (t) => {
    const isNew = t.peer.version === 5
    const correlation = isNew ? { correlationData: 'number 7' } : {}
    const responder = (async () => {
      for await (const { payload, properties } of t.broker.subscribe('service')) {
        const { responseTopic = 'answers', correlationData = new Uint8Array() } = properties
        expect(Buffer.from(correlationData).toString()).toBe(isNew ? 'number 7' : '')
        const answer = `${Buffer.from(payload)} to ${responseTopic}`
        return await t.broker.publish(responseTopic, answer, { qos: 1, properties: { correlationData } })
      }
    })()
    const question = { topic: 'service', payload: 'which way', qos: 1, properties: correlation } as const
    expect(await t.request(question, 'answers')).toBe('which way to answers')
    await responder
  }),

  scenario('a request can be responded to', { versions: since5 }, async (t) => {
    const responder = await t.subscribe('service')
    const answers = t.broker.subscribe('answers')
    const encoded = new TextEncoder().encode('number 7')
    const asked = { responseTopic: 'answers', correlationData: encoded }
    await t.broker.publish('service', 'question', { qos: 1, properties: asked })
    const { properties } = await responder.next()
    const { responseTopic, correlationData } = properties
    expect([responseTopic, correlationData]).toEqual(['answers', 'number 7'])
    await t.publish({
      topic: responseTopic!,
      payload: 'answer',
      qos: 1,
      properties: { correlationData: correlationData! },
    })
    const { value } = await answers.next()
    expect([...(value?.properties.correlationData ?? [])]).toEqual([...encoded])
    await answers.return?.()
  }),

  scenario('a session keeps its messages while the client is away', {}, async (t) => {
    const session = { clientId: 'keeper', sessionExpiry: 60 }
    const before = await t.subscribe('a/#', session)
    await before.close()
    await t.publish([...series('a/1', 1, 20), ...series('a/2', 2, 20), ...series('a/0', 0, 5)])
    const back = await t.subscribe('a/#', session)
    expect([true, undefined]).toContain(back.sessionPresent)
    const messages = await back.rest()
    const of = (qos: QoS): string[] => payloads(messages.filter((each) => each.qos === qos))
    expect([of(0), of(1), of(2)]).toEqual([[], texts(20), texts(20)])
    expect(messages.some(({ dup }) => dup)).toBe(false) // they were never sent before
  }),

  scenario('a session is gone when the client asks for a clean one', {}, async (t) => {
    const before = await t.subscribe('a', { clientId: 'keeper', sessionExpiry: 60 })
    await before.close()
    await t.publish({ topic: 'a', payload: 'old', qos: 1 })
    const clean = await t.subscribe('b', { clientId: 'keeper' })
    expect([false, undefined]).toContain(clean.sessionPresent)
    await t.publish({ topic: 'a', payload: 'new', qos: 1 })
    expect(await clean.rest()).toEqual([])
  }),

  scenario(
    'what is under way when the client is killed comes again, each once and with DUP',
    { isForTcp: true },
    async (t) => {
      const session = { clientId: 'killed', sessionExpiry: 60, alone: true }
      const before = await t.subscribe('a/+', session)
      before.freeze()
      await t.publish([...series('a/1', 1, 8), ...series('a/2', 2, 8)])
      before.kill()
      const back = await t.subscribe('a/+', { ...session, alone: false })
      expect([true, undefined]).toContain(back.sessionPresent)
      const messages = await back.rest()
      for (const qos of [1, 2] as const) {
        const its = messages.filter((each) => each.qos === qos)
        expect(payloads(its)).toEqual(texts(8))
        expect(its.every(({ dup }) => dup)).toBe(true)
      }
    },
  ),

  scenario('a session goes from one process of the client to the next', { isForTcp: true }, async (t) => {
    const session = { clientId: 'restarted', sessionExpiry: 60 }
    const got: string[] = []
    for (const alone of [true, false, false]) {
      const client = await t.subscribe('a', { ...session, alone })
      got.push(...payloads(await client.rest()))
      if (alone) client.kill()
      else await client.close()
      await t.publish([...series('a', 2, 2), ...series('a', 1, 2)])
    }
    expect(got).toEqual(['0', '1', '0', '1', '0', '1', '0', '1'])
  }),

  ...(['puback', 'pubrec', 'pubcomp'] as const).map((lost) =>
    scenario(
      `a publisher that loses the connection with ${lost.toUpperCase()} under way is heard ${lost === 'puback' ? 'at least' : 'exactly'} once`,
      { needs: ['sessions across connections of a publisher'], isForTcp: true },
      async (t) => {
        const subscriber = await t.subscribe('a')
        const { relay: its, through } = await t.relay(({ from, packet }) => from === 'broker' && packet.type === lost)
        const qos = lost === 'puback' ? 1 : 2
        const publishing = t.publish({ topic: 'a', payload: 'once', qos }, { reconnect: true }, through)
        // The broker has forgotten what was complete, and says so [section 3.7.2.1]: an error for MQTT.js.
        await publishing.catch((error: Error) => {
          if (lost !== 'pubcomp' || !error.message.includes('Packet Identifier not found')) throw error
        })
        expect(its.cuts).toBe(1)
        // A PUBLISH that was heard, but not acknowledged, is a second one at QoS 1.
        expect(payloads(await subscriber.rest())).toEqual(lost === 'puback' ? ['once', 'once'] : ['once'])
      },
    ),
  ),

  ...(['pubrec', 'pubrel', 'pubcomp'] as const).map((lost) =>
    scenario(
      `a subscriber that loses the connection with ${lost.toUpperCase()} under way gets the message exactly once`,
      { isForTcp: true },
      async (t) => {
        const { relay: its, through } = await t.relay(({ packet }) => packet.type === lost)
        const session = { sessionExpiry: 60, reconnect: true }
        const subscriber = await t.subscribe('a', session, through)
        await t.publish({ topic: 'a', payload: 'once', qos: 2 })
        expect(await subscriber.next()).toMatchObject({ payload: 'once', qos: 2 })
        expect(await subscriber.rest()).toEqual([])
        expect(its.cuts).toBe(1)
      },
    ),
  ),

  scenario('messages expire while they wait and while they are retained', { versions: since5 }, async (t) => {
    const session = { clientId: 'late', sessionExpiry: 60 }
    const before = await t.subscribe('a', session)
    await before.close()
    const send = (topic: string, seconds: number, retain: boolean): Promise<void> => {
      const properties = { messageExpiryInterval: seconds }
      return t.publish({ topic, payload: `${seconds}`, qos: 1, retain, properties })
    }
    for (const seconds of [1, 100]) await send('a', seconds, false)
    for (const seconds of [1, 100]) await send(`kept/${seconds}`, seconds, true)
    await wait(1.2)
    for (const messages of [await t.found('a', session), await t.found('kept/#')]) {
      expect(payloads(messages)).toEqual(['100'])
      const left = messages[0]?.properties.messageExpiryInterval
      expect(left).toBeLessThan(100) // [MQTT-3.3.2-6]
      expect(left).toBeGreaterThan(80)
    }
  }),

  scenario('messages carry the identifiers of the subscriptions', { versions: since5 }, async (t) => {
    const first = await t.subscribe('a/#', { subscriptionIdentifier: 7 })
    const second = await t.subscribe('a/b', { subscriptionIdentifier: 268_435_455 })
    await t.publish({ topic: 'a/b', payload: 'x', qos: 1 })
    const identifiers = [await first.next(), await second.next()].map((each) =>
      [each.properties.subscriptionIdentifier].flat(),
    )
    expect(identifiers).toEqual([[7], [268_435_455]])
  }),

  scenario('properties arrive as they were sent', { versions: since5 }, async (t) => {
    const subscriber = await t.subscribe('a')
    const properties = {
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: 'data',
      userProperties: [
        ['key', 'one'],
        ['key', 'two'],
        ['schlüssel', 'wert'],
      ],
    } as const
    await t.publish({ topic: 'a', payload: 'x', qos: 1, properties })
    expect((await subscriber.next()).properties).toMatchObject(properties)
  }),

  scenario('a publisher may use Topic Aliases', { versions: since5, isForTcp: true }, async (t) => {
    const subscriber = await t.subscribe('a/long/topic')
    const { relay: its, through } = await t.relay()
    await t.publish(series('a/long/topic', 1, 5), { aliases: true }, through)
    expect(payloads(await subscriber.rest())).toEqual(texts(5))
    const topics = its.passed.map(({ packet }) => (packet.type === 'publish' ? packet.topic : undefined))
    expect(topics.filter((topic) => topic !== undefined)).toEqual(['a/long/topic', '', '', '', ''])
  }),

  scenario(
    'a subscriber gets Topic Aliases if it can',
    { versions: since5, needs: ['incoming Topic Aliases'], isForTcp: true },
    async (t) => {
      const { relay: its, through } = await t.relay()
      const subscriber = await t.subscribe('a/+/topic', { aliases: true }, through)
      await t.publish([...series('a/long/topic', 1, 5), ...series('a/other/topic', 0, 5)])
      const messages = await subscriber.rest()
      expect(messages.map(({ topic, payload }) => `${topic} ${payload}`)).toEqual([
        ...texts(5).map((text) => `a/long/topic ${text}`),
        ...texts(5).map((text) => `a/other/topic ${text}`),
      ])
      const withoutTopic = its.passed.filter(({ packet }) => packet.type === 'publish' && packet.topic === '')
      expect(withoutTopic.length).toBeGreaterThan(5)
    },
  ),

  scenario('payloads of a megabyte pass', {}, async (t) => {
    const subscriber = await t.subscribe('a')
    const payload = 'tide '.repeat(200_000)
    for (const qos of [0, 1, 2] as const) await t.publish({ topic: 'a', payload, qos })
    expect(payloads(await subscriber.rest())).toEqual(Array(3).fill(digest(payload)))
  }),

  scenario('payloads above the limit do not, and others do', {}, async (t) => {
    const subscriber = await t.subscribe('a')
    const publishing = t.publish({ topic: 'a', payload: 'x'.repeat(1_200_000), qos: 1 })
    const outcome = await publishing.then(
      () => 'nothing is said',
      () => 'refused',
    )
    expect(outcome).toBe(t.peer.cannot['telling that a message is too large'] ? 'nothing is said' : 'refused')
    await t.publish({ topic: 'a', payload: 'small', qos: 1 })
    expect(payloads(await subscriber.rest())).toEqual(['small'])
  }),

  scenario('a client may have hundreds of subscriptions', {}, async (t) => {
    const names = Array.from({ length: 300 }, (_, at) => `area/${at % 20}/sensor/${at}`)
    const subscriber = await t.subscribe([...names, 'area/+/alarm', '+/0/#'])
    expect(subscriber.granted.length).toBe(303)
    expect(subscriber.granted.every((code) => code === 2)).toBe(true)
    for (const name of names) await t.broker.publish(name, name, { qos: 1 })
    await t.broker.publish('area/19/alarm', 'alarm', { qos: 1 })
    await t.broker.publish('area/19/none', 'nobody asked for it', { qos: 1 })
    expect(payloads(await subscriber.rest())).toEqual([...names, 'alarm'])
  }),

  scenario('a client may publish to hundreds of topics', { needs: ['several topics in one connection'] }, async (t) => {
    const names = Array.from({ length: 300 }, (_, at) => `area/${at % 20}/sensor/${at}`)
    const subscriber = await t.subscribe('area/#')
    await t.publish(names.map((topic) => ({ topic, payload: topic, qos: 1, retain: true })))
    expect(payloads(await subscriber.rest())).toEqual(names)
    const kept = await t.subscribe('+/+/sensor/+')
    // What is published now would overtake retained messages that wait for their turn.
    const found = await Promise.all(names.map(() => kept.next()))
    expect(payloads(found).sort()).toEqual([...names].sort())
  }),

  scenario('a message has the lower QoS of publisher and subscriber', {}, async (t) => {
    const levels = [0, 1, 2] as const
    const subscribers = await Promise.all(levels.map((qos) => t.subscribe('a', { qos })))
    expect(subscribers.map(({ granted }) => granted[0])).toEqual([...levels])
    for (const qos of levels) await t.publish({ topic: 'a', payload: `${qos}`, qos })
    for (const [granted, subscriber] of subscribers.entries()) {
      for (const { payload, qos } of await subscriber.rest()) expect(qos).toBe(Math.min(granted, Number(payload)))
    }
  }),
]
