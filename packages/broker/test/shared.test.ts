import { type QoS, ReasonCode } from '@tidewire/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Message } from '../src/message.js'
import { sharedStrategies } from '../src/policy.js'
import { Group } from '../src/shared.js'
import { type Subscriber, Subscription } from '../src/subscription.js'
import { bytes, clientOf, startBroker, text } from './fixture.js'
import { RawClient } from './raw-client.js'

const kept = { cleanStart: false, properties: { sessionExpiryInterval: 1000 } }

/** Publishes one message after the other, each with its payload. */
async function publish(client: RawClient, topic: string, qos: QoS, payloads: readonly string[]): Promise<void> {
  for (const payload of payloads) {
    client.send({ type: 'publish', topic, payload: bytes(payload), qos, ...(qos > 0 && { packetId: 1 }) })
    if (qos === 1) await client.expect('puback')
    if (qos === 2) {
      await client.expect('pubrec')
      client.send({ type: 'pubrel', packetId: 1 })
      await client.expect('pubcomp')
    }
  }
  await client.drain()
}

/** The payloads of what a client has been sent; `acknowledges` what is of QoS 1. */
async function received(client: RawClient, acknowledges = false): Promise<string[]> {
  const payloads: string[] = []
  for (const packet of await client.drain()) {
    if (packet.type !== 'publish') throw new Error(`got ${packet.type}`)
    payloads.push(text(packet.payload))
    if (acknowledges && packet.qos === 1) client.send({ type: 'puback', packetId: packet.packetId! })
  }
  return payloads
}

async function members(port: number, count: number, qos: QoS, connect: object = {}): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (let i = 0; i < count; i++) {
    clients.push(await RawClient.connect(port, { clientId: `m${i}`, ...connect }))
    await clients[i]!.subscribe('$share/g/a', qos)
  }
  return clients
}

