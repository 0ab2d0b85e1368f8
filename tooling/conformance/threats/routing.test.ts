/** Threats to who gets what: every way to a subscriber asks for the right to it. */

import type { Action, Client as Asking } from '@tidewire/broker'
import { expect } from 'vitest'
import { bytesOf, payloads } from '../suite.js'
import { type Attack, type Start, stillThere, threat } from './fixture.js'

/** A broker whose rights can be taken away: `user action prefix`. */
async function guarded(start: Start): Promise<Attack & { readonly denied: Set<string> }> {
  const denied = new Set<string>()
  const authorize = ({ userName = '' }: Asking, action: Action, topic: string): boolean =>
    ![...denied].some((rule) => {
      const [user, does, prefix = ''] = rule.split(' ')
      return user === userName && does === action && topic.startsWith(prefix)
    })
  return { ...(await start({ authorize })), denied }
}

const kept = { cleanStart: false, properties: { sessionExpiryInterval: 60 } }

threat('S-02 a right that is taken away ends the delivery to a subscription that is there', async (start) => {
  const its = await guarded(start)
  const { t, denied, broker } = its
  const [alice, publisher] = [await t.connect({ userName: 'alice' }), await t.connect()]
  await t.subscribed(alice, t.topic('#'))
  await t.publish(publisher, t.topic('a'), 'before', { qos: 1 })
  denied.add(`alice receive ${t.topic('a')}`)
  for (const qos of [0, 1, 2] as const) await t.publish(publisher, t.topic('a'), 'after', { qos })
  expect(await t.messages(alice, publisher)).toEqual(['before'])
  expect(broker.metrics.dropped.notAuthorized).toBe(3)
  await stillThere(its)
})

threat(
  'S-03 what waits or is under way when the right goes is not delivered, and QoS 2 is brought to its end',
  async (start) => {
    const its = await guarded(start)
    const { t, denied } = its
    const options = { ...kept, clientId: t.id(), userName: 'alice' }
    const [first, publisher] = [
      await t.connect({ ...options, properties: { ...kept.properties, receiveMaximum: 2 } }),
      await t.connect(),
    ]
    await t.subscribed(first, t.topic('#'))
    for (const qos of [1, 2, 1, 2] as const) await t.publish(publisher, t.topic('a'), 'secret', { qos })
    await first.expect('publish')
    const { packetId = 0 } = await first.expect('publish')
    first.cut()
    denied.add(`alice receive ${t.topic('a')}`)
    const back = await t.connect(options)
    const packets = await back.ping()
    expect(payloads(packets)).toEqual([])
    // The client has the Packet Identifier of QoS 2, and is released of it.
    expect(packets).toMatchObject([{ type: 'pubrel', packetId }])
    back.send({ type: 'pubcomp', packetId })
    await t.publish(publisher, t.topic('b'), 'open', { qos: 2 })
    await t.receive(back)
    await stillThere(its)
  },
)

threat('S-04 a retained message goes with the right of who published it', async (start) => {
  const its = await guarded(start)
  const { t, denied } = its
  const [alice, bob] = [await t.connect({ userName: 'alice' }), await t.connect({ userName: 'bob' })]
  await t.publish(alice, t.topic('a'), 'retained', { qos: 1, retain: true })
  denied.add(`alice publish ${t.topic('a')}`)
  await t.subscribed(bob, t.topic('a'))
  expect(await t.messages(bob)).toEqual([])
  await stillThere(its)
})

threat('S-05 retained messages under a wildcard are those that may be read', async (start) => {
  const its = await guarded(start)
  const { t, denied } = its
  denied.add(`alice receive ${t.topic('secret')}`)
  const [publisher, alice] = [await t.connect(), await t.connect({ userName: 'alice' })]
  await t.publish(publisher, t.topic('secret'), 'secret', { qos: 1, retain: true })
  await t.publish(publisher, t.topic('open'), 'open', { qos: 1, retain: true })
  await t.subscribed(alice, t.topic('#'))
  expect(await t.messages(alice)).toEqual(['open'])
  await stillThere(its)
})

threat(
  'S-06 a Will is asked for at CONNECT and when it is published, at once, after its delay and retained',
  async (start) => {
    const its = await guarded(start)
    const { t, denied } = its
    const watcher = await t.connect()
    await t.subscribed(watcher, t.topic('#'))
    denied.add(`mallory publish ${t.topic('')}`)
    const will = { topic: t.topic('will'), payload: bytesOf('gone'), retain: true }
    await t.refusedConnect(await t.begin({ userName: 'mallory', will }), 0x87)
    const alice = await t.connect({ userName: 'alice', will })
    const late = await t.connect({
      userName: 'alice',
      will: { ...will, properties: { willDelayInterval: 1 } },
      properties: { sessionExpiryInterval: 60 },
    })
    denied.add(`alice publish ${t.topic('')}`)
    alice.cut()
    late.cut()
    await t.wait(1.3)
    await t.nothing(watcher)
    const later = await t.connect()
    await t.subscribed(later, t.topic('#'))
    await t.nothing(later)
    await stillThere(its)
  },
)

