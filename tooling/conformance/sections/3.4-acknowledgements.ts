/** Sections 3.4 to 3.7: PUBACK, PUBREC, PUBREL and PUBCOMP. */

import { field, number, packet, properties } from '../bytes.js'
import type { Client } from '../client.js'
import { section, type Trial } from '../suite.js'

/** A client to which a message is under way, and its Packet Identifier. */
async function withMessage(t: Trial, qos: 1 | 2): Promise<[client: Client, packetId: number]> {
  const client = await t.connect()
  await t.subscribed(client, t.topic('a'))
  await t.publish(client, t.topic('a'), 'x', { qos })
  const { packetId = 0 } = await client.expect('publish')
  return [client, packetId]
}

const twice = properties(5, 31, field('reason'), 31, field('reason'))

export default section('3.4 to 3.7 Acknowledgements', (rule) => {
  rule('a Reason String that comes twice in PUBACK ends the connection', { 5: 'PE-3.4.2.2.2-1' }, async (t) => {
    const [client, packetId] = await withMessage(t, 1)
    client.sendBytes(packet(0x40, number(packetId, 2), 0, twice))
    await t.refused(client, 0x82)
  })

  rule('a Reason String that comes twice in PUBREC ends the connection', { 5: 'PE-3.5.2.2.2-1' }, async (t) => {
    const [client, packetId] = await withMessage(t, 2)
    client.sendBytes(packet(0x50, number(packetId, 2), 0, twice))
    await t.refused(client, 0x82)
  })

  rule('a Reason String that comes twice in PUBREL ends the connection', { 5: 'PE-3.6.2.2.2-1' }, async (t) => {
    const client = await t.connect()
    client.send({ type: 'publish', topic: t.topic('a'), qos: 2, packetId: 1 })
    await client.expect('pubrec')
    client.sendBytes(packet(0x62, number(1, 2), 0, twice))
    await t.refused(client, 0x82)
  })

  rule('a Reason String that comes twice in PUBCOMP ends the connection', { 5: 'PE-3.7.2.2.2-1' }, async (t) => {
    const [client, packetId] = await withMessage(t, 2)
    client.send({ type: 'pubrec', packetId })
    await client.expect('pubrel')
    client.sendBytes(packet(0x70, number(packetId, 2), 0, twice))
    await t.refused(client, 0x82)
  })

  rule('a Reason Code that an acknowledgement may not have ends the connection', { 5: 'MQTT-4.13.1-1' }, async (t) => {
    for (const type of [4, 5, 6, 7]) {
      const [client, packetId] = await withMessage(t, type === 4 ? 1 : 2)
      client.sendBytes(packet((type << 4) | (type === 6 ? 2 : 0), number(packetId, 2), 0x8e, 0))
      await t.refused(client, 0x82)
    }
  })

  rule('acknowledgements may leave out Reason Code and properties', { 5: 'MQTT-2.2.1-5' }, async (t) => {
    for (const end of [[], [0], [0, 0]]) {
      const [client, packetId] = await withMessage(t, 2)
      client.sendBytes(packet(0x50, number(packetId, 2), ...end))
      await client.expect('pubrel')
      client.sendBytes(packet(0x70, number(packetId, 2), ...end))
      t.equal(await client.ping(), [], 'what comes before PINGRESP')
    }
  })

  rule(
    'a PUBREL that nobody waits for is answered, and says so',
    { 5: 'MQTT-3.7.2-1 MQTT-4.3.3-11 S-22', 4: 'MQTT-4.3.3-2', 3: 'T31-19' },
    async (t) => {
      const client = await t.connect()
      client.send({ type: 'pubrel', packetId: 999 })
      const { packetId, reasonCode } = await client.expect('pubcomp')
      t.equal(packetId, 999, 'the Packet Identifier of PUBCOMP')
      if (t.version === 5) t.promise(reasonCode === 0x92, `the Reason Code is ${reasonCode}`)
    },
  )

  rule('a PUBREC that nobody waits for is told so', { 5: 'MQTT-3.6.2-1 S-22', 4: 'MQTT-4.3.3-1' }, async (t) => {
    const client = await t.connect()
    client.send({ type: 'pubrec', packetId: 999 })
    client.send({ type: 'pingreq' })
    const packets = await client.before('pingresp', ({ type }) => type === 'pingresp').catch(() => client.ending())
    t.must(
      packets.every(({ type }) => type === 'pubrel' || type === 'disconnect'),
      'sent other packets',
    )
    const [first] = packets
    if (t.version === 5) t.promise(first?.type === 'pubrel' && first.reasonCode === 0x92, 'does not answer with 0x92')
  })

  rule(
    'a PUBACK or PUBCOMP that nobody waits for harms nobody',
    { 5: 'MQTT-4.3.2-3 MQTT-4.3.3-5', 4: 'MQTT-4.3.2-1' },
    async (t) => {
      for (const type of ['puback', 'pubcomp'] as const) {
        const client = await t.connect()
        client.send({ type, packetId: 999 }, { type: 'pingreq' })
        const packets = await client.before('pingresp', (each) => each.type === 'pingresp').catch(() => client.ending())
        t.must(
          packets.every((each) => each.type === 'disconnect'),
          'sent other packets',
        )
      }
    },
  )

  rule(
    'an acknowledgement of another step ends the connection',
    { 5: 'MQTT-4.3.3-4 MQTT-4.13.1-1 S-22', 4: 'MQTT-4.8.0-1' },
    async (t) => {
      for (const type of ['puback', 'pubcomp'] as const) {
        const [client, packetId] = await withMessage(t, 2)
        client.send({ type, packetId })
        await t.mayRefuse(client, 0x82)
      }
      const [client, packetId] = await withMessage(t, 1)
      client.send({ type: 'pubrec', packetId })
      await t.mayRefuse(client, 0x82)
    },
  )
})