describe('a group of Shared Subscriptions', () => {
  it('gives each message to one member, in turn', async () => {
    const { port } = await startBroker()
    const clients = await members(port, 3, 0)
    await publish(await RawClient.connect(port), 'a', 0, ['1', '2', '3', '4', '5', '6'])
    expect(await Promise.all(clients.map((client) => received(client)))).toEqual([
      ['1', '4'],
      ['2', '5'],
      ['3', '6'],
    ])
  })

  it('is one of several, beside subscriptions that are not shared', async () => {
    const { port } = await startBroker()
    const [client] = await members(port, 1, 0)
    await client!.subscribe('$share/h/a')
    await client!.subscribe('a')
    await publish(client!, 'b', 0, ['not'])
    client!.send({ type: 'publish', topic: 'a', payload: bytes('x') })
    expect(await received(client!)).toEqual(['x', 'x', 'x'])
  })

  it('keeps to the QoS that each member was granted [MQTT-4.8.2-3]', async () => {
    const { port } = await startBroker()
    const low = await RawClient.connect(port)
    await low.subscribe('$share/g/a', 0)
    const high = await RawClient.connect(port)
    await high.subscribe('$share/g/a', 2)
    await publish(await RawClient.connect(port), 'a', 1, ['1', '2'])
    expect(await low.expect('publish')).toMatchObject({ qos: 0 })
    expect(await high.expect('publish')).toMatchObject({ qos: 1 })
  })

  it('passes over a member that cannot take a message', async () => {
    const { port } = await startBroker()
    const [slow, fast] = await members(port, 2, 1, { properties: { receiveMaximum: 1 } })
    const publisher = await RawClient.connect(port)
    const all: string[] = []
    for (const payload of ['1', '2', '3', '4', '5']) {
      await publish(publisher, 'a', 1, [payload])
      all.push(...(await received(fast!, true)))
    }
    expect(all).toEqual(['2', '3', '4', '5'])
    expect(await received(slow!)).toEqual(['1'])
  })

  it('gives a message to a member that is away only when no other is there, and none of QoS 0', async () => {
    const { port, broker, lose } = await startBroker()
    const [away, there] = await members(port, 2, 1, kept)
    const publisher = await RawClient.connect(port)
    await lose(away!)
    await publish(publisher, 'a', 1, ['1', '2'])
    expect(await received(there!, true)).toEqual(['1', '2'])
    await there!.drain()
    await lose(there!)
    await publish(publisher, 'a', 1, ['3', '4'])
    publisher.send({ type: 'publish', topic: 'a', payload: bytes('5') })
    await publisher.drain()
    expect(broker.metrics.dropped.noMember).toBe(1)
    const both = [
      await RawClient.connect(port, { clientId: 'm0', ...kept }),
      await RawClient.connect(port, { clientId: 'm1', ...kept }),
    ]
    expect((await Promise.all(both.map((client) => received(client)))).flat().sort()).toEqual(['3', '4'])
  })

  it('gets what a lost member was not sent, but not what it was sent [MQTT-4.8.2-4]', async () => {
    const { port, lose } = await startBroker({ sharedStrategy: 'ordered' })
    const [first, second] = await members(port, 2, 1, {
      ...kept,
      properties: { ...kept.properties, receiveMaximum: 1 },
    })
    await publish(await RawClient.connect(port), 'a', 1, ['1', '2', '3'])
    expect(await received(second!)).toEqual([])
    await lose(first!)
    expect(text((await second!.expect('publish')).payload)).toBe('2')
    second!.send({ type: 'puback', packetId: 1 })
    expect(text((await second!.expect('publish')).payload)).toBe('3')
    const again = await RawClient.connect(port, { clientId: 'm0', ...kept })
    expect(await received(again)).toEqual(['1'])
  })

  it('does not get what waits for a lost member when nobody else is connected', async () => {
    const { port, lose } = await startBroker({ sharedStrategy: 'ordered' })
    const [first, second] = await members(port, 2, 1, {
      ...kept,
      properties: { ...kept.properties, receiveMaximum: 1 },
    })
    await lose(second!)
    await publish(await RawClient.connect(port), 'a', 1, ['1', '2'])
    await lose(first!)
    const again = await RawClient.connect(port, { clientId: 'm0', ...kept })
    expect(await received(again)).toEqual(['1', '2'])
  })

  it.each([
    [1, ['x']],
    [2, []],
  ] as const)(
    'gets what a member did not acknowledge whose session ends, not of QoS 2 [MQTT-4.8.2-5] (QoS %i)',
    async (qos, expected) => {
      const { port, lose } = await startBroker()
      const [first, second] = await members(port, 2, qos)
      await publish(await RawClient.connect(port), 'a', qos, ['x'])
      expect(await received(first!)).toEqual(['x'])
      await lose(first!)
      expect(await received(second!)).toEqual(expected)
    },
  )

  it.each([1, 2] as const)('does not get what a member refused [MQTT-4.8.2-6] S-11 (QoS %i)', async (qos) => {
    const { port, broker } = await startBroker()
    const [first, second] = await members(port, 2, qos)
    await publish(await RawClient.connect(port), 'a', qos, ['x'])
    const { packetId } = await first!.expect('publish')
    first!.send({ type: qos === 1 ? 'puback' : 'pubrec', packetId: packetId!, reasonCode: ReasonCode.UnspecifiedError })
    expect(await first!.drain()).toEqual([])
    expect(broker.metrics.dropped.refused).toBe(1)
    first!.send({ type: 'disconnect' })
    await first!.expectEnd()
    expect(await received(second!)).toEqual([])
  })

  it('goes on without a member that unsubscribes, and one that subscribes again counts once', async () => {
    const { port } = await startBroker()
    const clients = await members(port, 3, 0)
    await clients[1]!.subscribe('$share/g/a', 1)
    clients[0]!.send({ type: 'unsubscribe', packetId: 1, topicFilters: ['$share/g/a', '$share/h/a'] })
    const { reasonCodes } = await clients[0]!.expect('unsuback')
    expect(reasonCodes).toEqual([ReasonCode.Success, ReasonCode.NoSubscriptionExisted])
    await publish(await RawClient.connect(port), 'a', 0, ['1', '2', '3', '4'])
    const counts = await Promise.all(clients.map(async (client) => (await received(client)).length))
    expect(counts).toEqual([0, 2, 2])
  })

  it('gets no retained messages when it is subscribed to, and RETAIN as published if it asks', async () => {
    const { port } = await startBroker()
    const publisher = await RawClient.connect(port)
    publisher.send({ type: 'publish', topic: 'a', payload: bytes('x'), retain: true })
    await publisher.drain()
    const client = await RawClient.connect(port)
    await client.subscribe('$share/g/a', 0, { retainAsPublished: true })
    expect(await client.drain()).toEqual([])
    publisher.send({ type: 'publish', topic: 'a', payload: bytes('y'), retain: true })
    expect(await client.expect('publish')).toMatchObject({ retain: true })
  })

  it('does not see topics that begin with $ through a wildcard S-11 S-12 [MQTT-4.7.2-1]', async () => {
    const { port, broker } = await startBroker()
    const client = await RawClient.connect(port)
    await client.subscribe('$share/g/#')
    await client.subscribe('$share/g/+/x')
    await broker.publish('$SYS/x', 'x')
    expect(await client.drain()).toEqual([])
  })

  it('serves a client of MQTT 3.1.1 too', async () => {
    const { port } = await startBroker()
    const clients = await members(port, 2, 1, { protocolVersion: 4 })
    await publish(await RawClient.connect(port, { protocolVersion: 4 }), 'a', 1, ['1', '2'])
    expect(await received(clients[0]!)).toEqual(['1'])
    expect(await received(clients[1]!)).toEqual(['2'])
  })

  it('gives what onDeliver made for one member to no other', async () => {
    const { port, lose } = await startBroker({
      onDeliver: ({ clientId }, { payload, properties }) => ({
        payload: bytes(`${text(payload)} ${clientId}`),
        properties,
      }),
    })
    const [first, second] = await members(port, 2, 1)
    await publish(await RawClient.connect(port), 'a', 1, ['x'])
    expect(await received(first!)).toEqual(['x m0'])
    await lose(first!)
    expect(await received(second!)).toEqual(['x m1'])
  })

  it('that empties while a message waits for a hook leaves nothing behind', async () => {
    const { port, broker, lose } = await startBroker({ onPublish: async () => true })
    const [first] = await members(port, 1, 1)
    const publisher = await RawClient.connect(port)
    publisher.send({ type: 'publish', topic: 'a', payload: bytes('x'), qos: 1, packetId: 1 })
    await lose(first!)
    await publisher.expect('puback')
    await publish(publisher, 'a', 1, ['y'])
    expect(broker.metrics.dropped.noMember).toBe(0)
  })
})

