/** Section 1.5: how data lies in packets. */

import { connect, field, hex, packet, properties } from '../bytes.js'
import { section, type Trial, text } from '../suite.js'
import { stringFields } from './strings.js'

const illFormed: Readonly<Record<string, Uint8Array>> = {
  'a surrogate': hex('61 eda080 62'),
  'the last surrogate': hex('edbfbf'),
  'an overlong slash': hex('c0af'),
  'a character that is cut off': hex('e282'),
  'a continuation alone': hex('80'),
  'a code point above U+10FFFF': hex('f4908080'),
  'byte FF': hex('ff'),
}
const controls: Readonly<Record<string, string>> = {
  'U+0001': 'a\u0001',
  'U+001F': 'a\u001f',
  'U+007F': 'a\u007f',
  'U+009F': 'a\u009f',
  'U+FFFF': 'a\uffff',
  'U+FDD0': 'a\ufdd0',
}

/** Every field with every content, each on a connection of its own. */
async function tryAll(
  t: Trial,
  contents: Readonly<Record<string, string | Uint8Array>>,
  judge: (client: Awaited<ReturnType<Trial['open']>>, ofConnect: boolean) => Promise<void>,
): Promise<void> {
  for (const { name, ofConnect = false, versions, write } of stringFields) {
    if (versions !== undefined && !versions.includes(t.version)) continue
    for (const [what, content] of Object.entries(contents)) {
      const client = ofConnect ? await t.open() : await t.connect()
      client.sendBytes(write(t.version, content, t.topic('strings')))
      try {
        await judge(client, ofConnect)
      } catch (error) {
        if (error instanceof Error) error.message = `${name} with ${what}: ${error.message}`
        throw error
      }
      client.cut()
    }
  }
}

export default section('1.5 Data representation', (rule) => {
  rule(
    'a string that is not well-formed UTF-8 ends the connection, in every field',
    {
      5: 'MQTT-1.5.4-1 MQTT-1.5.7-1 MQTT-3.1.3-4 MQTT-3.1.3-11 MQTT-3.1.3-12 MQTT-3.3.2-1 MQTT-3.3.2-13 MQTT-3.3.2-19 MQTT-3.8.3-1 MQTT-3.10.3-1 PE-1.5.4-1 PE-1.5.7-1 S-24',
      4: 'MQTT-1.5.3-1 MQTT-3.1.3-4 MQTT-3.1.3-10 MQTT-3.1.3-11 MQTT-3.3.2-1 MQTT-3.8.3-1 MQTT-3.10.3-1',
    },
    async (t) => tryAll(t, illFormed, (client, ofConnect) => refuse(t, client, ofConnect)),
  )

  rule(
    'a string with U+0000 ends the connection, in every field',
    {
      5: 'MQTT-1.5.4-2 MQTT-1.5.7-1 MQTT-4.7.3-2 PE-1.5.4-2 PE-1.5.7-1 S-24',
      4: 'MQTT-1.5.3-2 MQTT-4.7.3-2',
    },
    async (t) => tryAll(t, { 'U+0000': 'a\0b' }, (client, ofConnect) => refuse(t, client, ofConnect)),
  )

  rule(
    'a string with control characters or non-characters may end the connection',
    { 5: 'PE-1.5.4-3 S-24' },
    async (t) => {
      // Both is allowed; the broker must be there after it. Promised: it ends the connection.
      for (const { name, ofConnect = false, write } of stringFields) {
        for (const [what, content] of Object.entries(controls)) {
          const client = ofConnect ? await t.open() : await t.connect()
          client.sendBytes(write(5, content, t.topic('strings')))
          client.send({ type: 'pingreq' })
          const isTaken = await client
            .before('pingresp', ({ type }) => type === 'pingresp')
            .then(
              () => true,
              () => false,
            )
          t.promise(!isTaken, `takes ${name} with ${what}`)
          if (!isTaken) await refuse(t, client, ofConnect)
          client.cut()
        }
      }
    },
  )

  rule('a byte order mark is a character like others', { 5: 'MQTT-1.5.4-3 S-24', 4: 'MQTT-1.5.3-3' }, async (t) => {
    const client = await t.connect()
    const marked = `${t.topic()}/\ufeffa`
    await t.subscribed(client, [marked, `${t.topic()}/a`], { qos: 0 })
    await t.publish(client, marked, 'marked')
    const message = await client.expect('publish')
    t.equal(message.topic, marked, 'the Topic Name')
    await t.publish(client, `${t.topic()}/a`, 'not marked')
    const other = await client.expect('publish')
    t.equal([other.topic, text(other)], [`${t.topic()}/a`, 'not marked'], 'the other message')
  })

  rule('a length in more bytes than it takes is malformed', { 5: 'MQTT-1.5.5-1 S-16' }, async (t) => {
    const first = await t.open()
    const whole = connect({})
    first.sendBytes(whole.subarray(0, 1), hex('8e00'), whole.subarray(2))
    t.equal(whole[1], 14, 'the length of the CONNECT of this test')
    await first.ending()
    const second = await t.connect()
    second.sendBytes(hex('c0 8000'))
    await t.refused(second, 0x81)
    const third = await t.connect()
    third.sendBytes(packet(0x30, field(t.topic()), hex('8000')))
    await t.refused(third, 0x81)
    const fourth = await t.connect()
    fourth.sendBytes(packet(0x82, hex('0007'), properties(5, 11, hex('8100')), field(t.topic()), 0))
    await t.refused(fourth, 0x81)
  })

  rule('a length of five bytes ends the connection', { 5: 'MQTT-1.5.5-1 S-16', 4: 'MQTT-4.8.0-1' }, async (t) => {
    const client = await t.connect()
    client.sendBytes(hex('30 ffffffff 01'))
    await t.refused(client, 0x81)
    const first = await t.open()
    first.sendBytes(hex('10 ffffffff 01'))
    await first.ending()
  })
})

/** What is malformed is told with 0x81; a 3.x client that is not connected gets no CONNACK (3.1.1 [MQTT-3.1.4-1]). */
async function refuse(t: Trial, client: Awaited<ReturnType<Trial['open']>>, ofConnect: boolean): Promise<void> {
  if (ofConnect) await t.refusedConnect(client, 0x81)
  else await t.refused(client, 0x81)
}
