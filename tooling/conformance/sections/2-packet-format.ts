/** Section 2: the format of packets, their flags, Packet Identifiers and properties. */

import { connect, field, hex, number, packet, properties } from '../bytes.js'
import { section, type Trial } from '../suite.js'

/** A packet of each type that a client sends, without its first byte. */
function bodies(t: Trial): Readonly<Record<number, Uint8Array>> {
  const id = number(7, 2)
  const none = properties(t.version)
  const filter = field(t.topic('flags'))
  return {
    4: id,
    5: id,
    6: id,
    7: id,
    8: Buffer.concat([id, none, filter, number(0, 1)]),
    10: Buffer.concat([id, none, filter]),
    12: Buffer.alloc(0),
    14: Buffer.alloc(0),
  }
}

const names: Readonly<Record<number, string>> = {
  4: 'PUBACK',
  5: 'PUBREC',
  6: 'PUBREL',
  7: 'PUBCOMP',
  8: 'SUBSCRIBE',
  10: 'UNSUBSCRIBE',
  12: 'PINGREQ',
  14: 'DISCONNECT',
}

const statements: Readonly<Record<number, readonly [of5: string, of4: string]>> = {
  6: [' MQTT-3.6.1-1', ' MQTT-3.6.1-1'],
  8: [' MQTT-3.8.1-1', ' MQTT-3.8.1-1'],
  10: [' MQTT-3.10.1-1', ' MQTT-3.10.1-1'],
  14: [' MQTT-3.14.1-1', ' MQTT-3.14.1-1'],
}

