/** Clients as their users use them. */

import { connect } from '@tidewire/client'
import mqtt from 'mqtt'

const payload = Buffer.alloc(64, 'x')
const topic = 'site/7/line/3/te'
const window = 100

/**
 * @typedef {object} Contestant
 * @property {(url: string, version: 4 | 5) => Promise<unknown>} open A connected client.
 * @property {Readonly<Record<string, (client: any, count: (n: number) => boolean) => Promise<void>>>} cases Each goes on
 *   until `count`, which is told of messages, returns false.
 * @property {(url: string, version: 4 | 5) => Promise<number>} redelivery Milliseconds from the new connection to the last
 *   acknowledgement.
 */

/** @type {Contestant} */
const tidewire = {
  open: (url, version) => connect(url, { protocolVersion: version }),
  cases: {
    async 'publish QoS 0'(client, count) {
      for (;;) {
        let sent = 0
        while (sent < window && client.tryPublish(topic, payload)) sent++
        if (!count(sent)) return
        if (sent < window) await client.drained()
        else await new Promise(setImmediate)
      }
    },
    'publish QoS 1': (client, count) =>
      new Promise((resolve) => {
        const next = () => {
          if (count(1)) client.publish(topic, payload, { qos: 1 }).then(next)
          else resolve()
        }
        for (let i = 0; i < window; i++) client.publish(topic, payload, { qos: 1 }).then(next)
      }),
    async 'receive QoS 0'(client, count) {
      const messages = await client.subscribe('site/#')
      await receive(messages, count)
    },
    async 'receive QoS 1'(client, count) {
      const messages = await client.subscribe('site/#', { qos: 1 })
      await receive(messages, count)
    },
  },
  async redelivery(url, version) {
    const client = await connect(url, {
      protocolVersion: version,
      clientId: 'c',
      session: { expiry: 60 },
      reconnect: { min: 0, max: 0 },
    })
    let since = 0
    client.on('state', ({ name }) => {
      if (name === 'connecting') since = performance.now()
    })
    await Promise.all(Array.from({ length: 50 }, () => client.publish(topic, payload, { qos: 1 })))
    return performance.now() - since
  },
}

/** @param {AsyncIterable<import('@tidewire/client').Message>} messages @param {(n: number) => boolean} count */
async function receive(messages, count) {
  // Not `for await`, whose end would wait for an UNSUBACK behind all that is still coming.
  const each = messages[Symbol.asyncIterator]()
  for (;;) {
    const { value } = await each.next()
    if (value?.payload.length !== 64 || !count(1)) return
  }
}

/** @type {Contestant} */
const mqttJs = {
  open: (url, version) => mqtt.connectAsync(url, { protocolVersion: version }),
  cases: {
    async 'publish QoS 0'(client, count) {
      for (;;) {
        await new Promise((resolve) => {
          for (let i = 1; i < window; i++) client.publish(topic, payload)
          client.publish(topic, payload, resolve)
        })
        if (!count(window)) return
      }
    },
    'publish QoS 1': (client, count) =>
      new Promise((resolve) => {
        const next = () => {
          if (count(1)) client.publish(topic, payload, { qos: 1 }, next)
          else resolve()
        }
        for (let i = 0; i < window; i++) client.publish(topic, payload, { qos: 1 }, next)
      }),
    'receive QoS 0': (client, count) => listen(client, 0, count),
    'receive QoS 1': (client, count) => listen(client, 1, count),
  },
  redelivery: (url, version) =>
    new Promise((resolve) => {
      const options = { protocolVersion: version, clientId: 'c', clean: false, reconnectPeriod: 1 }
      const client = mqtt.connect(url, options)
      let since = 0
      let left = 50
      client.on('reconnect', () => {
        since = performance.now()
      })
      client.once('connect', () => {
        for (let i = 0; i < 50; i++) {
          client.publish(topic, payload, { qos: 1 }, () => {
            if (--left === 0) resolve(performance.now() - since)
          })
        }
      })
    }),
}

/** @param {import('mqtt').MqttClient} client @param {0 | 1} qos @param {(n: number) => boolean} count */
function listen(client, qos, count) {
  return new Promise((resolve) => {
    client.on('message', (_, payload) => {
      if (payload.length === 64 && !count(1)) resolve(undefined)
    })
    client.subscribe('site/#', { qos })
  })
}

/** @type {Readonly<Record<string, Contestant>>} */
export const contestants = { Tidewire: tidewire, 'MQTT.js': mqttJs }
