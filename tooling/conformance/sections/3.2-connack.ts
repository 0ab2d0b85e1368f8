/** Section 3.2: CONNACK. */

import { connect, field, join, number, packet, properties, varint } from '../bytes.js'
import { bytesOf, section } from '../suite.js'

export default section('3.2 CONNACK', (rule) => {
  rule(
    'CONNACK comes first, once, and with reserved bits of 0',
    {
      5: 'MQTT-3.2.0-1 MQTT-3.2.0-2 MQTT-3.2.2-1 MQTT-3.1.4-5',
      4: 'MQTT-3.2.0-1 MQTT-3.1.4-4',
      3: 'T31-1',
    },
    async (t) => {
      // A client with retained messages, queued messages and a Will of its own, so that there is much to be sent.
      const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
      const first = await t.connect(options)
      await t.subscribed(first, t.topic('#'))
      await first.leave()
      const publisher = await t.connect()
      for (const qos of [1, 2] as const) await t.publish(publisher, t.topic('a'), 'x', { qos, retain: true })
      const second = await t.begin(options)
      const connack = await second.expect('connack')
      t.equal(connack.bytes[0], 0x20, 'the first byte')
      t.must(((connack.bytes[2] ?? 0xff) & 0xfe) === 0, 'the reserved bits are not 0')
      await t.receive(second)
      await t.receive(second)
      t.must(
        (await second.ping()).every(({ type }) => type !== 'connack'),
        'sent a second CONNACK',
      )
      await second.leave(0, 0)
      await (await t.connect({ clientId: options.clientId })).leave()
    },
  )

  rule(
    'CONNACK has no properties before MQTT 5.0, and MQTT 3.1 no Session Present',
    { 4: 'MQTT-3.2.2-3', 3: 'T31-18' },
    async (t) => {
      const options = { clientId: t.id(), cleanStart: false }
      const first = await t.connect(options)
      t.equal([...(first.connack?.bytes ?? [])], [0x20, 2, 0, 0], 'CONNACK')
      await first.leave()
      const second = await t.connect(options)
      t.equal([...(second.connack?.bytes ?? [])], [0x20, 2, t.version === 4 ? 1 : 0, 0], 'CONNACK of the session')
      await second.leave()
      await (await t.connect({ clientId: options.clientId })).leave()
    },
  )

  rule(
    'the properties of CONNACK are there once, and of values that they may have',
    {
      5: 'PE-3.2.2.3.2-1 PE-3.2.2.3.3-1 PE-3.2.2.3.4-1 PE-3.2.2.3.5-1 PE-3.2.2.3.6-1 PE-3.2.2.3.7-1 PE-3.2.2.3.8-1 PE-3.2.2.3.9-1 PE-3.2.2.3.11-1 PE-3.2.2.3.12-1 PE-3.2.2.3.13-1 PE-3.2.2.3.14-1 PE-3.2.2.3.15-1 PE-3.2.2.3.16-1 PE-3.2.2.3.17-1 PE-3.2.2.3.18-1',
    },
    async (t) => {
      // The decoder of this client refuses a property that comes twice or that has a value it may not have.
      const accepted = [
        await t.connect({ clientId: '', keepAlive: 0, properties: { sessionExpiryInterval: 0xffff_ffff } }),
        await t.connect({ keepAlive: 0xffff, properties: { requestResponseInformation: true } }),
        await t.connect({ properties: { receiveMaximum: 1, topicAliasMaximum: 1, maximumPacketSize: 1_000 } }),
      ]
      await accepted[0]?.leave(0, 0)
      const refused = await t.begin({
        properties: { authenticationMethod: 'nobody knows', authenticationData: bytesOf('x') },
      })
      await refused.ending()
    },
  )

  rule(
    'a broker says when it has no QoS 1 or 2, and grants subscriptions all the same',
    { 5: 'MQTT-3.2.2-9 MQTT-3.2.2-10 MQTT-3.2.2-11 MQTT-3.2.2-12 PE-3.2.2.3.4-2' },
    async (t) => {
      const client = await t.connect()
      const { maximumQoS } = client.connack?.properties ?? {}
      const suback = await t.subscribe(client, t.topic('a'), { qos: 2 })
      t.must(
        suback.reasonCodes.every((code) => code <= 2),
        'refuses a subscription of QoS 2',
      )
      if (maximumQoS === undefined) {
        await t.publish(client, t.topic('b'), 'x', { qos: 1 })
        await t.publish(client, t.topic('b'), 'x', { qos: 2 })
        t.requires(false, 'supports QoS 1 and 2')
      }
      const will = await t.begin({ will: { topic: t.topic('will'), qos: 2 } })
      await t.refusedConnect(will, 0x9b)
      client.send({ type: 'publish', topic: t.topic('a'), qos: 2, packetId: 1 })
      await t.refused(client, 0x9b)
    },
  )

  rule('a broker says when it retains nothing', { 5: 'MQTT-3.2.2-13 MQTT-3.2.2-14 PE-3.2.2.3.5-2' }, async (t) => {
    const client = await t.connect()
    t.requires(client.connack?.properties.retainAvailable === false, 'supports retained messages')
    const will = await t.begin({ will: { topic: t.topic('will'), retain: true } })
    await t.refusedConnect(will, 0x9a)
    client.send({ type: 'publish', topic: t.topic('a'), retain: true })
    await t.refused(client, 0x9a)
  })

  rule(
    'a broker says when it has no wildcard subscriptions',
    { 5: 'PE-3.2.2.3.11-2', 4: 'MQTT-3.8.3-2' },
    async (t) => {
      const client = await t.connect()
      const { wildcardSubscriptionAvailable: available = true } = client.connack?.properties ?? {}
      const suback = await t.subscribe(client, t.topic('#'))
      const granted = suback.reasonCodes.every((code) => code < 0x80)
      if (t.version === 5) t.equal(granted, available, 'whether it grants what it announces')
      t.requires(!granted, 'supports wildcard subscriptions')
    },
  )

  rule('a broker says when it has no Subscription Identifiers', { 5: 'PE-3.2.2.3.12-2' }, async (t) => {
    const client = await t.connect()
    const { subscriptionIdentifierAvailable: available = true } = client.connack?.properties ?? {}
    t.requires(!available, 'supports Subscription Identifiers')
    const subscriptions = [{ topicFilter: t.topic('a'), qos: 0 as const }]
    client.send({ type: 'subscribe', packetId: 1, subscriptions, properties: { subscriptionIdentifier: 1 } })
    await t.refused(client, 0xa1)
  })

  rule('a broker says when it has no shared subscriptions', { 5: 'PE-3.2.2.3.13-2' }, async (t) => {
    const client = await t.connect()
    const { sharedSubscriptionAvailable: available = true } = client.connack?.properties ?? {}
    t.requires(!available, 'supports shared subscriptions')
    const suback = await t.subscribe(client, `$share/g/${t.topic('a')}`)
    t.equal(suback.reasonCodes, [0x9e], 'the Reason Codes of SUBACK')
  })

  rule(
    'a packet above the Maximum Packet Size ends the connection',
    { 5: 'MQTT-3.2.2-15 PE-3.2.2.3.6-2' },
    async (t) => {
      const client = await t.connect()
      const most = client.connack?.properties.maximumPacketSize ?? 0x1000_0000
      t.requires(most < 0x1000_0000, 'sets no Maximum Packet Size')
      // The length is enough: the bytes need not come.
      client.sendBytes(join(0x30, varint(most)))
      await t.refused(client, 0x95)
    },
  )

  rule('a packet of exactly the Maximum Packet Size is taken', { 5: 'PE-3.2.2.3.6-2' }, async (t) => {
    const client = await t.connect()
    const most = client.connack?.properties.maximumPacketSize ?? 0x1000_0000
    t.requires(most < 3_000_000, 'sets no Maximum Packet Size that could be tried')
    const empty = packet(0x32, field(t.topic('a')), number(1, 2), properties(5)).length
    const lengthBytes = most > 2_097_156 ? 4 : most > 16_386 ? 3 : 2
    await t.publish(client, t.topic('a'), Buffer.alloc(most - empty + 1 - lengthBytes), { qos: 1, packetId: 1 })
  })

  rule(
    'an Authentication Method that is not known is refused',
    { 5: 'MQTT-4.12.0-1 MQTT-3.2.2-6 MQTT-3.2.2-7 MQTT-4.13.2-1' },
    async (t) => {
      const client = await t.begin({ properties: { authenticationMethod: 'nobody knows' } })
      await t.refusedConnect(client, 0x8c)
    },
  )

  rule('the session is kept no longer than CONNACK says', { 5: 'MQTT-3.1.2-23 MQTT-4.1.0-2' }, async (t) => {
    const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 1 } }
    const first = await t.connect(options)
    const { sessionExpiryInterval = 1 } = first.connack?.properties ?? {}
    t.requires(sessionExpiryInterval === 1, 'sets another Session Expiry Interval')
    await t.subscribed(first, t.topic('a'))
    // It counts from the end of the connection, not from its beginning.
    await t.wait(1.2)
    await first.leave()
    const second = await t.connect(options)
    t.equal(second.connack?.sessionPresent, true, 'Session Present before it has expired')
    second.cut()
    await t.wait(2.6)
    const third = await t.connect({ ...options, properties: {} })
    t.equal(third.connack?.sessionPresent, false, 'Session Present after it has expired')
    const publisher = await t.connect()
    await t.publish(publisher, t.topic('a'), 'x', { qos: 1 })
    await t.nothing(third, publisher)
  })

  rule('a Session Expiry Interval of 4,294,967,295 never ends, or is replaced', { 5: 'MQTT-3.1.2-23' }, async (t) => {
    const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 0xffff_ffff } }
    const first = await t.connect(options)
    await first.leave()
    await t.wait(0.5)
    const second = await t.connect(options)
    t.equal(second.connack?.sessionPresent, true, 'Session Present')
    await second.leave(0, 0)
    const third = await t.connect({ ...options, properties: {} })
    t.equal(third.connack?.sessionPresent, false, 'Session Present after it was given up')
  })

  rule('a Server Keep Alive is held instead of the client’s', { 5: 'MQTT-3.2.2-21 MQTT-3.1.2-21' }, async (t) => {
    const client = await t.connect({ keepAlive: 0xffff })
    const { serverKeepAlive } = client.connack?.properties ?? {}
    t.requires(
      serverKeepAlive !== undefined && serverKeepAlive <= 3,
      'sets no Server Keep Alive that could be waited for',
    )
    await t.refused(client, 0x8d)
  })

  rule(
    'Reason Codes and Return Codes of CONNACK are those of the standard',
    { 5: 'MQTT-3.2.2-8', 4: 'MQTT-3.2.2-6' },
    async (t) => {
      // The decoder of this client refuses others. CONNECTs of which most are wrong, each in its own way:
      const { version } = t
      const cases = [{}, { flags: 0 }, { flags: 0, payload: field('') }, { flags: 1 }, { flags: 0xff }, { first: 0x11 }]
      for (const given of cases) {
        const client = await t.open()
        client.sendBytes(connect({ version, ...given }))
        client.send({ type: 'disconnect' })
        await client.ending()
      }
    },
  )
})
