import { createBroker } from '@tidewire/broker'
import { afterAll, describe, it } from 'vitest'
import { type Library, LibraryPeer, mqttjs, paho } from './library.js'
import { Mosquitto } from './mosquitto.js'
import type { Peer } from './peer.js'
import { has, hasPaho } from './program.js'
import { Stage, scenarios } from './scenarios.js'

const versionNames = { 3: '3.1', 4: '3.1.1', 5: '5.0' } as const
const ends: (() => Promise<void>)[] = []
afterAll(() => Promise.all(ends.map((end) => end())))

const library = (its: Library, version: 4 | 5, transport: Peer['transport']): Peer =>
  new LibraryPeer(its, version, transport, (end) => ends.push(end))

const isThere = { mosquitto: has('mosquitto_sub', '--help') && has('stdbuf', '--help'), paho: hasPaho, mqttjs: true }

const peers: [keyof typeof isThere, Peer][] = [
  ['mosquitto', new Mosquitto(3)],
  ['mosquitto', new Mosquitto(4)],
  ['mosquitto', new Mosquitto(5)],
  ['paho', library(paho, 4, 'tcp')],
  ['paho', library(paho, 5, 'tcp')],
  ['paho', library(paho, 4, 'websockets')],
  ['paho', library(paho, 5, 'websockets')],
  ['mqttjs', library(mqttjs('4'), 4, 'tcp')],
  ['mqttjs', library(mqttjs('4'), 5, 'tcp')],
  ['mqttjs', library(mqttjs('4'), 4, 'websockets')],
  ['mqttjs', library(mqttjs('5'), 4, 'tcp')],
  ['mqttjs', library(mqttjs('5'), 5, 'tcp')],
  ['mqttjs', library(mqttjs('5'), 5, 'websockets')],
]

const host = '127.0.0.1'

for (const [kind, peer] of peers) {
  const title = `${peer.name}, MQTT ${versionNames[peer.version]} over ${peer.transport}`
  describe.skipIf(!isThere[kind])(title, () => {
    for (const { name, versions, needs, isForTcp, run } of scenarios) {
      if (!versions.includes(peer.version) || (isForTcp && peer.transport !== 'tcp')) continue
      const reasons = needs.flatMap((need) => peer.cannot[need] ?? [])
      const test = reasons.length > 0 ? it.skip : it.concurrent
      test([name, ...reasons].join(': '), async ({ onTestFinished }) => {
        const broker = createBroker({ sysInterval: 0 })
        onTestFinished(() => broker.close())
        const { port } = await broker.listen(`mqtt://${host}:0`)
        const { port: webSocketPort } = await broker.listen(`ws://${host}:0`)
        await run(new Stage(peer, broker, { port, webSocketPort }, onTestFinished))
      })
    }
  })
}
