import { connect as connectTcp } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createBroker } from '@tidewire/broker'
import { type Client, connect } from '@tidewire/client'
import { PacketSocket } from '@tidewire/testing/packet-socket'
import mqtt5 from 'mqtt'
import mqtt4 from 'mqtt4'
import { describe, expect, it, onTestFinished } from 'vitest'
import { has, hasPaho, Program, startMosquitto } from './program.js'

const everyQoS = [0, 1, 2] as const

async function startBroker(): Promise<{ port: number; webSocketPort: number }> {
  const broker = createBroker()
  onTestFinished(() => broker.close())
  const { port } = await broker.listen('mqtt://127.0.0.1:0')
  const { port: webSocketPort } = await broker.listen('ws://127.0.0.1:0')
  return { port, webSocketPort }
}

async function ourClient(url: string, options = {}): Promise<Client> {
  const client = await connect(url, options)
  onTestFinished(() => client.close())
  return client
}

describe.skipIf(!has('mosquitto_sub', '--help'))('mosquitto_pub and mosquitto_sub', () => {
  describe.each(['mqttv31', 'mqttv311', 'mqttv5'])('of %s', (version) => {
    it.each(everyQoS)('exchange messages at QoS %i', async (qos) => {
      const { port } = await startBroker()
      const common = ['-p', `${port}`, '-V', version, '-q', `${qos}`]
      const sub = new Program('stdbuf', [
        '-oL',
        'mosquitto_sub',
        ...common,
        '-t',
        'a/#',
        '-F',
        '%t %q %p',
        '-C',
        '2',
        '-d',
      ])
      await sub.line(/^Subscribed/)
      for (const text of ['one', 'two']) {
        await new Program('mosquitto_pub', [...common, '-t', 'a/b', '-m', text]).done()
      }
      await sub.line(new RegExp(`^a/b ${qos} one$`))
      await sub.line(new RegExp(`^a/b ${qos} two$`))
      await sub.done()
    })
  })
})

describe.each([
  ['MQTT.js 5', mqtt5, [3, 4, 5]],
  ['MQTT.js 4.3.7', mqtt4, [3, 4, 5]],
] as const)('%s', (_, mqtt, versions) => {
  describe.each(['mqtt', 'ws'])('over %s', (scheme) => {
    describe.each(versions)('of protocol version %i', (version) => {
      it.each(everyQoS)('exchanges messages at QoS %i', async (qos) => {
        const { port, webSocketPort } = await startBroker()
        const client = mqtt.connect(`${scheme}://127.0.0.1:${scheme === 'mqtt' ? port : webSocketPort}`, {
          protocolVersion: version,
          protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
          clientId: 'mqttjs',
          reconnectPeriod: 0,
        })
        onTestFinished(() => new Promise((resolve) => client.end(true, {}, () => resolve())))
        const received = new Promise((resolve, reject) => {
          client.on('error', reject)
          client.on('message', (topic: string, payload: Buffer, packet: { qos: number }) => {
            resolve([topic, payload.toString(), packet.qos])
          })
        })
        await new Promise<void>((resolve, reject) => {
          client.subscribe('a/+', { qos }, (error) => (error ? reject(error) : resolve()))
        })
        await new Promise<void>((resolve, reject) => {
          client.publish('a/b', 'hello', { qos }, (error) => (error ? reject(error) : resolve()))
        })
        expect(await received).toEqual(['a/b', 'hello', qos])
      })
    })
  })
})

describe.skipIf(!hasPaho)('Paho for Python', () => {
  describe.each(['tcp', 'websockets'] as const)('over %s', (transport) => {
    describe.each([3, 4, 5])('of protocol version %i', (version) => {
      it.each(everyQoS)('exchanges a message at QoS %i', async (qos) => {
        const { port, webSocketPort } = await startBroker()
        const script = fileURLToPath(new URL('paho-client.py', import.meta.url))
        const args = [transport === 'tcp' ? port : webSocketPort, transport, version, qos].map(String)
        await new Program('/usr/bin/python3', [script, ...args]).done()
      })
    })
  })
})

describe.each(['mqtt', 'ws'])('our client over %s', (scheme) => {
  describe.each([3, 4, 5] as const)('of protocol version %i', (protocolVersion) => {
    it.each(everyQoS)('exchanges messages at QoS %i', async (qos) => {
      const { port, webSocketPort } = await startBroker()
      const client = await ourClient(`${scheme}://127.0.0.1:${scheme === 'mqtt' ? port : webSocketPort}`, {
        protocolVersion,
      })
      const subscription = await client.subscribe('a/+', { qos })
      await client.publish('a/b', 'hello', { qos })
      expect((await subscription.next()).value).toMatchObject({ topic: 'a/b', text: 'hello', qos })
    })
  })
})

describe.skipIf(!has('mosquitto', '-h'))('$SYS', () => {
  it('has the names of mosquitto, all of them', async () => {
    const names = async (port: number): Promise<Set<string>> => {
      const client = new PacketSocket(connectTcp(port, '127.0.0.1'), 4)
      onTestFinished(() => client.cut())
      client.send(
        { type: 'connect', protocolVersion: 4, clientId: 'c' },
        { type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: '$SYS/#', qos: 0 }] },
        { type: 'pingreq' },
      )
      const seen = new Set<string>()
      for (;;) {
        const packet = await client.next()
        if (packet === undefined || packet.type === 'pingresp') return seen
        if (packet.type === 'publish') seen.add(packet.topic)
      }
    }
    const { mqtt } = await startMosquitto()
    const { port } = await startBroker()
    const theirs = await names(Number(new URL(mqtt).port))
    const ours = await names(port)
    expect(theirs.size).toBeGreaterThan(40)
    expect([...theirs].filter((name) => !ours.has(name))).toEqual([])
  })
})
