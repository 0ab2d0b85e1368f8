/**
 * What it costs that the broker keeps its word: `npm run bench durable.mjs [ROUNDS]`. Messages of 200 bytes at QoS 1 to a
 * client that is away, with a store and without, one after the other in every round, a fresh process for each figure; what
 * waits drained to a client that comes back, beside mosquitto, which does not sync; and a restart with a million of them.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv, execPath, hrtime, pid } from 'node:process'
import { fileURLToPath } from 'node:url'
import { createBroker } from '@tidewire/broker'
import { MemoryStore } from '@tidewire/broker/store'
import { encode } from '@tidewire/codec'
import { openLog } from '@tidewire/store-log'
import { pinned } from './broker/contestants.mjs'
import { cpuSeconds } from './broker/meter.mjs'

const [, , first = '5', mode = '', directory = '', port = '0'] = argv
const messages = 100_000
const connections = 50
const inFlight = 1_024
const payload = Buffer.alloc(200, 'x')

/** Runs the broker: `durable.mjs broker MODE DIRECTORY PORT`. */
async function serve() {
  const store =
    mode === 'none'
      ? undefined
      : mode === 'memory'
        ? new MemoryStore()
        : await openLog(directory, { durability: durabilityOf(mode) })
  const broker = createBroker({
    ...(store && { store }),
    sysInterval: 0,
    limits: {
      maxQueuedMessages: 10_000_000,
      maxQueuedBytes: 4 * 1024 ** 3,
      receiveMaximum: 1_000,
      maxSessions: 200_000,
    },
    log: { info() {}, warn: console.error, error: console.error },
  })
  const listener = await broker.listen(`mqtt://127.0.0.1:${port}`)
  console.log(`port ${listener.port}`)
}

/** @param {string} mode @returns {'os' | 'fsync'} */
function durabilityOf(mode) {
  return mode === 'os' ? 'os' : 'fsync'
}

/**
 * @typedef {object} Running
 * @property {number} port
 * @property {number} pid
 * @property {() => Promise<void>} kill
 */

/** @param {readonly string[]} command @param {RegExp} pattern @param {'stdout' | 'stderr'} from @returns {Promise<Running>} */
async function run(command, pattern, from) {
  const [file = '', ...args] = pinned('0', command)
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const gone = once(child, 'exit')
  let text = ''
  const found = await new Promise((resolve, reject) => {
    child[from].setEncoding('utf8').on('data', (more) => {
      text += more
      if (pattern.test(text)) resolve(Number(pattern.exec(text)?.[1]))
    })
    child.on('exit', () => reject(new Error(`it does not start: ${text}`)))
  })
  return {
    port: found,
    pid: child.pid ?? pid,
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
  }
}

/** @param {string} name @param {string} folder */
function tidewire(name, folder) {
  return run([execPath, fileURLToPath(import.meta.url), 'broker', name, join(folder, 'data')], /port (\d+)/, 'stdout')
}

/** @param {string} folder */
async function mosquitto(folder) {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: free } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  const lines = `listener ${free} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 512\npersistence true\npersistence_location ${folder}/\nuser root\n`
  writeFileSync(join(folder, 'mosquitto.conf'), lines)
  const running = await run(
    ['mosquitto', '-c', join(folder, 'mosquitto.conf')],
    /mosquitto version.* (running)/,
    'stderr',
  )
  return { ...running, port: free }
}

/** A connection that is there, of a client of MQTT 3.1.1. @param {number} port @param {string} clientId @param {boolean} cleanStart */
async function join1(port, clientId, cleanStart) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.write(encode({ type: 'connect', protocolVersion: 4, clientId, cleanStart, keepAlive: 0 }, 4))
  const [connack] = await once(socket, 'data')
  if (connack[3] !== 0) throw new Error(`refused: ${connack[3]}`)
  return socket
}

/** @param {number} port @param {string} clientId @param {string} topicFilter */
async function leaveSubscribed(port, clientId, topicFilter) {
  const socket = await join1(port, clientId, false)
  socket.write(encode({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter, qos: 1 }] }, 4))
  await once(socket, 'data')
  socket.end(encode({ type: 'disconnect', reasonCode: 0 }, 4))
  await once(socket, 'close')
}

/** Publishes so many, with so many under way on all connections. @param {number} port @param {number} count @param {(n: number) => string} topicOf */
async function publish(port, count, topicOf) {
  const sockets = await Promise.all(Array.from({ length: connections }, (_, i) => join1(port, `p${i}`, true)))
  let sent = 0
  let acknowledged = 0
  await new Promise((resolve, reject) => {
    for (const [i, socket] of sockets.entries()) {
      let packetId = 0
      let open = 0
      const most = Math.floor((inFlight * (i + 1)) / connections) - Math.floor((inFlight * i) / connections)
      const send = () => {
        const packets = []
        while (open < most && sent < count) {
          open++
          packetId = (packetId % 0xffff) + 1
          packets.push(encode({ type: 'publish', topic: topicOf(sent++), payload, qos: 1, packetId }, 4))
        }
        if (packets.length > 0) socket.write(Buffer.concat(packets))
      }
      let rest = 0
      socket.on('data', (bytes) => {
        rest += bytes.length
        const done = rest >> 2 // a PUBACK has four bytes
        rest &= 3
        open -= done
        acknowledged += done
        send()
        if (acknowledged === count) resolve(undefined)
      })
      socket.on('close', () => reject(new Error('the broker has closed')))
      send()
    }
  })
  for (const socket of sockets) socket.removeAllListeners('close').destroy()
}

