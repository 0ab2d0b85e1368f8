/** Sections 3.15 and 4.12: AUTH and enhanced authentication. */

import type { Mechanism } from '../broker-under-test.js'
import { field, hex, packet, properties } from '../bytes.js'
import type { Client } from '../client.js'
import { type ConnectOptions, section, type Trial } from '../suite.js'

const continued = 0x18
const again = 0x19

function mechanismOf(t: Trial): Mechanism {
  return t.required(t.broker.mechanism, 'has no method of enhanced authentication that the tests know')
}

/** A connection that has sent CONNECT with the method and has got the challenge. */
async function challenged(t: Trial, mechanism: Mechanism, options: ConnectOptions = {}): Promise<Client> {
  const { name: authenticationMethod, first: authenticationData } = mechanism
  const client = await t.begin({
    ...options,
    properties: { ...options.properties, authenticationMethod, authenticationData },
  })
  const { reasonCode, properties: told } = await client.expect('auth')
  t.equal([reasonCode, told.authenticationMethod], [continued, authenticationMethod], 'Reason Code and method of AUTH')
  return client
}

function answer(
  client: Client,
  { name: authenticationMethod, right, wrong }: Mechanism,
  isRight = true,
  reasonCode = continued,
): void {
  client.send({
    type: 'auth',
    reasonCode,
    properties: { authenticationMethod, authenticationData: isRight ? right : wrong },
  })
}

/** A connection that has been authenticated. */
async function authenticated(t: Trial, mechanism: Mechanism): Promise<Client> {
  const client = await challenged(t, mechanism)
  answer(client, mechanism)
  const connack = await client.expect('connack')
  t.equal(
    [connack.reasonCode, connack.properties.authenticationMethod],
    [0, mechanism.name],
    'Reason Code and method of CONNACK',
  )
  client.connack = connack
  return client
}

