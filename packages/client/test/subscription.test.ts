import { type Message, ReasonCode } from '@tidewire/client'
import { describe, expect, it } from 'vitest'
import { bytes, start, subscribe } from './connected.js'

const publish = (topic: string, text: string, qos: 0 | 1 | 2 = 0, packetId = 0) =>
  ({ type: 'publish', topic, payload: bytes(text), qos, ...(qos > 0 && { packetId }) }) as const

describe('the acknowledgement of a message', () => {
  it('leaves when the loop asks for the next one, in the order of the messages [MQTT-4.6.0-2, MQTT-4.6.0-3, MQTT-4.3.2-4]', async () => {
    const { client, peer } = await start()
    const a = await subscribe(client, peer, 'a', { qos: 2 })
    const b = await subscribe(client, peer, 'b', { qos: 2 })
    peer.send(publish('a', '1', 1, 1), publish('b', '2', 2, 2), publish('a', '3', 1, 3))
    await b.next()
    const next = b.next() // done with 2, but 1 came before
    await a.next()
    await client.publish('mark', '')
    await peer.expect('publish')
    expect((await a.next()).value).toMatchObject({ text: '3' })
    expect(await peer.expect('puback')).toMatchObject({ packetId: 1 })
    expect(await peer.expect('pubrec')).toMatchObject({ packetId: 2 })
    await client.close()
    await next
  })

  it('is the application’s own with manualAck', async () => {
    const { client, peer } = await start()
    const subscription = await subscribe(client, peer, 'a', { qos: 1, manualAck: true })
    peer.send(publish('a', '1', 1, 1), publish('a', '2', 1, 2))
    const one = (await subscription.next()).value as Message
    const two = (await subscription.next()).value as Message
    two.ack(ReasonCode.NotAuthorized)
    one.ack()
    one.ack() // once
    expect(() => one.ack(1)).toThrow(RangeError)
    expect(await peer.expect('puback')).toMatchObject({ packetId: 1, reasonCode: 0 })
    expect(await peer.expect('puback')).toMatchObject({ packetId: 2, reasonCode: ReasonCode.NotAuthorized })
  })

  it('of a refused QoS 2 message frees its identifier [MQTT-4.3.3-9]', async () => {
    const { client, peer } = await start()
    const subscription = await subscribe(client, peer, 'a', { qos: 2, manualAck: true })
    for (let i = 0; i < 2; i++) {
      peer.send(publish('a', `${i}`, 2, 1))
      const message = (await subscription.next()).value as Message
      expect(message.text).toBe(`${i}`)
      message.ack(ReasonCode.QuotaExceeded)
      expect(await peer.expect('pubrec')).toMatchObject({ packetId: 1, reasonCode: ReasonCode.QuotaExceeded })
    }
  })

  it('stays out until there is room: no more than the Receive Maximum comes', async () => {
    const { client, peer } = await start({ properties: { receiveMaximum: 3 } })
    await subscribe(client, peer, 'a', { qos: 1 })
    peer.send(publish('a', '1', 1, 1), publish('a', '2', 1, 2), publish('a', '3', 1, 3), publish('a', '4', 1, 4))
    expect(await peer.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.ReceiveMaximumExceeded })
  })
})

