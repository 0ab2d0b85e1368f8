/** The ways to a listener, laid one on the other: TCP or a Unix socket, a PROXY header, TLS, WebSocket. */

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectNet, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { Listener } from '@tidewire/broker'
import { onTestFinished } from 'vitest'
import { createWebSocketStream, WebSocket } from 'ws'
import { RawClient } from './raw-client.js'

/** A folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'listener-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** A connection on which nothing has been sent. */
export async function openSocket(listener: Listener): Promise<Socket> {
  const { port, url } = listener
  const socket = port === 0 ? connectNet(url.slice('unix://'.length)) : connectNet({ port, host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  socket.setNoDelay(true)
  return socket.on('error', () => {})
}

export async function secure(socket: Socket): Promise<Socket> {
  const stream = connectTls({ socket, rejectUnauthorized: false })
  await once(stream, 'secureConnect')
  return stream.on('error', () => {})
}

export async function upgrade(socket: Socket, path = '/mqtt'): Promise<Duplex> {
  const webSocket = new WebSocket(`ws://localhost${path}`, 'mqtt', { createConnection: () => socket })
  await once(webSocket, 'open')
  const stream = createWebSocketStream(webSocket)
  return stream.on('error', () => {}).on('end', () => stream.destroy())
}

/** Goes all the way to where MQTT begins. */
export async function dial(listener: Listener, header?: Uint8Array | string): Promise<RawClient> {
  const socket = await openSocket(listener)
  if (header !== undefined) socket.write(header)
  const [scheme] = listener.url.split(':')
  const secured = scheme === 'mqtts' || scheme === 'wss' ? await secure(socket) : socket
  return new RawClient(scheme === 'ws' || scheme === 'wss' ? await upgrade(secured) : secured, 5)
}

/** A PROXY header of version 2. */
export function proxyHeader(
  command: number,
  family: number,
  addresses: string,
  extra: Uint8Array = Buffer.alloc(0),
): Buffer {
  const body = Buffer.concat([Buffer.from(addresses.replaceAll(' ', ''), 'hex'), extra])
  const head = Buffer.from('0d0a0d0a000d0a515549540a00000000', 'hex')
  head.writeUInt8(command, 12)
  head.writeUInt8(family, 13)
  head.writeUInt16BE(body.length, 14)
  return Buffer.concat([head, body])
}
