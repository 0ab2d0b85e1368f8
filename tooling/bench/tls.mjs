/**
 * What TLS costs a broker: `npm run bench tls.mjs [ROUNDS] [HANDSHAKES]`. Tidewire and mosquitto in one run, one after the
 * other in every round, a fresh process for each figure; CPU time of the broker, medians. A handshake is a connection from
 * TCP to CONNACK and its end. Bytes are those that TLS adds, both ways. Needs Linux.
 */

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectNet, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv, execPath } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { DevelopmentCa } from '@tidewire/security/certificates'
import { clientTls } from '@tidewire/security/tls'
import { pinned } from './broker/contestants.mjs'
import { canMeter, cpuSeconds, memory } from './broker/meter.mjs'
import { freePort, start } from './daemon.mjs'

/** @typedef {{ name: string, kind: 'plain' | 'certificate' | 'psk', version?: 'TLSv1.2' | 'TLSv1.3', resumes?: boolean }} Way */
/** @typedef {import('./daemon.mjs').Running} Running */
/** @typedef {{ socket: import('node:net').Socket, session: Buffer | undefined, reused: boolean }} Connection */

/** @type {readonly Way[]} */
const ways = [
  { name: 'TCP alone', kind: 'plain' },
  { name: 'TLS 1.3, full', kind: 'certificate', version: 'TLSv1.3' },
  { name: 'TLS 1.3, resumed', kind: 'certificate', version: 'TLSv1.3', resumes: true },
  { name: 'TLS 1.2, full', kind: 'certificate', version: 'TLSv1.2' },
  { name: 'TLS 1.2, resumed', kind: 'certificate', version: 'TLSv1.2', resumes: true },
  { name: 'pre-shared key (TLS 1.2)', kind: 'psk' },
]

const rounds = Number(argv[2] ?? 5)
const handshakes = Number(argv[3] ?? 300)
const atOnce = 8
const idle = 100
// The machine may have other things to do: long enough for all of them.
const patience = 60_000
const psk = { identity: 'device', key: '0123456789abcdef0123456789abcdef' }
/** CONNECT of MQTT 3.1.1 with an empty Client Identifier. */
const hello = Buffer.from('100c00044d515454040200000000', 'hex')
const connackLength = 4

const folder = mkdtempSync(join(tmpdir(), 'tidewire-tls-'))
const ca = await DevelopmentCa.create()
const server = await ca.server(['localhost', '127.0.0.1'])
for (const [name, text] of [
  ['server.key', server.key],
  ['server.crt', server.cert],
  ['psk', `${psk.identity}:${psk.key}\n`],
]) {
  writeFileSync(join(folder, `${name}`), `${text}`, { mode: 0o600 })
}

/** How each broker is started. @type {Readonly<Record<string, (port: number, kind: Way['kind']) => string[]>>} */
const contestants = {
  Tidewire: (port, kind) => {
    const script = fileURLToPath(new URL('tls/start-tidewire.mjs', import.meta.url))
    return [execPath, script, String(port), kind, folder]
  },
  mosquitto: (port, kind) => {
    const settings = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'user root', 'max_connections -1']
    if (kind === 'certificate') settings.push(`certfile ${folder}/server.crt`, `keyfile ${folder}/server.key`)
    if (kind === 'psk') settings.push(`psk_file ${folder}/psk`, 'psk_hint x')
    writeFileSync(join(folder, 'mosquitto.conf'), settings.join('\n'))
    return ['mosquitto', '-c', join(folder, 'mosquitto.conf')]
  },
}

const trusting = await clientTls({ ca: ca.pem.cert })
const keyed = await clientTls({ psk })

/** From TCP to CONNACK. @param {Way} way @param {number} port @param {Buffer} [session] @returns {Promise<Connection>} */
async function dial({ kind, version }, port, session) {
  const where = { host: '127.0.0.1', port }
  const protocol = version === undefined ? {} : { minVersion: version, maxVersion: version }
  const socket =
    kind === 'plain'
      ? connectNet(where)
      : connectTls({
          ...where,
          ...(kind === 'psk' ? keyed : { ...trusting, ...protocol }),
          ...(session && { session }),
        })
  /** @type {Buffer | undefined} */
  let latest
  socket.on('session', (ticket) => {
    latest = ticket
  })
  socket.setNoDelay(true)
  socket.setTimeout(patience, () => socket.destroy(new Error('it does not answer')))
  await once(socket, kind === 'plain' ? 'connect' : 'secureConnect')
  socket.write(hello)
  await once(socket, 'data')
  socket.setTimeout(0).on('error', () => {})
  return {
    socket,
    session: latest,
    reused: 'isSessionReused' in socket && Boolean(Reflect.apply(Reflect.get(socket, 'isSessionReused'), socket, [])),
  }
}