describe('overlapping subscriptions', () => {
  it('each get what came for them, by identifiers, and the message is acknowledged when all are done', async () => {
    const { client, peer } = await start()
    const all = await subscribe(client, peer, 'a/#', { qos: 1 })
    const one = await subscribe(client, peer, 'a/+', { qos: 1 })
    const properties = (...subscriptionIdentifier: number[]) => ({ properties: { subscriptionIdentifier } })
    peer.send({ ...publish('a/b', 'both', 1, 1), ...properties(1, 2) })
    peer.send({ ...publish('a/b', 'first', 1, 2), ...properties(1) }, { ...publish('a/b', 'second'), ...properties(2) })
    expect((await all.next()).value).toMatchObject({ text: 'both' })
    expect((await all.next()).value).toMatchObject({ text: 'first' })
    await client.publish('mark', '')
    await peer.expect('publish') // and no PUBACK before it
    expect((await one.next()).value).toMatchObject({ text: 'both' })
    expect((await one.next()).value).toMatchObject({ text: 'second' })
    expect(await peer.expect('puback')).toMatchObject({ packetId: 1 })
  })

  it.each([
    ['the server takes none', 5, { subscriptionIdentifierAvailable: false }],
    ['there are none in MQTT 3.1.1', 4, {}],
  ] as const)('are told apart here where %s', async (_, protocolVersion, properties) => {
    const { client, peer } = await start({ protocolVersion }, { properties })
    const all = await subscribe(client, peer, 'a/#')
    const one = await subscribe(client, peer, '$share/g/a/+')
    const other = await subscribe(client, peer, 'b')
    peer.send(publish('a/b', '1'), publish('a/b/c', '2'), publish('b', '3'))
    expect((await all.next()).value).toMatchObject({ text: '1' })
    expect((await all.next()).value).toMatchObject({ text: '2' })
    expect((await one.next()).value).toMatchObject({ text: '1' })
    expect((await other.next()).value).toMatchObject({ text: '3' })
  })
})

describe('a buffer that is full of QoS 0 messages', () => {
  const overflow = async (policy: 'dropNewest' | 'dropOldest' | 'end') => {
    const { client, peer } = await start()
    const subscription = await subscribe(client, peer, 'a', { buffer: 2, overflow: policy })
    peer.send(...['1', '2', '3'].map((n) => publish('a', n)))
    return { subscription, peer, client }
  }

  it.each([
    ['dropNewest', ['1', '2']],
    ['dropOldest', ['2', '3']],
  ] as const)('with %s keeps %j, and counts', async (policy, kept) => {
    const { subscription, client, peer } = await overflow(policy)
    peer.send({ type: 'pingresp' })
    await client.publish('mark', '')
    await peer.expect('publish')
    for (const n of kept) expect((await subscription.next()).value).toMatchObject({ text: n })
    expect(subscription.dropped).toBe(1)
  })

  it('with end ends the subscription after what it has', async () => {
    const { subscription, peer } = await overflow('end')
    expect((await subscription.ended)?.message).toContain('more messages')
    const { packetId } = await peer.expect('unsubscribe')
    peer.send({ type: 'unsuback', packetId, reasonCodes: [0] })
    for (const n of ['1', '2']) expect((await subscription.next()).value).toMatchObject({ text: n })
    await expect(subscription.next()).rejects.toThrow('more messages')
  })
})

describe('a callback', () => {
  it('gets one message after the other, and its end is the acknowledgement', async () => {
    const { client, peer } = await start()
    const waiting: (() => void)[] = []
    const seen: string[] = []
    const subscribing = client.subscribe('a', { qos: 1 }, ({ text }) => {
      seen.push(text)
      return new Promise<void>((resolve) => waiting.push(resolve))
    })
    await peer.grant()
    await subscribing
    peer.send(publish('a', '1', 1, 1), publish('a', '2', 1, 2))
    await client.publish('mark', '')
    await peer.expect('publish')
    await expect.poll(() => seen).toEqual(['1'])
    waiting.shift()!()
    expect(await peer.expect('puback')).toMatchObject({ packetId: 1 })
    await expect.poll(() => seen).toEqual(['1', '2'])
  })

  it('that throws refuses the message and ends the subscription', async () => {
    const { client, peer } = await start()
    const subscribing = client.subscribe('a', { qos: 1 }, () => {
      throw new Error('no')
    })
    await peer.grant()
    const subscription = await subscribing
    peer.send(publish('a', '1', 1, 1))
    expect(await peer.expect('puback')).toMatchObject({ reasonCode: ReasonCode.UnspecifiedError })
    await peer.expect('unsubscribe')
    expect(await subscription.ended).toMatchObject({ message: 'no' })
  })
})

