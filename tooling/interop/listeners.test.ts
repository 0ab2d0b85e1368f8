import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBroker } from '@tidewire/broker'
import { credentials } from '@tidewire/testing/credentials'
import mqtt5 from 'mqtt'
import mqtt4 from 'mqtt4'
import { describe, expect, it, onTestFinished } from 'vitest'
import { has, Program } from './program.js'

type Broker = ReturnType<typeof createBroker>

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'interop-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

function newBroker(): Broker {
  const broker = createBroker()
  onTestFinished(() => broker.close())
  return broker
}

describe.skipIf(!has('mosquitto_sub', '--help'))('mosquitto_pub and mosquitto_sub', () => {
  async function exchange(args: string[]): Promise<void> {
    const sub = new Program('stdbuf', ['-oL', 'mosquitto_sub', ...args, '-t', 'a/#', '-F', '%t %p', '-C', '1', '-d'])
    await sub.line(/^Subscribed/)
    await new Program('mosquitto_pub', [...args, '-t', 'a/b', '-m', 'hello', '-q', '1']).done()
    await sub.line(/^a\/b hello$/)
    await sub.done()
  }

  it('exchange messages over a Unix socket', async () => {
    const path = join(temporaryFolder(), 'mqtt.sock')
    await newBroker().listen(`unix://${path}`)
    await exchange(['--unix', path])
  })

  it.skipIf(credentials === undefined)(
    'exchange messages over TLS, and get nowhere without (needs openssl)',
    async () => {
      const { port } = await newBroker().listen('mqtts://127.0.0.1:0', { tls: credentials! })
      const cert = join(temporaryFolder(), 'cert.pem')
      writeFileSync(cert, credentials!.cert)
      await exchange(['-p', `${port}`, '--cafile', cert])
      await expect(new Program('mosquitto_pub', ['-p', `${port}`, '-t', 'a', '-m', 'x']).done()).rejects.toThrow(
        'ended',
      )
    },
  )
})

describe.each([
  ['MQTT.js 5', mqtt5],
  ['MQTT.js 4.3.7', mqtt4],
] as const)('%s', (_, mqtt) => {
  async function exchange(url: string): Promise<void> {
    const client = mqtt.connect(url, { reconnectPeriod: 0, rejectUnauthorized: false })
    onTestFinished(() => new Promise((resolve) => client.end(true, {}, () => resolve())))
    const received = new Promise((resolve, reject) => {
      client.on('error', reject)
      client.on('message', (topic: string, payload: Buffer) => resolve([topic, payload.toString()]))
    })
    client.subscribe('a/+', { qos: 1 }, () => client.publish('a/b', 'hello', { qos: 2 }))
    expect(await received).toEqual(['a/b', 'hello'])
  }

  it.skipIf(credentials === undefined).each(['mqtts', 'wss'])(
    'exchanges messages over %s (needs openssl)',
    async (scheme) => {
      const { port } = await newBroker().listen(`${scheme}://127.0.0.1:0`, { tls: credentials! })
      await exchange(`${scheme}://localhost:${port}`)
    },
  )

  it('exchanges messages at an HTTP server of the application', async () => {
    const server = createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close())
    await exchange(newBroker().attach(server).url)
  })
})
