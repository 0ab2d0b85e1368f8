/** Threats in packets: what they hold, and how they come. */

import { encode } from '@tidewire/codec'
import { expect } from 'vitest'
import { connect, field, hex, join, number, packet, properties, varint } from '../bytes.js'
import { bytesOf, payloads } from '../suite.js'
import { upgrade } from '../websocket.js'
import { stillThere, threat } from './fixture.js'

threat('S-01 names of the prototype of objects are names like others', async (start) => {
  const its = await start()
  const { t } = its
  for (const name of [...Object.getOwnPropertyNames(Object.prototype), '__proto__/constructor', 'then']) {
    const client = await t.connect({
      clientId: name,
      cleanStart: false,
      userName: name,
      properties: { sessionExpiryInterval: 60, userProperty: [[name, name]] },
      will: { topic: name, payload: bytesOf(name) },
    })
    await t.subscribed(client, [name, `${name}/#`, `+/${name}`], { qos: 0 })
    await t.publish(client, name, name, { retain: true, properties: { userProperty: [[name, name]] } })
    const message = await client.expect('publish')
    t.equal([message.topic, message.properties.userProperty], [name, [[name, name]]], 'the message')
    const { reasonCodes } = await t.unsubscribe(client, name, 'toString', `+/${name}`)
    t.equal([reasonCodes[0], reasonCodes[2]], [0, 0], 'the Reason Codes')
    client.cut()
    const again = await t.connect({ clientId: name, userName: name, cleanStart: false })
    t.equal(again.connack?.sessionPresent, true, 'Session Present')
    await again.leave()
  }
  await stillThere(its)
})

threat('S-13 a CONNECT that comes byte by byte, or not at all, has a deadline', async (start) => {
  const its = await start({ limits: { connectTimeout: 300 } })
  const { t } = its
  const [silent, dripping] = [await t.open(), await t.open()]
  const bytes = connect({ payload: field('x'.repeat(100)) })
  const before = performance.now()
  let at = 0
  const timer = setInterval(() => dripping.sendBytes(bytes.subarray(at, ++at)), 20)
  await Promise.all([silent.ending(), dripping.ending()])
  clearInterval(timer)
  expect(performance.now() - before).toBeLessThan(2_000)
  await stillThere(its)
})

threat('S-13 a WebSocket without CONNECT has the same deadline, the upgrade included', async (start) => {
  const its = await start({ limits: { connectTimeout: 300 } })
  const { t } = its
  const { host, webSocketPort = 0 } = t.broker
  const { stream } = await upgrade(host, webSocketPort, ['mqtt'])
  expect(stream).toBeDefined()
  await new Promise((resolve) => stream?.resume().once('close', resolve))
  const socket = await import('node:net').then(({ createConnection }) => createConnection(webSocketPort, host))
  socket.on('error', () => {}).resume()
  socket.write('GET /mqtt HTTP/1.1\r\nHost: x\r\n')
  await new Promise((resolve) => socket.once('close', resolve))
  await stillThere(its)
})

threat('S-15 a large Remaining Length before CONNECT is refused on its header', async (start) => {
  const its = await start()
  const { t } = its
  for (const first of [0x10, 0x30, 0x82]) {
    for (const length of [64 * 1024, 1_000_000, 268_435_455]) {
      const client = await t.open()
      client.sendBytes(join(first, varint(length), Buffer.alloc(100)))
      const packets = await client.ending()
      expect(packets.every((each) => each.type === 'connack' && each.reasonCode >= 0x80)).toBe(true)
    }
  }
  await stillThere(its)
})

threat('S-15 a CONNECT that only announces its length takes no memory', async (start) => {
  const size = 1_000_000
  const its = await start({ limits: { maxConnectSize: size } })
  const { t } = its
  const announced = join(0x10, varint(size - 10), field('MQTT'), 5, 2, number(60, 2))
  const before = process.memoryUsage().arrayBuffers
  const clients = await Promise.all(Array.from({ length: 200 }, () => t.open()))
  for (const client of clients) client.sendBytes(announced)
  await stillThere(its)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan((clients.length * size) / 4)
})

