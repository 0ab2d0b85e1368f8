/** Section 6: MQTT over WebSocket. */

import { encode } from '@tidewire/codec'
import { Client } from '../client.js'
import { bytesOf, section, type Trial, text } from '../suite.js'
import { binary, type FrameStream, textual, upgrade } from '../websocket.js'

const portOf = (t: Trial): number => t.required(t.broker.webSocketPort, 'no port for WebSocket is known')

async function open(t: Trial): Promise<[client: Client, stream: FrameStream]> {
  const { status, subprotocol, stream: opened } = await upgrade(t.broker.host, portOf(t), ['mqtt'])
  const stream = t.given(opened, `answered the upgrade with ${status}`)
  t.equal(subprotocol, 'mqtt', 'the subprotocol')
  return [t.own(new Client(stream, t.version, t.id())), stream]
}

async function connect(t: Trial): Promise<[client: Client, stream: FrameStream]> {
  const [client, stream] = await open(t)
  client.send({ type: 'connect', protocolVersion: t.version, clientId: client.clientId, keepAlive: 60 })
  client.connack = await client.expect('connack')
  return [client, stream]
}

export default section('6 WebSocket', (rule) => {
  rule(
    'packets go in binary frames, under the subprotocol mqtt',
    { 5: 'MQTT-6.0.0-1 MQTT-6.0.0-4', 4: 'MQTT-6.0.0-1 MQTT-6.0.0-4' },
    async (t) => {
      const [client, stream] = await connect(t)
      await t.subscribed(client, t.topic('a'), { qos: 0 })
      await t.publish(client, t.topic('a'), 'x'.repeat(200))
      t.equal(text(await client.expect('publish')).length, 200, 'the length of the payload')
      t.must(!stream.sentOther, 'sent a frame that is not binary')
    },
  )

  rule('a frame of text ends the connection', { 5: 'MQTT-6.0.0-1 S-32', 4: 'MQTT-6.0.0-1' }, async (t) => {
    const [client, stream] = await connect(t)
    stream.frame(textual, bytesOf('text'))
    await client.ending()
    const [early, itsStream] = await open(t)
    itsStream.frame(textual, encode({ type: 'connect', protocolVersion: 4, clientId: 'x' }, 4))
    t.equal(await early.ending(), [], 'what was sent before the end')
  })

  rule('frames may hold parts of packets, and several', { 5: 'MQTT-6.0.0-2', 4: 'MQTT-6.0.0-2' }, async (t) => {
    const [client, stream] = await connect(t)
    await t.subscribed(client, t.topic('a'), { qos: 0 })
    const one = encode({ type: 'publish', topic: t.topic('a'), payload: bytesOf('x') }, t.version)
    for (const byte of one) stream.frame(binary, Uint8Array.of(byte))
    await client.expect('publish')
    stream.frame(binary, Buffer.concat([one, one, one.subarray(0, 5)]))
    stream.frame(binary, one.subarray(5))
    for (let count = 0; count < 3; count++) await client.expect('publish')
  })

  rule(
    'mqtt is chosen wherever it stands, and a client without it is refused',
    { 5: 'MQTT-6.0.0-3 MQTT-6.0.0-4 S-32', 4: 'MQTT-6.0.0-3 MQTT-6.0.0-4' },
    async (t) => {
      const { host } = t.broker
      const webSocketPort = portOf(t)
      const { subprotocol, stream } = await upgrade(host, webSocketPort, ['other', 'mqtt'])
      stream?.destroy()
      t.equal(subprotocol, 'mqtt', 'the subprotocol')
      for (const offered of [['other'], []]) {
        const answer = await upgrade(host, webSocketPort, offered)
        answer.stream?.destroy()
        t.must(answer.subprotocol === undefined || answer.subprotocol === 'mqtt', 'chose another subprotocol')
        t.promise(answer.status !== 101, 'lets a client in that does not speak of MQTT')
      }
    },
  )
})