describe('the Topic Filter of a Shared Subscription', () => {
  const malformed = ['$share/g', '$share/g/', '$share//a', '$share/']

  it.each([...malformed, '$share/g+/a', '$share/#/a', '$share/g/a#'])(
    '%s is refused [MQTT-4.8.2-1] [MQTT-4.8.2-2] S-11',
    async (topicFilter) => {
      const { port } = await startBroker()
      const filter = [0, topicFilter.length, ...bytes(topicFilter), 0]
      const client = await RawClient.connect(port)
      client.sendBytes(Uint8Array.of(0x82, filter.length + 3, 0, 1, 0, ...filter))
      expect(await client.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.MalformedPacket })
      await client.expectEnd()
      const before5 = await RawClient.connect(port, { protocolVersion: 4 })
      before5.sendBytes(Uint8Array.of(0x82, filter.length + 2, 0, 1, ...filter))
      // Those that MQTT 3.1.1 has nothing against it refuses for this broker.
      if (malformed.includes(topicFilter)) expect((await before5.expect('suback')).reasonCodes).toEqual([0x80])
      else await before5.expectEnd()
    },
  )

  it('is authorized without its $share/{ShareName}/ S-11', async () => {
    const asked: string[] = []
    const { port } = await startBroker({
      authorize: (_, action, topic) => {
        if (action === 'subscribe') asked.push(topic)
        return topic !== 'secret/#'
      },
    })
    const client = await RawClient.connect(port)
    const topicFilters = ['$share/g/secret/#', '$share/g/$SYS/#']
    client.send({
      type: 'subscribe',
      packetId: 1,
      subscriptions: topicFilters.map((topicFilter) => ({ topicFilter, qos: 0 })),
    })
    expect((await client.expect('suback')).reasonCodes).toEqual([ReasonCode.NotAuthorized, 0])
    expect(asked).toEqual(['secret/#', '$SYS/#'])
  })

  it('makes no more groups than the limit, of all clients, however long a hook is asked S-11', async () => {
    const { port } = await startBroker({ limits: { maxSharedGroups: 1 }, authorize: async () => true })
    const clients = await Promise.all([0, 1].map(() => RawClient.connect(port)))
    for (const [i, client] of clients.entries()) {
      client.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: `$share/g${i}/a`, qos: 0 }] })
    }
    const codes = await Promise.all(clients.map(async (client) => (await client.expect('suback')).reasonCodes[0]))
    expect(codes.sort()).toEqual([0, ReasonCode.QuotaExceeded])
    await clients[0]!.subscribe(`$share/g${codes[0] === 0 ? 0 : 1}/a`) // more members are welcome
  })

  it.each(Object.getOwnPropertyNames(Object.prototype))('may have the ShareName %s S-01', async (name) => {
    const { port } = await startBroker()
    const client = await RawClient.connect(port)
    await client.subscribe(`$share/${name}/${name}`)
    client.send({ type: 'publish', topic: name, payload: bytes('x') })
    expect(await received(client)).toEqual(['x'])
  })
})

