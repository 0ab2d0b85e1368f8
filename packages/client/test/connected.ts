/** A client and the scripted server that it talks to. */

import { type Client, type ConnectOptions, connect, type SubscribeOptions, type Subscription } from '@tidewire/client'
import type { Connack, Input } from '@tidewire/codec'
import { onTestFinished } from 'vitest'
import { type Peer, ScriptedServer } from './scripted-server.js'

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Reconnects at once. */
export const atOnce = { min: 0, max: 0 }

export interface Connected {
  readonly client: Client
  readonly peer: Peer
  readonly server: ScriptedServer
  /** The next connection, of which CONNECT is answered. */
  again(connack?: Partial<Input<Connack>>): Promise<Peer>
}

/** A client that is connected to a scripted server, and the server's side of it. It reconnects at once unless told. */
export async function start(options: ConnectOptions = {}, connack: Partial<Input<Connack>> = {}): Promise<Connected> {
  const server = await ScriptedServer.start(options.protocolVersion)
  const again = async (connack: Partial<Input<Connack>> = {}): Promise<Peer> => {
    const peer = await server.peer()
    onTestFinished(() => peer.cut())
    await peer.accept(connack)
    return peer
  }
  const connecting = connect(server.url, { reconnect: atOnce, ...options })
  const peer = await again(connack)
  const client = await connecting
  onTestFinished(() => client.close())
  onTestFinished(() => peer.cut())
  return { client, peer, server, again }
}

/** Answers SUBSCRIBE. */
export async function subscribe(
  client: Client,
  peer: Peer,
  filter: string,
  options: SubscribeOptions = {},
): Promise<Subscription> {
  const subscribing = client.subscribe(filter, options)
  await peer.grant()
  return subscribing
}