/** Takes so many messages of a client that comes back, and acknowledges them. @param {number} port @param {string} clientId @param {number} count */
async function drain(port, clientId, count) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.write(encode({ type: 'connect', protocolVersion: 4, clientId, cleanStart: false, keepAlive: 0 }, 4))
  /** @type {Buffer} */
  let buffer = Buffer.alloc(0)
  let got = 0
  await new Promise((resolve) => {
    socket.on('data', (bytes) => {
      buffer = buffer.length === 0 ? bytes : Buffer.concat([buffer, bytes])
      const acks = []
      let at = 0
      while (at + 2 < buffer.length) {
        let body = at + 1
        let length = 0
        for (let shift = 0; ; shift += 7) {
          const byte = buffer[body++] ?? 0
          length |= (byte & 0x7f) << shift
          if (byte < 0x80) break
        }
        if (body + length > buffer.length) break
        if ((buffer[at] ?? 0) >> 4 === 3) {
          const idAt = body + 2 + buffer.readUInt16BE(body)
          acks.push(Buffer.from([0x40, 2, buffer[idAt] ?? 0, buffer[idAt + 1] ?? 0]))
          got++
        }
        at = body + length
      }
      buffer = buffer.subarray(at)
      if (acks.length > 0) socket.write(Buffer.concat(acks))
      if (got === count) resolve(undefined)
    })
  })
  socket.destroy()
}

/** Messages in a second, and microseconds of the broker's CPU for each. @param {Running} broker @param {number} count @param {() => Promise<void>} work */
async function measure(broker, count, work) {
  const cpu = cpuSeconds(broker.pid)
  const from = hrtime.bigint()
  await work()
  const seconds = Number(hrtime.bigint() - from) / 1e9
  return { rate: count / seconds, cpu: ((cpuSeconds(broker.pid) - cpu) * 1e6) / count, seconds }
}

/** @param {readonly number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** A folder that is gone afterwards. @template T @param {(folder: string) => Promise<T>} use */
async function inFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), 'tidewire-durable-'))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function compare() {
  const hasMosquitto = spawnSync('mosquitto', ['-h']).error === undefined
  const names = ['none', 'memory', 'os', 'fsync', ...(hasMosquitto ? ['mosquitto'] : [])]
  /** @type {Map<string, { rate: number, cpu: number }[]>} */
  const figures = new Map()
  const add = (/** @type {string} */ key, /** @type {{ rate: number, cpu: number }} */ figure) =>
    figures.set(key, [...(figures.get(key) ?? []), figure])
  for (let round = 0; round < Number(first); round++) {
    for (const name of names) {
      await inFolder(async (folder) => {
        const broker = name === 'mosquitto' ? await mosquitto(folder) : await tidewire(name, folder)
        await leaveSubscribed(broker.port, 'away', 't')
        add(`put ${name}`, await measure(broker, messages, () => publish(broker.port, messages, () => 't')))
        add(`drain ${name}`, await measure(broker, messages, () => drain(broker.port, 'away', messages)))
        await broker.kill()
      })
    }
  }
  console.log('| | | /s | CPU us |\n|-|-|-:|-:|')
  for (const what of ['put', 'drain']) {
    for (const name of names) {
      const all = figures.get(`${what} ${name}`) ?? []
      console.log(
        `| ${what} | ${name} | ${median(all.map(({ rate }) => rate)).toFixed(0)} | ${median(all.map(({ cpu }) => cpu)).toFixed(1)} |`,
      )
    }
  }
}

async function restart() {
  const sessions = 100_000
  const topics = 1_000
  await inFolder(async (folder) => {
    let broker = await tidewire('os', folder)
    for (let i = 0; i < sessions; i += 200) {
      const some = Array.from({ length: 200 }, (_, n) =>
        leaveSubscribed(broker.port, `s${i + n}`, `t/${(i + n) % topics}`),
      )
      await Promise.all(some)
    }
    // Each goes to 100 sessions.
    await publish(broker.port, 10_000, (n) => `t/${n % topics}`)
    await broker.kill()
    const from = hrtime.bigint()
    broker = await tidewire('fsync', folder)
    const seconds = Number(hrtime.bigint() - from) / 1e9
    await drain(broker.port, 's4711', 10)
    console.log(`\nkilled with 1,000,000 messages for 100,000 sessions, it listens again after ${seconds.toFixed(1)} s`)
    await broker.kill()
  })
}

if (first === 'broker') await serve()
else if (first === 'restart') await restart()
else {
  await compare()
  await restart()
}
