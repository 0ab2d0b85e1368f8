/** Sections 3.8 to 3.11: SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK. */

import { field, hex, number, packet, properties } from '../bytes.js'
import { payloads, type SubscriptionOptions, section, text } from '../suite.js'

export default section('3.8 to 3.11 Subscriptions', (rule) => {
  rule(
    'a SUBSCRIBE or UNSUBSCRIBE without Topic Filter ends the connection',
    {
      5: 'MQTT-3.8.3-2 MQTT-3.10.3-2 PE-3.8.3-1 PE-3.10.3-1',
      4: 'MQTT-3.8.3-3 MQTT-3.10.3-2',
    },
    async (t) => {
      for (const first of [0x82, 0xa2]) {
        const client = await t.connect()
        client.sendBytes(packet(first, number(7, 2), properties(t.version)))
        await t.refused(client, 0x82)
      }
    },
  )

  rule(
    'a Topic Filter without options, or options without their end, ends the connection',
    { 5: 'MQTT-3.8.3-2 MQTT-4.13.1-1', 4: 'MQTT-3.8.3-3' },
    async (t) => {
      const none = properties(t.version)
      for (const body of [field('a'), Buffer.concat([field('a'), hex('00'), field('b')]), hex('000561')]) {
        const client = await t.connect()
        client.sendBytes(packet(0x82, number(7, 2), none, body))
        await t.refused(client, 0x81)
      }
    },
  )

  rule('reserved bits of the options end the connection', { 5: 'MQTT-3.8.3-5', 4: 'MQTT-3.8.3-4' }, async (t) => {
    for (const options of t.version === 5 ? [0x40, 0x80] : [0x04, 0x08, 0x10, 0x20, 0x40, 0x80]) {
      const client = await t.connect()
      client.sendBytes(packet(0x82, number(7, 2), properties(t.version), field(t.topic('a')), options))
      await t.refused(client, 0x81)
    }
  })

  rule('a requested QoS of 3 ends the connection', { 5: 'PE-3.8.3.1-1', 4: 'MQTT-3.8.3-4', 3: 'T31-5' }, async (t) => {
    const client = await t.connect()
    client.sendBytes(packet(0x82, number(7, 2), properties(t.version), field(t.topic('a')), 3))
    await t.refused(client, 0x82)
  })

  rule('Retain Handling 3 ends the connection', { 5: 'PE-3.8.3.1-2' }, async (t) => {
    const client = await t.connect()
    client.sendBytes(packet(0x82, number(7, 2), properties(5), field(t.topic('a')), 0x30))
    await t.refused(client, 0x82)
  })

  rule('No Local keeps a client from its own messages, and from no others', { 5: 'MQTT-3.8.3-3' }, async (t) => {
    const [client, other] = [await t.connect(), await t.connect()]
    await t.publish(client, t.topic('a'), 'own, retained', { qos: 1, retain: true })
    await t.subscribed(client, t.topic('a'), { noLocal: true, retainHandling: 2 })
    await t.subscribed(other, t.topic('a'), { noLocal: true, retainHandling: 2 })
    await t.publish(client, t.topic('a'), 'of client', { qos: 1 })
    await t.publish(other, t.topic('a'), 'of other', { qos: 1 })
    t.equal(await t.messages(client, other), ['of other'], 'the messages for the client')
    t.equal(await t.messages(other, client), ['of client'], 'the messages for the other')
  })

  rule('No Local holds for retained messages too', { 5: 'MQTT-3.8.3-3' }, async (t) => {
    const client = await t.connect()
    await t.publish(client, t.topic('a'), 'own', { qos: 1, retain: true })
    await t.subscribed(client, t.topic('#'), { noLocal: true })
    const own = await t.messages(client)
    t.promise(own.length === 0, 'sends the client its own retained message')
  })

  rule('No Local of one subscription does not close another that overlaps', { 5: 'MQTT-3.8.3-3' }, async (t) => {
    const client = await t.connect()
    await t.subscribed(client, [
      { topicFilter: t.topic('a'), noLocal: true },
      { topicFilter: t.topic('+'), qos: 0 },
    ])
    await t.publish(client, t.topic('a'), 'x', { qos: 1 })
    const packets = await t.rest(client)
    t.equal(
      packets.map((each) => each.type === 'publish' && each.qos),
      [0],
      'the QoS of the messages',
    )
  })

  rule('No Local on a shared subscription ends the connection', { 5: 'MQTT-3.8.3-4' }, async (t) => {
    const client = await t.connect()
    const topicFilter = `$share/g/${t.topic('a')}`
    client.sendBytes(packet(0x82, number(7, 2), properties(5), field(topicFilter), 0x04))
    await t.refused(client, 0x82)
  })

  rule(
    'a Subscription Identifier of 0, or two of them, ends the connection',
    { 5: 'PE-3.8.2.1.2-1 PE-3.8.2.1.2-2' },
    async (t) => {
      for (const bytes of [hex('0b00'), hex('0b010b02')]) {
        const client = await t.connect()
        client.sendBytes(packet(0x82, number(7, 2), properties(5, bytes), field(t.topic('a')), 0))
        await t.refused(client, 0x82)
      }
    },
  )

  rule(
    'SUBSCRIBE is answered with a code for each Topic Filter, in their order',
    {
      5: 'MQTT-3.8.4-1 MQTT-3.8.4-2 MQTT-3.8.4-5 MQTT-3.8.4-6 MQTT-3.8.4-7 MQTT-3.9.3-1 MQTT-3.9.3-2 PE-3.9.2.1.2-1',
      4: 'MQTT-3.8.4-1 MQTT-3.8.4-2 MQTT-3.8.4-4 MQTT-3.8.4-5 MQTT-3.9.3-1 MQTT-3.9.3-2',
      3: 'T31-5',
    },
    async (t) => {
      const [client, publisher] = [await t.connect(), await t.connect()]
      const { deniedFilters = t.topic('d') } = t.broker
      const filters: SubscriptionOptions[] = [
        { topicFilter: t.topic('a'), qos: 2 },
        { topicFilter: t.topic('b'), qos: 0 },
        { topicFilter: deniedFilters, qos: 1 },
        { topicFilter: t.topic('c'), qos: 1 },
      ]
      const { reasonCodes } = await t.subscribe(client, filters)
      t.equal(reasonCodes.length, 4, 'the number of codes')
      t.equal([reasonCodes[0], reasonCodes[1], reasonCodes[3]], [2, 0, 1], 'the codes of those that are allowed')
      const refusal = t.broker.deniedFilters === undefined ? 1 : { 3: 1, 4: 0x80, 5: 0x87 }[t.version]
      t.promise(reasonCodes[2] === refusal, `answers one that is not allowed with ${reasonCodes[2]}`)
      for (const name of ['a', 'b', 'c']) await t.publish(publisher, t.topic(name), name, { qos: 1 })
      t.equal(await t.messages(client, publisher), ['a', 'b', 'c'], 'the messages')
    },
  )

  rule('a subscription that is refused by MQTT 3.1 has no failure code', { 3: 'T31-5' }, async (t) => {
    const client = await t.connect()
    client.sendBytes(packet(0x82, number(7, 2), field(`${t.topic()}/a#`), 1))
    const packets = await client
      .before('suback', ({ type }) => type === 'suback')
      .then(
        () => client.ping(),
        () => client.ending(),
      )
    for (const each of packets) t.must(each.type !== 'disconnect', 'sent DISCONNECT')
  })

  rule(
    'a subscription to the same Topic Filter replaces the one before',
    {
      5: 'MQTT-3.8.4-3 MQTT-3.8.4-4',
      4: 'MQTT-3.8.4-3',
      3: 'T31-5',
    },
    async (t) => {
      const [client, publisher] = [await t.connect(), await t.connect()]
      await t.publish(publisher, t.topic('a'), 'kept', { qos: 2, retain: true })
      for (const qos of [0, 2, 1] as const) {
        const properties = t.version === 5 ? { subscriptionIdentifier: qos + 1 } : {}
        const suback = await t.subscribed(client, t.topic('a'), { qos, properties })
        t.equal(suback.reasonCodes, [qos], 'the code')
        const retained = await t.receive(client)
        t.equal([text(retained), retained.qos], ['kept', qos], 'the retained message')
        await t.publish(publisher, t.topic('a'), 'live', { qos: 2 })
        const live = await t.receive(client)
        t.equal([text(live), live.qos], ['live', qos], 'the message')
        if (t.version === 5) t.equal(live.properties.subscriptionIdentifier, [qos + 1], 'the Subscription Identifier')
        await t.nothing(client, publisher)
      }
      await t.unsubscribe(client, t.topic('a'))
      await t.publish(publisher, t.topic('a'), 'late', { qos: 2 })
      await t.nothing(client, publisher)
    },
  )

  rule('replacing a subscription loses no message', { 5: 'MQTT-3.8.4-4', 4: 'MQTT-3.8.4-3' }, async (t) => {
    const [client, publisher] = [await t.connect(), await t.connect()]
    await t.subscribed(client, t.topic('a'), { qos: 1 })
    const count = 40
    const sent = Array.from({ length: count }, (_, at) => `${at}`)
    const publishing = (async () => {
      for (const payload of sent) await t.publish(publisher, t.topic('a'), payload, { qos: 1 })
    })()
    const subscriptions = [{ topicFilter: t.topic('a'), qos: 1 as const }]
    for (let time = 0; time < 20; time++) client.send({ type: 'subscribe', packetId: 100 + time, subscriptions })
    const got: string[] = []
    while (got.length < count) {
      const message = await client.take('publish')
      await t.acknowledge(client, message)
      got.push(text(message))
    }
    await publishing
    t.equal(got, sent, 'the messages')
  })

  rule(
    'the QoS of a message is the lower of that published and that granted',
    {
      5: 'MQTT-3.8.4-8',
      4: 'MQTT-3.8.4-6',
      3: 'T31-5',
    },
    async (t) => {
      const [client, publisher] = [await t.connect(), await t.connect()]
      for (const granted of [0, 1, 2] as const) {
        const suback = await t.subscribed(client, t.topic(`${granted}`), { qos: granted })
        const most = suback.reasonCodes[0] ?? 0
        for (const qos of [0, 1, 2] as const) {
          await t.publish(publisher, t.topic(`${granted}`), 'x', { qos })
          t.equal((await t.receive(client)).qos, Math.min(qos, most), `the QoS of ${qos} at ${granted}`)
        }
      }
    },
  )

  rule(
    'UNSUBSCRIBE is answered, whether there was something to delete or not',
    {
      5: 'MQTT-3.10.4-1 MQTT-3.10.4-4 MQTT-3.10.4-5 MQTT-3.10.4-6 MQTT-3.11.3-1 MQTT-3.11.3-2 PE-3.11.2.1.2-1',
      4: 'MQTT-3.10.4-1 MQTT-3.10.4-4 MQTT-3.10.4-5 MQTT-3.10.4-6',
      3: 'T31-5',
    },
    async (t) => {
      const [client, publisher] = [await t.connect(), await t.connect()]
      const [a, b] = [t.topic('a'), t.topic('b')]
      await t.subscribed(client, [a, b, t.topic('+/c')])
      const unsuback = await t.unsubscribe(client, a, t.topic('never'), t.topic('+'), `${b}/`, t.topic('+/c'))
      if (t.version === 5) t.equal(unsuback.reasonCodes, [0, 0x11, 0x11, 0x11, 0], 'the Reason Codes')
      else t.equal(unsuback.bytes.length, 4, 'the length of UNSUBACK')
      for (const topic of [a, b, t.topic('x/c')]) await t.publish(publisher, topic, topic.at(-1), { qos: 1 })
      t.equal(await t.messages(client, publisher), ['b'], 'the messages')
    },
  )

  rule(
    'Topic Filters of UNSUBSCRIBE are compared character by character',
    { 5: 'MQTT-3.10.4-1', 4: 'MQTT-3.10.4-1' },
    async (t) => {
      const client = await t.connect()
      await t.subscribed(client, [t.topic('A/b'), t.topic('+/b')], { qos: 0 })
      await t.unsubscribe(client, t.topic('a/b'), t.topic('#'), t.topic('A/+'), t.topic('A/b/'))
      await t.publish(client, t.topic('A/b'), 'x')
      t.must((await t.messages(client)).length > 0, 'deleted a subscription that was not named')
      await t.unsubscribe(client, t.topic('+/b'), t.topic('A/b'))
      await t.publish(client, t.topic('A/b'), 'x')
      await t.nothing(client)
    },
  )

  rule(
    'after UNSUBSCRIBE nothing new comes, and what is under way goes on',
    {
      5: 'MQTT-3.10.4-2 MQTT-3.10.4-3',
      4: 'MQTT-3.10.4-2 MQTT-3.10.4-3',
      3: 'T31-5',
    },
    async (t) => {
      const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
      const [client, publisher] = [await t.connect(options), await t.connect()]
      await t.subscribed(client, t.topic('a'))
      await t.publish(publisher, t.topic('a'), 'one', { qos: 1 })
      await t.publish(publisher, t.topic('a'), 'two', { qos: 2 })
      const [one, two] = [await client.expect('publish'), await client.expect('publish')]
      await t.unsubscribe(client, t.topic('a'))
      await t.publish(publisher, t.topic('a'), 'three', { qos: 1 })
      await t.nothing(client, publisher)
      client.cut()
      const back = await t.connect(options)
      const again = [await t.receive(back), await t.receive(back)]
      t.equal(
        again.map(({ packetId }) => packetId),
        [one.packetId, two.packetId],
        'the Packet Identifiers',
      )
      await t.nothing(back)
      await back.leave(0, 0)
      await (await t.connect({ clientId: options.clientId })).leave()
    },
  )

  rule(
    'a SUBSCRIBE with many Topic Filters is as good as many SUBSCRIBEs',
    { 5: 'MQTT-3.8.4-5', 4: 'MQTT-3.8.4-4' },
    async (t) => {
      const client = await t.connect()
      await t.publish(client, t.topic('a'), 'kept', { qos: 1, retain: true })
      // The same twice: the second replaces the first, and brings the retained message again.
      const suback = await t.subscribed(client, [
        { topicFilter: t.topic('a'), qos: 2 },
        { topicFilter: t.topic('a'), qos: 0 },
      ])
      t.equal(suback.reasonCodes, [2, 0], 'the codes')
      const retained = payloads(await t.rest(client))
      t.must(retained.length > 0, 'sent no retained message')
      t.promise(retained.length === 2, `sends the retained message ${retained.length} times instead of twice`)
      await t.publish(client, t.topic('a'), 'x', { qos: 2 })
      t.equal((await client.expect('publish')).qos, 0, 'the QoS of the message')
    },
  )

  rule(
    'a Topic Filter that is wrong is refused',
    {
      5: 'MQTT-4.7.1-1 MQTT-4.7.1-2 MQTT-4.7.3-1',
      4: 'MQTT-4.7.1-2 MQTT-4.7.1-3 MQTT-4.7.3-1',
    },
    async (t) => {
      const wrong = ['a#', '#/a', 'a/#/b', '##', 'a/##', 'a+', '+a', 'a/+b/c', '++', '']
      for (const topicFilter of wrong) {
        const client = await t.connect()
        client.sendBytes(packet(0x82, number(7, 2), properties(t.version), field(topicFilter), 0))
        await t.refusedFilter(client, topicFilter)
      }
    },
  )
})
