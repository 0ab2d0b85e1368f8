/** Stands between a client and a broker: sees every packet, and cuts the connection in the place of one of them. */

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { decodeFrame, Framer, type ProtocolVersion, type Received } from '@tidewire/codec'
import type { OnEnd } from './peer.js'

export interface Relayed {
  readonly from: 'client' | 'broker'
  readonly packet: Received
}

export interface Relay {
  readonly port: number
  /** All that has been passed on. */
  readonly passed: readonly Relayed[]
  /** Number of times that the connection was cut. */
  readonly cuts: number
}

/** Relays to a port. The first packet for which `cuts` is true is not passed on: both ends lose the connection. */
export async function relay(
  port: number,
  version: ProtocolVersion,
  onEnd: OnEnd,
  cutsAt: (relayed: Relayed) => boolean = () => false,
): Promise<Relay> {
  const passed: Relayed[] = []
  const sockets = new Set<Socket>()
  let cuts = 0
  const pass = (from: Relayed['from'], source: Socket, target: Socket): void => {
    const framer = new Framer()
    source.on('data', (chunk: Buffer) => {
      framer.push(chunk)
      while (framer.next()) {
        const relayed = { from, packet: decodeFrame(framer, version) }
        if (cuts === 0 && cutsAt(relayed)) {
          cuts++
          source.destroy()
          target.destroy()
          return
        }
        passed.push(relayed)
        target.write(framer.bytes.slice(framer.start, framer.end))
      }
    })
    source.on('error', () => {}).on('close', () => target.destroy())
    sockets.add(source)
  }
  const server = createServer((client) => {
    const broker = connect(port, '127.0.0.1')
    pass('client', client, broker)
    pass('broker', broker, client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onEnd(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    passed,
    get cuts() {
      return cuts
    },
  }
}
