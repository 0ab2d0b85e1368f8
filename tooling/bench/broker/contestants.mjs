/** The brokers that are measured: how each is started, and what it cannot do. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { aclFile, natsSubjects } from './acl.mjs'

/** @typedef {import('./cases.mjs').Case} Case */

/**
 * @typedef {object} Place Where a broker is to listen, and what it may use.
 * @property {number} port
 * @property {Case['transport']} transport
 * @property {string} folder Empty, and removed afterwards.
 * @property {string} key Path of a private key.
 * @property {string} certificate Path of its certificate, for 127.0.0.1.
 */

/** @typedef {{ pid: number, port: number, stop: () => Promise<string> }} Running `stop` returns the end of what it printed. */

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {string} version
 * @property {(what: Case) => string | undefined} lacks Why it cannot be measured in a case.
 * @property {(what: Case, certificate: Certificate) => Promise<Running>} start
 */

/** @typedef {{ key: string, certificate: string }} Certificate Paths. */

const file = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url))

/** Runs a command on one core, where that can be chosen. @param {string} core @param {readonly string[]} command */
export function pinned(core, command) {
  return hasTaskset ? ['taskset', '-c', core, ...command] : [...command]
}

export const hasTaskset = spawnSync('taskset', ['--version'], { stdio: 'ignore' }).error === undefined
const brokerCore = '0'

/** A key and a certificate of its own, in a folder. @param {string} folder @returns {Certificate} */
export function makeCertificate(folder) {
  const certificate = join(folder, 'certificate.pem')
  const key = join(folder, 'key.pem')
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const { status, stderr, error } = spawnSync(
    'openssl',
    ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', certificate],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw error ?? new Error(stderr)
  return { key, certificate }
}

/**
 * A contestant that is a program.
 * @param {string} name
 * @param {string} version
 * @param {(place: Place) => readonly string[]} command
 * @param {Contestant['lacks']} lacks
 * @returns {Contestant}
 */
function program(name, version, command, lacks = () => undefined) {
  return { name, version, lacks, start: (what, certificate) => run(command, what.transport, certificate) }
}

/** @param {(place: Place) => readonly string[]} command @param {Case['transport']} transport @param {Certificate} certificate @returns {Promise<Running>} */
async function run(command, transport, certificate) {
  const folder = mkdtempSync(join(tmpdir(), 'tidewire-bench-'))
  const port = await freePort()
  const [executable = '', ...args] = pinned(brokerCore, command({ port, transport, folder, ...certificate }))
  const child = spawn(executable, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output = (output + text).slice(-2000)
    })
  }
  const ended = once(child, 'close')
  const stop = async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTime)
    child.kill('SIGTERM')
    await ended
    clearTimeout(timer)
    rmSync(folder, { recursive: true })
    return output.trim()
  }
  const limit = performance.now() + startTime
  while (!(await accepts(port))) {
    if (child.exitCode === null && performance.now() < limit) {
      await sleep(20)
      continue
    }
    await stop()
    throw new NotStarted(reason(output).replace(`:${port}`, ''))
  }
  return { pid: child.pid ?? 0, port, stop }
}

const startTime = 15_000
const stopTime = 5_000

/** The broker does not do what the case needs, or does not run at all. */
export class NotStarted extends Error {}

/** The line of an output that says most. @param {string} output */
export function reason(output) {
  const lines = output.trim().split('\n')
  const line = lines.findLast((each) => /error: /i.test(each)) ?? lines.at(-1) ?? ''
  return line.replace(/^.*Error: /, '').trim() || 'it ended without a word'
}

/** A port that nobody has. @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** @param {number} port @returns {Promise<boolean>} */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => resolve(false))
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

/** The version that a program tells of, or undefined where it is not there. @param {string} command @param {string} option */
function versionOf(command, option) {
  const { error, stdout } = spawnSync(command, [option], { encoding: 'utf8' })
  return error === undefined ? /\d+(\.\d+)+/.exec(stdout)?.[0] : undefined
}

/** @param {string} name A package that is installed here. */
function packageVersion(name) {
  return JSON.parse(readFileSync(file(`../node_modules/${name}/package.json`), 'utf8')).version
}

/** @param {string} node The executable. @param {readonly string[]} options Of Node. @returns {Contestant} */
export function tidewire(node = execPath, options = []) {
  const version = `${packageVersion('@tidewire/broker')}, Node ${versionOf(node, '--version')}`
  return program('Tidewire', version, ({ port, transport, key, certificate }) => [
    node,
    ...options,
    file('start-tidewire.mjs'),
    String(port),
    transport,
    ...(transport === 'mqtts' ? [key, certificate] : []),
  ])
}

