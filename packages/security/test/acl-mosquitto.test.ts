import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PacketInput, Publish } from '@tidewire/codec'
import { AclFile } from '@tidewire/security'
import { PacketSocket } from '@tidewire/testing/packet-socket'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { aclFiles, clients, topics } from './acl-files.js'
import { isMissing, type TestClient } from './fixture.js'

// 10,000 with npm run differential; then with another seed each time.
const decisions = Number(process.env['TIDEWIRE_DECISIONS'] ?? 300)
const seed = Number(process.env['TIDEWIRE_SEED'] ?? (decisions > 300 ? Date.now() % 2 ** 31 : 1))

const everything = ['user the-other-side', 'topic #', 'topic $SYS/#', 'topic $x/#']

it.skipIf(isMissing('mosquitto'))(
  `an acl_file decides as mosquitto does (seed ${seed}, ${decisions} decisions)`,
  { timeout: 600_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mosquitto-'))
    try {
      for (let made = 0, i = 0; made < decisions; i++) {
        const [lines] = fc.sample(aclFiles, { seed: seed + i, numRuns: 1 })
        const who = fc.sample(clients, { seed: seed + i, numRuns: 4 })
        const what = [...new Set(fc.sample(topics, { seed: seed + i, numRuns: 10 }))]
        // Who sends what the others may read: `user` in the end, so that nothing else becomes its own.
        made += await compare(join(folder, String(i)), [...lines!, ...everything], who, what)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)

async function compare(path: string, lines: string[], who: TestClient[], what: string[]): Promise<number> {
  const ours = new AclFile(lines.join('\n'))
  const mosquitto = await start(path, lines)
  try {
    const theirs: Record<string, boolean> = {}
    const expected: Record<string, boolean> = {}
    const sender = await login(mosquitto.socket, { clientId: 'sender', userName: 'the-other-side' })
    for (const client of who) {
      const connection = await login(mosquitto.socket, client)
      const { explain } = ours.deciderFor(client)
      for (const topic of what) {
        const told = JSON.stringify([client.clientId, client.userName, topic])
        theirs[`publish ${told}`] = await mayPublish(connection, topic)
        expected[`publish ${told}`] = explain('publish', topic).allowed
        if (topic.startsWith('$SYS')) continue // nobody can send such a message
        theirs[`receive ${told}`] = await mayReceive(connection, sender, topic)
        expected[`receive ${told}`] = explain('receive', topic).allowed
      }
      connection.cut()
    }
    sender.cut()
    expect(expected, lines.join('\n')).toEqual(theirs)
    return Object.keys(theirs).length
  } finally {
    mosquitto.process.kill('SIGKILL')
    await once(mosquitto.process, 'exit')
  }
}

async function start(path: string, lines: string[]): Promise<{ process: ChildProcess; socket: string }> {
  const socket = `${path}.sock`
  writeFileSync(`${path}.acl`, lines.join('\n'), { mode: 0o644 })
  const settings = [
    `listener 0 ${socket}`,
    'allow_anonymous true',
    `acl_file ${path}.acl`,
    'user root',
    'log_dest stderr',
  ]
  writeFileSync(`${path}.conf`, settings.join('\n'))
  const process = spawn('mosquitto', ['-c', `${path}.conf`, '-v'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  await new Promise<void>((resolve, reject) => {
    process.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text
      if (/running\n/.test(log)) resolve()
    })
    process.on('exit', () => reject(new Error(log)))
  })
  return { process, socket }
}

async function login(path: string, { clientId, userName }: TestClient): Promise<PacketSocket> {
  const socket = connect(path)
  await once(socket, 'connect')
  const connection = new PacketSocket(socket, 5)
  const packet: PacketInput = { type: 'connect', protocolVersion: 5, clientId, cleanStart: true, keepAlive: 0 }
  connection.send(userName === undefined ? packet : { ...packet, userName })
  await connection.expect('connack')
  return connection
}

async function mayPublish(connection: PacketSocket, topic: string): Promise<boolean> {
  connection.send({ type: 'publish', topic, payload: new Uint8Array(0), qos: 1, packetId: 1 })
  return (await connection.expect('puback')).reasonCode < 0x80
}

async function mayReceive(connection: PacketSocket, sender: PacketSocket, topic: string): Promise<boolean> {
  connection.send({ type: 'subscribe', packetId: 1, subscriptions: [{ topicFilter: topic, qos: 0 }] })
  await connection.expect('suback')
  sender.send({ type: 'publish', topic, payload: new Uint8Array(0), qos: 1, packetId: 1 })
  await sender.expect('puback')
  // What came of it is on the way before the answer to this.
  connection.send({ type: 'unsubscribe', packetId: 2, topicFilters: [topic] })
  const next = await connection.next()
  if (next?.type === 'unsuback') return false
  expect((next as Publish).topic).toBe(topic)
  await connection.expect('unsuback')
  return true
}