describe('the strategy', () => {
  it('leastInFlight prefers who has least to do', async () => {
    const { port } = await startBroker({ sharedStrategy: 'leastInFlight' })
    const [busy, idle] = await members(port, 2, 1)
    const publisher = await RawClient.connect(port)
    const counts = [0, 0]
    for (let i = 0; i < 6; i++) {
      await publish(publisher, 'a', 1, [`${i}`])
      counts[0]! += (await received(busy!)).length
      counts[1]! += (await received(idle!, true)).length
      await idle!.drain()
    }
    expect(counts).toEqual([1, 5])
  })

  it('sticky gives all of a publisher to the same member, and different publishers to different ones', async () => {
    const { port } = await startBroker({ sharedStrategy: 'sticky' })
    const clients = await members(port, 2, 0)
    for (const clientId of ['p0', 'p1', 'p2', 'p3']) {
      await publish(await RawClient.connect(port, { clientId }), 'a', 0, [clientId, clientId, clientId])
    }
    const sets = await Promise.all(clients.map((client) => received(client)))
    expect(sets.map(({ length }) => length)).toEqual([6, 6])
    expect(sets[0]!.some((clientId) => sets[1]!.includes(clientId))).toBe(false)
  })

  it('ordered stays with one member though it is slow, until it is gone', async () => {
    const { port, lose } = await startBroker({ sharedStrategy: 'ordered' })
    const [first, second] = await members(port, 2, 1, { properties: { receiveMaximum: 1 } })
    const publisher = await RawClient.connect(port)
    await publish(publisher, 'a', 1, ['1', '2', '3'])
    expect(await received(second!)).toEqual([])
    expect(await received(first!, true)).toEqual(['1'])
    expect(await received(first!, true)).toEqual(['2'])
    await lose(first!)
    const rest: string[] = []
    for (let i = 0; i < 2; i++) rest.push(...(await received(second!, true)))
    expect(rest.at(-1)).toBe('3')
    await publish(publisher, 'a', 1, ['4'])
    expect(await received(second!)).toEqual(['4'])
  })

  it('is asked once for each group, and round robin when it cannot be had', async () => {
    const asked: string[] = []
    const answers = [() => 'ordered', () => 'no such', () => Promise.reject(new Error('x')), () => Object.create(null)]
    const { port, broker } = await startBroker({
      sharedStrategy: (shareName, topicFilter) => {
        asked.push(`${shareName} ${topicFilter}`)
        if (answers.length === 0) throw Object.create(null)
        return answers.shift()!()
      },
    })
    const clients = [await RawClient.connect(port), await RawClient.connect(port)]
    for (let group = 0; group < 5; group++) {
      for (const client of clients) await client.subscribe(`$share/${group}/${group}`)
    }
    expect(asked).toEqual(['0 0', '1 1', '2 2', '3 3', '4 4'])
    expect(broker.metrics.hooksFailed).toBe(5) // a promise that is rejected counts for itself too
    for (let topic = 0; topic < 5; topic++) {
      await broker.publish(`${topic}`, 'x')
      await broker.publish(`${topic}`, 'x')
    }
    const counts = await Promise.all(clients.map(async (client) => (await received(client)).length))
    expect(counts).toEqual([6, 4])
    // And they can be left again.
    clients[0]!.send({ type: 'unsubscribe', packetId: 1, topicFilters: ['$share/4/4', '$share/1/1'] })
    expect((await clients[0]!.expect('unsuback')).reasonCodes).toEqual([0, 0])
  })
})

