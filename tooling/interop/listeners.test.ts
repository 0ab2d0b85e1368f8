import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBroker } from '@tidewire/broker'
import mqtt5 from 'mqtt'
import mqtt4 from 'mqtt4'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { has, Program } from './program.js'

type Broker = ReturnType<typeof createBroker>

const hasOpenssl = has('openssl', 'version')
const folder = mkdtempSync(join(tmpdir(), 'interop-'))
const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]

beforeAll(() => {
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  if (hasOpenssl) spawnSync('openssl', ['req', '-x509', ...curve, '-nodes', '-keyout', key, '-out', cert, ...names])
  return () => rmSync(folder, { recursive: true })
})

const tls = (): { tls: { key: Buffer; cert: Buffer } } => ({
  tls: { key: readFileSync(key), cert: readFileSync(cert) },
})

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
    const path = join(folder, 'mqtt.sock')
    await newBroker().listen(`unix://${path}`)
    await exchange(['--unix', path])
  })

  it.skipIf(!hasOpenssl)('exchange messages over TLS, and get nowhere without (needs openssl)', async () => {
    const { port } = await newBroker().listen('mqtts://127.0.0.1:0', tls())
    await exchange(['-p', `${port}`, '--cafile', cert])
    await expect(new Program('mosquitto_pub', ['-p', `${port}`, '-t', 'a', '-m', 'x']).done()).rejects.toThrow('ended')
  })
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

  it.skipIf(!hasOpenssl).each(['mqtts', 'wss'])('exchanges messages over %s (needs openssl)', async (scheme) => {
    const { port } = await newBroker().listen(`${scheme}://127.0.0.1:0`, tls())
    await exchange(`${scheme}://localhost:${port}`)
  })

  it('exchanges messages at an HTTP server of the application', async () => {
    const server = createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close())
    await exchange(newBroker().attach(server).url)
  })
})
