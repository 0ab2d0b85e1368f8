/** Starts a broker from the command line. */

import { createRequire } from 'node:module'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { type Broker, createBroker } from './broker.js'
import type { Listener } from './listeners/listener.js'
import type { Store } from './store/store.js'

const usage = `Usage: tidewire-broker [options], or npm start -- [options]

Starts an MQTT broker for this machine: without --host it listens on loopback only.

  --port PORT      MQTT over TCP (default 1883)
  --ws-port PORT   also MQTT over WebSocket
  --host ADDRESS   the address to listen on, such as 0.0.0.0 for all; everyone who reaches it may use the broker
  --data DIR       keep sessions and messages in this directory, with @tidewire/store-log; without, they end with the broker
  --durability D   what an acknowledgement stands for: fsync, it is on the disk (default), or os, the system has it
  -h, --help       show this
`

interface Settings {
  readonly port: number
  readonly webSocketPort: number | undefined
  readonly hosts: readonly string[]
  /** The directory of the store. */
  readonly data: string | undefined
  readonly durability: 'fsync' | 'os'
}

function settingsOf(args: string[]): Settings | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: 'string', default: '1883' },
      'ws-port': { type: 'string' },
      host: { type: 'string' },
      data: { type: 'string' },
      durability: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return 'help'
  return {
    port: portOf('--port', values.port),
    webSocketPort: values['ws-port'] === undefined ? undefined : portOf('--ws-port', values['ws-port']),
    hosts: values.host === undefined ? ['127.0.0.1', '::1'] : [hostOf(values.host)],
    data: values.data,
    durability: durabilityOf(values.durability, values.data),
  }
}

function durabilityOf(text: string | undefined, data: string | undefined): 'fsync' | 'os' {
  if (text === undefined) return 'fsync'
  if (text !== 'fsync' && text !== 'os') throw new TypeError(`--durability must be fsync or os, not ${text}`)
  if (data === undefined) throw new TypeError('--durability is of use with --data only')
  return text
}

/** Opens the store in a directory. Its package depends on this one, so it is installed beside it. */
async function openStore(directory: string, durability: 'fsync' | 'os'): Promise<Store> {
  const { openLog } = (await importBeside('@tidewire/store-log')) as {
    openLog(directory: string, options: { durability: 'fsync' | 'os' }): Promise<Store>
  }
  return openLog(directory, { durability })
}

/** Imports a package that is installed where the broker is, or where it is started. */
async function importBeside(name: string): Promise<unknown> {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    let file: string
    try {
      file = createRequire(from).resolve(name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
      continue
    }
    return import(pathToFileURL(file).href)
  }
  throw new Error(`--data needs ${name}, which is not installed: npm install ${name}`)
}

function hostOf(text: string): string {
  if (isIP(text) > 0 || /^[A-Za-z0-9.-]+$/.test(text)) return text
  throw new TypeError(`--host must be an address such as 0.0.0.0, :: or a name, not ${JSON.stringify(text)}`)
}

function portOf(option: string, text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535) throw new TypeError(`${option} must be a port from 0 to 65535, not ${text}`)
  return port
}

/** Listens on each host, on IPv6 only where the machine has it. */
async function listenOn(broker: Broker, scheme: string, port: number, hosts: readonly string[]): Promise<Listener[]> {
  const listeners: Listener[] = []
  for (const host of hosts) {
    const shown = host.includes(':') ? `[${host}]` : host
    try {
      // Port 0 is chosen once, for all of them.
      listeners.push(await broker.listen(`${scheme}://${shown}:${listeners[0]?.port ?? port}`))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (listeners.length === 0 || (code !== 'EADDRNOTAVAIL' && code !== 'EAFNOSUPPORT')) throw error
    }
  }
  return listeners
}

async function main(): Promise<void> {
  const settings = settingsOf(process.argv.slice(2))
  if (settings === 'help') return void process.stdout.write(usage)
  const { port, webSocketPort, hosts, data, durability } = settings
  const store = data === undefined ? undefined : await openStore(data, durability)
  const broker = createBroker({
    ...(store && { store }),
    log: { info() {}, warn: console.error, error: console.error },
  })
  let stopping = false
  const stop = (): void => {
    if (stopping) process.exit(1) // asked twice
    stopping = true
    broker.close().catch(fail)
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  try {
    const listeners = await listenOn(broker, 'mqtt', port, hosts)
    if (webSocketPort !== undefined) listeners.push(...(await listenOn(broker, 'ws', webSocketPort, hosts)))
    const keeps = store === undefined ? 'memory: all ends with it' : `${store.durability}: in ${data}`
    console.log(`Tidewire listens on ${listeners.map(({ url }) => url).join(', ')} (durability ${keeps})`)
  } catch (error) {
    await broker.close()
    throw error
  }
}

function fail(error: NodeJS.ErrnoException): void {
  console.error(error.code === 'EADDRINUSE' ? `${error.message}: choose another port with --port` : error.message)
  if (error.code?.startsWith('ERR_PARSE_ARGS')) console.error('See --help.')
  process.exitCode = 1
}

main().catch(fail)