/** @param {string} node @returns {Contestant} */
function aedes(node) {
  const version = `${packageVersion('aedes')}, Node ${versionOf(node, '--version')}`
  const command = (/** @type {Place} */ { port, transport, key, certificate }) => [
    node,
    file('start-aedes.mjs'),
    String(port),
    transport,
    key,
    certificate,
  ]
  return program('aedes', version, command, ({ version, groups }) => {
    if (version === 5) return 'it has no MQTT 5.0'
    return groups.some(({ shape }) => shape === 'shared') ? 'it has no shared subscriptions' : undefined
  })
}

/** The configuration of mosquitto that does the same as the others': no queue ends before the messages do. @param {Place} place */
function mosquittoConfiguration(
  { port, transport, folder, key, certificate },
  more = /** @type {readonly string[]} */ ([]),
) {
  const acl = join(folder, 'acl')
  writeFileSync(acl, aclFile, { mode: 0o600 })
  const path = join(folder, 'mosquitto.conf')
  const lines = [
    `listener ${port} 127.0.0.1`,
    // It does not start with WebSocket alone.
    ...(transport === 'ws' ? ['protocol websockets', `listener 0 ${join(folder, 'socket')}`] : []),
    ...(transport === 'mqtts' ? [`certfile ${certificate}`, `keyfile ${key}`] : []),
    ...(process.getuid?.() === 0 ? ['user root'] : []), // which may read the folder
    'allow_anonymous true',
    `acl_file ${acl}`,
    'max_queued_messages 0',
    'max_inflight_messages 128',
    'log_type error',
    ...more,
  ]
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

/** @param {Place} place */
function natsConfiguration({ port, transport, folder, key, certificate }) {
  const path = join(folder, 'nats.conf')
  const store = join(folder, 'store')
  mkdirSync(store)
  const permissions = { publish: natsSubjects('write'), subscribe: [...natsSubjects('read'), '$MQTT.>'] }
  const tls = { cert_file: certificate, key_file: key }
  const configuration = {
    server_name: 'bench',
    host: '127.0.0.1',
    port: -1,
    jetstream: { store_dir: store },
    mqtt: { host: '127.0.0.1', port, ...(transport === 'mqtts' ? { tls } : {}) },
    authorization: { users: [{ user: 'bench', password: 'bench', permissions }] },
    no_auth_user: 'bench',
  }
  writeFileSync(path, JSON.stringify(configuration))
  return path
}

/** @param {Case} what */
function natsLacks({ version, groups, transport, kind }) {
  if (version === 5) return 'it has no MQTT 5.0'
  if (transport === 'ws') return 'it has MQTT over WebSocket only at the port of its own protocol'
  if (groups.some(({ shape }) => shape === 'shared')) return 'it has no shared subscriptions of MQTT'
  if (groups.some(({ qos }) => qos === 2)) return 'it has no QoS 2'
  return kind === 'queued' ? 'it lets no more than 65,535 bytes of messages wait' : undefined
}

/**
 * Another broker, by the command that starts it. In the command `{port}` stands for the port on which it is to listen,
 * and `{mosquitto.conf}` for a configuration as for mosquitto.
 * @param {string} text `NAME=COMMAND`.
 * @returns {Contestant}
 */
function other(text) {
  const [, name, command] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (name === undefined || command === undefined) throw new TypeError(`--peer must be NAME=COMMAND, not ${text}`)
  const words = (/** @type {Place} */ place) =>
    command
      .split(' ')
      .map((word) =>
        word
          .replaceAll('{port}', String(place.port))
          .replaceAll('{mosquitto.conf}', () => mosquittoConfiguration(place)),
      )
  const lacks = (/** @type {Case} */ { transport }) =>
    transport === 'mqtt' || command.includes('{mosquitto.conf}') ? undefined : 'its command knows only TCP'
  return program(name, 'as started', words, lacks)
}

/**
 * All that are there, Tidewire first.
 * @param {string} node
 * @param {readonly string[]} peers As `NAME=COMMAND`.
 * @param {readonly string[]} mosquittoLines More for its configuration.
 * @returns {Contestant[]}
 */
export function contestantsHere(node, peers, mosquittoLines) {
  const found = [tidewire(node)]
  const mosquitto = versionOf('mosquitto', '-h')
  if (mosquitto !== undefined) {
    const version = [mosquitto, ...mosquittoLines].join(', ')
    const command = (/** @type {Place} */ place) => ['mosquitto', '-c', mosquittoConfiguration(place, mosquittoLines)]
    found.push(program('mosquitto', version, command))
  }
  found.push(aedes(node))
  const nats = versionOf('nats-server', '--version')
  if (nats !== undefined) {
    found.push(program('nats-server', nats, (place) => ['nats-server', '-c', natsConfiguration(place)], natsLacks))
  }
  return [...found, ...peers.map(other)]
}
