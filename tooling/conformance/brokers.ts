/** Brokers that the tests are run against: Tidewire in this process, and Debian's mosquitto. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import {
  type AuthenticationExchange,
  type AuthenticationStep,
  type BrokerOptions,
  createBroker,
} from '@tidewire/broker'
import type { BrokerUnderTest } from './broker-under-test.js'

export interface Running extends BrokerUnderTest {
  stop(): Promise<void>
}

const host = '127.0.0.1'
const deniedTopics = 'denied'
const deniedFilters = `${deniedTopics}/filter`
const deniedUser = 'nobody'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A method of enhanced authentication with one question and one answer. */
const mechanism = { name: 'RIDDLE', first: bytes('ask me'), right: bytes('the tide'), wrong: bytes('the moon') }

function exchange(): AuthenticationExchange {
  let asked = false
  return {
    next(data): AuthenticationStep {
      if (!asked) {
        asked = true
        return { state: 'continue', data: bytes('what comes and goes, and never leaves?') }
      }
      const isRight = data !== undefined && Buffer.compare(data, mechanism.right) === 0
      return isRight ? { state: 'success', data: bytes('so it is') } : { state: 'failure' }
    },
  }
}

/** Starts Tidewire's broker as the tests want it. */
export async function startTidewire(): Promise<Running> {
  const options: BrokerOptions = {
    authenticationMethods: { [mechanism.name]: () => exchange() },
    authenticate: ({ userName }) => userName !== deniedUser,
    authorize: (_client, action, topic) => {
      if (action === 'subscribe') return topic !== deniedFilters
      return action !== 'publish' || (!topic.startsWith(`${deniedTopics}/`) && !topic.startsWith('$SYS/'))
    },
  }
  const broker = createBroker(options)
  const { port } = await broker.listen(`mqtt://${host}:0`)
  const { port: webSocketPort } = await broker.listen(`ws://${host}:0`)
  return {
    host,
    port,
    webSocketPort,
    versions: [3, 4, 5],
    deniedTopics,
    deniedFilters,
    deniedUser,
    mechanism,
    stop: () => broker.close(),
  }
}

// Of the system; who has it not, has no column for it.
const mosquitto: string = 'mosquitto'

export const hasMosquitto: boolean = spawnSync(mosquitto, ['-h'], { stdio: 'ignore' }).error === undefined

/** The first line of its help, such as `mosquitto version 2.0.11`. */
export function mosquittoVersion(): string {
  return spawnSync(mosquitto, ['-h'], { encoding: 'utf8' }).stdout.split('\n', 1)[0]!.replace(' version', '')
}

/** Starts mosquitto with no more options than the tests need. */
export async function startMosquitto(): Promise<Running> {
  const [port, webSocketPort] = [await freePort(), await freePort()]
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'))
  const file = (name: string, ...lines: string[]): string => {
    const path = join(folder, name)
    writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 })
    return path
  }
  const passwords = file('passwords')
  const rights = file(
    'rights',
    'topic readwrite #',
    'topic readwrite $conformance/#',
    'topic read $SYS/#',
    `topic deny ${deniedTopics}/#`,
  )
  const configuration = file(
    'mosquitto.conf',
    `user ${userInfo().username}`, // or as root it could not read its files
    ...['allow_anonymous true', `password_file ${passwords}`, `acl_file ${rights}`],
    ...[`listener ${port} ${host}`, `listener ${webSocketPort} ${host}`, 'protocol websockets'],
  )
  const child = spawn(mosquitto, ['-c', configuration], { stdio: ['ignore', 'ignore', 'pipe'] })
  await running(child)
  const stop = async (): Promise<void> => {
    child.kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    rmSync(folder, { recursive: true })
  }
  return { host, port, webSocketPort, versions: [3, 4, 5], deniedTopics, deniedUser, stop }
}

async function running(child: ChildProcess): Promise<void> {
  const log: string[] = []
  for await (const line of createInterface({ input: child.stderr! })) {
    log.push(line)
    if (/ running$/.test(line)) {
      child.stderr!.resume() // what it says later is of no interest, but has to be taken
      return
    }
  }
  throw new Error(`mosquitto did not start: ${log.join('\n')}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
