import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBroker } from '@tidewire/broker'
import { type Client, type ConnectOptions, connect, memoryStore, request, serve } from '@tidewire/client'
import type { ProtocolVersion, QoS } from '@tidewire/codec'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FaultyNetwork } from './faulty-network.js'
import { freePort, has, Program, startMosquitto } from './program.js'

interface Urls {
  readonly mqtt: string
  readonly ws?: string
}

interface ServerUnderTest {
  readonly name: string
  readonly isHere: boolean
  readonly versions: readonly ProtocolVersion[]
  readonly qos: readonly QoS[]
  start(): Promise<Urls>
}

async function startTidewire(): Promise<Urls> {
  const broker = createBroker()
  onTestFinished(() => broker.close())
  const [mqtt, ws] = [await broker.listen('mqtt://127.0.0.1:0'), await broker.listen('ws://127.0.0.1:0')]
  return { mqtt: mqtt.url, ws: ws.url }
}

async function startNats(): Promise<Urls> {
  const folder = mkdtempSync(join(tmpdir(), 'nats-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const [port, mqttPort] = [await freePort(), await freePort()]
  const configuration = `
    server_name: tidewire-${mqttPort}
    listen: "127.0.0.1:${port}"
    jetstream { store_dir: "${folder}" }
    mqtt { listen: "127.0.0.1:${mqttPort}" }`
  writeFileSync(join(folder, 'nats.conf'), configuration)
  const program = new Program('nats-server', ['-c', join(folder, 'nats.conf')])
  await program.line(/Server is ready/, 'stderr')
  return { mqtt: `mqtt://127.0.0.1:${mqttPort}` }
}

async function startRabbit(): Promise<Urls> {
  const folder = mkdtempSync(join(tmpdir(), 'rabbit-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()] as const
  const lines = [`listeners.tcp.1 = 127.0.0.1:${ports[0]}`, `mqtt.listeners.tcp.1 = 127.0.0.1:${ports[1]}`]
  writeFileSync(join(folder, 'rabbit.conf'), [...lines, 'mqtt.allow_anonymous = true\n'].join('\n'))
  writeFileSync(join(folder, 'plugins'), '[rabbitmq_mqtt].')
  const env = {
    RABBITMQ_NODENAME: `tidewire${ports[1]}@localhost`,
    RABBITMQ_DIST_PORT: `${ports[2]}`,
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbit.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_MNESIA_BASE: folder,
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_LOGS: '-',
    ERL_EPMD_PORT: `${ports[3]}`, // a daemon of its own, which is ended with it
  }
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  onTestFinished(() => new Program('env', [`ERL_EPMD_PORT=${ports[3]}`, 'epmd', '-kill']).done())
  const program = new Program('env', [...settings, `HOME=${folder}`, '/usr/lib/rabbitmq/bin/rabbitmq-server'])
  await program.line(/Server startup complete/)
  return { mqtt: `mqtt://127.0.0.1:${ports[1]}` }
}

/** RabbitMQ takes its time: it is asked when TIDEWIRE_RABBITMQ is set. */
const servers: readonly ServerUnderTest[] = [
  { name: 'Tidewire', isHere: true, versions: [3, 4, 5], qos: [0, 1, 2], start: startTidewire },
  { name: 'mosquitto', isHere: has('mosquitto', '-h'), versions: [3, 4, 5], qos: [0, 1, 2], start: startMosquitto },
  { name: 'nats-server', isHere: has('nats-server', '-v'), versions: [4], qos: [0, 1], start: startNats },
  {
    name: 'RabbitMQ (with TIDEWIRE_RABBITMQ=1)',
    isHere: process.env['TIDEWIRE_RABBITMQ'] === '1' && existsSync('/usr/lib/rabbitmq/bin/rabbitmq-server'),
    versions: [4],
    qos: [0, 1],
    start: startRabbit,
  },
]

let clients = 0
const atOnce = { min: 10, max: 50 }

async function open(url: string, options: ConnectOptions): Promise<Client> {
  const client = await connect(url, { reconnect: atOnce, ...options })
  onTestFinished(() => client.close())
  return client
}

for (const { name, isHere, versions, qos: all, start } of servers) {
  const highest = all.at(-1)!
  describe.skipIf(!isHere)(`our client and ${name}`, { timeout: 60_000 }, () => {
    it.each(versions)(
      'with protocol version %i: messages of every QoS, retained, will, sessions, limits',
      async (version) => {
        const urls = await start()
        const port = Number(new URL(urls.mqtt).port)
        const options = { protocolVersion: version } as const
        const prefix = `t${++clients}`
        const publisher = await open(urls.mqtt, options)

        // Messages of every QoS, over every transport, to overlapping subscriptions.
        for (const url of [urls.mqtt, urls.ws].filter((each) => each !== undefined)) {
          const client = await open(url, options)
          const many = await client.subscribe(`${prefix}/a/#`, { qos: highest })
          const one = await client.subscribe(`${prefix}/x`, { qos: 1 })
          for (const qos of all) {
            expect((await publisher.publish(`${prefix}/a/b`, `qos ${qos}`, { qos })).reasonCode).toBe(0)
            expect((await many.next()).value).toMatchObject({ text: `qos ${qos}`, qos })
          }
          await one.close()
          await client.close()
          expect(await client.closed).toBeUndefined()
        }

        // Retained messages.
        await publisher.publish(`${prefix}/kept`, 'kept', { qos: 1, retain: true })
        const kept = await publisher.subscribe(`${prefix}/kept`, { qos: 1 })
        expect((await kept.next()).value).toMatchObject({ text: 'kept', retain: true })

        // A Will, of a client that is cut off for good.
        const wills = await publisher.subscribe(`${prefix}/will`, { qos: 1 })
        const network = await FaultyNetwork.before(port)
        const will = { topic: `${prefix}/will`, payload: 'gone', qos: 1 } as const
        const mortal = await open(network.url, { ...options, will, reconnect: false })
        network.cut()
        expect((await wills.next()).value).toMatchObject({ text: 'gone' })
        expect(await mortal.closed).toBeInstanceOf(Error)

        // A session: what comes while the client is away, and what it publishes then.
        const clientId = `client${clients}`
        const sleeper = await open(network.url, { ...options, clientId, session: { expiry: 60 } })
        const dreams = await sleeper.subscribe(`${prefix}/dream`, { qos: highest })
        const [away, back] = [stateOf(sleeper, 'waiting'), stateOf(sleeper, 'online')]
        network.cut()
        await away
        const kinds = all.filter((qos) => qos > 0)
        const published = kinds.map((qos) => publisher.publish(`${prefix}/dream`, `${qos}`, { qos }))
        const own = sleeper.publish(`${prefix}/dream`, 'own', { qos: highest })
        await Promise.all([...published, back, own])
        const seen = new Set<string>()
        while (seen.size < kinds.length + 1) seen.add((await dreams.next()).value!.text)
        expect([...seen].sort()).toEqual([...kinds.map(String), 'own'].sort())

        // Bytes one by one.
        network.pieceSize = 1
        const patient = await open(network.url, options)
        expect((await patient.publish(`${prefix}/a`, 'x'.repeat(300), { qos: highest })).reasonCode).toBeLessThan(0x80)
      },
    )

    it.skipIf(!versions.includes(5))(
      'with protocol version 5: shared subscriptions, requests, what CONNACK says',
      async () => {
        const { mqtt } = await start()
        const [one, two] = [await open(mqtt, {}), await open(mqtt, {})]
        const seen: string[] = []
        for (const client of [one, two]) {
          await client.subscribe('$share/g/work', { qos: 1 }, ({ text }) => void seen.push(text))
        }
        await Promise.all(['1', '2', '3', '4'].map((n) => one.publish('work', n, { qos: 1 })))
        await expect.poll(() => [...seen].sort()).toEqual(['1', '2', '3', '4'])
        await serve(two, 'rpc/echo', ({ text }) => text.toUpperCase())
        const answers = await Promise.all(['a', 'b'].map((text) => request(one, 'rpc/echo', text)))
        expect(answers.map(({ text }) => text)).toEqual(['A', 'B'])
        const { maximumPacketSize } = one.serverProperties
        if (maximumPacketSize !== undefined && maximumPacketSize < 0x1000000) {
          const tooLarge = one.publish('a', new Uint8Array(maximumPacketSize), { qos: 1 })
          await expect(tooLarge).rejects.toMatchObject({ reasonCode: 0x95 })
        }
      },
    )
  })
}

function stateOf(client: Client, name: string): Promise<void> {
  return new Promise((resolve) => client.on('state', (state) => state.name === name && resolve()))
}

it('a network that says nothing any more is noticed by Keep Alive, and left', async () => {
  const { mqtt } = await startTidewire()
  const network = await FaultyNetwork.before(Number(new URL(mqtt).port))
  const client = await open(network.url, { keepAlive: 1 })
  const waiting = stateOf(client, 'waiting')
  network.stall()
  await waiting
  expect(client.state.reason?.message).toContain('does not answer')
  network.resume()
  await client.publish('a', 'x', { qos: 1 })
})

it('nothing that was acknowledged is lost, and QoS 2 comes once and in order, wherever connections are cut', {
  timeout: 60_000,
}, async () => {
  const cuts = fc.array(fc.integer({ min: 20, max: 1_500 }), { minLength: 1, maxLength: 6 })
  const stores = fc.boolean()
  await fc.assert(
    fc.asyncProperty(cuts, cuts, stores, async (ofPublisher, ofSubscriber, hasStore) => {
      const broker = createBroker()
      const { port } = await broker.listen('mqtt://127.0.0.1:0')
      const [up, down] = [await FaultyNetwork.before(port), await FaultyNetwork.before(port)]
      const reconnect = { min: 0, max: 2, first: true }
      const session = (): ConnectOptions => ({
        reconnect,
        session: { expiry: 600, ...(hasStore && { store: memoryStore() }) },
      })
      const subscriber = await connect(down.url, { clientId: 'subscriber', ...session() })
      const got = new Map<number, number[]>([1, 2].map((qos) => [qos, []]))
      const count = 40
      let all = (): void => {}
      const complete = new Promise<void>((resolve) => {
        all = () => {
          if (new Set(got.get(1)).size === count && got.get(2)?.length === count) resolve()
        }
      })
      await subscriber.subscribe('a/#', { qos: 2 }, ({ text, qos }) => {
        got.get(qos)?.push(Number(text))
        all()
      })
      down.cutAfter.push(...ofSubscriber)
      up.cutAfter.push(...ofPublisher)
      down.cut()
      const publisher = await connect(up.url, { clientId: 'publisher', ...session() })
      const publishing: Promise<unknown>[] = []
      for (let n = 0; n < count; n++) {
        publishing.push(publisher.publish('a/1', `${n}`, { qos: 1 }), publisher.publish('a/2', `${n}`, { qos: 2 }))
        if (n % 10 === 0) await publishing.at(-1)
      }
      await Promise.all(publishing)
      await complete
      const inOrder = Array.from({ length: count }, (_, n) => n)
      expect(got.get(2)).toEqual(inOrder)
      expect([...new Set(got.get(1))]).toEqual(inOrder)
      await Promise.all([publisher.close(), subscriber.close()])
      await broker.close()
    }),
    { numRuns: 12 },
  )
})