threat('S-07 a session is neither taken nor ended by another user', async (start) => {
  const its = await guarded(start)
  const { t } = its
  const clientId = t.id()
  const victim = await t.connect({ ...kept, clientId, userName: 'alice' })
  for (const cleanStart of [true, false]) {
    await t.refusedConnect(await t.begin({ clientId, userName: 'mallory', cleanStart }), 0x87)
    await t.refusedConnect(await t.begin({ clientId, cleanStart }), 0x87)
  }
  t.equal(await victim.ping(), [], 'what the victim gets')
  await victim.leave()
  await t.refusedConnect(await t.begin({ clientId, userName: 'mallory' }), 0x87)
  const again = await t.connect({ ...kept, clientId, userName: 'alice' })
  t.equal(again.connack?.sessionPresent, true, 'Session Present')
  await stillThere(its)
})

threat('S-10 a wildcard brings what may be read, and no more', async (start) => {
  const its = await guarded(start)
  const { t, denied } = its
  denied.add(`alice receive ${t.topic('a/secret')}`)
  const [publisher, alice] = [await t.connect(), await t.connect({ userName: 'alice' })]
  await t.subscribed(alice, [t.topic('a/+/c'), t.topic('+/secret/#'), t.topic('#')], { qos: 0 })
  for (const name of ['a/secret/c', 'a/b/c']) await t.publish(publisher, t.topic(name), name)
  expect(await t.messages(alice, publisher)).toEqual(['a/b/c'])
  await stillThere(its)
})

threat('S-11 a shared subscription is no way round the rights', async (start) => {
  const its = await guarded(start)
  const { t, denied } = its
  denied.add(`alice subscribe ${t.topic('secret')}`).add(`alice receive ${t.topic('secret')}`)
  const [publisher, alice, bob] = [
    await t.connect(),
    await t.connect({ userName: 'alice' }),
    await t.connect({ userName: 'bob' }),
  ]
  const answer = await t.subscribe(alice, [
    `$share/g/${t.topic('secret')}`,
    `$share/g/${t.topic('#')}`,
    `$share/g/$SYS/#`,
  ])
  expect(answer.reasonCodes.slice(0, 2)).toEqual([0x87, 2])
  await t.subscribed(bob, `$share/g/${t.topic('#')}`)
  for (let time = 0; time < 6; time++) await t.publish(publisher, t.topic('secret'), 'secret', { qos: 1 })
  expect(await t.messages(alice, publisher)).toEqual([])
  // Whom it may not go to does not keep it from the group.
  expect((await t.messages(bob, publisher)).length).toBe(6)
  await stillThere(its)
})

threat('S-12 topics that begin with $ are the broker’s', async (start) => {
  const its = await start()
  const { t } = its
  const [client, watcher] = [await t.connect(), await t.connect()]
  await t.subscribed(watcher, ['#', '+/#', '+/+', '+/a', '$share-not/#'], { qos: 0 })
  for (const topic of [
    '$SYS/a',
    '$SYS/broker/uptime',
    '$CONTROL/dynamic-security/v1',
    '$share/g/a',
    '$queue/a',
    '$',
    '$x/a',
  ]) {
    expect(await t.publish(client, topic, 'x', { qos: 1, retain: true })).toBe(0x87)
    expect(await t.publish(client, topic, 'x', { qos: 2 })).toBe(0x87)
    await t.refusedConnect(await t.begin({ will: { topic } }), 0x87)
  }
  const seen = await t.rest(watcher, client)
  expect(seen.filter((each) => each.type === 'publish' && each.topic.startsWith('$'))).toEqual([])
  await stillThere(its)
})

threat('S-18 thousands of wildcards that match one name bring it once', async (start) => {
  const its = await start({ limits: { maxWildcardLevels: 20_500 } })
  const { t } = its
  const [client, publisher] = [await t.connect(), await t.connect()]
  const levels = 11
  const filters: string[] = []
  for (let bits = 0; bits < 1 << levels; bits++) {
    const list = Array.from({ length: levels }, (_, at) => ((bits >> at) & 1 ? '+' : 'a'))
    filters.push(`${list.join('/')}/#`)
  }
  for (let at = 0; at < filters.length; at += 500) await t.subscribed(client, filters.slice(at, at + 500), { qos: 0 })
  await t.publish(publisher, `${Array(levels).fill('a').join('/')}`, 'x', { qos: 1 })
  await t.publish(publisher, `${Array(levels).fill('b').join('/')}`, 'y', { qos: 1 })
  expect(await t.messages(client, publisher)).toEqual(['x', 'y'])
  const { reasonCodes } = await t.subscribe(client, [`+/+/${'+/'.repeat(100)}#`])
  expect(reasonCodes).toEqual([0x97]) // what they may cost together is limited
  await stillThere(its)
})

threat('S-39 a session that expires before its Will Delay publishes the Will, once', async (start) => {
  const its = await start()
  const { t } = its
  const watcher = await t.connect()
  await t.subscribed(watcher, t.topic('will'))
  const will = { topic: t.topic('will'), payload: bytesOf('gone'), properties: { willDelayInterval: 2 } }
  const client = await t.connect({ will, properties: { sessionExpiryInterval: 1 } })
  client.cut()
  t.equal(payloads([await t.receive(watcher)]), ['gone'], 'the Will')
  await t.wait(1.3)
  await t.nothing(watcher)
  await stillThere(its)
})