describe('messages of a session from before', () => {
  it('wait for the subscription that takes them, but not those that were given up', async () => {
    const options = { clientId: 'c', session: { expiry: 60 } }
    const { client, peer } = await start(options, { sessionPresent: true })
    peer.send(publish('a', 'early', 1, 1), publish('b', 'never', 1, 2))
    const a = await subscribe(client, peer, 'a', { qos: 1 })
    expect((await a.next()).value).toMatchObject({ text: 'early' })
    const closing = a.close()
    expect(await peer.expect('puback')).toMatchObject({ packetId: 1 })
    const { packetId } = await peer.expect('unsubscribe')
    peer.send({ type: 'unsuback', packetId, reasonCodes: [0] })
    await closing
    peer.send(publish('a', 'late', 1, 3))
    const b = await subscribe(client, peer, 'b', { qos: 1 })
    expect((await b.next()).value).toMatchObject({ text: 'never' })
    const next = b.next()
    expect(await peer.expect('puback')).toMatchObject({ packetId: 2 })
    expect(await peer.expect('puback')).toMatchObject({ packetId: 3 })
    await client.close()
    await next
  })

  it('are acknowledged when nobody waits for them in a session of this client [MQTT-4.5.0-2]', async () => {
    const { peer } = await start()
    peer.send(publish('a', 'x', 1, 1))
    expect(await peer.expect('puback')).toMatchObject({ packetId: 1 })
  })
})

it('subscribing is given up by a signal, and taken back', async () => {
  const { client, peer } = await start()
  const controller = new AbortController()
  const subscribing = client.subscribe('a', { signal: controller.signal })
  await peer.expect('subscribe')
  controller.abort(new Error('enough'))
  await expect(subscribing).rejects.toThrow('enough')
  expect(await peer.expect('unsubscribe')).toMatchObject({ topicFilters: ['a'] })
  await expect(client.subscribe('a', { signal: controller.signal })).rejects.toThrow('enough')
})

describe('Topic Aliases', () => {
  it('of the server are resolved, for as long as the connection [MQTT-3.3.2-7, MQTT-3.3.2-10]', async () => {
    const { client, peer, again } = await start()
    const subscription = await subscribe(client, peer, 'a/#')
    peer.send(
      { ...publish('a/1', '1'), properties: { topicAlias: 32 } },
      { ...publish('', '2'), properties: { topicAlias: 32 } },
    )
    for (const text of ['1', '2']) expect((await subscription.next()).value).toMatchObject({ topic: 'a/1', text })
    peer.cut()
    const second = await again({ sessionPresent: true })
    second.send({ ...publish('', '3'), properties: { topicAlias: 32 } })
    expect(await second.expect('disconnect')).toMatchObject({ reasonCode: ReasonCode.ProtocolError })
  })

  it('are used for topics that come again, up to what the server takes, and anew on each connection [MQTT-3.3.2-9, MQTT-3.3.2-11]', async () => {
    const { client, peer, again } = await start({}, { properties: { topicAliasMaximum: 1 } })
    const send = async (peer: { expect(type: 'publish'): Promise<{ topic: string; properties: object }> }) => {
      const seen: [string, object][] = []
      for (const topic of ['topic/one', 'topic/one', 'topic/one', 'topic/two', 'topic/two']) {
        expect(client.tryPublish(topic, '')).toBe(true)
        const { topic: name, properties } = await peer.expect('publish')
        seen.push([name, properties])
      }
      return seen
    }
    const expected = [
      ['topic/one', {}],
      ['topic/one', { topicAlias: 1 }],
      ['', { topicAlias: 1 }],
      ['topic/two', {}],
    ]
    expect((await send(peer)).slice(0, 4)).toEqual(expected)
    peer.cut()
    const second = await again({ sessionPresent: true, properties: { topicAliasMaximum: 1 } })
    await client.drained()
    expect((await send(second)).slice(0, 4)).toEqual(expected)
  })
})

it('keep alive comes late after a sleep: the server is asked anew, and not given up', async () => {
  const { client, peer } = await start({ keepAlive: 1 })
  await peer.expect('pingreq')
  peer.send({ type: 'pingresp' })
  const until = performance.now() + 1_500 // no timer runs, as in a sleep
  while (performance.now() < until);
  await peer.expect('pingreq')
  peer.send({ type: 'pingresp' })
  expect(client.state.name).toBe('online')
  client.wake()
  await peer.expect('pingreq')
})
