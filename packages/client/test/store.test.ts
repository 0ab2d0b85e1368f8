import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Client, connect, memoryStore, type SessionStore } from '@tidewire/client'
import { fileStore } from '@tidewire/client/node'
import { build } from 'esbuild'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { atOnce, bytes, start, subscribe } from './connected.js'
import { ScriptedServer } from './scripted-server.js'
import { storeContract } from './store-contract.js'

const folder = mkdtempSync(join(tmpdir(), 'store-'))
afterAll(() => rmSync(folder, { recursive: true }))

const memory = memoryStore()
storeContract('memory', () => memory)
storeContract('file', () => fileStore(folder))

/** A store of one file, and the file. */
function oneFile(): { open: () => SessionStore; file: () => string } {
  const own = mkdtempSync(join(folder, 'one-'))
  const file = (): string => join(own, readdirSync(own).find((name) => name.endsWith('.session'))!)
  return { open: () => fileStore(own), file }
}

describe('a file', () => {
  const fill = async (store: SessionStore, keys: readonly number[]): Promise<void> => {
    await store.load('c')
    for (const key of keys) await store.write([{ put: { key } }])
  }

  it('whose end a crash has cut off is as it was before', async () => {
    const { open, file } = oneFile()
    const store = open()
    await fill(store, [-1, -2])
    await store.close()
    const whole = readFileSync(file())
    const length = whole.length / 2
    for (const end of [length + 1, length + 8, whole.length - 1]) {
      for (const rest of [Buffer.alloc(0), Buffer.alloc(30)]) {
        if (rest.length > 0 && end > length + 1) continue
        writeFileSync(file(), Buffer.concat([whole.subarray(0, rest.length > 0 ? length : end), rest]))
        const again = open()
        expect(await again.load('c')).toEqual([{ key: -1 }])
        await again.close()
      }
    }
  })

  it('that is damaged elsewhere is refused, and left as it is', async () => {
    const { open, file } = oneFile()
    const store = open()
    await fill(store, [-1, -2, -3])
    await store.close()
    const damaged = readFileSync(file())
    damaged[10]! ^= 1
    writeFileSync(file(), damaged)
    await expect(open().load('c')).rejects.toThrow('damaged at byte 0')
    expect(readFileSync(file())).toEqual(damaged)
  })

  it('is for one process at a time, and for its user alone', async () => {
    const { open, file } = oneFile()
    const store = open()
    await fill(store, [-1])
    await expect(open().load('c')).rejects.toThrow('has the session')
    expect(statSync(file()).mode & 0o77).toBe(0)
    await store.close()
    writeFileSync(`${file()}.lock`, '999999999') // of a process that is gone
    const again = open()
    expect(await again.load('c')).toEqual([{ key: -1 }])
    await again.close()
  })

  it('does not grow for ever', async () => {
    const { open, file } = oneFile()
    const store = open()
    await store.load('c')
    const payload = new Uint8Array(100_000)
    const message = { topic: 'a', payload, qos: 1, retain: false, properties: {} } as const
    for (let key = 1; key < 40; key++) {
      await store.write([
        { put: { key, packetId: 0, awaits: 'puback', message } },
        { delete: key },
        { put: { key: -key } },
      ])
    }
    expect(statSync(file()).size).toBeLessThan(1_200_000)
    await store.close()
    const again = open()
    expect(await again.load('c')).toHaveLength(39)
    await again.close()
  })
})

const session = (store: SessionStore) => ({ clientId: 'c', session: { expiry: 3600, store }, reconnect: atOnce })

