/** Sections 3.12 to 3.14: PINGREQ and DISCONNECT. */

import { field, hex, packet, properties } from '../bytes.js'
import { describe } from '../client.js'
import { bytesOf, section, text } from '../suite.js'

export default section('3.12 to 3.14 PINGREQ and DISCONNECT', (rule) => {
  rule('PINGREQ is answered', { 5: 'MQTT-3.12.4-1', 4: 'MQTT-3.12.4-1', 3: 'T31-20' }, async (t) => {
    const client = await t.connect()
    client.send({ type: 'pingreq' }, { type: 'pingreq' })
    for (let time = 0; time < 2; time++) t.equal([...(await client.expect('pingresp')).bytes], [0xd0, 0], 'PINGRESP')
  })

  rule('a PINGREQ with a body ends the connection', { 5: 'MQTT-4.13.1-1', 4: 'MQTT-4.8.0-1' }, async (t) => {
    const client = await t.connect()
    client.sendBytes(hex('c00100'))
    await t.refused(client, 0x81)
  })

  rule(
    'after DISCONNECT the connection is ended and nothing is looked at',
    {
      5: 'MQTT-3.14.4-1 MQTT-3.14.4-2',
      4: 'MQTT-3.14.4-1 MQTT-3.14.4-2',
      3: 'T31-17',
    },
    async (t) => {
      const [client, watcher] = [await t.connect(), await t.connect()]
      await t.subscribed(watcher, t.topic('a'))
      client.send({ type: 'disconnect' }, { type: 'publish', topic: t.topic('a'), payload: bytesOf('too late') })
      t.equal(await client.ending(), [], 'what was sent before the end')
      await t.nothing(watcher)
    },
  )

  rule('a DISCONNECT before CONNACK is not sent', { 5: 'MQTT-3.14.0-1', 4: 'MQTT-3.1.0-1' }, async (t) => {
    for (const bytes of [hex('e000'), hex('ff00'), packet(0x10, field('MQTT'), t.version, 3)]) {
      const client = await t.open()
      client.sendBytes(bytes)
      const packets = await client.ending()
      t.must(
        packets.every(({ type }) => type === 'connack'),
        'sent something other than CONNACK',
      )
    }
  })

  rule(
    'the Reason Codes of DISCONNECT are those of the standard',
    { 5: 'MQTT-3.14.2-1 MQTT-3.14.2-2 PE-3.14.2.2.3-1 PE-3.14.2.2.5-1' },
    async (t) => {
      // The decoder of this client refuses others, and properties that come twice; no Session Expiry Interval may come.
      for (const bytes of [
        packet(0x36, field('a'), hex('000100')),
        packet(0x30, field('a/#'), properties(5)),
        hex('30ffffffff01'),
      ]) {
        const client = await t.connect()
        client.sendBytes(bytes)
        for (const each of await client.ending()) {
          const isRight = each.type === 'disconnect' && each.properties.sessionExpiryInterval === undefined
          t.must(isRight && each.reasonCode >= 0x80, `sent ${describe(each)}`)
        }
      }
    },
  )

  rule(
    'a Reason Code that a client may not send ends the connection like another error',
    { 5: 'MQTT-4.13.1-1' },
    async (t) => {
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('will'))
      for (const code of [0x01, 0x05, 0x7f, 0xff]) {
        const client = await t.connect({ will: { topic: t.topic('will'), payload: bytesOf('gone') } })
        client.sendBytes(packet(0xe0, code))
        await t.refused(client, 0x82)
        t.equal(text(await t.receive(watcher)), 'gone', 'the Will')
      }
    },
  )

  rule('DISCONNECT may change the Session Expiry Interval', { 5: 'MQTT-3.1.2-23' }, async (t) => {
    const options = { clientId: t.id(), cleanStart: false, properties: { sessionExpiryInterval: 60 } }
    await (await t.connect(options)).leave(0, 0)
    const second = await t.connect(options)
    t.equal(second.connack?.sessionPresent, false, 'Session Present after it was given up')
    await second.leave(0, 120)
    const third = await t.connect(options)
    t.equal(third.connack?.sessionPresent, true, 'Session Present')
    await third.leave(0, 0)
  })

  rule('DISCONNECT may not begin to keep a session', { 5: 'PE-3.14.2.2.2-2' }, async (t) => {
    const clientId = t.id()
    const client = await t.connect({ clientId })
    client.send({ type: 'disconnect', properties: { sessionExpiryInterval: 60 } })
    await t.refused(client, 0x82)
    const second = await t.connect({ clientId, cleanStart: false })
    t.equal(second.connack?.sessionPresent, false, 'Session Present')
  })

  rule('a property that comes twice in DISCONNECT is an error', { 5: 'PE-3.14.2.2.2-1 PE-3.14.2.2.3-1' }, async (t) => {
    const watcher = await t.connect()
    await t.subscribed(watcher, t.topic('will'))
    const expiry = hex('1100000001')
    const reason = [31, field('x')] as const
    for (const wrong of [properties(5, expiry, expiry), properties(5, ...reason, ...reason)]) {
      const will = { topic: t.topic('will'), payload: bytesOf('gone') }
      const client = await t.connect({ will, properties: { sessionExpiryInterval: 60 } })
      client.sendBytes(packet(0xe0, 0, wrong))
      await t.refused(client, 0x82)
      // It was no goodbye.
      t.equal(text(await t.receive(watcher)), 'gone', 'the Will')
      await (await t.connect({ clientId: client.clientId })).leave()
    }
  })

  rule('a Server Reference that comes twice is an error', { 5: 'PE-3.14.2.2.5-1' }, async (t) => {
    const client = await t.connect()
    client.sendBytes(packet(0xe0, 0, properties(5, 28, field('x'), 28, field('x'))))
    await t.refused(client, 0x82)
  })

  rule('a DISCONNECT with a body is an error before MQTT 5.0', { 4: 'MQTT-3.14.1-1 MQTT-4.8.0-1' }, async (t) => {
    const client = await t.connect()
    client.sendBytes(hex('e00100'))
    await t.refused(client, 0x81)
  })

  rule('a server that ends a connection before MQTT 5.0 says nothing', { 4: 'MQTT-4.8.0-1', 3: 'T31-9' }, async (t) => {
    for (const bytes of [
      hex('f000'),
      packet(0x30, field('a/#')),
      packet(0x36, field('a'), hex('0001')),
      hex('30ffffffff01'),
    ]) {
      const client = await t.connect()
      client.sendBytes(bytes)
      t.equal(await client.ending(), [], 'what was sent before the end')
    }
  })
})
