import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createBroker } from '@tidewire/broker'
import { Decoder, encode, type Packet, type PacketInput } from '@tidewire/codec'
import { type BuildOptions, build } from 'esbuild'
import { expect, it, onTestFinished } from 'vitest'
import { WebSocketServer } from 'ws'
import { root } from './bundle.js'
import { runtimes } from './runtimes.js'

async function bundle(name: string, options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(name, import.meta.url))],
    alias: { vitest: fileURLToPath(new URL('vitest.ts', import.meta.url)) },
    conditions: ['@tidewire/source'],
    external: ['ws'],
    format: 'esm',
    target: 'es2022',
    bundle: true,
    write: false,
    logLevel: 'silent',
    absWorkingDir: root,
    ...options,
  })
  return outputFiles![0]!.text
}

/** A server that never accepts a QoS 2 message of the page before it has come again. Returns what it was sent. */
async function startServer(): Promise<{ port: number; seen: Packet[] }> {
  const seen: Packet[] = []
  let connections = 0
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'mqtt' })
  onTestFinished(() => void server.close())
  server.on('connection', (socket) => {
    const decoder = new Decoder()
    const isFirst = connections++ === 0
    const send = (packet: PacketInput): void => socket.send(encode(packet))
    const publish = { type: 'publish', topic: 'to/page', payload: new Uint8Array([1]), qos: 2, packetId: 9 } as const
    socket.on('message', (bytes: Buffer) => {
      for (const packet of decoder.push(bytes)) {
        seen.push(packet)
        if (packet.type === 'connect') send({ type: 'connack', sessionPresent: !isFirst })
        if (packet.type === 'connect' && !isFirst) send({ ...publish, dup: true })
        if (packet.type === 'subscribe') {
          send({ type: 'suback', packetId: packet.packetId, reasonCodes: [2] })
          send(publish)
        }
        if (packet.type === 'publish' && packet.qos === 1) send({ type: 'puback', packetId: packet.packetId! })
        if (packet.type === 'publish' && packet.qos === 2 && !isFirst)
          send({ type: 'pubrec', packetId: packet.packetId! })
        if (packet.type === 'pubrel') send({ type: 'pubcomp', packetId: packet.packetId })
      }
    })
  })
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, seen }
}

const chromium = runtimes.find(({ name }) => name === 'Chromium')!

it.skipIf(chromium.program === undefined)(
  `the client in Chromium: a session in IndexedDB goes on after a reload of the page (needs ${chromium.needs})`,
  { timeout: 100_000 },
  async (test) => {
    const { port, seen } = await startServer()
    const script = await bundle('client-in-browser.ts', { platform: 'browser', define: { PORT: `${port}` } })
    const outcomes = await chromium.run(script, test)
    expect(outcomes.filter(({ state }) => state !== 'pass')).toEqual([])
    expect(outcomes.length).toBeGreaterThan(5)
    const second = seen.slice(seen.findLastIndex(({ type }) => type === 'connect'))
    const [published] = seen.filter((packet) => packet.type === 'publish')
    const again = second.find((packet) => packet.type === 'publish')
    expect(again).toMatchObject({ dup: true, topic: 'from/page', packetId: published?.packetId })
    // The message that the page has had before the reload is acknowledged, and nothing else: it is no new one.
    expect(second.filter(({ type }) => type === 'pubrec')).toHaveLength(1)
  },
)

const arguments_: Readonly<Record<string, readonly string[]>> = { Bun: [], Deno: ['run', '-A'] }

for (const { name, needs, program } of runtimes.filter(({ name }) => name in arguments_)) {
  it.skipIf(program === undefined)(`the client in ${name} (needs ${needs})`, { timeout: 60_000 }, async () => {
    const broker = createBroker()
    onTestFinished(() => broker.close())
    const [mqtt, ws] = [await broker.listen('mqtt://127.0.0.1:0'), await broker.listen('ws://127.0.0.1:0')]
    const cwd = mkdtempSync(join(tmpdir(), 'runtime-'))
    onTestFinished(() => rmSync(cwd, { recursive: true }))
    writeFileSync(join(cwd, 'smoke.mjs'), await bundle('client-smoke.ts', { platform: 'node' }))
    const env = { NO_COLOR: '1', DENO_DIR: cwd, BUN_RUNTIME_TRANSPILER_CACHE_PATH: '0' }
    const args = [...arguments_[name]!, 'smoke.mjs', mqtt.url, ws.url, join(cwd, 'sessions')]
    const { stdout } = await promisify(execFile)(program!, args, { cwd, env, timeout: 50_000 })
    expect(stdout.trim()).toBe('it works')
  })
}