threat('S-16 a Variable Byte Integer that is too long is malformed', async (start) => {
  const its = await start()
  const { t } = its
  for (const bytes of [hex('30 ffffffff7f'), hex('30 ffffffffff'), hex('c0 8000'), hex('c0 80808000')]) {
    const client = await t.connect()
    client.sendBytes(bytes)
    await t.refused(client, 0x81)
  }
  await stillThere(its)
})

threat('S-21 QoS 2 that is never released is bounded, also before MQTT 5.0', async (start) => {
  const its = await start({}, 4)
  const { t } = its
  const client = await t.connect()
  for (let packetId = 1; packetId <= 1_000; packetId++) client.send({ type: 'publish', topic: 'a', qos: 2, packetId })
  await client.ending(2)
  await stillThere(its)
})

threat('S-21 the same message again and again takes no memory, and is delivered once', async (start) => {
  const its = await start()
  const { t } = its
  const [client, watcher] = [await t.connect(), await t.connect()]
  await t.subscribed(watcher, t.topic('a'), { qos: 0 })
  const again = encode(
    { type: 'publish', topic: t.topic('a'), payload: bytesOf('x'), qos: 2, packetId: 1, dup: true },
    5,
  )
  for (let round = 0; round < 20; round++) {
    client.sendBytes(Buffer.concat(Array(250).fill(again)))
    await client.before('PINGRESP', ({ type }) => type === 'pubrec')
    const packets = await client.ping()
    expect(packets.length).toBe(249)
  }
  expect(await t.messages(watcher, client)).toEqual(['x'])
  await stillThere(its)
})

threat('S-22 games with Packet Identifiers end their own connection only', async (start) => {
  const its = await start()
  const { t } = its
  const games = [
    '4002ffff',
    '5002ffff',
    '6202ffff',
    '7002ffff',
    '40020000',
    '62020000',
    '90040001 0000',
    'b0040001 0000',
    'd000',
    '20030000 00',
  ]
  for (const game of games) {
    const client = await t.connect()
    client.sendBytes(hex(game))
    client.send({ type: 'pingreq' })
    const packets = await client.before('pingresp', ({ type }) => type === 'pingresp').catch(() => client.ending())
    expect(packets.every(({ type }) => type === 'disconnect' || type === 'pubrel' || type === 'pubcomp')).toBe(true)
  }
  await stillThere(its)
})

threat('S-23 what is pipelined behind a refused CONNECT has no effect', async (start) => {
  const its = await start({ authenticate: async ({ userName }) => userName !== 'bad' })
  const { t } = its
  const watcher = await t.connect()
  await t.subscribed(watcher, t.topic('#'))
  const client = await t.open()
  const { clientId } = client
  client.send(
    { type: 'connect', protocolVersion: 5, clientId, userName: 'bad' },
    { type: 'publish', topic: t.topic('a'), qos: 1, packetId: 1, retain: true },
    { type: 'connect', protocolVersion: 5, clientId },
  )
  await t.refusedConnect(client, 0x86)
  await t.nothing(watcher)
  await stillThere(its)
})

threat('S-25 a payload that is not what its Payload Format Indicator says is passed on by default', async (start) => {
  const its = await start()
  const { t } = its
  const client = await t.connect()
  await t.subscribed(client, t.topic('a'), { qos: 0 })
  await t.publish(client, t.topic('a'), hex('ff'), { properties: { payloadFormatIndicator: 1 } })
  const { payload, properties: got } = await client.expect('publish')
  t.equal([[...payload], got.payloadFormatIndicator], [[0xff], 1], 'the message')
  await stillThere(its)
})

threat('S-26 ten thousand User Properties in a packet are refused, and told', async (start) => {
  const its = await start()
  const { t } = its
  const many = Buffer.concat(Array(10_000).fill(join(38, field('a'), field('b'))))
  const client = await t.connect()
  client.sendBytes(packet(0x32, field(t.topic('a')), number(1, 2), properties(5, many)))
  await t.refused(client, 0x97, 2)
  const connecting = await t.open()
  connecting.sendBytes(connect({ properties: many.subarray(0, 30_000 - (30_000 % 7)) }))
  await t.refusedConnect(connecting, 0x97)
  await stillThere(its)
})

