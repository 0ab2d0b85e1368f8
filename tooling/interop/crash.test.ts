import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import mqtt, { type MqttClient } from 'mqtt'
import { expect, it, onTestFinished } from 'vitest'

// `npm run crash` has many more rounds.
const rounds = Number(process.env['TIDEWIRE_CRASHES'] ?? 3)
// Acknowledgements after which the broker is killed, at least.
const perRound = 400
const window = 40

const cwd = fileURLToPath(new URL('.', import.meta.url))

/** A broker of which each start is another process. */
class KilledBroker {
  readonly #file: string
  readonly #directory: string
  #process: ChildProcess | undefined
  port = 0

  constructor(folder: string) {
    this.#file = join(folder, 'broker.js')
    this.#directory = join(folder, 'data')
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, [this.#file, this.#directory, `${this.port}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#process = child
    const [line] = await Promise.race([
      once(child.stdout.setEncoding('utf8'), 'data'),
      once(child, 'exit').then(([status]) => {
        throw new Error(`the broker has ended with ${status}`)
      }),
    ])
    this.port = Number(/^port (\d+)/.exec(line)?.[1])
  }

  async kill(): Promise<void> {
    const gone = once(this.#process!, 'exit')
    this.#process!.kill('SIGKILL')
    await gone
  }
}

/** Connects a client that comes back with its session by itself. */
function client(port: number, clientId: string, protocolVersion: 4 | 5): MqttClient {
  const properties = protocolVersion === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}
  const options = { clientId, protocolVersion, clean: false, reconnectPeriod: 20, connectTimeout: 2_000, ...properties }
  const made = mqtt.connect(`mqtt://127.0.0.1:${port}`, { ...options, reschedulePings: false })
  made.on('error', () => {}) // it tries again
  onTestFinished(() => void made.end(true))
  return made
}

/** Publishes at both QoS, so many at once, until it is told to stop; calls back for each that was acknowledged. */
class Publisher {
  readonly #client: MqttClient
  readonly #name: string
  readonly #acknowledged: (text: string) => void
  #count = 0
  #open = 0
  #isOver = false
  #wake: () => void = () => {}

  constructor(client: MqttClient, acknowledged: (text: string) => void) {
    this.#client = client
    this.#name = client.options.clientId!
    this.#acknowledged = acknowledged
  }

  start(): void {
    while (this.#open < window) this.#publish()
  }

  #publish(): void {
    const number = ++this.#count
    const text = `${this.#name} ${number} ${number % 2 === 0 ? 2 : 1}`
    this.#open++
    this.#client.publish(`crash/${this.#name}`, text, { qos: number % 2 === 0 ? 2 : 1 }, (error) => {
      this.#open--
      if (!error) this.#acknowledged(text)
      if (!this.#isOver) this.#publish()
      else if (this.#open === 0) this.#wake()
    })
  }

  /** Publishes no more. Settles when all is acknowledged. */
  async stop(): Promise<void> {
    this.#isOver = true
    if (this.#open > 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
  }
}

async function subscriber(port: number, clientId: string): Promise<{ client: MqttClient; got: Map<string, number> }> {
  const got = new Map<string, number>()
  const made = client(port, clientId, 5)
  made.on('message', (_, payload) => {
    const text = payload.toString()
    got.set(text, (got.get(text) ?? 0) + 1)
  })
  await made.subscribeAsync('crash/#', { qos: 2 })
  return { client: made, got }
}

it(`${rounds} times killed under load: nothing that was acknowledged is lost, QoS 2 comes once MQTT-4.3.2-4 MQTT-4.3.3-8`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidewire-crash-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const tsup = '../../node_modules/tsup/dist/cli-default.js'
  const build = [tsup, '--silent', '--entry.broker', 'crash/broker.ts', '--out-dir', folder]
  await promisify(execFile)(process.execPath, build, { cwd })
  const broker = new KilledBroker(folder)
  await broker.start()
  onTestFinished(() => broker.kill())
  const acknowledged = new Set<string>()
  let enough: () => void = () => {}
  let left = 0
  const present = await subscriber(broker.port, 'present')
  const away = await subscriber(broker.port, 'away')
  await away.client.endAsync()
  const publishers = [4, 5].map((version) => {
    const made = client(broker.port, `publisher-${version}`, version as 4 | 5)
    return new Publisher(made, (text) => {
      acknowledged.add(text)
      if (--left === 0) enough()
    })
  })
  for (const publisher of publishers) publisher.start()
  for (let round = 0; round < rounds; round++) {
    await new Promise<void>((resolve) => {
      left = perRound + Math.floor(Math.random() * 100)
      enough = resolve
    })
    await broker.kill()
    await broker.start()
  }
  await Promise.all(publishers.map((publisher) => publisher.stop()))
  const back = await subscriber(broker.port, 'away')
  for (const { got } of [present, back]) {
    const missing = (): string[] => [...acknowledged].filter((text) => !got.has(text))
    for (let size = -1; missing().length > 0 && got.size !== size; ) {
      size = got.size
      await new Promise((resolve) => setTimeout(resolve, 1_000)) // nothing for so long, and nothing more comes
    }
    expect(missing()).toEqual([])
    expect([...got].filter(([text, count]) => count > 1 && text.endsWith(' 2'))).toEqual([])
  }
  expect(acknowledged.size).toBeGreaterThanOrEqual(rounds * perRound)
  if (process.env['TIDEWIRE_CRASHES'] !== undefined) console.log(`${rounds} kills, ${acknowledged.size} acknowledged`)
}, 600_000)