export default section('2 Packet format', (rule) => {
  for (const [key, name] of Object.entries(names)) {
    const type = Number(key)
    const flags = type === 6 || type === 8 || type === 10 ? 2 : 0
    const [of5, of4] = statements[type] ?? ['', '']
    rule(
      `${name} with other flags than its own ends the connection`,
      { 5: `MQTT-2.1.3-1 PE-2.1.3-1${of5}`, 4: `MQTT-2.2.2-1 MQTT-2.2.2-2${of4}` },
      async (t) => {
        for (let wrong = 0; wrong < 16; wrong++) {
          if (wrong === flags) continue
          const client = await t.connect()
          client.sendBytes(packet((type << 4) | wrong, bodies(t)[type]!))
          await t.refused(client, 0x81)
        }
      },
    )
  }

  rule('CONNECT with flags ends the connection', { 5: 'MQTT-2.1.3-1 PE-2.1.3-1', 4: 'MQTT-2.2.2-2' }, async (t) => {
    for (let wrong = 1; wrong < 16; wrong++) {
      const client = await t.open()
      client.sendBytes(connect({ version: t.version, first: 0x10 | wrong }))
      await t.refusedConnect(client, 0x81)
    }
  })

  rule('flags of acknowledgements are not looked at', { 3: 'T31-6' }, async (t) => {
    const client = await t.connect()
    await t.subscribed(client, t.topic('a'), { qos: 1 })
    await t.publish(client, t.topic('a'), 'one', { qos: 1 })
    const { packetId = 0 } = await client.expect('publish')
    client.sendBytes(packet(0x4f, number(packetId, 2)))
    await client.ping()
    client.sendBytes(hex('cf 00'))
    await client.expect('pingresp')
  })

  rule('SUBSCRIBE, UNSUBSCRIBE and PUBREL may have DUP', { 3: 'T31-7' }, async (t) => {
    const client = await t.connect()
    client.sendBytes(packet(0x8a, number(3, 2), field(t.topic('a')), 1))
    t.equal((await client.take('suback')).packetId, 3, 'the Packet Identifier of SUBACK')
    client.send({ type: 'publish', topic: t.topic('b'), qos: 2, packetId: 4 })
    await client.expect('pubrec')
    client.sendBytes(packet(0x6a, number(4, 2)))
    t.equal((await client.take('pubcomp')).packetId, 4, 'the Packet Identifier of PUBCOMP')
    client.sendBytes(packet(0xaa, number(5, 2), field(t.topic('a'))))
    t.equal((await client.take('unsuback')).packetId, 5, 'the Packet Identifier of UNSUBACK')
  })

  rule(
    'the packet types 0 and, before MQTT 5.0, 15 end the connection',
    { 5: 'MQTT-2.1.3-1 MQTT-4.13.1-1', 4: 'MQTT-4.8.0-1' },
    async (t) => {
      const client = await t.connect()
      client.sendBytes(hex('00 00'))
      await t.refused(client, 0x81)
      if (t.version === 5) return
      const other = await t.connect()
      other.sendBytes(hex('f0 00'))
      await t.refused(other, 0x81)
    },
  )

  rule(
    'packets that only a server sends end the connection',
    { 5: 'MQTT-4.13.1-1 S-22', 4: 'MQTT-4.8.0-1' },
    async (t) => {
      const none = properties(t.version)
      const packets = [
        packet(0x20, 0, 0, none),
        packet(0x90, number(1, 2), none, 0),
        packet(0xb0, number(1, 2), ...(t.version === 5 ? [none, 0] : [])),
        packet(0xd0),
      ]
      for (const bytes of packets) {
        const client = await t.connect()
        client.sendBytes(bytes)
        await t.refused(client, 0x82)
      }
    },
  )

  rule(
    'Packet Identifier 0 ends the connection',
    { 5: 'MQTT-2.2.1-3 MQTT-4.13.1-1 S-22', 4: 'MQTT-2.3.1-1' },
    async (t) => {
      const none = properties(t.version)
      const filter = field(t.topic('zero'))
      const zero = number(0, 2)
      const packets = [
        packet(0x32, filter, zero, none),
        packet(0x34, filter, zero, none),
        packet(0x82, zero, none, filter, 0),
        packet(0xa2, zero, none, filter),
      ]
      for (const bytes of packets) {
        const client = await t.connect()
        client.sendBytes(bytes)
        await t.refused(client, 0x82)
      }
    },
  )

  rule(
    'a PUBLISH of QoS 0 has no Packet Identifier, from the client and to it',
    { 5: 'MQTT-2.2.1-2', 4: 'MQTT-2.3.1-5', 3: 'T31-19' },
    async (t) => {
      const client = await t.connect()
      await t.subscribed(client, t.topic('a'))
      // If it had one, these two bytes would not be of the payload.
      client.sendBytes(packet(0x30, field(t.topic('a')), properties(t.version), hex('0007')))
      const message = await client.expect('publish')
      t.equal([message.qos, message.packetId], [0, undefined], 'QoS and Packet Identifier')
      t.equal(Buffer.from(message.payload).toString('hex'), '0007', 'the payload')
    },
  )

  rule(
    'Packet Identifiers to a client are not 0 and of no message that is under way',
    {
      5: 'MQTT-2.2.1-4 MQTT-4.3.2-1 MQTT-4.3.3-1',
      4: 'MQTT-2.3.1-1 MQTT-2.3.1-4 MQTT-4.3.2-1 MQTT-4.3.3-1',
      3: 'T31-19',
    },
    async (t) => {
      const [client, publisher] = [await t.connect(), await t.connect()]
      await t.subscribed(client, t.topic('a'))
      const underWay: number[] = []
      for (const qos of [1, 2, 1, 2, 1, 2] as const) {
        await t.publish(publisher, t.topic('a'), 'x', { qos })
        const message = await client.expect('publish')
        t.equal(message.qos, qos, 'the QoS')
        t.must((message.packetId ?? 0) > 0, 'sent Packet Identifier 0')
        t.must(!underWay.includes(message.packetId ?? 0), 'sent a Packet Identifier that is in use')
        underWay.push(message.packetId ?? 0)
      }
      t.promise(String(underWay) === '1,2,3,4,5,6', `the Packet Identifiers are ${underWay}, not ascending from 1`)
      // One that has been acknowledged is free again, the others are not.
      client.send({ type: 'puback', packetId: underWay[0]! })
      underWay.shift()
      await t.publish(publisher, t.topic('a'), 'x', { qos: 1 })
      const { packetId = 0 } = await client.expect('publish')
      t.must(packetId > 0 && !underWay.includes(packetId), 'sent a Packet Identifier that is in use')
    },
  )

  rule(
    'acknowledgements have the Packet Identifier of what they acknowledge',
    { 5: 'MQTT-2.2.1-5 MQTT-2.2.1-6', 4: 'MQTT-2.3.1-6 MQTT-2.3.1-7 MQTT-3.8.4-2 MQTT-3.10.4-4', 3: 'T31-19' },
    async (t) => {
      const client = await t.connect()
      for (const packetId of [1, 255, 256, 65_535]) {
        await t.publish(client, t.topic('a'), 'x', { qos: 1, packetId })
        await t.publish(client, t.topic('a'), 'x', { qos: 2, packetId })
        client.send({ type: 'subscribe', packetId, subscriptions: [{ topicFilter: t.topic('b'), qos: 0 }] })
        t.equal((await client.expect('suback')).packetId, packetId, 'the Packet Identifier of SUBACK')
        client.send({ type: 'unsubscribe', packetId, topicFilters: [t.topic('b')] })
        t.equal((await client.expect('unsuback')).packetId, packetId, 'the Packet Identifier of UNSUBACK')
      }
    },
  )

  rule(
    'the same Packet Identifier may be under way in both directions',
    { 5: 'MQTT-2.2.1-4 MQTT-2.2.1-5', 4: 'MQTT-2.3.1-4' },
    async (t) => {
      const client = await t.connect()
      await t.subscribed(client, t.topic('a'))
      await t.publish(client, t.topic('a'), 'one', { qos: 1 })
      const { packetId = 0 } = await client.expect('publish')
      await t.publish(client, t.topic('b'), 'two', { qos: 2, packetId })
      client.send({ type: 'puback', packetId })
      await t.publish(client, t.topic('a'), 'three', { qos: 2, packetId })
      await t.receive(client)
    },
  )

  rule('a packet without properties has a Property Length of 0', { 5: 'MQTT-2.2.2-1' }, async (t) => {
    // The decoder of this client asks for a Property Length in every packet of the broker that must have one.
    const client = await t.connect()
    await t.subscribed(client, t.topic('a'))
    await t.publish(client, t.topic('a'), 'payload')
    const { bytes, topic } = await client.expect('publish')
    t.equal(bytes[4 + topic.length], 0, 'the Property Length of PUBLISH')
    await t.unsubscribe(client, t.topic('a'))
    // One that is missing is malformed.
    client.sendBytes(packet(0x82, number(7, 2)))
    await t.refused(client, 0x81)
  })

  rule('acknowledgements take their shortest form', { 5: 'MQTT-3.4.2-1' }, async (t) => {
    const client = await t.connect()
    await t.subscribed(client, t.topic('a'))
    client.send({ type: 'publish', topic: t.topic('a'), qos: 1, packetId: 1 })
    const puback = await client.take('puback')
    t.equal(puback.reasonCode, 0, 'the Reason Code')
    t.promise(puback.bytes.length === 4, `PUBACK has ${puback.bytes.length} bytes instead of 4`)
    client.send({ type: 'publish', topic: t.topic('a'), qos: 2, packetId: 1 })
    const pubrec = await client.take('pubrec')
    t.promise(pubrec.bytes.length === 4, `PUBREC has ${pubrec.bytes.length} bytes instead of 4`)
    client.send({ type: 'pubrel', packetId: 1 })
    const pubcomp = await client.take('pubcomp')
    t.promise(pubcomp.bytes.length === 4, `PUBCOMP has ${pubcomp.bytes.length} bytes instead of 4`)
  })

  rule('a property of another packet, or of none, is malformed', { 5: 'PE-2.2.2.2-1 S-26' }, async (t) => {
    const wrong: Readonly<Record<string, Uint8Array>> = {
      'CONNECT with a Topic Alias': connect({ properties: hex('23 0001') }),
      'CONNECT with the property 0': connect({ properties: hex('00 00') }),
      'CONNECT with the property 127': connect({ properties: hex('7f 00') }),
      'CONNECT with a Property Length past its end': packet(0x10, field('MQTT'), 5, 2, hex('003c ff01')),
    }
    for (const [name, bytes] of Object.entries(wrong)) {
      const client = await t.open()
      client.sendBytes(bytes)
      await t.refusedConnect(client, 0x81).catch((error: Error) => t.must(false, `${name}: ${error.message}`))
    }
    const topic = field(t.topic('a'))
    const id = number(7, 2)
    const later: Readonly<Record<string, Uint8Array>> = {
      'PUBLISH with a Receive Maximum': packet(0x30, topic, properties(5, hex('21 0001'))),
      'PUBLISH with a Will Delay Interval': packet(0x30, topic, properties(5, hex('18 00000001'))),
      'PUBLISH with a Reason String': packet(0x30, topic, properties(5, 31, field('x'))),
      'PUBLISH with a property that is cut off': packet(0x30, topic, properties(5, hex('02 0000'))),
      'PUBLISH with a Property Length past its end': packet(0x30, topic, hex('09 02 00000001')),
      'SUBSCRIBE with a Content Type': packet(0x82, id, properties(5, 3, field('x')), topic, 0),
      'UNSUBSCRIBE with a Subscription Identifier': packet(0xa2, id, properties(5, 11, 1), topic),
      'PUBREL with a Topic Alias': packet(0x62, id, 0, properties(5, hex('23 0001'))),
      'DISCONNECT with a Server Keep Alive': packet(0xe0, 0, properties(5, hex('13 0001'))),
    }
    for (const [name, bytes] of Object.entries(later)) {
      const client = await t.connect()
      client.sendBytes(bytes)
      await t.refused(client, 0x81).catch((error: Error) => t.must(false, `${name}: ${error.message}`))
    }
  })
})
