/** Starts a broker from the command line. */

import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { type Broker, createBroker } from './broker.js'
import type { Listener } from './listeners/listener.js'

const usage = `Usage: tidewire-broker [options], or npm start -- [options]

Starts an MQTT broker for this machine: without --host it listens on loopback only.

  --port PORT      MQTT over TCP (default 1883)
  --ws-port PORT   also MQTT over WebSocket
  --host ADDRESS   the address to listen on, such as 0.0.0.0 for all; everyone who reaches it may use the broker
  -h, --help       show this
`

interface Settings {
  readonly port: number
  readonly webSocketPort: number | undefined
  readonly hosts: readonly string[]
}

function settingsOf(args: string[]): Settings | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: 'string', default: '1883' },
      'ws-port': { type: 'string' },
      host: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return 'help'
  return {
    port: portOf('--port', values.port),
    webSocketPort: values['ws-port'] === undefined ? undefined : portOf('--ws-port', values['ws-port']),
    hosts: values.host === undefined ? ['127.0.0.1', '::1'] : [hostOf(values.host)],
  }
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
  const { port, webSocketPort, hosts } = settings
  const broker = createBroker({ log: { info() {}, warn: console.error, error: console.error } })
  let stopping = false
  const stop = (): void => {
    if (stopping) process.exit(1) // asked twice
    stopping = true
    void broker.close()
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  try {
    const listeners = await listenOn(broker, 'mqtt', port, hosts)
    if (webSocketPort !== undefined) listeners.push(...(await listenOn(broker, 'ws', webSocketPort, hosts)))
    console.log(`Tidewire listens on ${listeners.map(({ url }) => url).join(', ')}`)
  } catch (error) {
    await broker.close()
    throw error
  }
}

main().catch((error: NodeJS.ErrnoException) => {
  console.error(error.code === 'EADDRINUSE' ? `${error.message}: choose another port with --port` : error.message)
  if (error.code?.startsWith('ERR_PARSE_ARGS')) console.error('See --help.')
  process.exitCode = 1
})
