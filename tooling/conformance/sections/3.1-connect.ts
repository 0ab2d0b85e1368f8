/** Section 3.1: CONNECT. */

import { connect, field, hex, number, type Part, packet, properties } from '../bytes.js'
import { bytesOf, payloads, section, type Trial, text } from '../suite.js'

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** A CONNECT of the version of the test that is wrong must be refused. */
async function refuses(t: Trial, bytes: Uint8Array, reasonCode: number, returnCode?: number): Promise<void> {
  const client = await t.open()
  client.sendBytes(bytes)
  await t.refusedConnect(client, reasonCode, returnCode)
}

export default section('3.1 CONNECT', (rule) => {
  rule(
    'a first packet that is not CONNECT ends the connection',
    { 5: 'MQTT-3.1.0-1 S-23', 4: 'MQTT-3.1.0-1', 3: 'T31-11' },
    async (t) => {
      const none = properties(t.version)
      const packets = [
        hex('c000'),
        packet(0x30, field(t.topic('a')), none),
        packet(0x82, number(1, 2), none, field(t.topic('a')), 0),
        hex('e000'),
        hex('f000'),
        hex('20020000'),
        Buffer.from(`GET / HTTP/1.1\r\nHost: ${'x'.repeat(100)}\r\n\r\n`),
      ]
      for (const bytes of packets) {
        const client = await t.open()
        client.sendBytes(bytes)
        t.equal(await client.ending(), [], 'what was sent before the end')
      }
    },
  )

  rule(
    'a second CONNECT ends the connection',
    { 5: 'MQTT-3.1.0-2 S-23', 4: 'MQTT-3.1.0-2', 3: 'T31-11' },
    async (t) => {
      const client = await t.connect()
      client.send({ type: 'connect', protocolVersion: t.version, clientId: client.clientId, cleanStart: true })
      await t.refused(client, 0x82)
    },
  )

  rule('a protocol name that is not known ends the connection', { 5: 'MQTT-3.1.2-1', 4: 'MQTT-3.1.2-1' }, async (t) => {
    for (const name of ['MQTX', 'mqtt', 'MQTTS', 'MQ', '', 'MQIsdpx']) {
      const client = await t.open()
      client.sendBytes(connect({ version: t.version, name }))
      const packets = await client.ending()
      t.must(packets.length < 2, 'sent more than one packet')
      for (const first of packets) {
        t.must(first.type === 'connack' && first.reasonCode > 0, 'answered with something other than a refusal')
      }
    }
  })

  rule(
    'a protocol version that is not known is refused, and told',
    { 5: 'MQTT-3.1.2-2', 4: 'MQTT-3.1.2-2', 3: 'T31-12' },
    async (t) => {
      for (const level of t.version === 5 ? [6, 127, 255] : [0, 1, 2]) {
        const client = await t.open(t.version)
        client.sendBytes(connect({ version: t.version, level }))
        // It may be answered in an older version, which is not read here.
        const packets = await client.ending().catch(() => [])
        t.must(client.isEnded, `did not end the connection for Protocol Level ${level}`)
        const told = packets[0]?.type === 'connack' ? packets[0].reasonCode : undefined
        if (t.version === 5) t.promise(told === 0x84, `answered Protocol Version ${level} with ${told}`)
        else t.must(told === 1, `answered Protocol Level ${level} with return code ${told} instead of 1`)
      }
    },
  )

  rule('MQIsdp with level 3 is accepted, MQTT with level 3 not', { 3: 'T31-1 T31-12' }, async (t) => {
    const client = await t.connect()
    t.equal([...(client.connack?.bytes ?? [])], [0x20, 2, 0, 0], 'CONNACK')
    await refuses(t, connect({ version: 3, name: 'MQTT' }), 0x84, 1)
    await refuses(t, connect({ version: 4, name: 'MQIsdp' }), 0x84, 1)
  })

  rule('the reserved Connect Flag ends the connection', { 5: 'MQTT-3.1.2-3 PE-3.1.2.3-1', 4: 'MQTT-3.1.2-3' }, (t) =>
    refuses(t, connect({ version: t.version, flags: 0x03 }), 0x81),
  )

  rule(
    'a CONNECT that is not as section 3.1 says ends the connection, before 5.0 without CONNACK',
    { 5: 'MQTT-3.1.4-1 MQTT-3.1.3-1 MQTT-3.1.3-3', 4: 'MQTT-3.1.4-1 MQTT-3.1.3-1 MQTT-3.1.3-3' },
    async (t) => {
      const { version } = t
      const cases: Readonly<Record<string, Uint8Array>> = {
        'no body': hex('1000'),
        'a body that ends in the name': hex('10020004'),
        'no flags': packet(0x10, field('MQTT'), version),
        'half a Keep Alive': packet(0x10, field('MQTT'), version, 2, 0),
        'no Client Identifier': connect({ version, payload: Buffer.alloc(0) }),
        'a Client Identifier longer than the packet': connect({ version, payload: hex('0005 6162') }),
        'bytes behind its end': connect({ version, payload: Buffer.concat([field('x'), hex('00')]) }),
      }
      for (const [name, bytes] of Object.entries(cases)) {
        const client = await t.open()
        client.sendBytes(bytes)
        const packets = await client.ending()
        t.must(
          packets.every((each) => each.type === 'connack' && each.reasonCode > 0),
          `${name}: accepted`,
        )
        if (version < 5) t.must(packets.length === 0, `${name}: sent a CONNACK`)
        // Without a version in it nobody can tell that it is of MQTT 5.0.
        else if (!/name|no body/.test(name)) t.promise(packets.length === 1, `${name}: no CONNACK`)
      }
    },
  )

  rule(
    'Will flags without a Will end the connection',
    { 5: 'MQTT-3.1.2-11 MQTT-3.1.2-13', 4: 'MQTT-3.1.2-11 MQTT-3.1.2-13 MQTT-3.1.2-15' },
    async (t) => {
      await refuses(t, connect({ version: t.version, flags: 0x0a }), 0x81)
      await refuses(t, connect({ version: t.version, flags: 0x12 }), 0x81)
      await refuses(t, connect({ version: t.version, flags: 0x22 }), 0x81)
    },
  )

  rule('Will QoS 3 is malformed', { 5: 'MQTT-3.1.2-12 PE-3.1.2.6-1', 4: 'MQTT-3.1.2-14' }, (t) => {
    const payload = Buffer.concat([field('x'), properties(t.version), field(t.topic('will')), field('payload')])
    return refuses(t, connect({ version: t.version, flags: 0x1e, payload }), 0x81)
  })

  rule('the Will flag without a Will is malformed', { 5: 'MQTT-3.1.2-9', 4: 'MQTT-3.1.2-9' }, async (t) => {
    const { version } = t
    await refuses(t, connect({ version, flags: 0x06 }), 0x81)
    const half = Buffer.concat([field('x'), properties(version), field(t.topic('will'))])
    await refuses(t, connect({ version, flags: 0x06, payload: half }), 0x81)
  })

  rule(
    'User Name and Password are there exactly when their flags say so',
    {
      5: 'MQTT-3.1.2-16 MQTT-3.1.2-17 MQTT-3.1.2-18 MQTT-3.1.2-19',
      4: 'MQTT-3.1.2-18 MQTT-3.1.2-19 MQTT-3.1.2-20 MQTT-3.1.2-21',
    },
    async (t) => {
      const { version } = t
      const two = Buffer.concat([field('x'), field('user')])
      await refuses(t, connect({ version, flags: 0x02, payload: two }), 0x81)
      await refuses(t, connect({ version, flags: 0x82 }), 0x81)
      await refuses(t, connect({ version, flags: 0xc2, payload: two }), 0x81)
      await refuses(t, connect({ version, flags: 0x82, payload: Buffer.concat([two, field('password')]) }), 0x81)
    },
  )

  rule('a Password without User Name is refused', { 4: 'MQTT-3.1.2-22' }, (t) =>
    refuses(t, connect({ version: 4, flags: 0x42, payload: Buffer.concat([field('x'), field('password')]) }), 0x81),
  )

  rule('a Password without User Name may be', { 5: 'MQTT-3.1.2-19' }, async (t) => {
    // Whether it lets one in is for the broker to say; the packet is right.
    const client = await t.begin({ password: bytesOf('token') })
    const connack = await client.expect('connack')
    t.must(connack.reasonCode !== 0x81 && connack.reasonCode !== 0x82, 'called the packet wrong')
  })

  rule(
    'Clean Start ends the session that was there',
    { 5: 'MQTT-3.1.2-4 MQTT-3.2.2-2 MQTT-3.1.4-4', 4: 'MQTT-3.1.2-6 MQTT-3.2.2-1 MQTT-3.1.4-3', 3: 'T31-13' },
    async (t) => {
      const clientId = t.id()
      const kept = { clientId, cleanStart: false, properties: { sessionExpiryInterval: 60 } }
      const first = await t.connect(kept)
      await t.subscribed(first, t.topic('a'))
      await first.leave()
      const publisher = await t.connect()
      await t.publish(publisher, t.topic('a'), 'queued', { qos: 1 })
      const second = await t.connect({ clientId, cleanStart: true })
      t.equal(second.connack?.sessionPresent, false, 'Session Present')
      await t.publish(publisher, t.topic('a'), 'later', { qos: 1 })
      await t.nothing(second, publisher)
      await second.leave()
      const third = await t.connect({ clientId, cleanStart: false })
      t.equal(third.connack?.sessionPresent, false, 'Session Present')
      await t.nothing(third, publisher)
    },
  )

  rule(
    'without Clean Start the session goes on: subscriptions and what came meanwhile',
    {
      5: 'MQTT-3.1.2-5 MQTT-3.1.2-23 MQTT-3.2.2-3 MQTT-3.1.3-2 MQTT-4.5.0-1',
      4: 'MQTT-3.1.2-4 MQTT-3.1.2-5 MQTT-3.2.2-2 MQTT-3.1.3-2 MQTT-4.1.0-1 MQTT-4.5.0-1',
      3: 'T31-13 T31-18',
    },
    async (t) => {
      const clientId = t.id()
      const options = { clientId, cleanStart: false, properties: { sessionExpiryInterval: 60 } }
      const first = await t.connect(options)
      t.equal(first.connack?.sessionPresent, false, 'Session Present of the first')
      await t.subscribed(first, t.topic('a'))
      await first.leave()
      const publisher = await t.connect()
      await t.publish(publisher, t.topic('a'), 'one', { qos: 1 })
      await t.publish(publisher, t.topic('a'), 'two', { qos: 2 })
      const second = await t.connect(options)
      t.equal(second.connack?.sessionPresent, t.version > 3, 'Session Present of the second')
      const messages = [await t.receive(second), await t.receive(second)]
      t.equal(payloads(messages), ['one', 'two'], 'what came while it was away')
      await t.publish(publisher, t.topic('a'), 'three')
      t.equal(text(await second.expect('publish')), 'three', 'what comes by its subscription')
      await second.leave(0, 0)
    },
  )

  rule(
    'without Clean Start and without a session a new one begins',
    { 5: 'MQTT-3.1.2-6 MQTT-3.2.2-3', 4: 'MQTT-3.1.2-4 MQTT-3.2.2-3', 3: 'T31-13' },
    async (t) => {
      const client = await t.connect({ cleanStart: false })
      t.equal(client.connack?.sessionPresent, false, 'Session Present')
      await t.subscribed(client, t.topic('a'))
      await t.publish(client, t.topic('a'), 'one', { qos: 1 })
      t.equal(text(await t.receive(client)), 'one', 'the message')
    },
  )

  rule(
    'a session that begins with Clean Start is kept like another',
    { 5: 'MQTT-3.1.2-23 MQTT-3.1.2-4' },
    async (t) => {
      const first = await t.connect({ cleanStart: true, properties: { sessionExpiryInterval: 60 } })
      const { clientId } = first
      await t.subscribed(first, t.topic('a'))
      first.cut()
      // The Session Expiry Interval is that of the last connection.
      const second = await t.connect({ clientId, cleanStart: false })
      t.equal(second.connack?.sessionPresent, true, 'Session Present')
      await second.leave()
      const third = await t.connect({ clientId, cleanStart: false })
      t.equal(third.connack?.sessionPresent, false, 'Session Present after a connection without expiry')
    },
  )

  rule('a session without Session Expiry Interval ends with its connection', { 5: 'MQTT-3.1.2-23' }, async (t) => {
    const clientId = t.id()
    const first = await t.connect({ clientId, cleanStart: false })
    await t.subscribed(first, t.topic('a'))
    await first.leave()
    const second = await t.connect({ clientId, cleanStart: false })
    t.equal(second.connack?.sessionPresent, false, 'Session Present')
  })

  rule('a session with Clean Session leaves nothing behind', { 4: 'MQTT-3.1.2-6', 3: 'T31-13' }, async (t) => {
    const clientId = t.id()
    const first = await t.connect({ clientId })
    await t.subscribed(first, t.topic('a'))
    await first.leave()
    const publisher = await t.connect()
    await t.publish(publisher, t.topic('a'), 'while away', { qos: 1 })
    const second = await t.connect({ clientId, cleanStart: false })
    t.equal(second.connack?.sessionPresent, false, 'Session Present')
    await t.nothing(second, publisher)
    await second.leave()
    await (await t.connect({ clientId })).leave()
  })

  rule(
    'retained messages stay when the session of their publisher ends',
    { 5: 'MQTT-3.3.1-5', 4: 'MQTT-3.1.2-7', 3: 'T31-15' },
    async (t) => {
      const publisher = await t.connect()
      await t.publish(publisher, t.topic('a'), 'kept', { qos: 1, retain: true })
      await publisher.leave()
      const client = await t.connect()
      await t.subscribed(client, t.topic('a'))
      t.equal(text(await t.receive(client)), 'kept', 'the retained message')
    },
  )

  rule(
    'the Will is published when the connection is lost',
    {
      5: 'MQTT-3.1.2-7 MQTT-3.1.2-8 MQTT-3.1.2-14 MQTT-3.1.2-12',
      4: 'MQTT-3.1.2-8 MQTT-3.1.2-16 MQTT-3.1.2-14',
      3: 'T31-14',
    },
    async (t) => {
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('#'), t.version === 5 ? { retainAsPublished: true } : {})
      for (const qos of [0, 1, 2] as const) {
        const topic = t.topic(`will${qos}`)
        const client = await t.connect({ will: { topic, payload: bytesOf('gone'), qos } })
        await t.nothing(watcher)
        client.cut()
        const will = await t.receive(watcher)
        t.equal([will.topic, text(will), will.qos, will.retain], [topic, 'gone', qos, false], 'the Will')
        const later = await t.connect()
        await t.subscribed(later, topic)
        await t.nothing(later)
      }
    },
  )

  rule('a Will with Will Retain is retained', { 5: 'MQTT-3.1.2-15', 4: 'MQTT-3.1.2-17', 3: 'T31-14' }, async (t) => {
    const watcher = await t.connect()
    await t.subscribed(watcher, t.topic('will'))
    const client = await t.connect({ will: { topic: t.topic('will'), payload: bytesOf('gone'), qos: 1, retain: true } })
    client.cut()
    t.equal((await t.receive(watcher)).retain, false, 'RETAIN for who had subscribed')
    const later = await t.connect()
    await t.subscribed(later, t.topic('will'))
    const will = await t.receive(later)
    t.equal([text(will), will.retain, will.qos], ['gone', true, 1], 'the retained Will')
  })

  rule(
    'the Will is not published after a DISCONNECT, and only once',
    {
      5: 'MQTT-3.1.2-8 MQTT-3.1.2-10 MQTT-3.14.4-3',
      4: 'MQTT-3.1.2-10 MQTT-3.14.4-3',
      3: 'T31-17',
    },
    async (t) => {
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('will'))
      const will = { topic: t.topic('will'), payload: bytesOf('gone') }
      const clientId = t.id()
      await (await t.connect({ clientId, will })).leave()
      await t.nothing(watcher)
      const lost = await t.connect({ clientId, will })
      lost.cut()
      t.equal(text(await t.receive(watcher)), 'gone', 'the Will')
      // Published, it is removed: neither the end of another connection nor that of the session brings it again.
      const again = await t.connect({ clientId, cleanStart: false })
      again.cut()
      await (await t.connect({ clientId })).leave()
      await t.nothing(watcher)
    },
  )

  rule('without a Will nothing is published when the connection is lost', { 4: 'MQTT-3.1.2-12' }, async (t) => {
    const watcher = await t.connect()
    await t.subscribed(watcher, t.topic('#'))
    const clientId = t.id()
    const client = await t.connect({ clientId, will: { topic: t.topic('will'), payload: bytesOf('of before') } })
    await client.leave()
    const second = await t.connect({ clientId })
    second.cut()
    await (await t.connect({ clientId })).ping()
    await t.nothing(watcher)
  })

  rule(
    'a violation of the protocol loses the connection, and the Will is published',
    { 5: 'MQTT-3.1.2-8', 4: 'MQTT-3.1.2-8', 3: 'T31-14' },
    async (t) => {
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('will'))
      const client = await t.connect({ will: { topic: t.topic('will'), payload: bytesOf('gone') } })
      client.sendBytes(hex('30ffffffff01'))
      await client.ending()
      t.equal(text(await t.receive(watcher)), 'gone', 'the Will')
    },
  )

  rule(
    'the Will has its properties, and its delay stays with the broker',
    { 5: 'MQTT-3.1.3-10 MQTT-3.3.2-4 MQTT-3.3.2-15 MQTT-3.3.2-16 MQTT-3.3.2-20 S-27' },
    async (t) => {
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('will'))
      const sent = {
        payloadFormatIndicator: 1 as const,
        messageExpiryInterval: 100,
        contentType: 'text/plain',
        responseTopic: t.topic('response'),
        correlationData: bytesOf('correlation'),
        userProperty: [
          ['b', '1'],
          ['a', '2'],
          ['b', '1'],
        ] as [string, string][],
      }
      const will = { topic: t.topic('will'), payload: bytesOf('gone'), properties: { ...sent, willDelayInterval: 0 } }
      const client = await t.connect({ will })
      client.cut()
      const { properties: got } = await t.receive(watcher)
      t.equal(
        { ...got, correlationData: Buffer.from(got.correlationData ?? []).toString() },
        { ...sent, correlationData: 'correlation' },
        'the properties',
      )
    },
  )

  rule('the Will waits for its delay', { 5: 'MQTT-3.1.2-8' }, async (t) => {
    const watcher = await t.connect()
    await t.subscribed(watcher, t.topic('will'))
    const will = { topic: t.topic('will'), payload: bytesOf('gone'), properties: { willDelayInterval: 1 } }
    const client = await t.connect({ will, properties: { sessionExpiryInterval: 60 } })
    const before = performance.now()
    client.cut()
    await t.nothing(watcher)
    t.equal(text(await t.receive(watcher)), 'gone', 'the Will')
    t.must(performance.now() - before > 900, 'published the Will before its delay had passed')
    await (await t.connect({ clientId: client.clientId })).leave()
  })

  const ends: readonly [how: string, sessionExpiryInterval: number][] = [
    ['ends with its connection', 0],
    ['expires', 1],
  ]
  for (const [how, sessionExpiryInterval] of ends) {
    rule(`a Will that still waits is published when its session ${how}`, { 5: 'MQTT-3.1.2-8 S-39' }, async (t) => {
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('will'))
      const will = { topic: t.topic('will'), payload: bytesOf('gone'), properties: { willDelayInterval: 60 } }
      const client = await t.connect({ will, properties: { sessionExpiryInterval } })
      client.cut()
      t.equal(text(await t.receive(watcher)), 'gone', 'the Will')
    })
  }

  rule('Clean Start ends a session, and publishes the Will that still waits', { 5: 'MQTT-3.1.2-4 S-39' }, async (t) => {
    const watcher = await t.connect()
    await t.subscribed(watcher, t.topic('will'))
    const will = { topic: t.topic('will'), payload: bytesOf('gone'), properties: { willDelayInterval: 60 } }
    const lost = await t.connect({ will, properties: { sessionExpiryInterval: 60 } })
    lost.cut()
    await t.connect({ clientId: lost.clientId, cleanStart: true })
    // [MQTT-3.1.2-8] may be read so that any connection of the client deletes the Will.
    t.promise((await t.messages(watcher)).includes('gone'), 'does not publish it')
  })

  rule(
    'a client that is back before the delay has no Will published',
    { 5: 'MQTT-3.1.3-9 MQTT-3.1.2-8 S-39' },
    async (t) => {
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('will'))
      const will = { topic: t.topic('will'), payload: bytesOf('gone'), properties: { willDelayInterval: 1 } }
      const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
      const client = await t.connect({ ...options, will })
      client.cut()
      const back = await t.connect(options)
      t.equal(back.connack?.sessionPresent, true, 'Session Present')
      await t.wait(1.5)
      await t.nothing(watcher)
      await back.leave(0, 0)
    },
  )

  rule(
    'a takeover publishes the Will, unless it has a delay',
    { 5: 'MQTT-3.1.2-8 MQTT-3.1.3-9 S-39', 4: 'MQTT-3.1.2-8' },
    async (t) => {
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('#'))
      const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
      await t.connect({ ...options, will: { topic: t.topic('at once'), payload: bytesOf('at once') } })
      const delayed = { topic: t.topic('later'), payload: bytesOf('later'), properties: { willDelayInterval: 1 } }
      await t.connect({ ...options, ...(t.version === 5 && { will: delayed }) })
      t.equal(text(await t.receive(watcher)), 'at once', 'the Will')
      const last = await t.connect(options)
      if (t.version === 5) await t.wait(1.5)
      await t.nothing(watcher)
      await last.leave(0, 0)
      await (await t.connect({ clientId: options.clientId })).leave()
    },
  )

  rule(
    'DISCONNECT with Will Message that ends the session does not wait for the delay',
    { 5: 'MQTT-3.1.2-8 S-39' },
    async (t) => {
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('will'))
      const will = { topic: t.topic('will'), payload: bytesOf('gone'), properties: { willDelayInterval: 60 } }
      const client = await t.connect({ will, properties: { sessionExpiryInterval: 60 } })
      await client.leave(0x04, 0)
      t.equal(text(await t.receive(watcher)), 'gone', 'the Will')
    },
  )

  rule('DISCONNECT with Will Message publishes the Will', { 5: 'MQTT-3.1.2-8' }, async (t) => {
    const watcher = await t.connect()
    await t.subscribed(watcher, t.topic('will'))
    const client = await t.connect({ will: { topic: t.topic('will'), payload: bytesOf('gone') } })
    await client.leave(0x04)
    t.equal(text(await t.receive(watcher)), 'gone', 'the Will')
  })

  rule(
    'silence of one and a half times the Keep Alive ends the connection',
    { 5: 'MQTT-3.1.2-22 MQTT-3.2.2-22', 4: 'MQTT-3.1.2-24', 3: 'T31-10' },
    async (t) => {
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('will'))
      const client = await t.connect({ keepAlive: 1, will: { topic: t.topic('will'), payload: bytesOf('gone') } })
      t.requires(client.connack?.properties.serverKeepAlive === undefined, 'sets a Server Keep Alive of its own')
      const before = performance.now()
      await t.refused(client, 0x8d, 10)
      const took = performance.now() - before
      t.must(took > 1_000, 'did not wait for the Keep Alive')
      t.promise(took < 2_500, `took ${(took / 1000).toFixed()} seconds for a Keep Alive of 1`)
      t.equal(text(await t.receive(watcher)), 'gone', 'the Will')
    },
  )

  rule(
    'any packet keeps the connection, and one that is not whole does not',
    { 5: 'MQTT-3.1.2-22 MQTT-3.1.2-20', 4: 'MQTT-3.1.2-24 MQTT-3.1.2-23', 3: 'T31-10' },
    async (t) => {
      const [talker, dripper] = [await t.connect({ keepAlive: 1 }), await t.connect({ keepAlive: 1 })]
      const drip = packet(0x30, field(t.topic('a')), properties(t.version), Buffer.alloc(40))
      for (let at = 0; at < 4; at++) {
        await t.wait(0.7)
        dripper.sendBytes(drip.subarray(at, at + 1))
        await t.publish(talker, t.topic('a'))
      }
      await talker.ping()
      await t.refused(dripper, 0x8d)
    },
  )

  rule(
    'what a client is sent does not count for its Keep Alive',
    { 5: 'MQTT-3.1.2-22 S-14', 4: 'MQTT-3.1.2-24' },
    async (t) => {
      const [listener, publisher] = [await t.connect({ keepAlive: 1 }), await t.connect()]
      await t.subscribed(listener, t.topic('a'), { qos: 0 })
      const timer = setInterval(() => publisher.send({ type: 'publish', topic: t.topic('a') }), 200)
      const packets = await listener.ending(10).finally(() => clearInterval(timer))
      t.must(packets.length > 3, 'ended the connection at once')
    },
  )

  rule('a Keep Alive of 0 sets no limit', { 5: 'MQTT-3.1.2-22', 4: 'MQTT-3.1.2-24', 3: 'T31-10' }, async (t) => {
    const client = await t.connect({ keepAlive: 0 })
    const { serverKeepAlive = 0 } = client.connack?.properties ?? {}
    t.must(serverKeepAlive === 0 || serverKeepAlive > 2, 'sets a limit that cannot be lived with')
    await t.wait(2)
    await client.ping()
  })

  rule(
    'no packet above the Maximum Packet Size of the client is sent; it counts as sent',
    { 5: 'MQTT-3.1.2-24 MQTT-3.1.2-25 S-27' },
    async (t) => {
      const client = await t.connect({ properties: { maximumPacketSize: 100 } })
      const publisher = await t.connect()
      await t.subscribed(client, t.topic('a'))
      for (const qos of [0, 1, 2] as const) {
        await t.publish(publisher, t.topic('a'), Buffer.alloc(200, 'x'), { qos })
        await t.publish(publisher, t.topic('a'), `small ${qos}`, { qos })
        const message = await t.receive(client)
        t.equal(text(message), `small ${qos}`, 'the message that fits')
        if (qos > 0) t.promise(message.packetId === qos, `Packet Identifier ${message.packetId} instead of ${qos}`)
      }
      // Exactly as large as it takes.
      const overhead = 2 + 2 + t.topic('a').length + 1
      await t.publish(publisher, t.topic('a'), Buffer.alloc(101 - overhead, 'x'))
      await t.publish(publisher, t.topic('a'), Buffer.alloc(100 - overhead, 'y'))
      const { bytes, ...largest } = await client.expect('publish')
      t.equal([text(largest)[0], bytes.length], ['y', 100], 'the largest that fits')
    },
  )

  rule(
    'a large message for one does not keep it from others, nor a retained one the next',
    { 5: 'MQTT-3.1.2-25' },
    async (t) => {
      const publisher = await t.connect()
      await t.publish(publisher, t.topic('a/large'), Buffer.alloc(200, 'x'), { qos: 1, retain: true })
      await t.publish(publisher, t.topic('a/small'), 'small', { qos: 1, retain: true })
      const [small, large] = [await t.connect({ properties: { maximumPacketSize: 100 } }), await t.connect()]
      await t.subscribed(small, t.topic('a/#'))
      await t.subscribed(large, t.topic('a/#'))
      t.equal(payloads(await t.rest(small)), ['small'], 'what fits')
      t.equal((await t.messages(large)).length, 2, 'the number of messages for the other')
    },
  )

  rule(
    'a Maximum Packet Size binds every packet, and a Reason String only makes way for it',
    {
      5: 'MQTT-3.1.2-24 MQTT-3.2.2-19 MQTT-3.2.2-20 MQTT-3.4.2-2 MQTT-3.4.2-3 MQTT-3.5.2-2 MQTT-3.5.2-3 MQTT-3.6.2-2 MQTT-3.6.2-3 MQTT-3.7.2-2 MQTT-3.7.2-3 MQTT-3.9.2-1 MQTT-3.9.2-2 MQTT-3.11.2-1 MQTT-3.11.2-2 MQTT-3.14.2-3 MQTT-3.14.2-4',
    },
    async (t) => {
      const size = 40
      const fits = (packets: readonly { bytes: Uint8Array; type: string }[]): void => {
        for (const { bytes, type } of packets) t.must(bytes.length <= size, `sent ${type} of ${bytes.length} bytes`)
      }
      // Refused CONNECTs whose reason would be told.
      const wrong = properties(5, hex('27'), number(size, 4), 34, number(1, 2), 34, number(1, 2))
      const refused = await t.open()
      refused.sendBytes(packet(0x10, field('MQTT'), 5, 2, number(60, 2), wrong, field(t.id())))
      fits(await refused.ending())
      const client = await t.connect({ properties: { maximumPacketSize: size } })
      fits([client.connack!])
      fits([await t.subscribe(client, [t.topic('a'), t.topic('b'), t.topic('c')])])
      const acker = await t.connect({ properties: { maximumPacketSize: size } })
      const denied = t.broker.deniedTopics
      if (denied !== undefined) {
        acker.send({ type: 'publish', topic: `${denied}/a`, qos: 1, packetId: 1 })
        acker.send({ type: 'publish', topic: `${denied}/a`, qos: 2, packetId: 2 })
      }
      acker.send({ type: 'pubrel', packetId: 9 })
      acker.send({ type: 'pubrec', packetId: 10 })
      fits(await acker.ping())
      fits([await t.unsubscribe(acker, 'a', 'b')])
      acker.sendBytes(packet(0x30, field('a/#'), properties(5)))
      fits(await acker.ending())
    },
  )

  rule('Request Problem Information of 0 is respected', { 5: 'MQTT-3.1.2-29' }, async (t) => {
    const client = await t.connect({ properties: { requestProblemInformation: false } })
    const plain = (packets: readonly object[]): void => {
      for (const each of packets) {
        const { type, properties: of = {} } = each as { type: string; properties?: object }
        if (type === 'publish' || type === 'connack' || type === 'disconnect') continue
        t.must(!('reasonString' in of) && !('userProperty' in of), `sent ${type} with Reason String or User Property`)
      }
    }
    const { deniedTopics } = t.broker
    if (deniedTopics !== undefined) {
      client.send({ type: 'publish', topic: `${deniedTopics}/a`, qos: 1, packetId: 1 })
      client.send({ type: 'publish', topic: `${deniedTopics}/a`, qos: 2, packetId: 2 })
    }
    client.send({ type: 'publish', topic: t.topic('nobody'), qos: 1, packetId: 3 })
    client.send({ type: 'pubrel', packetId: 9 })
    client.send({ type: 'pubrec', packetId: 10 })
    plain(await client.ping())
    plain([await t.unsubscribe(client, 'never'), await t.subscribe(client, [t.topic('a'), t.topic('b')])])
  })

  rule('Response Information comes only when it is asked for', { 5: 'MQTT-3.1.2-28' }, async (t) => {
    for (const requestResponseInformation of [undefined, false]) {
      const options = requestResponseInformation === undefined ? {} : { requestResponseInformation }
      const client = await t.connect({ properties: options })
      t.equal(client.connack?.properties.responseInformation, undefined, 'Response Information')
    }
    const asking = await t.connect({ properties: { requestResponseInformation: true } })
    const told = asking.connack?.properties.responseInformation
    t.must(told !== '', 'sent an empty Response Information')
  })

  rule(
    'Client Identifiers of 1 to 23 letters and digits are taken',
    { 5: 'MQTT-3.1.3-5', 4: 'MQTT-3.1.3-5', 3: 'T31-2' },
    async (t) => {
      for (const clientId of ['x', alphabet.slice(0, 23), alphabet.slice(23, 46), alphabet.slice(39)]) {
        await (await t.connect({ clientId: clientId.slice(0, 23) })).leave()
      }
    },
  )

  rule('a longer Client Identifier is taken, or refused with code 2', { 3: 'T31-3' }, async (t) => {
    const client = await t.begin({ clientId: `${t.id()}-longer-than-23-characters` })
    const connack = await client.expect('connack')
    t.must(connack.reasonCode === 0 || connack.reasonCode === 2, `answered with ${connack.reasonCode}`)
    t.promise(connack.reasonCode === 0, 'refuses what other brokers take')
  })

  rule(
    'an empty Client Identifier is refused with code 2, or taken for a session that is not kept',
    { 3: 'T31-4' },
    async (t) => {
      const client = await t.open(3, '')
      client.sendBytes(hex('10 0e 0006 4d5149736470 03 00 003c 0000'))
      await t.refusedConnect(client, 0x85, 2)
    },
  )

  rule(
    'a client without Client Identifier gets one of its own',
    { 5: 'MQTT-3.1.3-6 MQTT-3.1.3-7 MQTT-3.2.2-16', 4: 'MQTT-3.1.3-6' },
    async (t) => {
      const clients = [await t.connect({ clientId: '' }), await t.connect({ clientId: '' })]
      if (t.version === 5) {
        const [one, two] = clients.map((client) => client.connack?.properties.assignedClientIdentifier)
        t.must(one !== undefined && one !== '', 'assigned no Client Identifier')
        t.must(one !== two, 'assigned the same Client Identifier twice')
      }
      // Neither has sent the other away.
      for (const client of clients) t.equal(await client.ping(), [], 'what came before PINGRESP')
    },
  )

  rule('an assigned Client Identifier is as good as one that was given', { 5: 'MQTT-3.1.3-7' }, async (t) => {
    const kept = { cleanStart: false, properties: { sessionExpiryInterval: 60 } }
    const first = await t.connect({ clientId: '', ...kept })
    const clientId = t.given(first.connack?.properties.assignedClientIdentifier, 'assigned no Client Identifier')
    await t.subscribed(first, t.topic('a'))
    await first.leave()
    const second = await t.connect({ ...kept, clientId })
    t.equal(second.connack?.sessionPresent, true, 'Session Present')
    t.equal(second.connack?.properties.assignedClientIdentifier, undefined, 'the Assigned Client Identifier')
    await second.leave(0, 0)
  })

  rule(
    'an empty Client Identifier without Clean Session is refused with code 2',
    { 4: 'MQTT-3.1.3-7 MQTT-3.1.3-8 MQTT-3.1.3-9 MQTT-3.2.2-4 MQTT-3.2.2-5' },
    async (t) => {
      const client = await t.open(4, '')
      client.sendBytes(hex('10 0c 0004 4d515454 04 00 003c 0000'))
      const packets = await client.ending()
      t.equal(
        packets.map(({ bytes }) => Buffer.from(bytes).toString('hex')),
        ['20020002'],
        'what was sent',
      )
    },
  )

  rule('a Client Identifier that is refused is told', { 5: 'MQTT-3.1.3-8', 4: 'MQTT-3.1.3-9' }, async (t) => {
    const client = await t.begin({ clientId: 'x'.repeat(60_000) })
    client.send({ type: 'pingreq' })
    const [first] = await client.before('an answer', ({ type }) => type === 'pingresp').catch(() => client.ending())
    t.requires(first?.type !== 'connack' || first.reasonCode !== 0, 'takes Client Identifiers of 60,000 bytes')
    const told = first?.type === 'connack' ? first.reasonCode : undefined
    t.must(told === 2 || t.version === 5, `refused with ${told}`)
    t.promise(told === 2 || told === 0x85, `refused with ${told}`)
    await client.ending()
  })

  rule(
    'a user who may not connect is refused',
    {
      5: 'MQTT-3.1.4-2 MQTT-3.2.2-6 MQTT-3.2.2-7 MQTT-3.2.2-8 MQTT-4.13.2-1',
      4: 'MQTT-3.2.2-4 MQTT-3.2.2-5 MQTT-3.1.4-5',
      3: 'T31-1',
    },
    async (t) => {
      const userName = t.required(t.broker.deniedUser, 'no user is known whom it refuses')
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('#'))
      const will = { topic: t.topic('will'), payload: bytesOf('gone') }
      const client = await t.begin({ userName, password: bytesOf('wrong'), will })
      client.send({ type: 'publish', topic: t.topic('a'), payload: bytesOf('too early') })
      await t.refusedConnect(client, 0x86, 4)
      await t.nothing(watcher)
    },
  )

  rule(
    'what follows a CONNECT that is refused is not looked at',
    { 5: 'MQTT-3.1.4-6 S-23', 4: 'MQTT-3.1.4-5' },
    async (t) => {
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('a'))
      const client = await t.open()
      const rest = packet(0x30, field(t.topic('a')), properties(t.version), Buffer.from('too early'))
      client.sendBytes(connect({ version: t.version, flags: 0x03 }), rest)
      await client.ending()
      await t.nothing(watcher)
    },
  )

  rule(
    'what follows a CONNECT at once is handled after it',
    { 5: 'MQTT-3.1.4-5 MQTT-3.2.0-1', 4: 'MQTT-3.1.4-4 MQTT-3.2.0-1', 3: 'T31-1' },
    async (t) => {
      const client = await t.open()
      const { clientId, version: protocolVersion } = client
      const subscriptions = [{ topicFilter: t.topic('a'), qos: 0 as const }]
      client.send(
        { type: 'connect', protocolVersion, clientId, keepAlive: 60 },
        { type: 'subscribe', packetId: 1, subscriptions },
        { type: 'publish', topic: t.topic('a'), payload: bytesOf('early') },
        { type: 'pingreq' },
      )
      const types = [
        (await client.expect('connack')).type,
        ...(await client.before('pingresp', ({ type }) => type === 'pingresp')).map(({ type }) => type),
      ]
      t.equal(types.toSorted(), ['connack', 'publish', 'suback'], 'the answers')
    },
  )

  rule(
    'a client that connects again ends its connection before, which is told',
    { 5: 'MQTT-3.1.4-3 MQTT-3.1.3-2', 4: 'MQTT-3.1.4-2 MQTT-3.1.3-2', 3: 'T31-16' },
    async (t) => {
      const clientId = t.id()
      const first = await t.connect({ clientId })
      const second = await t.connect({ clientId })
      const packets = await first.ending()
      const told = packets.map((each) => (each.type === 'disconnect' ? each.reasonCode : each.type))
      if (t.version < 5) t.equal(told, [], 'what the first was told')
      else t.promise(String(told) === '142', 'does not tell the first with 0x8e')
      await second.ping()
    },
  )

  rule(
    'a takeover keeps the session',
    { 5: 'MQTT-3.1.2-5 MQTT-3.1.4-3', 4: 'MQTT-3.1.2-4', 3: 'T31-16' },
    async (t) => {
      const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
      const first = await t.connect(options)
      await t.subscribed(first, t.topic('a'))
      const publisher = await t.connect()
      await t.publish(publisher, t.topic('a'), 'one', { qos: 1 })
      const { packetId } = await first.expect('publish')
      const second = await t.connect(options)
      t.equal(second.connack?.sessionPresent, t.version > 3, 'Session Present')
      const again = await t.receive(second)
      t.equal([text(again), again.packetId, again.dup], ['one', packetId, true], 'what had not been acknowledged')
      await second.leave(0, 0)
      await (await t.connect({ clientId: options.clientId })).leave()
    },
  )

  rule(
    'an empty Will Topic, and one with wildcards, is refused',
    { 5: 'MQTT-4.7.3-1 MQTT-4.7.0-1', 4: 'MQTT-4.7.3-1 MQTT-4.7.1-1' },
    async (t) => {
      for (const topic of ['', 'a/#', 'a/+/b']) {
        const payload = Buffer.concat([field('x'), properties(t.version), field(topic), field('payload')])
        const client = await t.open()
        client.sendBytes(connect({ version: t.version, flags: 0x06, payload }))
        await t.refusedConnect(client, 0x81)
      }
    },
  )

  // Properties of CONNECT that come twice, or with a value that they may not have.
  const number1 = number(1, 2)
  const wrongProperties: Readonly<Record<string, readonly [title: string, code: number, ...Part[][]]>> = {
    'PE-3.1.2.11.2-1': ['Session Expiry Interval twice', 0x82, [hex('1100000001'), hex('1100000001')]],
    'PE-3.1.2.11.3-1': ['Receive Maximum twice, or 0', 0x82, [33, number1, 33, number1], [hex('210000')]],
    'PE-3.1.2.11.4-1': [
      'Maximum Packet Size twice, or 0',
      0x82,
      [hex('2700010000'), hex('2700010000')],
      [hex('2700000000')],
    ],
    'PE-3.1.2.11.5-1': ['Topic Alias Maximum twice', 0x82, [34, number1, 34, number1]],
    'PE-3.1.2.11.6-1': ['Request Response Information twice, or 2', 0x82, [hex('19011901')], [hex('1902')]],
    'PE-3.1.2.11.7-1': ['Request Problem Information twice, or 2', 0x82, [hex('17011701')], [hex('1702')]],
    'PE-3.1.2.11.9-1': ['Authentication Method twice', 0x82, [21, field('x'), 21, field('x')]],
    'PE-3.1.2.11.10-1': ['Authentication Data without Method', 0x82, [22, field('x')]],
    'PE-3.1.2.11.10-2': ['Authentication Data twice', 0x82, [21, field('x'), 22, field('x'), 22, field('x')]],
  }
  for (const [id, [title, code, ...cases]] of Object.entries(wrongProperties)) {
    rule(`CONNECT with ${title} is refused`, { 5: id }, async (t) => {
      for (const parts of cases) {
        const content = parts.map((part) => (typeof part === 'number' ? number(part, 1) : part))
        await refuses(t, connect({ properties: Buffer.concat(content) }), code)
      }
    })
  }

  const willProperties: Readonly<Record<string, readonly [title: string, ...Part[]]>> = {
    'PE-3.1.3.2.2-1': ['Will Delay Interval', hex('1800000001')],
    'PE-3.1.3.2.3-1': ['Payload Format Indicator', hex('0101')],
    'PE-3.1.3.2.4-1': ['Message Expiry Interval', hex('0200000001')],
    'PE-3.1.3.2.5-1': ['Content Type', 3, field('x')],
    'PE-3.1.3.2.6-1': ['Response Topic', 8, field('x')],
    'PE-3.1.3.2.7-1': ['Correlation Data', 9, field('x')],
  }
  for (const [id, [title, ...parts]] of Object.entries(willProperties)) {
    rule(`a Will with ${title} twice is refused`, { 5: id }, async (t) => {
      const ofWill = properties(5, ...parts, ...parts)
      const payload = Buffer.concat([field('x'), ofWill, field(t.topic('will')), field('payload')])
      await refuses(t, connect({ flags: 0x06, payload }), 0x82)
    })
  }
})
