/** Section 3.3: PUBLISH. */

import type { PublishProperties } from '@tidewire/codec'
import { field, hex, number, type Part, packet, properties } from '../bytes.js'
import { bytesOf, payloads, section, text } from '../suite.js'

export default section('3.3 PUBLISH', (rule) => {
  rule(
    'what is sent again has DUP, and nothing else has',
    {
      5: 'MQTT-3.3.1-1 MQTT-3.3.1-3 MQTT-4.3.2-2 MQTT-4.3.3-2',
      4: 'MQTT-3.3.1-1 MQTT-3.3.1-3 MQTT-4.3.2-1 MQTT-4.3.3-1',
      3: 'T31-19',
    },
    async (t) => {
      const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
      const first = await t.connect(options)
      await t.subscribed(first, t.topic('a'))
      const publisher = await t.connect()
      // DUP of the publisher is not passed on.
      await t.publish(publisher, t.topic('a'), 'one', { qos: 1, dup: true })
      await t.publish(publisher, t.topic('a'), 'two', { qos: 2, dup: true })
      const sent = [await first.expect('publish'), await first.expect('publish')]
      t.equal(
        sent.map(({ dup }) => dup),
        [false, false],
        'DUP of the first transmission',
      )
      first.cut()
      const second = await t.connect(options)
      const again = [await t.receive(second), await t.receive(second)]
      t.equal(
        again.map(({ dup }) => dup),
        [true, true],
        'DUP of the retransmission',
      )
      t.equal(
        again.map(({ packetId }) => packetId),
        sent.map(({ packetId }) => packetId),
        'the Packet Identifiers',
      )
      await second.leave(0, 0)
      await (await t.connect({ clientId: options.clientId })).leave()
    },
  )

  rule(
    'QoS 0 is sent without DUP',
    { 5: 'MQTT-3.3.1-2 MQTT-4.3.1-1', 4: 'MQTT-3.3.1-2 MQTT-4.3.1-1', 3: 'T31-19' },
    async (t) => {
      const [client, publisher] = [await t.connect(), await t.connect()]
      await t.subscribed(client, t.topic('a'), { qos: 0 })
      for (const qos of [0, 1, 2] as const) {
        await t.publish(publisher, t.topic('a'), 'x', { qos, dup: qos > 0 })
        const { dup, qos: got } = await client.expect('publish')
        t.equal([dup, got], [false, 0], 'DUP and QoS')
      }
    },
  )

  rule(
    'DUP of QoS 0 is wrong, and at least not passed on',
    { 5: 'MQTT-3.3.1-2 MQTT-2.1.3-1', 4: 'MQTT-3.3.1-2' },
    async (t) => {
      const [watcher, client] = [await t.connect(), await t.connect()]
      await t.subscribed(watcher, t.topic('a'))
      client.sendBytes(packet(0x38, field(t.topic('a')), properties(t.version)))
      await t.mayRefuse(client, 0x81)
      for (const each of await t.rest(watcher)) t.must(each.type === 'publish' && !each.dup, 'passed DUP on')
    },
  )

  rule('QoS 3 ends the connection', { 5: 'MQTT-3.3.1-4 PE-3.3.1.2-1', 4: 'MQTT-3.3.1-4', 3: 'T31-19' }, async (t) => {
    const client = await t.connect()
    client.sendBytes(packet(0x36, field(t.topic('a')), number(1, 2), properties(t.version)))
    await t.refused(client, 0x81)
  })

  rule(
    'the last message with RETAIN is kept, with its QoS, for who subscribes later',
    {
      5: 'MQTT-3.3.1-5 MQTT-3.3.1-9',
      4: 'MQTT-3.3.1-5 MQTT-3.3.1-6 MQTT-3.3.1-7 MQTT-3.3.1-8',
      3: 'T31-15',
    },
    async (t) => {
      const publisher = await t.connect()
      for (const qos of [0, 1, 2] as const) {
        await t.publish(publisher, t.topic(`a/${qos}`), 'old', { qos: 2, retain: true })
        await t.publish(publisher, t.topic(`a/${qos}`), `new ${qos}`, { qos, retain: true })
      }
      await publisher.ping()
      const client = await t.connect()
      await t.subscribed(client, t.topic('a/#'))
      const got = [await t.receive(client), await t.receive(client), await t.receive(client)]
      const told = got.map((each) => [each.topic.at(-1), text(each), each.qos, each.retain]).toSorted()
      t.equal(
        told,
        [
          ['0', 'new 0', 0, true],
          ['1', 'new 1', 1, true],
          ['2', 'new 2', 2, true],
        ],
        'the retained messages',
      )
      await t.nothing(client)
    },
  )

  rule(
    'an empty message with RETAIN is delivered, removes the one that was kept, and is not kept itself',
    {
      5: 'MQTT-3.3.1-6 MQTT-3.3.1-7',
      4: 'MQTT-3.3.1-10 MQTT-3.3.1-11',
      3: 'T31-15',
    },
    async (t) => {
      const [publisher, watcher] = [await t.connect(), await t.connect()]
      await t.publish(publisher, t.topic('a'), 'kept', { qos: 1, retain: true })
      await t.subscribed(watcher, t.topic('a'), { qos: 1 })
      await t.receive(watcher)
      await t.publish(publisher, t.topic('a'), '', { qos: 1, retain: true })
      const empty = await t.receive(watcher)
      t.equal([empty.payload.length, empty.retain], [0, false], 'length and RETAIN of what is delivered')
      const later = await t.connect()
      await t.subscribed(later, t.topic('a'))
      await t.nothing(later)
    },
  )

  rule(
    'a message without RETAIN is not kept and leaves the one that is',
    { 5: 'MQTT-3.3.1-8', 4: 'MQTT-3.3.1-12', 3: 'T31-15' },
    async (t) => {
      const publisher = await t.connect()
      await t.publish(publisher, t.topic('a'), 'kept', { qos: 1, retain: true })
      await t.publish(publisher, t.topic('a'), 'not kept', { qos: 1 })
      await t.publish(publisher, t.topic('a'), '', { qos: 1 })
      await t.publish(publisher, t.topic('b'), 'not kept', { qos: 1 })
      const client = await t.connect()
      await t.subscribed(client, t.topic('#'))
      t.equal(payloads(await t.rest(client)), ['kept'], 'the retained messages')
    },
  )

  rule(
    'Retain Handling 0 brings the retained messages with every SUBSCRIBE',
    { 5: 'MQTT-3.3.1-9 MQTT-3.8.4-4' },
    async (t) => {
      const client = await t.connect()
      await t.publish(client, t.topic('a'), 'kept', { qos: 1, retain: true })
      for (let time = 0; time < 2; time++) {
        await t.subscribed(client, t.topic('a'), { qos: 0, retainHandling: 0 })
        t.equal(await t.messages(client), ['kept'], 'the messages')
      }
    },
  )

  rule('Retain Handling 1 brings them only with a new subscription', { 5: 'MQTT-3.3.1-10' }, async (t) => {
    const client = await t.connect()
    await t.publish(client, t.topic('a'), 'kept', { qos: 1, retain: true })
    for (const expected of [['kept'], []]) {
      await t.subscribed(client, t.topic('a'), { qos: 0, retainHandling: 1 })
      t.equal(await t.messages(client), expected, 'the messages')
    }
    await t.unsubscribe(client, t.topic('a'))
    await t.subscribed(client, t.topic('a'), { qos: 0, retainHandling: 1 })
    t.equal(await t.messages(client), ['kept'], 'the messages after UNSUBSCRIBE')
  })

  rule('Retain Handling 1 knows the subscriptions of a session', { 5: 'MQTT-3.3.1-10' }, async (t) => {
    const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
    const first = await t.connect(options)
    await t.subscribed(first, t.topic('a'), { qos: 0, retainHandling: 1 })
    await first.leave()
    const publisher = await t.connect()
    await t.publish(publisher, t.topic('a'), 'kept', { qos: 1, retain: true })
    const second = await t.connect(options)
    await t.subscribed(second, t.topic('a'), { qos: 0, retainHandling: 1 })
    await t.nothing(second)
    await second.leave(0, 0)
  })

  rule('Retain Handling 2 brings none', { 5: 'MQTT-3.3.1-11' }, async (t) => {
    const client = await t.connect()
    await t.publish(client, t.topic('a'), 'kept', { qos: 1, retain: true })
    await t.subscribed(client, t.topic('a'), { retainHandling: 2 })
    await t.nothing(client)
    await t.publish(client, t.topic('a'), 'live')
    t.equal(text(await client.expect('publish')), 'live', 'the message')
  })

  rule(
    'a message that comes by a subscription that was there has no RETAIN',
    { 5: 'MQTT-3.3.1-12', 4: 'MQTT-3.3.1-9', 3: 'T31-15' },
    async (t) => {
      const [client, publisher] = [await t.connect(), await t.connect()]
      await t.subscribed(client, t.topic('a'))
      for (const retain of [true, false]) {
        await t.publish(publisher, t.topic('a'), 'x', { qos: 1, retain })
        t.equal((await t.receive(client)).retain, false, 'RETAIN')
      }
    },
  )

  rule('Retain As Published keeps RETAIN as it was', { 5: 'MQTT-3.3.1-13' }, async (t) => {
    const [client, publisher] = [await t.connect(), await t.connect()]
    await t.subscribed(client, t.topic('a'), { retainAsPublished: true })
    for (const retain of [true, false]) {
      await t.publish(publisher, t.topic('a'), 'x', { qos: 1, retain })
      t.equal((await t.receive(client)).retain, retain, 'RETAIN')
    }
  })

  rule(
    'a Topic Name with wildcards ends the connection',
    { 5: 'MQTT-3.3.2-2 MQTT-4.7.0-1', 4: 'MQTT-3.3.2-2 MQTT-4.7.1-1', 3: 'T31-19' },
    async (t) => {
      for (const topic of ['#', '+', 'a/#', 'a/+/b', 'a#', 'a+b']) {
        const client = await t.connect()
        client.sendBytes(packet(0x30, field(topic), properties(t.version)))
        await t.refused(client, 0x81)
      }
    },
  )

  rule(
    'an empty Topic Name ends the connection',
    { 5: 'MQTT-4.7.3-1 PE-3.3.2.1-1 PE-3.3.4-3 MQTT-3.3.2-1', 4: 'MQTT-4.7.3-1 MQTT-3.3.2-1' },
    async (t) => {
      const client = await t.connect()
      client.sendBytes(packet(0x30, field(''), properties(t.version)))
      await t.refused(client, 0x82)
    },
  )

  rule(
    'a client gets only what matches its Topic Filters',
    { 5: 'MQTT-3.3.2-3', 4: 'MQTT-3.3.2-3', 3: 'T31-19' },
    async (t) => {
      const [client, publisher] = [await t.connect(), await t.connect()]
      await t.subscribed(client, t.topic('a/+'))
      for (const name of ['a', 'a/b', 'a/b/c', 'b', 'A/b', 'a/c']) await t.publish(publisher, t.topic(name), name)
      t.equal(await t.messages(client, publisher), ['a/b', 'a/c'], 'the messages')
    },
  )

  const forwarded: Readonly<Record<string, readonly [ids: string, ...PublishProperties[]]>> = {
    'Payload Format Indicator': ['MQTT-3.3.2-4', { payloadFormatIndicator: 0 }, { payloadFormatIndicator: 1 }],
    'Response Topic': ['MQTT-3.3.2-15', { responseTopic: 'a/b' }, { responseTopic: '/' }],
    'Correlation Data': ['MQTT-3.3.2-16', { correlationData: hex('00ff80') }, { correlationData: hex('') }],
    'Content Type': ['MQTT-3.3.2-20', { contentType: 'text/plain' }, { contentType: '' }],
    'User Properties': [
      'MQTT-3.3.2-17 MQTT-3.3.2-18',
      {
        userProperty: [
          ['b', '1'],
          ['a', '2'],
          ['b', '1'],
          ['', ''],
          ['é\ufeff', '漢字'],
        ],
      },
    ],
  }
  for (const [name, [ids, ...cases]] of Object.entries(forwarded)) {
    rule(`${name} come to subscribers as they were, live, retained and queued`, { 5: ids }, async (t) => {
      const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
      const away = await t.connect(options)
      await t.subscribed(away, t.topic('a'))
      await away.leave()
      const [live, publisher] = [await t.connect(), await t.connect()]
      await t.subscribed(live, t.topic('a'))
      for (const given of cases) {
        await t.publish(publisher, t.topic('a'), 'x', { qos: 1, retain: true, properties: given })
        t.equal(plain((await t.receive(live)).properties), plain(given), 'the properties, live')
        const later = await t.connect()
        await t.subscribed(later, t.topic('a'))
        t.equal(plain((await t.receive(later)).properties), plain(given), 'the properties, retained')
      }
      const back = await t.connect(options)
      for (const given of cases)
        t.equal(plain((await t.receive(back)).properties), plain(given), 'the properties, queued')
      await back.leave(0, 0)
    })
  }

  rule('properties are passed on in the order in which they came', { 5: 'MQTT-3.3.2-17 MQTT-3.3.2-18' }, async (t) => {
    const [client, publisher] = [await t.connect(), await t.connect()]
    await t.subscribed(client, t.topic('a'))
    const pair = (value: string): Part[] => [38, field('x'), field(value)]
    const sent = properties(
      5,
      ...pair('1'),
      3,
      field('c'),
      ...pair('2'),
      9,
      field('d'),
      1,
      1,
      ...pair('0'),
      8,
      field('r'),
    )
    publisher.sendBytes(packet(0x30, field(t.topic('a')), sent, 'x'.charCodeAt(0)))
    const { bytes, properties: got } = await client.expect('publish')
    t.equal(
      got.userProperty,
      [
        ['x', '1'],
        ['x', '2'],
        ['x', '0'],
      ],
      'the User Properties',
    )
    t.promise(Buffer.from(bytes).includes(sent), 'the properties are in another order')
  })

  rule('a Response Topic with wildcards ends the connection', { 5: 'MQTT-3.3.2-14' }, async (t) => {
    for (const topic of ['a/#', '+']) {
      const client = await t.connect()
      client.sendBytes(packet(0x30, field(t.topic('a')), properties(5, 8, field(topic))))
      await t.refused(client, 0x81)
    }
  })

  rule('a message that has expired is not delivered', { 5: 'MQTT-3.3.2-5 MQTT-4.3.3-13' }, async (t) => {
    const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
    const first = await t.connect(options)
    await t.subscribed(first, t.topic('a'))
    await first.leave()
    const publisher = await t.connect()
    const expiring = { messageExpiryInterval: 1 }
    await t.publish(publisher, t.topic('a'), 'one', { qos: 1, properties: expiring })
    // The exchange of QoS 2 goes on whatever becomes of the message.
    await t.publish(publisher, t.topic('a'), 'two', { qos: 2, properties: expiring })
    await t.publish(publisher, t.topic('kept'), 'retained', { qos: 1, retain: true, properties: expiring })
    await t.publish(publisher, t.topic('a'), 'stays', { qos: 1 })
    await t.wait(2.5)
    const second = await t.connect(options)
    t.equal(text(await t.receive(second)), 'stays', 'what has not expired')
    await t.nothing(second)
    await t.subscribed(second, t.topic('kept'))
    await t.nothing(second)
    await second.leave(0, 0)
  })

  rule('a message that waits for quota expires too', { 5: 'MQTT-3.3.2-5' }, async (t) => {
    const [client, publisher] = [await t.connect({ properties: { receiveMaximum: 1 } }), await t.connect()]
    await t.subscribed(client, t.topic('a'))
    await t.publish(publisher, t.topic('a'), 'one', { qos: 1 })
    await t.publish(publisher, t.topic('a'), 'two', { qos: 1, properties: { messageExpiryInterval: 1 } })
    await t.publish(publisher, t.topic('a'), 'three', { qos: 1 })
    const first = await client.expect('publish')
    await t.wait(2.5)
    await t.acknowledge(client, first)
    t.equal(text(await t.receive(client)), 'three', 'the next message')
  })

  rule('the Message Expiry Interval gets shorter while a message waits', { 5: 'MQTT-3.3.2-6' }, async (t) => {
    const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
    const away = await t.connect(options)
    await t.subscribed(away, t.topic('a'))
    await away.leave()
    const [live, publisher] = [await t.connect(), await t.connect()]
    await t.subscribed(live, t.topic('a'))
    const expiring = { qos: 1 as const, retain: true, properties: { messageExpiryInterval: 100 } }
    await t.publish(publisher, t.topic('a'), 'x', expiring)
    t.equal((await t.receive(live)).properties.messageExpiryInterval, 100, 'the Message Expiry Interval at once')
    await t.wait(2.1)
    const back = await t.connect(options)
    const later = await t.connect()
    await t.subscribed(later, t.topic('a'))
    for (const client of [back, later]) {
      const { messageExpiryInterval = 0 } = (await t.receive(client)).properties
      t.must(messageExpiryInterval >= 95 && messageExpiryInterval <= 98, `${messageExpiryInterval} s are left of 100`)
    }
    await back.leave(0, 0)
  })

  rule('a Message Expiry Interval may be 0, or as long as a number can say', { 5: 'MQTT-3.3.2-6' }, async (t) => {
    const [client, publisher] = [await t.connect(), await t.connect()]
    await t.subscribed(client, t.topic('a'))
    const properties = { messageExpiryInterval: 0xffff_ffff }
    await t.publish(publisher, t.topic('a'), 'long', { qos: 1, properties })
    t.equal((await t.receive(client)).properties.messageExpiryInterval, 0xffff_ffff, 'the Message Expiry Interval')
    await t.publish(publisher, t.topic('a'), 'none', { qos: 1, properties: { messageExpiryInterval: 0 } })
    await t.publish(publisher, t.topic('a'), 'next', { qos: 1 })
    const messages = await t.messages(client, publisher)
    t.equal(messages.at(-1), 'next', 'the last message')
  })

  rule('Topic Aliases of a client are taken up to the Topic Alias Maximum', { 5: 'MQTT-3.3.2-12' }, async (t) => {
    const [client, publisher] = [await t.connect(), await t.connect()]
    const { topicAliasMaximum = 0 } = publisher.connack?.properties ?? {}
    t.requires(topicAliasMaximum > 0, 'takes no Topic Aliases')
    await t.subscribed(client, t.topic('#'))
    for (const topicAlias of [1, topicAliasMaximum]) {
      await t.publish(publisher, t.topic(`a/${topicAlias}`), 'set', { properties: { topicAlias } })
      await t.publish(publisher, '', 'used', { properties: { topicAlias } })
      await t.publish(publisher, t.topic(`b/${topicAlias}`), 'set anew', { properties: { topicAlias } })
      await t.publish(publisher, '', 'used anew', { qos: 1, properties: { topicAlias } })
    }
    const packets = await t.rest(client, publisher)
    const got = packets.map(
      (each) => each.type === 'publish' && `${each.topic.slice(t.topic().length + 1)} ${text(each)}`,
    )
    const expected = [1, topicAliasMaximum].flatMap((alias) => [
      `a/${alias} set`,
      `a/${alias} used`,
      `b/${alias} set anew`,
      `b/${alias} used anew`,
    ])
    t.equal(got, expected, 'the messages')
  })

  rule(
    'a Topic Alias of 0 or above the maximum ends the connection',
    { 5: 'MQTT-3.3.2-8 MQTT-3.3.2-9 PE-3.3.4-2 MQTT-3.2.2-17 MQTT-3.2.2-18 S-28' },
    async (t) => {
      const asked = await t.connect()
      const { topicAliasMaximum = 0 } = asked.connack?.properties ?? {}
      for (const alias of [0, topicAliasMaximum + 1, 0xffff]) {
        if (alias > 0xffff || (alias > 0 && alias <= topicAliasMaximum)) continue
        const client = await t.connect()
        client.sendBytes(packet(0x30, field(t.topic('a')), properties(5, 35, number(alias, 2))))
        await t.refused(client, 0x94)
      }
    },
  )

  rule(
    'a Topic Alias without a topic ends the connection, also one of a connection before',
    { 5: 'MQTT-3.3.2-7 PE-3.3.4-3 S-28' },
    async (t) => {
      const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
      const first = await t.connect(options)
      const { topicAliasMaximum = 0 } = first.connack?.properties ?? {}
      t.requires(topicAliasMaximum > 0, 'takes no Topic Aliases')
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('a'))
      await t.publish(first, t.topic('a'), 'set', { qos: 1, properties: { topicAlias: 1 } })
      await first.leave()
      const second = await t.connect(options)
      second.send({ type: 'publish', topic: '', payload: bytesOf('carried over'), properties: { topicAlias: 1 } })
      await t.refused(second, 0x82)
      t.equal(await t.messages(watcher), ['set'], 'the messages')
      await (await t.connect({ clientId: options.clientId })).leave()
    },
  )

  rule('a Topic Alias of a publisher is not passed on to who takes none', { 5: 'MQTT-3.1.2-27 S-28' }, async (t) => {
    const [client, publisher] = [await t.connect(), await t.connect()]
    const { topicAliasMaximum = 0 } = publisher.connack?.properties ?? {}
    await t.subscribed(client, t.topic('#'))
    await t.publish(publisher, t.topic('a'), 'x', topicAliasMaximum > 0 ? { properties: { topicAlias: 1 } } : {})
    for (let count = 0; count < 3; count++) {
      await t.publish(
        publisher,
        topicAliasMaximum > 0 ? '' : t.topic('a'),
        'x',
        topicAliasMaximum > 0 ? { properties: { topicAlias: 1 } } : {},
      )
    }
    await t.publish(publisher, t.topic('a'), 'x', {
      qos: 1,
      retain: true,
      ...(topicAliasMaximum > 0 && { properties: { topicAlias: 1 } }),
    })
    const later = await t.connect()
    await t.subscribed(later, t.topic('a'))
    const packets = [...(await t.rest(client, publisher)), ...(await t.rest(later))]
    t.equal(payloads(packets).length, 6, 'the number of messages')
    for (const each of packets) {
      t.must(
        each.type === 'publish' && each.properties.topicAlias === undefined && each.topic === t.topic('a'),
        'sent a Topic Alias',
      )
    }
  })

  rule(
    'Topic Aliases to a client are at most its Topic Alias Maximum, and stand for what they stood for',
    { 5: 'MQTT-3.1.2-26 MQTT-3.3.2-8 MQTT-3.3.2-10 MQTT-3.3.2-11' },
    async (t) => {
      const [client, publisher] = [await t.connect({ properties: { topicAliasMaximum: 2 } }), await t.connect()]
      await t.subscribed(client, t.topic('#'), { qos: 0 })
      const names = ['a', 'b', 'c', 'a', 'a', 'b', 'c', 'c', 'd', 'a', 'a', 'a']
      for (const name of names) await t.publish(publisher, t.topic(name), name, { qos: 1 })
      const known = new Map<number, string>()
      // The last message may come by an alias too.
      const got: string[] = []
      let aliased = 0
      while (got.length < names.length) {
        const message = await client.expect('publish')
        const { topicAlias } = message.properties
        let { topic } = message
        if (topicAlias !== undefined) {
          t.must(topicAlias > 0 && topicAlias <= 2, `sent Topic Alias ${topicAlias}`)
          if (topic === '') {
            aliased++
            topic = known.get(topicAlias) ?? ''
          } else known.set(topicAlias, topic)
        }
        t.equal(topic, t.topic(text(message)), 'the Topic Name')
        got.push(text(message))
      }
      t.equal(got, names, 'the messages')
      t.promise(aliased > 0, 'uses no Topic Alias')
    },
  )

  rule(
    'a PUBLISH is answered as its QoS says',
    {
      5: 'MQTT-3.3.4-1 MQTT-4.3.2-4 MQTT-4.3.3-8 MQTT-4.3.3-11',
      4: 'MQTT-3.3.4-1 MQTT-4.3.2-2 MQTT-4.3.3-2',
      3: 'T31-19',
    },
    async (t) => {
      const client = await t.connect()
      client.send({ type: 'publish', topic: t.topic('a') })
      t.equal(await client.ping(), [], 'what answers QoS 0')
      client.send({ type: 'publish', topic: t.topic('a'), qos: 1, packetId: 7 })
      t.equal((await client.expect('puback')).packetId, 7, 'the Packet Identifier of PUBACK')
      t.equal(await client.ping(), [], 'what comes behind PUBACK')
      client.send({ type: 'publish', topic: t.topic('a'), qos: 2, packetId: 7 })
      t.equal((await client.expect('pubrec')).packetId, 7, 'the Packet Identifier of PUBREC')
      client.send({ type: 'pubrel', packetId: 7 })
      t.equal((await client.expect('pubcomp')).packetId, 7, 'the Packet Identifier of PUBCOMP')
      t.equal(await client.ping(), [], 'what comes behind PUBCOMP')
    },
  )

  rule(
    'overlapping subscriptions bring the message at the highest QoS of them',
    { 5: 'MQTT-3.3.4-2', 4: 'MQTT-3.3.5-1' },
    async (t) => {
      const [client, publisher] = [await t.connect(), await t.connect()]
      await t.subscribed(client, [
        { topicFilter: t.topic('#'), qos: 0 },
        { topicFilter: t.topic('+'), qos: 2 },
        { topicFilter: t.topic('a'), qos: 1 },
      ])
      await t.publish(publisher, t.topic('a'), 'x', { qos: 2 })
      const packets = await t.rest(client, publisher)
      const messages = packets.filter((each) => each.type === 'publish')
      t.equal(Math.max(...messages.map(({ qos }) => qos)), 2, 'the highest QoS')
      t.promise(messages.length === 1, `sends ${messages.length} copies instead of one`)
    },
  )

  rule(
    'every copy has the Subscription Identifiers that it comes for',
    { 5: 'MQTT-3.3.4-3 MQTT-3.3.4-4 MQTT-3.3.4-5 PE-3.3.4-1' },
    async (t) => {
      const [client, publisher] = [await t.connect(), await t.connect()]
      await t.subscribed(client, t.topic('#'), { properties: { subscriptionIdentifier: 1 }, qos: 0 })
      await t.subscribed(client, t.topic('+'), { properties: { subscriptionIdentifier: 268_435_455 }, qos: 0 })
      await t.subscribed(client, t.topic('a'), { qos: 0 })
      await t.subscribed(client, t.topic('b'), { properties: { subscriptionIdentifier: 7 }, qos: 0 })
      await t.publish(publisher, t.topic('a'), 'a')
      const packets = (await t.rest(client, publisher)).filter((each) => each.type === 'publish')
      const identifiers = packets.flatMap((each) => each.properties.subscriptionIdentifier ?? [])
      t.equal(
        identifiers.toSorted((a, b) => a - b),
        [1, 268_435_455],
        'the Subscription Identifiers',
      )
      t.promise(packets.length === 1, `sends ${packets.length} copies instead of one`)
    },
  )

  rule('a message comes without Subscription Identifiers when there are none', { 5: 'PE-3.3.4-1' }, async (t) => {
    const [client, other] = [await t.connect(), await t.connect()]
    await t.subscribed(other, t.topic('a'), { properties: { subscriptionIdentifier: 9 } })
    await t.subscribed(client, t.topic('a'))
    await t.publish(other, t.topic('a'), 'x')
    t.equal(
      (await client.expect('publish')).properties.subscriptionIdentifier,
      undefined,
      'the Subscription Identifier',
    )
    t.equal((await other.expect('publish')).properties.subscriptionIdentifier, [9], 'that of the other client')
  })

  rule('retained messages come with the Subscription Identifier', { 5: 'MQTT-3.3.4-3' }, async (t) => {
    const client = await t.connect()
    await t.publish(client, t.topic('a'), 'kept', { qos: 1, retain: true })
    await t.subscribed(client, t.topic('a'), { properties: { subscriptionIdentifier: 300 } })
    t.equal((await t.receive(client)).properties.subscriptionIdentifier, [300], 'the Subscription Identifier')
  })

  rule(
    'a Subscription Identifier from a client ends the connection',
    { 5: 'MQTT-3.3.4-6 PE-3.3.2.3.8-1' },
    async (t) => {
      for (const identifier of [1, 0]) {
        const client = await t.connect()
        client.sendBytes(packet(0x30, field(t.topic('a')), properties(5, 11, identifier)))
        await t.refused(client, 0x82)
      }
    },
  )

  rule(
    'no more messages are under way to a client than its Receive Maximum, and other packets do not wait',
    { 5: 'MQTT-3.3.4-9 MQTT-3.3.4-10 MQTT-4.9.0-1 MQTT-4.9.0-2 MQTT-4.9.0-3' },
    async (t) => {
      const [client, publisher] = [await t.connect({ properties: { receiveMaximum: 2 } }), await t.connect()]
      await t.subscribed(client, t.topic('a'))
      for (const [at, qos] of ([1, 2, 1, 2, 1, 2] as const).entries())
        await t.publish(publisher, t.topic('a'), `${at}`, { qos })
      const [one, two] = [await client.expect('publish'), await client.expect('publish')]
      t.equal([text(one), text(two)], ['0', '1'], 'the first two')
      await t.nothing(client, publisher, 'a third message')
      // QoS 0, SUBACK, PUBACK and the like do not wait.
      await t.publish(client, t.topic('b'), 'x', { qos: 2 })
      await t.publish(publisher, t.topic('a'), 'at once')
      t.equal(text(await client.expect('publish')), 'at once', 'the message of QoS 0')
      // PUBREC does not make room, PUBCOMP and PUBACK do.
      client.send({ type: 'pubrec', packetId: two.packetId! })
      await client.expect('pubrel')
      await t.nothing(client, publisher, 'a message for a PUBREC')
      client.send({ type: 'puback', packetId: one.packetId! })
      t.equal(text(await client.expect('publish')), '2', 'the third')
      await t.nothing(client, publisher, 'a second message for one PUBACK')
      client.send({ type: 'pubcomp', packetId: two.packetId! })
      t.equal(text(await client.expect('publish')), '3', 'the fourth')
      await t.nothing(client, publisher)
    },
  )

  rule('a refusing PUBACK or PUBREC makes room', { 5: 'MQTT-3.3.4-9 MQTT-4.9.0-2 MQTT-4.4.0-2' }, async (t) => {
    const [client, publisher] = [await t.connect({ properties: { receiveMaximum: 1 } }), await t.connect()]
    await t.subscribed(client, t.topic('a'))
    for (const [at, qos] of ([1, 2, 1] as const).entries()) await t.publish(publisher, t.topic('a'), `${at}`, { qos })
    const one = await client.expect('publish')
    client.send({ type: 'puback', packetId: one.packetId!, reasonCode: 0x83 })
    const two = await client.expect('publish')
    client.send({ type: 'pubrec', packetId: two.packetId!, reasonCode: 0x97 })
    t.equal(text(await client.expect('publish')), '2', 'the third')
    await t.nothing(client, publisher)
  })

  rule('retained messages heed the Receive Maximum', { 5: 'MQTT-3.3.4-9' }, async (t) => {
    const [client, publisher] = [await t.connect({ properties: { receiveMaximum: 2 } }), await t.connect()]
    for (let at = 0; at < 5; at++) await t.publish(publisher, t.topic(`a/${at}`), 'x', { qos: 1, retain: true })
    await t.subscribed(client, t.topic('a/#'))
    const underWay = [await client.expect('publish'), await client.expect('publish')]
    await t.nothing(client)
    for (const message of underWay) await t.acknowledge(client, message)
    for (let at = 2; at < 5; at++) await t.receive(client)
    await t.nothing(client)
  })

  rule(
    'a client with more under way than the Receive Maximum of the broker is sent away',
    { 5: 'MQTT-3.3.4-7 S-21' },
    async (t) => {
      const client = await t.connect()
      const { receiveMaximum = 65_535 } = client.connack?.properties ?? {}
      t.requires(receiveMaximum <= 2_000, 'sets a Receive Maximum too large to be tried')
      const message = { type: 'publish' as const, topic: t.topic('a'), qos: 2 as const }
      for (let packetId = 1; packetId <= receiveMaximum; packetId++) client.send({ ...message, packetId })
      for (let packetId = 1; packetId <= receiveMaximum; packetId++) await client.expect('pubrec')
      await client.ping()
      client.send({ ...message, packetId: receiveMaximum + 1 })
      await t.refused(client, 0x93)
    },
  )

  rule('QoS 1 that is answered at once never comes near the Receive Maximum', { 5: 'MQTT-3.3.4-8' }, async (t) => {
    const client = await t.connect()
    for (let round = 0; round < 3; round++) {
      const packetIds = Array.from({ length: 60 }, (_, at) => at + 1)
      for (const packetId of packetIds) client.send({ type: 'publish', topic: t.topic('a'), qos: 1, packetId })
      for (const packetId of packetIds)
        t.equal((await client.expect('puback')).packetId, packetId, 'the order of PUBACK')
    }
  })

  rule(
    'a PUBLISH that is not authorized is acknowledged like others, or ends the connection',
    { 4: 'MQTT-3.3.5-2', 3: 'T31-19' },
    async (t) => {
      const deniedTopics = t.required(t.broker.deniedTopics, 'no topic is known that may not be published to')
      const watcher = await t.connect()
      await t.subscribe(watcher, `${deniedTopics}/#`)
      const client = await t.connect()
      for (const qos of [1, 2] as const) await t.publish(client, `${deniedTopics}/a`, 'x', { qos })
      await t.nothing(watcher, client)
    },
  )

  rule(
    'a PUBLISH that is not authorized is refused with its Reason Code',
    { 5: 'MQTT-3.4.2-1 MQTT-3.5.2-1 MQTT-4.3.3-9' },
    async (t) => {
      const deniedTopics = t.required(t.broker.deniedTopics, 'no topic is known that may not be published to')
      const watcher = await t.connect()
      await t.subscribe(watcher, [`${deniedTopics}/#`, t.topic('#')])
      const client = await t.connect()
      const codes = [
        await t.publish(client, `${deniedTopics}/a`, 'x', { qos: 1 }),
        await t.publish(client, `${deniedTopics}/a`, 'x', { qos: 2, packetId: 77 }),
      ]
      t.promise(String(codes) === '135,135', `answered with ${codes}`)
      // A PUBREC that refuses ends the exchange: the next with its Packet Identifier is a new message.
      t.equal(
        (await t.publish(client, t.topic('a'), 'new', { qos: 2, packetId: 77 })) < 0x80,
        true,
        'whether it is taken',
      )
      t.equal(await t.messages(watcher, client), ['new'], 'the messages')
    },
  )

  rule('nobody who subscribes may be told, and is by Tidewire', { 5: 'MQTT-3.4.2-1 MQTT-3.5.2-1' }, async (t) => {
    const client = await t.connect()
    const codes = [
      await t.publish(client, t.topic('a'), 'x', { qos: 1 }),
      await t.publish(client, t.topic('a'), 'x', { qos: 2 }),
    ]
    t.must(
      codes.every((code) => code === 0 || code === 0x10),
      `answered with ${codes}`,
    )
    t.promise(
      codes.every((code) => code === 0x10),
      'does not say that nobody has subscribed',
    )
  })

  rule('a topic of the broker is not published to', { 5: 'MQTT-3.4.2-1' }, async (t) => {
    const client = await t.connect()
    const code = await t.publish(client, '$SYS/broker/conformance', 'x', { qos: 1 })
    t.promise(code === 0x87, `answered with ${code}`)
  })

  const twice: Readonly<Record<string, readonly [name: string, ...Part[]]>> = {
    'PE-3.3.2.3.4-1': ['Topic Alias', hex('230001')],
    'PE-3.3.2.3.5-1': ['Response Topic', 8, field('x')],
    'PE-3.3.2.3.6-1': ['Correlation Data', 9, field('x')],
    'PE-3.3.2.3.9-1': ['Content Type', 3, field('x')],
    'MQTT-4.13.1-1': ['Message Expiry Interval', hex('0200000001')],
  }
  for (const [id, [name, ...parts]] of Object.entries(twice)) {
    rule(`a PUBLISH with ${name} twice ends the connection`, { 5: id }, async (t) => {
      const client = await t.connect()
      client.sendBytes(packet(0x30, field(t.topic('a')), properties(5, ...parts, ...parts)))
      await t.refused(client, 0x82)
    })
  }

  rule(
    'a Payload Format Indicator of 2, and one that comes twice, ends the connection',
    { 5: 'MQTT-4.13.1-1' },
    async (t) => {
      for (const bytes of [hex('0102'), hex('01010101')]) {
        const client = await t.connect()
        client.sendBytes(packet(0x30, field(t.topic('a')), properties(5, bytes)))
        await t.refused(client, 0x82)
      }
    },
  )
})

/** Properties without what differs between two objects of the same bytes. */
function plain(of: PublishProperties): unknown {
  const { correlationData, ...rest } = of
  return { ...rest, ...(correlationData && { correlationData: Buffer.from(correlationData).toString('hex') }) }
}