describe('a session in a store', () => {
  it('goes on in the next client: messages in flight, released and waiting [MQTT-4.1.0-1, MQTT-4.4.0-1]', async () => {
    const store = memoryStore()
    const { client, peer, server, again } = await start(
      { ...session(store), queue: {} },
      { properties: { receiveMaximum: 2 } },
    )
    const publishing = [1, 2, 1].map((qos, i) => client.publish('a', `${i}`, { qos: qos as 1 | 2 }).catch(() => {}))
    await peer.expect('publish')
    await peer.expect('publish')
    peer.send({ type: 'pubrec', packetId: 2 })
    await peer.expect('pubrel')
    await client.close()
    await Promise.all(publishing)
    const connecting = connect(server.url, session(store))
    const second = await again({ sessionPresent: true })
    const next = await connecting
    onTestFinished(() => next.close())
    expect(await second.expect('pubrel')).toMatchObject({ packetId: 2 })
    expect(await second.expect('publish')).toMatchObject({ packetId: 1, dup: true, payload: bytes('0') })
    expect(await second.expect('publish')).toMatchObject({ dup: false, payload: bytes('2') })
  })

  it('knows which QoS 2 messages the application has had [MQTT-4.3.3-10]', async () => {
    const store = memoryStore()
    const { client, peer, server, again } = await start(session(store), { sessionPresent: true })
    const publish = { type: 'publish', topic: 'a', payload: bytes('x'), qos: 2, packetId: 9 } as const
    const receive = async (from: Client, at: typeof peer) => {
      const subscription = await subscribe(from, at, 'a', { qos: 2 })
      return subscription
    }
    const subscription = await receive(client, peer)
    peer.send(publish)
    await subscription.next()
    void subscription.next()
    await peer.expect('pubrec')
    const closing = client.close()
    await peer.expect('disconnect')
    await closing
    const connecting = connect(server.url, session(store))
    const second = await again({ sessionPresent: true })
    const next = await connecting
    onTestFinished(() => next.close())
    second.send({ ...publish, dup: true })
    await second.expect('pubrec') // and nobody gets it
    second.send({ type: 'pubrel', packetId: 9 })
    expect(await second.expect('pubcomp')).toMatchObject({ reasonCode: 0 })
    const again2 = await receive(next, second)
    second.send({ ...publish, payload: bytes('new') })
    expect((await again2.next()).value).toMatchObject({ text: 'new' })
  })

  it('sends nothing before it is written down, and ends when that fails', async () => {
    let fail: (error: Error) => void = () => {}
    let written: () => void = () => {}
    const store: SessionStore = {
      load: async () => [],
      write: () =>
        new Promise((resolve, reject) => {
          written = resolve
          fail = reject
        }),
      close: async () => {},
    }
    const { client, peer } = await start(session(store))
    const first = client.publish('a', '1', { qos: 1 })
    peer.send({ type: 'pingresp' })
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    written()
    const { packetId = 0 } = await peer.expect('publish')
    peer.send({ type: 'puback', packetId })
    await first
    const second = expect(client.publish('a', '2', { qos: 1 })).rejects.toThrow('disk full')
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    fail(new Error('disk full'))
    await second
    expect((await client.closed)?.message).toBe('disk full')
    expect(await peer.next()).toBeUndefined() // the second was never sent
  })

  it('that cannot be read is told', async () => {
    const store: SessionStore = {
      load: () => Promise.reject(new Error('unreadable')),
      write: async () => {},
      close: async () => {},
    }
    const server = await ScriptedServer.start()
    await expect(connect(server.url, session(store))).rejects.toThrow('unreadable')
    await expect(connect(server.url, { session: { expiry: 1 } })).rejects.toThrow('clientId')
  })
})

it('a process that is killed at any moment sends a QoS 2 message again with its identifier, or PUBREL, until it is done', async () => {
  const own = mkdtempSync(join(folder, 'killed-'))
  const script = join(own, 'publish-and-die.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('publish-and-die.ts', import.meta.url))],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@tidewire/source'],
    external: ['ws'],
    logLevel: 'silent',
  })
  const server = await ScriptedServer.start()
  const unreleased = new Map<number, string>()
  const done = new Set<string>()
  for (let round = 0; round < 6; round++) {
    const child = fork(script, [server.url, own])
    onTestFinished(() => void child.kill('SIGKILL'))
    const peer = await server.peer()
    await peer.accept({ sessionPresent: round > 0 })
    // Each process is killed one packet later than the one before, the last when nothing is left of those before it.
    for (let packets = 0; round < 5 ? packets < round * 2 + 1 : [...unreleased.values()].some(isOld); packets++) {
      const packet = await peer.next()
      if (packet?.type === 'publish') {
        const text = new TextDecoder().decode(packet.payload)
        expect(done.has(text)).toBe(false)
        expect(unreleased.get(packet.packetId!) ?? text).toBe(text)
        unreleased.set(packet.packetId!, text)
        peer.send({ type: 'pubrec', packetId: packet.packetId! })
      } else if (packet?.type === 'pubrel') {
        done.add(unreleased.get(packet.packetId) ?? '')
        unreleased.delete(packet.packetId)
        peer.send({ type: 'pubcomp', packetId: packet.packetId })
      } else {
        throw new Error(`got ${packet?.type}`)
      }
    }
    function isOld(text: string): boolean {
      return !text.startsWith(`${child.pid}-`)
    }
    child.kill('SIGKILL')
    await once(child, 'exit')
    peer.cut()
  }
  expect(done.size).toBeGreaterThan(5)
})
