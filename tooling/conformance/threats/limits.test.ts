/** Threats that want more than there is: of time, of memory, of names. */

import { expect } from 'vitest'
import { field, number, packet, properties } from '../bytes.js'
import { bytesOf, payloads } from '../suite.js'
import { stillThere, threat } from './fixture.js'

threat('S-08 a session is kept no longer than the longest time, which is told', async (start) => {
  const its = await start({ limits: { maxSessionExpiry: 1 } })
  const { t } = its
  const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 0xffff_ffff } }
  const first = await t.connect(options)
  t.equal(first.connack?.properties.sessionExpiryInterval, 1, 'the Session Expiry Interval')
  await first.leave(0, 0xffff_ffff)
  await t.wait(1.3)
  t.equal((await t.connect(options)).connack?.sessionPresent, false, 'Session Present')
})

threat('S-14 a Keep Alive of 0 or above the longest is replaced, which is told, and held', async (start) => {
  const its = await start({ limits: { maxKeepAlive: 1 } })
  const { t } = its
  const holders = [await t.connect({ keepAlive: 0 }), await t.connect({ keepAlive: 65_535 })]
  for (const holder of holders) t.equal(holder.connack?.properties.serverKeepAlive, 1, 'the Server Keep Alive')
  await Promise.all(holders.map((holder) => t.refused(holder, 0x8d)))
  await stillThere(its)
})

threat('S-14 a client of before MQTT 5.0 cannot hold a connection for ever in silence', async (start) => {
  const its = await start({ limits: { maxKeepAlive: 1 } }, 4)
  const { t } = its
  const holder = await t.connect({ keepAlive: 0 })
  await holder.ending(2)
})