describe('Group', () => {
  /** A subscriber that is as it is told. */
  class Fake implements Subscriber {
    readonly clientId = ''
    readonly client = clientOf('')
    readonly subscriptions = new Map<string, Subscription>()
    readonly record = 0
    readonly isDurable = false
    wildcardLevels = 0
    isConnected = true
    isFree = true
    load = 0
    mayReceive(): boolean {
      return true
    }
    canTake(): boolean {
      return this.isConnected && this.isFree
    }
    deliver(): void {}
  }
  const message = (qos: QoS, publisher: string): Message =>
    Message.of({ topic: 'a', payload: bytes('x'), qos, retain: false, properties: {} }, 0, clientOf(publisher))

  const change = fc.record({
    at: fc.nat(9),
    kind: fc.constantFrom('join', 'leave', 'drop', 'return', 'block', 'free', 'replace'),
  })

  it('chooses a member, the best there is, whatever became of the others', () => {
    const run = fc.property(
      fc.constantFrom(...sharedStrategies),
      fc.array(fc.oneof(change, fc.record({ qos: fc.constantFrom(0, 1, 2), publisher: fc.constantFrom('p', 'q') })), {
        maxLength: 60,
      }),
      (strategy, steps) => {
        const group = new Group('$share/g/a', strategy)
        const present = new Map<number, Subscription>()
        let holder: Subscriber | undefined
        for (const step of steps) {
          if ('kind' in step) {
            const { at, kind } = step
            const before = present.get(at)
            const fake = before?.session as Fake | undefined
            if (kind === 'join' && before === undefined) {
              const subscription = new Subscription(new Fake(), '$share/g/a', { qos: 1, overflow: 'dropNewest' })
              present.set(at, subscription)
              group.add(subscription)
            }
            if (before === undefined || fake === undefined) continue
            if (kind === 'leave') {
              present.delete(at)
              group.remove(before)
            }
            if (kind === 'replace') {
              const subscription = new Subscription(fake, '$share/g/a', { qos: 1, overflow: 'dropNewest' })
              subscription.number = before.number
              group.replace(before, subscription)
              present.set(at, subscription)
            }
            if (kind === 'drop' || kind === 'return') fake.isConnected = kind === 'return'
            if (kind === 'block' || kind === 'free') fake.isFree = kind === 'free'
            continue
          }
          const qos = step.qos as QoS
          const all = [...present.values()]
          const chosen = group.choose(message(qos, step.publisher), undefined, undefined)
          expect(group.size).toBe(all.length)
          if (chosen !== undefined) expect(all).toContain(chosen)
          const isHolderThere = all.some(({ session }) => session === holder && session.isConnected)
          if (strategy === 'ordered' && isHolderThere) {
            expect(chosen!.session).toBe(holder)
          } else if (strategy !== 'ordered' && all.some(({ session }) => session.canTake(qos))) {
            expect(chosen!.session.canTake(qos)).toBe(true)
          } else if (all.some(({ session }) => session.isConnected)) {
            expect(chosen!.session.isConnected).toBe(true)
          } else {
            expect(chosen !== undefined).toBe(qos > 0 && all.length > 0)
          }
          holder = chosen?.session
        }
      },
    )
    fc.assert(run, { numRuns: 300 })
  })

  it('never chooses the one that is excepted', () => {
    const group = new Group('$share/g/a', 'roundRobin')
    const one = new Subscription(new Fake(), '$share/g/a', { qos: 1, overflow: 'dropNewest' })
    group.add(one)
    expect(group.choose(message(1, 'p'), one.session, undefined)).toBeUndefined()
    expect(group.choose(message(1, 'p'), undefined, undefined)).toBe(one)
  })
})
