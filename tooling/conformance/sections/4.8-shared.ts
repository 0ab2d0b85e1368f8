/** Section 4.8.2: shared subscriptions. */

import { field, number, packet, properties } from '../bytes.js'
import type { Client } from '../client.js'
import { payloads, section, type Trial, text } from '../suite.js'

async function connectShared(t: Trial): Promise<Client> {
  const client = await t.connect()
  const { sharedSubscriptionAvailable: available = true } = client.connack?.properties ?? {}
  // It need not have them; Tidewire has.
  t.promise(available, 'has no shared subscriptions')
  t.requires(available, 'has no shared subscriptions')
  return client
}

export default section('4.8 Shared subscriptions', (rule) => {
  rule(
    'a shared subscription has a ShareName and a Topic Filter',
    { 5: 'MQTT-4.8.2-1 MQTT-4.8.2-2 S-11' },
    async (t) => {
      await connectShared(t)
      const wrong = [
        '$share/',
        '$share/g',
        '$share//a',
        '$share/g/',
        '$share/g+/a',
        '$share/#/a',
        '$share/+/a',
        '$share/g#/a',
        '$share/g/a#',
        '$share/g/#/a',
      ]
      for (const topicFilter of wrong) {
        const client = await t.connect()
        client.sendBytes(packet(0x82, number(7, 2), properties(5), field(topicFilter), 0))
        await t.refusedFilter(client, topicFilter)
      }
    },
  )

  rule('a message goes to one client of a group, and to every group', { 5: 'MQTT-4.8.2-2 MQTT-3.3.2-3' }, async (t) => {
    const members = [await connectShared(t), await t.connect(), await t.connect()]
    const [alone, plain, publisher] = [await t.connect(), await t.connect(), await t.connect()]
    for (const member of members) await t.subscribed(member, `$share/one/${t.topic('+')}`, { qos: 0 })
    await t.subscribed(alone, `$share/two/${t.topic('+')}`, { qos: 0 })
    await t.subscribed(plain, t.topic('+'), { qos: 0 })
    const sent = Array.from({ length: 30 }, (_, at) => `${at}`)
    for (const payload of sent) await t.publish(publisher, t.topic('a'), payload)
    const shares = []
    for (const member of members) shares.push(await t.messages(member, publisher))
    t.equal(
      shares.flat().toSorted((a, b) => Number(a) - Number(b)),
      sent,
      'the messages of the group',
    )
    t.promise(
      shares.every(({ length }) => length > 0),
      'leaves members without a message',
    )
    t.equal((await t.messages(alone, publisher)).length, 30, 'the messages of the other group')
    t.equal((await t.messages(plain, publisher)).length, 30, 'the messages without a group')
  })

  rule('a member gets messages at the QoS that it was granted', { 5: 'MQTT-4.8.2-3' }, async (t) => {
    const [client, publisher] = [await connectShared(t), await t.connect()]
    for (const granted of [0, 1, 2] as const) {
      await t.subscribed(client, `$share/g/${t.topic('a')}`, { qos: granted })
      for (const qos of [0, 1, 2] as const) {
        await t.publish(publisher, t.topic('a'), 'x', { qos })
        t.equal((await t.receive(client)).qos, Math.min(qos, granted), `the QoS of ${qos} at ${granted}`)
      }
    }
  })

  rule('members of one group may have been granted different QoS', { 5: 'MQTT-4.8.2-3' }, async (t) => {
    const [low, high, publisher] = [await connectShared(t), await t.connect(), await t.connect()]
    await t.subscribed(low, `$share/g/${t.topic('a')}`, { qos: 0 })
    await t.subscribed(high, `$share/g/${t.topic('a')}`, { qos: 2 })
    for (let at = 0; at < 10; at++) await t.publish(publisher, t.topic('a'), 'x', { qos: 2 })
    const toLow = (await t.rest(low, publisher)).filter((each) => each.type === 'publish')
    const toHigh = (await t.rest(high, publisher)).filter((each) => each.type === 'publish')
    t.equal(toLow.length + toHigh.length, 10, 'the number of messages')
    t.must(toLow.every(({ qos }) => qos === 0) && toHigh.every(({ qos }) => qos === 2), 'sent at another QoS')
  })

  rule('what a member has been sent is brought to its end when it is back', { 5: 'MQTT-4.8.2-4' }, async (t) => {
    const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
    await connectShared(t)
    const [first, publisher] = [await t.connect(options), await t.connect()]
    await t.subscribed(first, `$share/g/${t.topic('a')}`)
    await t.publish(publisher, t.topic('a'), 'x', { qos: 2 })
    const { packetId = 0 } = await first.expect('publish')
    first.send({ type: 'pubrec', packetId })
    await first.expect('pubrel')
    first.cut()
    const other = await t.connect()
    await t.subscribed(other, `$share/g/${t.topic('a')}`)
    await t.nothing(other, publisher)
    const second = await t.connect(options)
    t.equal((await second.expect('pubrel')).packetId, packetId, 'the Packet Identifier of PUBREL')
    second.send({ type: 'pubcomp', packetId })
    await second.leave(0, 0)
  })

  rule(
    'what a member of QoS 2 has been sent goes to no other when its session ends',
    { 5: 'MQTT-4.8.2-5' },
    async (t) => {
      const [first, publisher] = [await connectShared(t), await t.connect()]
      await t.subscribed(first, `$share/g/${t.topic('a')}`)
      await t.publish(publisher, t.topic('a'), 'x', { qos: 2 })
      const { packetId = 0 } = await first.expect('publish')
      const other = await t.connect()
      await t.subscribed(other, `$share/g/${t.topic('a')}`)
      first.send({ type: 'pubrec', packetId })
      await first.expect('pubrel')
      await first.leave()
      await t.nothing(other, publisher)
    },
  )

  rule('QoS 1 that a member leaves without acknowledgement goes to another', { 5: 'MQTT-4.8.2-3' }, async (t) => {
    // The standard allows it (section 4.8.2); Tidewire promises it.
    const [first, publisher] = [await connectShared(t), await t.connect()]
    await t.subscribed(first, `$share/g/${t.topic('a')}`, { qos: 1 })
    await t.publish(publisher, t.topic('a'), 'x', { qos: 1 })
    await first.expect('publish')
    const other = await t.connect()
    await t.subscribed(other, `$share/g/${t.topic('a')}`, { qos: 1 })
    await first.leave()
    const seen = await t.rest(other, publisher)
    t.promise(payloads(seen).includes('x'), 'lets it be lost')
  })

  rule('a message that a member refuses goes to no other', { 5: 'MQTT-4.8.2-6 S-11' }, async (t) => {
    const [first, publisher] = [await connectShared(t), await t.connect()]
    await t.subscribed(first, `$share/g/${t.topic('a')}`)
    await t.publish(publisher, t.topic('a'), 'one', { qos: 1 })
    await t.publish(publisher, t.topic('a'), 'two', { qos: 2 })
    const [one, two] = [await first.expect('publish'), await first.expect('publish')]
    const other = await t.connect()
    await t.subscribed(other, `$share/g/${t.topic('a')}`)
    first.send({ type: 'puback', packetId: one.packetId!, reasonCode: 0x80 })
    first.send({ type: 'pubrec', packetId: two.packetId!, reasonCode: 0x83 })
    await first.ping()
    await t.nothing(other, publisher)
    await first.leave()
    await t.nothing(other, publisher)
  })

  rule('retained messages do not come to shared subscriptions', { 5: 'MQTT-3.3.1-9' }, async (t) => {
    const client = await connectShared(t)
    await t.publish(client, t.topic('a'), 'kept', { qos: 1, retain: true })
    await t.subscribed(client, `$share/g/${t.topic('a')}`)
    const messages = await t.messages(client)
    t.promise(messages.length === 0, 'sends them')
  })

  rule('a shared subscription is deleted by its whole name', { 5: 'MQTT-3.10.4-1 MQTT-3.11.3-2' }, async (t) => {
    const [client, publisher] = [await connectShared(t), await t.connect()]
    const filter = `$share/g/${t.topic('a')}`
    await t.subscribed(client, filter, { qos: 0 })
    const none = await t.unsubscribe(client, t.topic('a'), `$share/h/${t.topic('a')}`)
    t.equal(none.reasonCodes, [0x11, 0x11], 'the Reason Codes of others')
    await t.publish(publisher, t.topic('a'), 'x')
    t.equal(text(await client.expect('publish')), 'x', 'the message')
    t.equal((await t.unsubscribe(client, filter)).reasonCodes, [0], 'the Reason Code')
    await t.publish(publisher, t.topic('a'), 'x')
    await t.nothing(client, publisher)
  })

  rule('a shared subscription has its Subscription Identifier', { 5: 'MQTT-3.3.4-3' }, async (t) => {
    const [client, publisher] = [await connectShared(t), await t.connect()]
    await t.subscribed(client, `$share/g/${t.topic('a')}`, { qos: 0, properties: { subscriptionIdentifier: 8 } })
    await t.publish(publisher, t.topic('a'), 'x')
    t.equal((await client.expect('publish')).properties.subscriptionIdentifier, [8], 'the Subscription Identifier')
  })
})