threat('S-17 topics are no deeper than the limit, wherever they stand', async (start) => {
  const its = await start()
  const { t } = its
  const levels = (count: number): string => Array(count).fill('').join('/')
  const deepest = `${levels(127)}/x`
  for (const deep of [`${levels(128)}/x`, levels(60_000)]) {
    const publisher = await t.connect()
    publisher.sendBytes(packet(0x31, field(deep), properties(5), 1))
    await t.refused(publisher, 0x90)
    const subscriber = await t.connect()
    for (const filter of [deep, deep.replace(/^\//, '+/')]) {
      const { reasonCodes } = await t.subscribe(subscriber, filter)
      t.equal(reasonCodes, [0x8f], 'the Reason Code')
    }
    const { reasonCodes } = await t.unsubscribe(subscriber, deep)
    expect(reasonCodes[0]).toBe(0x11)
    const willing = await t.begin({ will: { topic: deep } })
    await t.refusedConnect(willing, 0x90)
  }
  const client = await t.connect()
  await t.subscribed(client, [deepest, '#'], { qos: 0 })
  await t.publish(client, deepest, 'x', { retain: true })
  t.equal(payloads([await client.expect('publish')]), ['x'], 'the message')
  await stillThere(its)
})

threat('S-19 what waits for a client that is away is bounded in number and bytes, and counted', async (start) => {
  for (const [limits, size, kept] of [
    [{ maxQueuedMessages: 5 }, 1, 5],
    [{ maxQueuedBytes: 50_000 }, 10_000, 4],
  ] as const) {
    const its = await start({ limits })
    const { t, broker } = its
    const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
    const away = await t.connect(options)
    await t.subscribed(away, t.topic('a'))
    await away.leave()
    const publisher = await t.connect()
    for (let at = 0; at < 20; at++) await t.publish(publisher, t.topic('a'), Buffer.alloc(size), { qos: 1 })
    const back = await t.connect(options)
    t.equal(back.connack?.sessionPresent, true, 'Session Present')
    const got = payloads(await t.rest(back)).length
    t.equal(got, kept, 'the number of messages')
    expect(broker.metrics.dropped.queueFull).toBe(20 - kept)
    await stillThere(its)
  }
})

threat('S-20 a subscriber that does not read is not buffered for without end, and slows nobody', async (start) => {
  const its = await start({ limits: { maxBufferedBytes: 64 * 1024 } })
  const { t, broker } = its
  const [frozen, other, publisher] = [await t.connect(), await t.connect(), await t.connect()]
  for (const client of [frozen, other]) await t.subscribed(client, t.topic('a'), { qos: 0 })
  await t.subscribed(other, t.topic('b'), { qos: 1 })
  frozen.pause()
  const payload = Buffer.alloc(100_000)
  const count = 300
  for (let at = 0; at < count; at++) {
    await t.publish(publisher, t.topic('a'), payload)
    await other.expect('publish')
  }
  await t.publish(publisher, t.topic('b'), 'x', { qos: 1 })
  await t.receive(other)
  frozen.resume()
  // Beside the buffers of the system, which are not ours.
  const got = payloads(await t.rest(frozen, publisher)).length
  expect(got).toBeLessThan(count / 2)
  expect(broker.metrics.dropped.slowConnection).toBe(count - got)
  await stillThere(its)
})

threat('S-37 a packet of ten thousand Topic Filters is refused, and one client has only so many', async (start) => {
  const its = await start({ limits: { maxSubscriptions: 100 } })
  const { t } = its
  const filters = (count: number, name = 'f'): string[] =>
    Array.from({ length: count }, (_, at) => t.topic(`${name}${at}`))
  for (const type of [0x82, 0xa2]) {
    const greedy = await t.connect()
    const list = filters(10_000).flatMap((filter) => (type === 0x82 ? [field(filter), 0] : [field(filter)]))
    greedy.sendBytes(packet(type, number(1, 2), properties(5), ...list))
    await t.refused(greedy, 0x97)
  }
  const client = await t.connect()
  const { reasonCodes } = await t.subscribe(client, filters(101))
  t.equal(reasonCodes.length, 101, 'the number of Reason Codes')
  t.equal(reasonCodes.filter((code) => code === 0x97).length, 1, 'the number of those refused')
  await t.unsubscribe(client, ...filters(50))
  t.equal(
    (await t.subscribe(client, filters(51, 'g'))).reasonCodes.filter((code) => code === 0x97).length,
    1,
    'the same',
  )
  await stillThere(its)
})

threat('S-37 a client that comes again and again while it subscribes and leaves nothing behind', async (start) => {
  const its = await start()
  const { t } = its
  const clientId = t.id()
  for (let time = 0; time < 100; time++) {
    const client = await t.begin({
      clientId,
      cleanStart: time % 3 > 0,
      properties: { sessionExpiryInterval: time % 2 },
    })
    client.sendBytes(
      packet(0x82, number(1, 2), properties(5), field(t.topic('#')), 1, field(`$share/g/${t.topic('#')}`), 1),
    )
    client.send({ type: 'unsubscribe', packetId: 2, topicFilters: [t.topic('#')] })
    if (time % 5 === 0) client.send({ type: 'publish', topic: t.topic('a'), qos: 2, packetId: 3 })
  }
  const last = await t.connect({ clientId })
  await t.publish(last, t.topic('a'), 'x', { qos: 1 })
  await t.nothing(last)
  await stillThere(its)
})

threat('S-38 the longest times are not taken for the shortest', async (start) => {
  const its = await start({ limits: { maxSessionExpiry: 0xffff_fffe } })
  const { t } = its
  const watcher = await t.connect()
  await t.subscribed(watcher, t.topic('#'))
  const most = 0xffff_ffff
  for (const long of [most, 2 ** 31, 2_147_484, 4_294_968]) {
    const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: long } }
    const will = { topic: t.topic('will'), payload: bytesOf('gone'), properties: { willDelayInterval: long } }
    const client = await t.connect({ ...options, keepAlive: 65_535, will })
    const expiring = { messageExpiryInterval: long }
    await t.publish(client, t.topic(`kept${long}`), 'kept', { qos: 1, retain: true, properties: expiring })
    await t.receive(watcher)
    client.cut()
    await t.wait(0.15)
    await t.nothing(watcher)
    const back = await t.connect(options)
    t.equal(back.connack?.sessionPresent, true, 'Session Present')
    await t.subscribed(back, t.topic(`kept${long}`))
    t.equal((await t.receive(back)).properties.messageExpiryInterval, long, 'the Message Expiry Interval')
    await back.leave(0, 0)
  }
  await stillThere(its)
})

threat('S-07 a Client Identifier that is too long is refused, and told', async (start) => {
  const its = await start()
  const { t } = its
  const client = await t.begin({ clientId: 'x'.repeat(1_025) })
  await t.refusedConnect(client, 0x85)
  const old = await t.begin({ clientId: 'x'.repeat(1_025), protocolVersion: 4 })
  await t.refusedConnect(old, 0x85, 2)
  await t.connect({ clientId: 'x'.repeat(1_024) })
  await stillThere(its)
})
