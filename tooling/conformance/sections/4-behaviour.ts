/** Sections 4.1 to 4.7, 4.9 and 4.13: sessions, delivery, order, topics and errors. */

import type { QoS } from '@tidewire/codec'
import { field, hex, packet, properties } from '../bytes.js'
import type { Client } from '../client.js'
import { bytesOf, payloads, section, type Trial, text } from '../suite.js'

/** A client whose session is kept, which has come, subscribed and can come again. */
async function kept(
  t: Trial,
): Promise<{ client: Client; back: () => Promise<Client>; over: (last: Client) => Promise<void> }> {
  const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
  const client = await t.connect(options)
  await t.subscribed(client, t.topic('a'))
  return {
    client,
    back: () => t.connect(options),
    over: async (last) => {
      await last.leave(0, 0)
      if (t.version < 5) await (await t.connect({ clientId: options.clientId })).leave()
    },
  }
}

export default section('4 Operational behaviour', (rule) => {
  rule(
    'a session lasts as long as its connection',
    { 5: 'MQTT-4.1.0-1', 4: 'MQTT-4.1.0-1 MQTT-4.1.0-2' },
    async (t) => {
      // Even one that expires at once, or after a second.
      const client = await t.connect(t.version === 5 ? { properties: { sessionExpiryInterval: 1 } } : {})
      await t.subscribed(client, t.topic('a'))
      await t.publish(client, t.topic('a'), 'one', { qos: 2 })
      const one = await client.expect('publish')
      if (t.version === 5) await t.wait(2.2)
      await t.acknowledge(client, one)
      await t.publish(client, t.topic('a'), 'two', { qos: 1 })
      t.equal(text(await t.receive(client)), 'two', 'the message')
      await client.leave(0, 0)
    },
  )

  rule('a session is over when it has expired', { 5: 'MQTT-4.1.0-2' }, async (t) => {
    const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 1 } }
    const first = await t.connect(options)
    await t.subscribed(first, t.topic('a'))
    first.cut()
    await t.wait(2.6)
    const second = await t.connect({ ...options, properties: {} })
    t.equal(second.connack?.sessionPresent, false, 'Session Present')
  })

  rule(
    'TCP carries the packets, in pieces of any size',
    { 5: 'MQTT-4.2.0-1', 4: 'MQTT-7.1.1-1 MQTT-7.0.0-2', 3: 'T31-1' },
    async (t) => {
      const client = await t.connect()
      await t.subscribed(client, t.topic('a'), { qos: 0 })
      const bytes = packet(0x30, field(t.topic('a')), properties(t.version), Buffer.alloc(200, 'x'))
      for (let at = 0; at < bytes.length; at += 7) {
        client.sendBytes(bytes.subarray(at, at + 7))
        await new Promise((resolve) => setImmediate(resolve))
      }
      t.equal((await client.expect('publish')).payload.length, 200, 'the length of the payload')
      client.sendBytes(Buffer.concat(Array(50).fill(bytes)))
      for (let count = 0; count < 50; count++) await client.expect('publish')
    },
  )

  rule(
    'QoS 1: the same Packet Identifier again is a new message',
    { 5: 'MQTT-4.3.2-5', 4: 'MQTT-4.3.2-2', 3: 'T31-19' },
    async (t) => {
      const [client, publisher] = [await t.connect(), await t.connect()]
      await t.subscribed(client, t.topic('a'), { qos: 0 })
      await t.publish(publisher, t.topic('a'), 'one', { qos: 1, packetId: 5 })
      await t.publish(publisher, t.topic('a'), 'two', { qos: 1, packetId: 5, dup: true })
      t.equal(await t.messages(client, publisher), ['one', 'two'], 'the messages')
    },
  )

  rule(
    'QoS 1 and 2: what is not acknowledged is sent again in the next connection, and only there',
    {
      5: 'MQTT-4.3.2-3 MQTT-4.3.3-3 MQTT-4.4.0-1',
      4: 'MQTT-4.3.2-1 MQTT-4.3.3-1 MQTT-4.4.0-1 MQTT-2.3.1-4',
      3: 'T31-19',
    },
    async (t) => {
      const { client, back, over } = await kept(t)
      const publisher = await t.connect()
      for (const [at, qos] of ([1, 2, 1, 2] as const).entries())
        await t.publish(publisher, t.topic('a'), `${at}`, { qos })
      const sent = []
      for (let at = 0; at < 4; at++) sent.push(await client.expect('publish'))
      await t.acknowledge(client, sent[0]!)
      await client.ping()
      // Whatever time it takes on this connection.
      if (t.version > 3) await t.wait(1.2)
      await t.nothing(client, publisher)
      client.cut()
      const second = await back()
      const again = []
      for (let at = 1; at < 4; at++) again.push(await t.receive(second))
      t.equal(again.map(text), ['1', '2', '3'], 'the messages, in the order in which they were sent')
      t.equal(
        again.map(({ packetId }) => packetId),
        sent.slice(1).map(({ packetId }) => packetId),
        'the Packet Identifiers',
      )
      t.equal(
        again.map(({ dup }) => dup),
        [true, true, true],
        'DUP',
      )
      await t.nothing(second)
      second.cut()
      const third = await back()
      await t.nothing(third)
      await over(third)
    },
  )

  rule(
    'QoS 2: after PUBREC the PUBREL is sent again, never the PUBLISH',
    {
      5: 'MQTT-4.3.3-4 MQTT-4.3.3-5 MQTT-4.3.3-6 MQTT-4.4.0-1',
      4: 'MQTT-4.3.3-1 MQTT-4.4.0-1 MQTT-2.3.1-6',
      3: 'T31-19',
    },
    async (t) => {
      const { client, back, over } = await kept(t)
      await t.publish(await t.connect(), t.topic('a'), 'x', { qos: 2 })
      const { packetId = 0 } = await client.expect('publish')
      client.send({ type: 'pubrec', packetId })
      t.equal((await client.expect('pubrel')).packetId, packetId, 'the Packet Identifier of PUBREL')
      client.cut()
      for (let time = 0; time < 2; time++) {
        const next = await back()
        t.equal((await next.expect('pubrel')).packetId, packetId, 'the Packet Identifier of PUBREL')
        t.equal(await next.ping(), [], 'what comes besides PUBREL')
        next.cut()
      }
      const last = await back()
      await last.expect('pubrel')
      last.send({ type: 'pubcomp', packetId })
      await last.ping()
      last.cut()
      const done = await back()
      t.equal(await done.ping(), [], 'what comes after PUBCOMP')
      await over(done)
    },
  )

  rule(
    'QoS 2: a message that comes again before PUBREL is answered and not delivered again',
    {
      5: 'MQTT-4.3.3-8 MQTT-4.3.3-10 MQTT-4.3.3-11 MQTT-4.3.3-12',
      4: 'MQTT-4.3.3-2',
      3: 'T31-8 T31-19',
    },
    async (t) => {
      const [client, publisher] = [await t.connect(), await t.connect()]
      await t.subscribed(client, t.topic('a'), { qos: 0 })
      const message = {
        type: 'publish' as const,
        topic: t.topic('a'),
        payload: bytesOf('one'),
        qos: 2 as const,
        packetId: 5,
      }
      publisher.send(message)
      await publisher.expect('pubrec')
      for (let time = 0; time < 2; time++) {
        publisher.send({ ...message, dup: true })
        t.equal((await publisher.expect('pubrec')).packetId, 5, 'the Packet Identifier of PUBREC')
      }
      publisher.send({ type: 'pubrel', packetId: 5 })
      t.equal((await publisher.expect('pubcomp')).packetId, 5, 'the Packet Identifier of PUBCOMP')
      publisher.send({ type: 'pubrel', packetId: 5 })
      t.equal((await publisher.expect('pubcomp')).packetId, 5, 'the Packet Identifier of the second PUBCOMP')
      // Then it is free: even with DUP, the next is a new message.
      await t.publish(publisher, t.topic('a'), 'two', { qos: 2, packetId: 5, dup: true })
      t.equal(await t.messages(client, publisher), ['one', 'two'], 'the messages')
    },
  )

  rule(
    'QoS 2: what has been received is known in the next connection of the session',
    { 5: 'MQTT-4.3.3-10 MQTT-4.4.0-1', 4: 'MQTT-4.3.3-2' },
    async (t) => {
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('b'), { qos: 0 })
      const { client, back, over } = await kept(t)
      const message = {
        type: 'publish' as const,
        topic: t.topic('b'),
        payload: bytesOf('one'),
        qos: 2 as const,
        packetId: 5,
      }
      client.send(message)
      await client.expect('pubrec')
      client.cut()
      const second = await back()
      second.send({ ...message, dup: true })
      await second.expect('pubrec')
      second.send({ type: 'pubrel', packetId: 5 })
      await second.expect('pubcomp')
      t.equal(await t.messages(watcher, second), ['one'], 'the messages')
      await over(second)
    },
  )

  rule(
    'what is sent again heeds the Receive Maximum of the new connection',
    { 5: 'MQTT-3.3.4-9 MQTT-4.9.0-1 MQTT-4.4.0-1' },
    async (t) => {
      const { client, over } = await kept(t)
      const publisher = await t.connect()
      for (let at = 0; at < 5; at++) await t.publish(publisher, t.topic('a'), `${at}`, { qos: at % 2 === 0 ? 1 : 2 })
      for (let at = 0; at < 5; at++) await client.expect('publish')
      client.cut()
      const { clientId } = client
      const back = await t.connect({
        clientId,
        cleanStart: false,
        properties: { sessionExpiryInterval: 60, receiveMaximum: 2 },
      })
      const [one, two] = [await back.expect('publish'), await back.expect('publish')]
      await t.nothing(back)
      await t.acknowledge(back, one)
      await t.acknowledge(back, two)
      for (let at = 2; at < 5; at++) t.equal(text(await t.receive(back)), `${at}`, 'the message')
      await t.nothing(back)
      await over(back)
    },
  )

  rule(
    'what is sent again heeds the Maximum Packet Size of the new connection',
    { 5: 'MQTT-3.1.2-24 MQTT-3.1.2-25 S-27' },
    async (t) => {
      const { client, over } = await kept(t)
      const publisher = await t.connect()
      for (const qos of [1, 2] as const) await t.publish(publisher, t.topic('a'), 'x'.repeat(200), { qos })
      await t.publish(publisher, t.topic('a'), 'small', { qos: 1 })
      for (let at = 0; at < 3; at++) await client.expect('publish')
      await t.publish(publisher, t.topic('a'), 'x'.repeat(200), { qos: 1 })
      client.cut()
      const { clientId } = client
      const options = { clientId, cleanStart: false, properties: { sessionExpiryInterval: 60, maximumPacketSize: 100 } }
      const back = await t.connect(options)
      const packets = await t.rest(back)
      for (const { bytes } of packets) t.must(bytes.length <= 100, `sent a packet of ${bytes.length} bytes`)
      t.equal(payloads(packets), ['small'], 'the messages')
      await over(back)
    },
  )

  rule(
    'a session goes on in another version of the protocol',
    { 5: 'MQTT-3.1.2-5 MQTT-3.1.3-2', 4: 'MQTT-3.1.2-4' },
    async (t) => {
      const { client } = await kept(t)
      const [publisher, { clientId }] = [await t.connect({ protocolVersion: 5 }), client]
      const properties = { contentType: 'text/plain', messageExpiryInterval: 100 }
      for (const qos of [1, 2] as const) await t.publish(publisher, t.topic('a'), `${qos}`, { qos, properties })
      for (const qos of [1, 2]) t.equal((await client.expect('publish')).qos, qos, 'the QoS')
      client.cut()
      await t.publish(publisher, t.topic('a'), 'queued', { qos: 1, properties })
      const other = t.version === 5 ? 4 : 5
      const back = await t.connect({
        clientId,
        protocolVersion: other,
        cleanStart: false,
        properties: { sessionExpiryInterval: 60 },
      })
      t.equal(back.connack?.sessionPresent, true, 'Session Present')
      const messages = []
      for (let at = 0; at < 3; at++) messages.push(await t.receive(back))
      t.equal(messages.map(text), ['1', '2', 'queued'], 'the messages')
      const types = messages.map((each) => each.properties.contentType)
      t.equal(types, Array(3).fill(other === 5 ? 'text/plain' : undefined), 'the Content Types')
      await back.leave()
      await (await t.connect({ clientId })).leave()
    },
  )

  rule('QoS 2: a message that has been sent does not expire', { 5: 'MQTT-4.3.3-7' }, async (t) => {
    const { client, back, over } = await kept(t)
    const expiring = { messageExpiryInterval: 1 }
    await t.publish(await t.connect(), t.topic('a'), 'x', { qos: 2, properties: expiring })
    const { packetId = 0 } = await client.expect('publish')
    client.cut()
    await t.wait(2.5)
    const second = await back()
    const again = await t.receive(second)
    t.equal([text(again), again.packetId], ['x', packetId], 'what is sent again')
    await over(second)
  })

  rule(
    'QoS 2: the exchange ends as it should when the message expires meanwhile',
    { 5: 'MQTT-4.3.3-13' },
    async (t) => {
      const publisher = await t.connect()
      const properties = { messageExpiryInterval: 1 }
      publisher.send({ type: 'publish', topic: t.topic('a'), qos: 2, packetId: 5, retain: true, properties })
      await publisher.expect('pubrec')
      await t.wait(1.5)
      publisher.send({ type: 'publish', topic: t.topic('a'), qos: 2, packetId: 5, retain: true, dup: true, properties })
      await publisher.expect('pubrec')
      publisher.send({ type: 'pubrel', packetId: 5 })
      t.equal((await publisher.expect('pubcomp')).reasonCode, 0, 'the Reason Code of PUBCOMP')
    },
  )

  rule('a message that the client refuses is not sent again', { 5: 'MQTT-4.4.0-2 MQTT-4.3.3-4' }, async (t) => {
    const { client, back, over } = await kept(t)
    const publisher = await t.connect()
    await t.publish(publisher, t.topic('a'), 'one', { qos: 1 })
    await t.publish(publisher, t.topic('a'), 'two', { qos: 2 })
    const [one, two] = [await client.expect('publish'), await client.expect('publish')]
    client.send({ type: 'puback', packetId: one.packetId!, reasonCode: 0x80 })
    client.send({ type: 'pubrec', packetId: two.packetId!, reasonCode: 0x97 })
    t.equal(await client.ping(), [], 'what follows the refusals')
    client.cut()
    const second = await back()
    t.equal(await second.ping(), [], 'what comes in the next connection')
    await over(second)
  })

  rule(
    'a message comes to all sessions that have subscribed, there or away',
    { 5: 'MQTT-4.5.0-1', 4: 'MQTT-4.5.0-1', 3: 'T31-13' },
    async (t) => {
      const away = await kept(t)
      await away.client.leave()
      const [one, two] = [await t.connect(), await t.connect()]
      for (const client of [one, two]) await t.subscribed(client, t.topic('a'))
      await t.publish(one, t.topic('a'), 'x', { qos: 1 })
      const back = await away.back()
      for (const client of [one, two, back]) t.equal(text(await t.receive(client)), 'x', 'the message')
      await away.over(back)
    },
  )

  rule('QoS 0 may or may not wait for a session that is away', { 5: 'MQTT-4.5.0-1', 4: 'MQTT-3.1.2-5' }, async (t) => {
    const { client, back, over } = await kept(t)
    await client.leave()
    const publisher = await t.connect()
    await t.publish(publisher, t.topic('a'), 'zero')
    await t.publish(publisher, t.topic('a'), 'one', { qos: 1 })
    const second = await back()
    const messages = payloads(await second.ping())
    t.must(messages.includes('one'), 'lost the message of QoS 1')
    t.promise(!messages.includes('zero'), 'keeps QoS 0')
    second.send({ type: 'puback', packetId: 1 })
    second.cut()
    const third = await t.connect({ clientId: client.clientId })
    await over(third)
  })

  rule(
    'acknowledgements are sent in the order of what they acknowledge',
    {
      5: 'MQTT-4.6.0-2 MQTT-4.6.0-3 MQTT-4.6.0-4',
      4: 'MQTT-4.6.0-2 MQTT-4.6.0-3 MQTT-4.6.0-4 MQTT-4.6.0-6',
    },
    async (t) => {
      const client = await t.connect()
      const { receiveMaximum = 20 } = client.connack?.properties ?? {}
      const ids = [9, 3, 7, 1, 8, 2].slice(0, receiveMaximum)
      for (const packetId of ids) client.send({ type: 'publish', topic: t.topic('a'), qos: 1, packetId })
      for (const packetId of ids) t.equal((await client.expect('puback')).packetId, packetId, 'the order of PUBACK')
      for (const packetId of ids) client.send({ type: 'publish', topic: t.topic('a'), qos: 2, packetId })
      for (const packetId of ids) t.equal((await client.expect('pubrec')).packetId, packetId, 'the order of PUBREC')
      for (const packetId of ids) client.send({ type: 'pubrel', packetId })
      for (const packetId of ids) t.equal((await client.expect('pubcomp')).packetId, packetId, 'the order of PUBCOMP')
      // The other way: PUBREL in the order in which PUBREC came.
      const [receiver, publisher] = [await t.connect(), await t.connect()]
      await t.subscribed(receiver, t.topic('b'))
      const underWay: number[] = []
      for (let at = 0; at < 3; at++) {
        await t.publish(publisher, t.topic('b'), 'x', { qos: 2 })
        underWay.push((await receiver.expect('publish')).packetId!)
      }
      for (const packetId of underWay.toReversed()) receiver.send({ type: 'pubrec', packetId })
      for (const packetId of underWay.toReversed())
        t.equal((await receiver.expect('pubrel')).packetId, packetId, 'the order of PUBREL')
    },
  )

  rule(
    'messages of one publisher, topic and QoS stay in their order',
    {
      5: 'MQTT-4.6.0-5 MQTT-4.6.0-6',
      4: 'MQTT-4.6.0-5 MQTT-4.6.0-6',
      3: 'T31-19',
    },
    async (t) => {
      const away = await kept(t)
      await away.client.leave()
      const [client, publisher] = [await t.connect(), await t.connect()]
      await t.subscribed(client, t.topic('#'))
      const sent: Record<QoS, string[]> = { 0: [], 1: [], 2: [] }
      const count = 60
      for (let at = 0; at < count; at++) {
        const qos = (at % 3) as QoS
        const packetId = qos === 0 ? undefined : at + 1
        publisher.send({ type: 'publish', topic: t.topic('a'), payload: bytesOf(`${at}`), qos, packetId })
        sent[qos].push(`${at}`)
        // Not more under way than any broker allows.
        if (qos === 1) await publisher.take('puback')
        if (qos !== 2) continue
        await publisher.take('pubrec')
        publisher.send({ type: 'pubrel', packetId: at + 1 })
        await publisher.take('pubcomp')
      }
      const read = async (from: Client, expected: number): Promise<Record<QoS, string[]>> => {
        const got: Record<QoS, string[]> = { 0: [], 1: [], 2: [] }
        for (let at = 0; at < expected; at++) {
          const message = await from.take('publish')
          await t.acknowledge(from, message)
          got[message.qos].push(text(message))
        }
        return got
      }
      t.equal(await read(client, count), sent, 'the messages, live')
      const back = await away.back()
      const { 1: one, 2: two } = await read(back, (count * 2) / 3)
      t.equal([one, two], [sent[1], sent[2]], 'the messages, queued')
      await away.over(back)
    },
  )

  rule(
    'what is sent again comes in the order in which it was sent, before what is new',
    { 5: 'MQTT-4.6.0-1 MQTT-4.6.0-5', 4: 'MQTT-4.6.0-1' },
    async (t) => {
      const { client, back, over } = await kept(t)
      const publisher = await t.connect()
      const count = 10
      for (let at = 0; at < count; at++) await t.publish(publisher, t.topic('a'), `${at}`, { qos: 1 })
      for (let at = 0; at < count; at++) await client.expect('publish')
      client.cut()
      for (let at = count; at < 2 * count; at++) await t.publish(publisher, t.topic('a'), `${at}`, { qos: 1 })
      const second = await back()
      const got: string[] = []
      for (let at = 0; at < 2 * count; at++) got.push(text(await t.receive(second)))
      t.equal(
        got,
        Array.from({ length: 2 * count }, (_, at) => `${at}`),
        'the messages',
      )
      await over(second)
    },
  )

  rule(
    'wildcards match levels as they should',
    { 5: 'MQTT-4.7.1-1 MQTT-4.7.1-2 MQTT-3.3.2-3', 4: 'MQTT-4.7.1-2 MQTT-4.7.1-3 MQTT-3.3.2-3', 3: 'T31-19' },
    async (t) => {
      const table: readonly [filter: string, ...matching: string[]][] = [
        ['a/#', 'a', 'a/b', 'a/b/c', 'a/', 'a//', 'a//c'],
        ['a/+', 'a/b', 'a/'],
        ['+/b', 'a/b', '/b'],
        ['a/+/c', 'a/b/c', 'a//c'],
        ['+', 'a', 'x'],
        ['+/+', 'a/b', 'a/', '/b', '/'],
        ['a/+/#', 'a/b', 'a/b/c', 'a/', 'a//', 'a//c'],
        ['/+', '/b', '/'],
        ['a//c', 'a//c'],
        ['a/', 'a/'],
      ]
      const topics = ['a', 'x', 'a/b', 'a/b/c', 'a/', 'a//', 'a//c', '/b', '/']
      for (const [filter, ...matching] of table) {
        const client = await t.connect()
        await t.subscribed(client, t.topic(filter), { qos: 0 })
        for (const topic of topics) await t.publish(client, t.topic(topic), topic)
        t.equal((await t.messages(client)).toSorted(), matching.toSorted(), `what matches ${filter}`)
        client.cut()
      }
    },
  )

  rule(
    'wildcards at the beginning do not match topics that begin with $',
    { 5: 'MQTT-4.7.2-1 S-12', 4: 'MQTT-4.7.2-1', 3: 'T31-19' },
    async (t) => {
      // The topics of the broker, and topics of the test where the broker lets it use such.
      const client = await t.connect()
      const own = `$conformance/${t.topic()}`
      await t.subscribe(client, ['#', '+/#', `+/${t.topic('a')}`], { qos: 0 })
      const control = await t.connect()
      await t.subscribe(control, [`${own}/#`, '$SYS/#'], { qos: 0 })
      await t.publish(control, `${own}/a`, 'x', { qos: 1 }).catch(() => 0)
      const seen = await t.rest(client)
      t.must(
        seen.every((each) => each.type !== 'publish' || !each.topic.startsWith('$')),
        'matched a topic that begins with $',
      )
      const known = (await t.rest(control)).filter((each) => each.type === 'publish')
      t.requires(known.length > 0, 'has no topics that begin with $')
    },
  )

  rule('topics are not changed to match', { 5: 'MQTT-4.7.3-4 MQTT-1.5.4-3', 4: 'MQTT-4.7.3-4' }, async (t) => {
    const client = await t.connect()
    const names = [
      'é',
      'e\u0301',
      'A',
      'a',
      'a b',
      'a%20b',
      'ﬁ',
      'fi',
      '\ufeffa',
      '\u00c5',
      '\u212b',
      'a/../b',
      './a',
      'a//b',
      'ß',
      '😀',
    ]
    for (const name of names) {
      await t.subscribed(client, t.topic(name), { qos: 0 })
      for (const other of names) await t.publish(client, t.topic(other), other)
      t.equal(await t.messages(client), [name], `what matches ${JSON.stringify(name)}`)
      await t.unsubscribe(client, t.topic(name))
    }
  })

  rule(
    'a Topic Name may have 65,535 bytes, or is refused as too large',
    { 5: 'MQTT-4.7.3-3', 4: 'MQTT-4.7.3-3' },
    async (t) => {
      const client = await t.connect()
      await t.subscribed(client, t.topic('#'), { qos: 0 })
      const topic = t.topic('x'.repeat(65_535 - t.topic('').length - 1))
      await t.publish(client, topic, 'long')
      const message = await client.expect('publish')
      t.equal(message.topic.length, 65_535, 'the length of the Topic Name')
    },
  )

  rule(
    'what is malformed ends the connection, and the code says what it is',
    { 5: 'MQTT-4.13.1-1 MQTT-4.13.2-1', 4: 'MQTT-4.8.0-1' },
    async (t) => {
      const packets: readonly [Uint8Array, number][] = [
        [hex('3000'), 0x81],
        [hex('320400016100'), 0x81],
        [packet(0x30, hex('0005'), Buffer.from('a')), 0x81],
        [hex('4000'), 0x81],
        [hex('400100'), 0x81],
        [hex('620100'), 0x81],
        [hex('8200'), 0x81],
        [hex('a20100'), 0x81],
      ]
      for (const [bytes, code] of packets) {
        const client = await t.connect()
        client.sendBytes(bytes)
        await t.refused(client, code)
      }
    },
  )

  rule('an error of one ends no other connection', { 5: 'MQTT-4.13.1-1', 4: 'MQTT-4.8.0-1', 3: 'T31-9' }, async (t) => {
    const [one, other] = [await t.connect(), await t.connect()]
    await t.subscribed(other, t.topic('a'))
    one.sendBytes(hex('f000'), packet(0x36, field('x')))
    await one.ending()
    await t.publish(other, t.topic('a'), 'x', { qos: 2 })
    await t.receive(other)
  })
})
