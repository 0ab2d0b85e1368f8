/** A client that does what it is told, right or wrong. */

import { connect } from 'node:net'
import type { Input, Packet, ProtocolVersion } from '@tidewire/codec'
import { PacketSocket } from '@tidewire/testing/packet-socket'

type Connect = Input<Extract<Packet, { type: 'connect' }>>

let counter = 0

export class RawClient extends PacketSocket {
  /** Opens a connection and sends nothing. */
  static open(port: number, version: ProtocolVersion = 5): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => resolve(new RawClient(socket, version)))
    })
  }

  /** Opens a connection and waits for CONNACK. */
  static async connect(port: number, connect: Partial<Connect> = {}): Promise<RawClient> {
    const protocolVersion = connect.protocolVersion ?? 5
    const client = await RawClient.open(port, protocolVersion)
    client.send({ type: 'connect', protocolVersion, clientId: `raw-${counter++}`, ...connect })
    await client.expect('connack')
    return client
  }

  /** Whatever the broker has sent before this question is in; returns it. */
  async drain(): Promise<Packet[]> {
    this.send({ type: 'pingreq' })
    const packets: Packet[] = []
    for (;;) {
      const packet = await this.next()
      if (packet === undefined) throw new Error('the connection has ended')
      if (packet.type === 'pingresp') return packets
      packets.push(packet)
    }
  }

  async subscribe(topicFilter: string, qos: 0 | 1 | 2 = 0, options: object = {}): Promise<void> {
    this.send({ type: 'subscribe', packetId: 65535, subscriptions: [{ topicFilter, qos, ...options }] })
    await this.expect('suback')
  }
}