export default section('3.15 and 4.12 Enhanced authentication', (rule) => {
  rule('without an Authentication Method there is none in CONNACK, and no AUTH', { 5: 'MQTT-4.12.0-6' }, async (t) => {
    const client = await t.connect()
    t.equal(client.connack?.properties.authenticationMethod, undefined, 'the Authentication Method of CONNACK')
    t.equal(await client.ping(), [], 'what comes before PINGRESP')
  })

  rule(
    'AUTH without an Authentication Method in CONNECT ends the connection',
    { 5: 'PE-3.15-1 MQTT-4.12.0-7' },
    async (t) => {
      for (const reasonCode of [continued, again]) {
        const client = await t.connect()
        client.send({ type: 'auth', reasonCode, properties: { authenticationMethod: 'x' } })
        await t.refused(client, 0x82)
      }
    },
  )

  rule('flags of AUTH end the connection', { 5: 'MQTT-3.15.1-1' }, async (t) => {
    for (let flags = 1; flags < 16; flags++) {
      const client = await t.connect()
      client.sendBytes(packet(0xf0 | flags, again, properties(5, 21, field('x'))))
      await t.refused(client, 0x81)
    }
  })

  rule('a Reason Code that AUTH may not have ends the connection', { 5: 'MQTT-3.15.2-1' }, async (t) => {
    const client = await t.connect()
    client.sendBytes(packet(0xf0, 0x87, properties(5, 21, field('x'))))
    await t.refused(client, 0x82)
  })

  rule('AUTH without Authentication Method, or with two, ends the connection', { 5: 'PE-3.15.2.2.2-1' }, async (t) => {
    for (const wrong of [properties(5), properties(5, 22, field('x')), properties(5, 21, field('x'), 21, field('x'))]) {
      const client = await t.connect()
      client.sendBytes(packet(0xf0, again, wrong))
      await t.refused(client, 0x82)
    }
  })

  rule(
    'Authentication Data and Reason String may not come twice in AUTH',
    { 5: 'PE-3.15.2.2.3-1 PE-3.15.2.2.4-1' },
    async (t) => {
      for (const id of [22, 31]) {
        const client = await t.connect()
        client.sendBytes(packet(0xf0, again, properties(5, 21, field('x'), id, field('y'), id, field('y'))))
        await t.refused(client, 0x82)
      }
    },
  )

  rule(
    'an exchange of AUTH leads to CONNACK with the method',
    { 5: 'MQTT-4.12.0-2 MQTT-4.12.0-3 MQTT-4.12.0-5 MQTT-3.15.2-1 MQTT-3.2.0-1' },
    async (t) => {
      const client = await authenticated(t, mechanismOf(t))
      await t.subscribed(client, t.topic('a'))
    },
  )

  rule('AUTH is no larger than the client takes', { 5: 'MQTT-3.15.2-2 MQTT-3.15.2-3' }, async (t) => {
    const mechanism = mechanismOf(t)
    const client = await challenged(t, mechanism, { properties: { maximumPacketSize: 100 } })
    answer(client, mechanism, false)
    for (const { bytes } of await client.ending()) t.must(bytes.length <= 100, `sent ${bytes.length} bytes`)
  })

  rule('an exchange that fails ends the connection', { 5: 'MQTT-4.12.0-4' }, async (t) => {
    const mechanism = mechanismOf(t)
    const client = await challenged(t, mechanism)
    answer(client, mechanism, false)
    await t.refusedConnect(client, 0x87)
  })

  rule(
    'during the exchange only AUTH and DISCONNECT are looked at',
    { 5: 'MQTT-3.1.2-30 MQTT-3.14.0-1' },
    async (t) => {
      const mechanism = mechanismOf(t)
      const watcher = await t.connect()
      await t.subscribed(watcher, t.topic('a'))
      const client = await challenged(t, mechanism)
      client.send({ type: 'publish', topic: t.topic('a') })
      const packets = await client.ending()
      t.must(
        packets.every(({ type }) => type === 'connack'),
        'sent something other than CONNACK',
      )
      await t.nothing(watcher)
      const leaving = await challenged(t, mechanism)
      leaving.send({ type: 'disconnect' })
      t.equal(await leaving.ending(), [], 'what was sent before the end')
    },
  )

  rule('an exchange goes on with the method that it began with', { 5: 'MQTT-4.12.0-5 PE-3.15-1' }, async (t) => {
    const mechanism = mechanismOf(t)
    const client = await challenged(t, mechanism)
    answer(client, { ...mechanism, name: 'another' })
    await t.refusedConnect(client, 0x82)
  })

  rule('a client may authenticate again', { 5: 'MQTT-4.12.1-1 MQTT-4.12.0-5 MQTT-3.15.2-1' }, async (t) => {
    const mechanism = mechanismOf(t)
    const { name: authenticationMethod, first: authenticationData } = mechanism
    const client = await authenticated(t, mechanism)
    await t.subscribed(client, t.topic('a'), { qos: 0 })
    client.send({ type: 'auth', reasonCode: again, properties: { authenticationMethod, authenticationData } })
    const challenge = await client.expect('auth')
    t.equal(
      [challenge.reasonCode, challenge.properties.authenticationMethod],
      [continued, authenticationMethod],
      'AUTH',
    )
    // Other packets go on meanwhile.
    await t.publish(client, t.topic('a'), 'meanwhile')
    await client.expect('publish')
    answer(client, mechanism)
    const done = await client.expect('auth')
    t.equal([done.reasonCode, done.properties.authenticationMethod], [0, authenticationMethod], 'the last AUTH')
    await client.ping()
  })

  rule(
    'to authenticate again in vain, or with another method, ends the connection',
    { 5: 'MQTT-4.12.1-2 MQTT-4.12.1-1 PE-3.15-1' },
    async (t) => {
      const mechanism = mechanismOf(t)
      const { name: authenticationMethod, first: authenticationData } = mechanism
      const client = await authenticated(t, mechanism)
      client.send({ type: 'auth', reasonCode: again, properties: { authenticationMethod, authenticationData } })
      await client.expect('auth')
      answer(client, mechanism, false)
      await t.refused(client, 0x87)
      const other = await authenticated(t, mechanism)
      other.send({ type: 'auth', reasonCode: again, properties: { authenticationMethod: 'another' } })
      await t.refused(other, 0x82)
      const early = await authenticated(t, mechanism)
      answer(early, mechanism)
      await t.refused(early, 0x82)
    },
  )

  rule('AUTH before CONNECT ends the connection', { 5: 'MQTT-3.1.0-1' }, async (t) => {
    const client = await t.open()
    client.sendBytes(hex('f000'))
    t.equal(await client.ending(), [], 'what was sent before the end')
  })
})