/** Bytes both ways of one connection, counted in between. @param {Way} way @param {number} port @param {Buffer} [session] */
async function bytesOf(way, port, session) {
  let bytes = 0
  const relay = createServer((near) => {
    const far = connectNet(port, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      from?.on('data', (chunk) => {
        bytes += chunk.length
        to?.write(chunk)
      })
      from?.on('error', () => {}).on('close', () => to?.destroy())
    }
  })
  await once(relay.listen(0, '127.0.0.1'), 'listening')
  const address = /** @type {import('node:net').AddressInfo} */ (relay.address())
  const { socket } = await dial(way, address.port, session)
  socket.destroy()
  relay.close()
  return bytes - hello.length - connackLength
}

/** @typedef {{ cpu: number, bytes: number, kibibytes: number, reused: boolean }} Figures */

/** @param {Way} way @param {Running} broker @returns {Promise<Figures>} */
async function measure(way, { pid, port }) {
  const first = await dial(way, port)
  if (way.resumes) await sleep(50) // tickets of TLS 1.3 come after all else
  const session = way.resumes ? (first.session ?? sessionOf(first)) : undefined
  first.socket.destroy()
  /** @param {number} count */
  const dialOften = async (count) => {
    const worker = async () => {
      while (count-- > 0) (await dial(way, port, session)).socket.destroy()
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }
  await dialOften(handshakes >> 2) // so that code is compiled
  const { reused, socket } = await dial(way, port, session)
  socket.destroy()
  const cpu = cpuSeconds(pid)
  await dialOften(handshakes)
  const spent = cpuSeconds(pid) - cpu
  const bytes = await bytesOf(way, port, session)
  await sleep(200)
  const before = memory(pid)
  /** @type {Connection[]} */
  const open = []
  for (let i = 0; i < idle; i++) open.push(await dial(way, port, session))
  await sleep(200)
  const kibibytes = (memory(pid) - before) / idle
  for (const { socket } of open) socket.destroy()
  return { cpu: (spent / handshakes) * 1e6, bytes, kibibytes, reused }
}

/** @param {Connection} connection */
function sessionOf({ socket }) {
  const session = Reflect.apply(Reflect.get(socket, 'getSession'), socket, [])
  return /** @type {Buffer | undefined} */ (session)
}

/** @param {readonly number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

if (!canMeter) throw new Error('CPU and memory of a process are read from /proc: Linux is needed')
const names = Object.keys(contestants).filter(
  (name) => name === 'Tidewire' || spawnSync('mosquitto', ['-h']).error === undefined,
)
/** @type {Map<string, Figures[]>} */
const figures = new Map()
try {
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) {
      for (const name of names) {
        const port = await freePort()
        const broker = await start(pinned('0', contestants[name]?.(port, way.kind) ?? []), port)
        try {
          const key = `${way.name} ${name}`
          figures.set(key, [...(figures.get(key) ?? []), await measure(way, broker)])
        } finally {
          await broker.stop()
        }
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true })
}

const columns = ['us of CPU', 'in a CPU second', 'bytes', 'KiB each']
console.log(`| | ${names.flatMap((name) => columns.map((column) => `${name}: ${column}`)).join(' | ')} |`)
console.log(`|-${'|-:'.repeat(names.length * columns.length)}|`)
for (const way of ways) {
  const cells = names.flatMap((name) => {
    const all = figures.get(`${way.name} ${name}`) ?? []
    if (way.resumes && all.some(({ reused }) => !reused)) return ['does not resume', '', '', '']
    const of = (/** @type {'cpu' | 'bytes' | 'kibibytes'} */ key) => median(all.map((each) => each[key]))
    return [of('cpu').toFixed(0), (1e6 / of('cpu')).toFixed(0), of('bytes').toFixed(0), of('kibibytes').toFixed(1)]
  })
  console.log(`| ${[way.name, ...cells].join(' | ')} |`)
}
