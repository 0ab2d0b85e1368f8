import type { Action, Client } from '@tidewire/broker'
import { ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { bytes, startBroker, text } from './fixture.js'
import { RawClient } from './raw-client.js'

const payload = bytes('x')

/** Rules that are changed as a test goes on. */
class Rules {
  epoch = 1
  readonly checksRetain: boolean
  readonly asked: string[] = []
  readonly #forbidden: Set<string> = new Set()

  constructor(checksRetain: boolean) {
    this.checksRetain = checksRetain
  }

  forbid(clientId: string, action: Action): void {
    this.#forbidden.add(`${clientId} ${action}`)
    this.epoch++
  }

  /** What was asked since the last time. */
  take(): string[] {
    return this.asked.splice(0)
  }

  authorize({ clientId }: Client, action: Action, topic: string): boolean {
    this.asked.push(`${clientId} ${action} ${topic}`)
    return !this.#forbidden.has(`${clientId} ${action}`)
  }
}

async function start(checksRetain = false) {
  const rules = new Rules(checksRetain)
  const { port, broker } = await startBroker({ authorize: rules })
  const publisher = await RawClient.connect(port, { clientId: 'from' })
  const open = async (clientId: string, topicFilter: string, qos: 0 | 1 = 1) => {
    const properties = { sessionExpiryInterval: 1000 }
    const client = await RawClient.connect(port, { clientId, cleanStart: false, properties })
    await client.subscribe(topicFilter, qos)
    return client
  }
  let packetId = 0
  const publish = async (topic = 'a', retain = false) => {
    publisher.send({ type: 'publish', topic, payload, qos: 1, retain, packetId: ++packetId })
    return (await publisher.expect('puback')).reasonCode
  }
  const reconnect = (clientId: string) =>
    RawClient.connect(port, { clientId, cleanStart: false, properties: { sessionExpiryInterval: 1000 } })
  return { rules, broker, port, open, publish, reconnect }
}

describe('rules with an epoch', () => {
  it('are asked once for a client, an action and a topic', async () => {
    const { rules, open, publish } = await start()
    const one = await open('one', '+')
    const two = await open('two', '$share/g/a')
    rules.take()
    for (let i = 0; i < 3; i++) {
      await publish()
      await one.expect('publish')
      await two.expect('publish')
    }
    expect(rules.take().sort()).toEqual(['from publish a', 'one receive a', 'two receive a'])
    await publish('b')
    expect(rules.take()).toEqual(['from publish b', 'one receive b'])
  })

  it('that change count for the next message: for its publisher', async () => {
    const { rules, open, publish } = await start()
    const one = await open('one', 'a')
    expect(await publish()).toBe(ReasonCode.Success)
    await one.expect('publish')
    rules.forbid('from', 'publish')
    expect(await publish()).toBe(ReasonCode.NotAuthorized)
    expect(await one.drain()).toEqual([])
  })

  it.each(['a', '$share/g/a'])(
    'that change count for the next message: for a subscriber of %s',
    async (topicFilter) => {
      const { rules, open, publish, broker } = await start()
      const one = await open('one', topicFilter)
      await publish()
      await one.expect('publish')
      rules.forbid('one', 'receive')
      await publish()
      expect(await one.drain()).toEqual([])
      const { notAuthorized, noMember } = broker.metrics.dropped
      expect(notAuthorized + noMember).toBe(1)
    },
  )

  it('that change count for messages that wait', async () => {
    const { rules, open, publish, reconnect, broker } = await start()
    const one = await open('one', '#')
    one.end()
    await one.expectEnd()
    for (let i = 0; i < 3; i++) await publish()
    rules.take()
    const again = await reconnect('one')
    for (let i = 0; i < 3; i++) await again.expect('publish')
    expect(rules.take()).toEqual(['one receive a'])
    again.end()
    await again.expectEnd()
    for (let i = 0; i < 3; i++) await publish('b')
    rules.forbid('one', 'receive')
    const last = await reconnect('one')
    expect(await last.drain()).toEqual([])
    expect(broker.metrics.dropped.notAuthorized).toBe(6) // with the three that were not acknowledged
  })

  it('that change count for retained messages, on both sides', async () => {
    const { rules, open, publish } = await start()
    await publish('a', true)
    rules.take()
    const one = await open('one', '#')
    expect(text((await one.expect('publish')).payload)).toBe('x')
    expect(rules.take()).toEqual(['one subscribe #', 'one receive a'])
    rules.forbid('one', 'receive')
    await one.subscribe('#')
    expect(await one.drain()).toEqual([])
    const two = await open('two', '#')
    await two.expect('publish')
    rules.forbid('from', 'publish')
    expect(await (await open('three', '#')).drain()).toEqual([])
  })

  it('are asked again about a client that comes again: it may be somewhere else', async () => {
    const { rules, open, publish, reconnect } = await start()
    const one = await open('one', 'a')
    await publish()
    await one.expect('publish')
    one.end()
    await one.expectEnd()
    const again = await reconnect('one')
    rules.take()
    await publish()
    expect(rules.take()).toEqual(['one receive a'])
    await again.drain()
  })
})

describe('the right to have messages retained', () => {
  it('is asked about those messages alone, and where the rules say so', async () => {
    for (const checksRetain of [true, false]) {
      const { rules, publish } = await start(checksRetain)
      await publish('a')
      await publish('a', true)
      expect(rules.take()).toEqual(
        checksRetain ? ['from publish a', 'from publish a', 'from retain a'] : ['from publish a'],
      )
    }
  })

  it('is needed beside that to publish, for Wills too S-06', async () => {
    const { rules, port, open, publish } = await start(true)
    const one = await open('one', 'a')
    rules.forbid('from', 'retain')
    expect(await publish('a', true)).toBe(ReasonCode.NotAuthorized)
    expect(await one.drain()).toEqual([])
    expect(await publish('a')).toBe(ReasonCode.Success)
    await one.expect('publish')
    rules.forbid('mortal', 'retain')
    for (const retain of [true, false]) {
      const mortal = await RawClient.open(port)
      const will = { topic: 'a', payload, retain }
      mortal.send({ type: 'connect', protocolVersion: 5, clientId: 'mortal', will })
      const { reasonCode } = await mortal.expect('connack')
      expect(reasonCode).toBe(retain ? ReasonCode.NotAuthorized : ReasonCode.Success)
    }
  })

  it('that is lost takes along what was retained by it S-04', async () => {
    const { rules, open, publish, broker } = await start(true)
    await publish('a', true)
    await (await open('one', '#')).expect('publish')
    rules.forbid('from', 'retain')
    expect(await (await open('two', '#')).drain()).toEqual([])
    expect(broker.metrics.dropped.notAuthorized).toBe(1)
  })
})