threat('S-27 nothing that a client sends makes the packets of others wrong', async (start) => {
  const its = await start()
  const { t } = its
  const watchers = [await t.connect(), await t.connect({ protocolVersion: 4 }), await t.connect({ protocolVersion: 3 })]
  for (const watcher of watchers) await t.subscribed(watcher, '#', { qos: 2 })
  const given = {
    messageExpiryInterval: 9,
    contentType: 'c',
    responseTopic: 'r',
    correlationData: hex('00'),
    userProperty: [['a', 'b']] as const,
  }
  const right = encode(
    { type: 'publish', topic: t.topic('a'), payload: bytesOf('xyz'), qos: 1, packetId: 1, properties: given },
    5,
  )
  let seed = 27
  const random = (below: number): number => {
    seed = (seed * 48_271) % 0x7fff_ffff
    return seed % below
  }
  const clients = []
  for (let at = 0; at < 400; at++) {
    const bytes = Buffer.from(right)
    bytes[random(bytes.length)] = random(256)
    const client = await t.begin()
    client.sendBytes(bytes)
    clients.push(client)
    if (clients.length === 40) for (const each of clients.splice(0)) each.cut()
  }
  // The decoder of the watchers is strict: it fails them at the first packet that is not right.
  for (const watcher of watchers) {
    await t.publish(await t.connect(), t.topic('last'), 'last', { qos: 0 })
    await watcher.before('the last message', (each) => each.type === 'publish' && each.topic === t.topic('last'))
  }
  await stillThere(its)
})

threat('S-29 a client is refused when nobody answers for it in time', async (start) => {
  const its = await start({
    limits: { connectTimeout: 300 },
    authenticate: ({ userName }) => userName !== 'slow' || new Promise(() => {}),
  })
  const { t } = its
  const client = await t.begin({ userName: 'slow' })
  const [connack] = await client.ending()
  expect(connack).toMatchObject({ type: 'connack', reasonCode: 0x88 })
  await stillThere(its)
})

threat('S-32 a WebSocket has no compression, and no frame above the limit', async (start) => {
  const its = await start({ limits: { maxPacketSize: 10_000 } })
  const { t } = its
  const { host, webSocketPort = 0 } = t.broker
  const asked = 'Sec-WebSocket-Extensions: permessage-deflate\r\n'
  for (const frame of [hex('82ff 0000010000000000 00000000'), hex('c181 00000000 00'), hex('8381 00000000 00')]) {
    const { status, stream } = await upgrade(host, webSocketPort, ['mqtt'], asked)
    expect(status).toBe(101)
    expect(stream).toBeDefined()
    stream?.raw(frame)
    await new Promise((resolve) => stream?.resume().once('close', resolve))
  }
  await stillThere(its)
})

threat('S-35 what clients send does not break the lines of the log, nor fill it', async (start) => {
  const its = await start()
  const { t, log } = its
  const client = await t.connect({ clientId: `${'x'.repeat(1_000)}` })
  client.sendBytes(packet(0x30, field('a/#'), properties(5)))
  await client.ending()
  const controls = await t.open()
  controls.sendBytes(connect({ payload: field('\u001b[31m\r\nroot: a line of its own') }))
  await controls.ending()
  const user = await t.begin({ userName: 'u'.repeat(60_000), password: bytesOf('secret-of-mine') })
  await user.ping().catch(() => [])
  user.sendBytes(hex('f00f'))
  await t.connect({ clientId: client.clientId })
  expect(log.length).toBeGreaterThan(0)
  for (const line of log) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
    expect(line).not.toContain('secret-of-mine')
    expect(line.length).toBeLessThan(600)
  }
  await stillThere(its)
})

threat(
  'S-24 U+0000 and surrogates are found in queued, retained and Will topics before they get there',
  async (start) => {
    const its = await start()
    const { t } = its
    const watcher = await t.connect()
    await t.subscribed(watcher, '#')
    for (const wrong of [hex('61 eda080'), hex('6100')]) {
      const client = await t.connect()
      client.sendBytes(packet(0x31, field(wrong), properties(5), 1))
      await t.refused(client, 0x81)
    }
    expect(payloads(await t.rest(watcher))).toEqual([])
    await stillThere(its)
  },
)
