/**
 * What a flood of wrong passwords does to clients that are in: `npm run bench flood.mjs [ROUNDS] [PASSWORDS]`. One client
 * sends a message every 2 ms to another one, and the time of each is taken: for some seconds, then while so many wrong
 * passwords come, 50 at once, each of which the broker has to hash. Without a limit for failed logins, as the flood could
 * come from many addresses. A fresh broker in every round, medians; mosquitto, where it is, with hashes of PBKDF2.
 */

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectNet } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv, execPath } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { encode } from '@tidewire/codec'
import { hashPassword } from '@tidewire/security'
import { freePort, start } from './daemon.mjs'

const rounds = Number(argv[2] ?? 5)
const wrongPasswords = Number(argv[3] ?? 1000)
const atOnce = 50
const quiet = 5_000
const interval = 2
const topic = 'a'

const folder = mkdtempSync(join(tmpdir(), 'tidewire-flood-'))

/** @param {string} name @param {'scrypt' | 'pbkdf2-sha512'} format */
async function users(name, format) {
  const file = join(folder, name)
  writeFileSync(file, `ann:${await hashPassword('tide', { format })}\n`, { mode: 0o600 })
  return file
}

/** How each broker is started. @type {Readonly<Record<string, (port: number) => Promise<string[]>>>} */
const contestants = {
  async Tidewire(port) {
    const script = fileURLToPath(new URL('flood/start-tidewire.mjs', import.meta.url))
    return [execPath, script, String(port), await users('scrypt', 'scrypt')]
  },
  async mosquitto(port) {
    const passwd = await users('pbkdf2', 'pbkdf2-sha512')
    const settings = [`listener ${port} 127.0.0.1`, 'allow_anonymous false', 'user root', `password_file ${passwd}`]
    writeFileSync(join(folder, 'mosquitto.conf'), settings.join('\n'))
    return ['mosquitto', '-c', join(folder, 'mosquitto.conf')]
  },
}

/** A connection that has said CONNECT, and its answer. @param {number} port @param {string} password */
async function login(port, password) {
  const socket = connectNet(port, '127.0.0.1').setNoDelay(true)
  await once(socket, 'connect')
  const hello = /** @type {const} */ ({ type: 'connect', protocolVersion: 4, clientId: '', userName: 'ann' })
  socket.write(encode({ ...hello, password: Buffer.from(password) }, 4))
  const [answer] = /** @type {[Buffer]} */ (await once(socket, 'data'))
  return { socket, returnCode: answer[3] }
}

/** Milliseconds that each message takes until something has happened. @param {number} port @param {() => Promise<unknown>} until */
async function latencies(port, until) {
  const [publisher, subscriber] = [(await login(port, 'tide')).socket, (await login(port, 'tide')).socket]
  subscriber.write(encode({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: topic, qos: 0 }] }, 4))
  await once(subscriber, 'data')
  /** @type {number[]} */
  const taken = []
  const payload = new Uint8Array(8)
  const view = new DataView(payload.buffer)
  const length = encode({ type: 'publish', topic, payload }, 4).length
  let rest = Buffer.alloc(0)
  subscriber.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (; rest.length >= length; rest = rest.subarray(length)) {
      taken.push(performance.now() - rest.readDoubleBE(length - 8))
    }
  })
  let sent = 0
  const timer = setInterval(() => {
    sent++
    view.setFloat64(0, performance.now())
    publisher.write(encode({ type: 'publish', topic, payload }, 4))
  }, interval)
  await until().finally(() => clearInterval(timer))
  while (taken.length < sent) await once(subscriber, 'data') // what is late counts too
  publisher.destroy()
  subscriber.destroy()
  return taken
}

/** Settles with how many passwords a second were refused. @param {number} port */
async function flood(port) {
  let left = wrongPasswords
  const start = performance.now()
  const worker = async () => {
    while (left > 0) {
      const { socket, returnCode } = await login(port, `wrong ${left--}`)
      socket.destroy()
      // mosquitto says 5 to wrong passwords.
      if (returnCode !== 4 && returnCode !== 5) throw new Error(`a wrong password is answered with ${returnCode}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return (wrongPasswords * 1000) / (performance.now() - start)
}

/** @param {readonly number[]} values @param {number} part */
const quantile = (values, part) => values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN
/** @param {readonly number[]} values */
const median = (values) => quantile(values, 0.5)

const names = Object.keys(contestants).filter(
  (name) => name === 'Tidewire' || spawnSync('mosquitto', ['-h']).error === undefined,
)
/** @typedef {{ before: number, during: number, rate: number }} Figures */
/** @type {Map<string, Figures[]>} */
const figures = new Map()
try {
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const port = await freePort()
      const broker = await start((await contestants[name]?.(port)) ?? [], port)
      try {
        const before = await latencies(port, () => sleep(quiet))
        let rate = 0
        const during = await latencies(port, async () => {
          rate = await flood(port)
        })
        const all = figures.get(name) ?? []
        figures.set(name, [...all, { before: quantile(before, 0.99), during: quantile(during, 0.99), rate }])
      } finally {
        await broker.stop()
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true })
}

console.log('| | p99 before, ms | p99 in the flood, ms | times | wrong passwords a second |\n|-|-:|-:|-:|-:|')
for (const name of names) {
  const all = figures.get(name) ?? []
  const of = (/** @type {keyof Figures} */ key) => median(all.map((each) => each[key]))
  const ratio = median(all.map(({ before, during }) => during / before))
  const cells = [of('before').toFixed(2), of('during').toFixed(2), ratio.toFixed(1), of('rate').toFixed(0)]
  console.log(`| ${[name, ...cells].join(' | ')} |`)
}
