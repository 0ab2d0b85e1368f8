/** What hostile clients do, by row of the threats: each attack is one round of it, which ends what it began. */

import { randomBytes } from 'node:crypto'
import { createConnection, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { connect, field, hex, join, number, packet, properties, varint } from '@tidewire/conformance/bytes'

/** Where the broker listens, and what the rounds have opened. */
export class Arena {
  readonly port: number
  readonly webSocketPort: number
  /** From 0 to below a number, the same in every run with the same seed. */
  readonly random: (below: number) => number
  readonly #sockets = new Set<Socket>()
  #ids = 0

  constructor(port: number, webSocketPort: number, random: (below: number) => number) {
    this.port = port
    this.webSocketPort = webSocketPort
    this.random = random
  }

  id(): string {
    return `hostile${++this.#ids}`
  }

  open(port: number = this.port, ...parts: Uint8Array[]): Socket {
    const socket = createConnection(port, '127.0.0.1')
    this.#sockets.add(socket)
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
    socket.write(Buffer.concat(parts))
    return socket.resume()
  }

  /** A client that has sent CONNECT, and more behind it. */
  client(...parts: Uint8Array[]): Socket {
    return this.open(this.port, hello(this.id()), ...parts)
  }

  old(...parts: Uint8Array[]): Socket {
    return this.open(this.port, connect({ version: 4, payload: field(this.id()) }), ...parts)
  }

  /** What a WebSocket sends behind its upgrade. */
  webSocket(headers: string, ...parts: Uint8Array[]): Socket {
    const upgrade =
      'GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${headers}\r\n`
    return this.open(this.webSocketPort, Buffer.from(upgrade), ...parts)
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

export type Attack = (arena: Arena) => Promise<void>

const hello = (id: string, flags = 2, ofPacket: Uint8Array = Buffer.alloc(0), rest: Uint8Array = Buffer.alloc(0)) =>
  connect({ flags, properties: ofPacket, payload: join(field(id), rest) })
const seconds = (value: number): Buffer => join(17, number(value, 4))
const publish = (topic: string | Uint8Array, payload: string | Uint8Array = 'x', first = 0x30, packetId = 1): Buffer =>
  packet(first, field(topic), ...((first & 6) > 0 ? [number(packetId, 2)] : []), 0, Buffer.from(payload as string))
const subscribe = (filters: readonly (string | Uint8Array)[], qos = 0, packetId = 1): Buffer =>
  packet(0x82, number(packetId, 2), 0, ...filters.flatMap((filter) => [field(filter), qos]))
const unsubscribe = (filters: readonly string[]): Buffer => packet(0xa2, number(2, 2), 0, ...filters.map(field))
const times = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at))
const settled = (): Promise<void> => wait(100)
const prototypeNames = [...Object.getOwnPropertyNames(Object.prototype), 'then', 'prototype']

/** Ends a connection in the way of a broken network, after a time in which the broker could answer. */
async function leave(...sockets: Socket[]): Promise<void> {
  await settled()
  for (const socket of sockets) socket.destroy()
}

/** Waits until the broker has ended the connections, which it must. */
async function cutOff(...sockets: Socket[]): Promise<void> {
  const ends = sockets.map((socket) => socket.destroyed || new Promise((resolve) => socket.once('close', resolve)))
  const late = wait(15_000, 'late' as const, { ref: false })
  const outcome = await Promise.race([Promise.all(ends), late])
  if (outcome === 'late') throw new Error(`${sockets.filter((each) => !each.destroyed).length} connections stay open`)
}

export const attacks: Readonly<Record<string, Attack>> = {
  'S-01 names of the prototype': async (arena) => {
    const sockets = prototypeNames.map((name) => {
      const pair = join(38, field(name), field(name))
      const message = packet(0x31, field(name), properties(5, pair), field(name))
      const parts = [subscribe([name, `${name}/#`, `$share/${name}/${name}`]), message, unsubscribe([name])]
      return arena.open(arena.port, hello(name, 2, join(pair, seconds(1))), ...parts)
    })
    await leave(...sockets)
  },

  'S-07 one Client Identifier again and again': async (arena) => {
    const id = arena.id()
    await leave(...times(30, () => arena.open(arena.port, hello(id, 0, seconds(60)), subscribe(['#', '+/+'], 1))))
  },

  'S-11 shared names that are wrong, and groups without end': async (arena) => {
    const wrong = [
      '$share/',
      '$share//a',
      '$share/+/a',
      '$share/#',
      '$share/g',
      '$share/g/',
      '$queue',
      '$share/g/$SYS/#',
    ]
    const groups = times(400, (at) => `$share/${arena.id()}/${at}`)
    await leave(...wrong.map((filter) => arena.client(subscribe([filter]))), arena.client(subscribe(groups)))
  },

  'S-12 topics of the broker': async (arena) => {
    const topics = ['$SYS/broker/uptime', '$CONTROL/dynamic-security/v1', '$share/g/a', '$', '$SYS/a/new/clients']
    await leave(
      ...topics.flatMap((topic) => [0x31, 0x33, 0x35].map((first) => arena.client(publish(topic, 'x', first)))),
    )
  },

  'S-13 connections without CONNECT, and byte by byte': async (arena) => {
    const bytes = hello('x'.repeat(500))
    const silent = times(20, () => arena.open())
    const dripping = times(10, () => arena.open())
    const half = times(10, () => arena.open(arena.webSocketPort, Buffer.from('GET /mqtt HTTP/1.1\r\nHost:')))
    const upgraded = times(10, () => arena.webSocket('Sec-WebSocket-Protocol: mqtt\r\n'))
    for (let at = 0; at < 20; at++) {
      for (const socket of dripping) socket.write(bytes.subarray(at, at + 1))
      await wait(50)
    }
    await cutOff(...silent, ...dripping, ...half, ...upgraded)
  },

  'S-14 silence with the longest Keep Alive': async (arena) => {
    const greedy = packet(0x10, field('MQTT'), 5, 2, number(0xffff, 2), 0, field(arena.id()))
    const none = packet(0x10, field('MQTT'), 4, 2, number(0, 2), field(arena.id()))
    await cutOff(arena.open(arena.port, greedy), arena.open(arena.port, none))
  },

  'S-15 lengths before CONNECT': async (arena) => {
    const refused = [0x10, 0x30, 0x82, 0xf0].map((first) => arena.open(arena.port, join(first, varint(268_435_455))))
    const announced = join(0x10, varint(60_000), field('MQTT'), 5, 2, number(60, 2))
    await cutOff(...refused, ...times(50, () => arena.open(arena.port, announced)))
  },

  'S-16 integers that are too long': async (arena) => {
    const wrong = [hex('30 ffffffff7f'), hex('30 ffffffffff'), hex('c0 8000'), hex('c0 80808000'), hex('32 03 000161')]
    await cutOff(...wrong.map((bytes) => arena.client(bytes)))
  },

  'S-17 topics without end, and trees of retained messages': async (arena) => {
    const deep = '/'.repeat(60_000)
    const bombs = times(300, (at) => publish(`${arena.id()}/${'x/'.repeat(120)}${at}`, 'kept', 0x31))
    await leave(arena.client(publish(deep)), arena.client(subscribe([deep, `+${deep}`])), arena.client(...bombs))
  },

  'S-18 wildcards that match in every way': async (arena) => {
    const filters = times(1_000, (bits) => `${times(10, (at) => ((bits >> at) & 1 ? '+' : 'a')).join('/')}/#`)
    const topic = Array(10).fill('a').join('/')
    await leave(arena.client(subscribe(filters), ...times(20, () => publish(topic))))
  },

  'S-19 queues of those who are away': async (arena) => {
    const topic = `flood/${arena.id()}`
    const away = times(5, () => arena.open(arena.port, hello(arena.id(), 2, seconds(60)), subscribe([topic], 1)))
    await leave(...away)
    const payload = Buffer.alloc(10_000)
    await leave(arena.client(...times(60, (at) => publish(topic, payload, 0x32, at + 1))))
  },

  'S-20 subscribers that do not read': async (arena) => {
    const topic = `flood/${arena.id()}`
    const frozen = times(4, (at) => arena.client(subscribe([topic], at % 3)).pause())
    await settled()
    const payload = Buffer.alloc(20_000)
    await leave(arena.client(...times(100, (at) => publish(topic, payload, at % 2 ? 0x30 : 0x32, at + 1))))
    await wait(300)
    await leave(...frozen)
  },

  'S-21 QoS 2 that is never released': async (arena) => {
    const message = (at: number): Buffer => publish('never', 'x', 0x34, at + 1)
    const old = times(200, (at) => packet(0x34, field('never'), number(at + 1, 2)))
    const again = times(500, () => message(0))
    await leave(arena.client(...times(200, message)), arena.old(...old), arena.client(...again))
  },

  'S-22 packets out of place': async (arena) => {
    const wrong = ['4002ffff', '5002ffff', '6202ffff', '7002ffff', '32050001610000', '2000', '90030001 00', 'd000']
    await leave(
      ...wrong.flatMap((text) => [arena.client(hex(text)), arena.old(hex(text)), arena.open(arena.port, hex(text))]),
    )
  },

  'S-23 what is no CONNECT, and a second one': async (arena) => {
    const firsts = ['c000', 'e000', 'f000', '300500016178', '160301020001000', '00', 'ffffffffff'].map(hex)
    const texts = ['GET / HTTP/1.1\r\n\r\n', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n', 'USER root\r\n'].map((each) =>
      Buffer.from(each),
    )
    await cutOff(
      ...[...firsts.filter((each) => each.length > 1), ...texts].map((bytes) => arena.open(arena.port, bytes)),
    )
    await cutOff(arena.client(hello('second')), arena.open(arena.port, randomBytes(5_000)))
  },

  'S-24 strings that are none': async (arena) => {
    const wrong = ['6100', '61eda080', 'c080', 'ff', 'e282', 'f4908080', '611b', '61efbfbf'].map(hex)
    const sockets = wrong.flatMap((bytes) => [
      arena.open(arena.port, connect({ payload: field(bytes) })),
      arena.client(publish(bytes)),
      arena.client(subscribe([bytes])),
      arena.client(packet(0x30, field('a'), properties(5, join(38, field(bytes), field('x'))))),
      arena.open(arena.port, hello(arena.id(), 0x82, Buffer.alloc(0), field(bytes))),
    ])
    await leave(...sockets)
  },

  'S-26 properties that are too many, double, and of other packets': async (arena) => {
    const pair = join(38, field('a'), field('b'))
    const wrong = [
      Buffer.concat(Array(5_000).fill(pair)),
      hex('0203'),
      hex('0101 0101'),
      hex('7f00'),
      hex('2300'),
      hex('0102'),
    ]
    const sockets = wrong.flatMap((bytes) => [
      arena.client(packet(0x30, field('a'), properties(5, bytes))),
      arena.open(arena.port, connect({ properties: bytes.subarray(0, 30_000) })),
    ])
    for (const socket of sockets) socket.write(hex('f0ff00'))
    await cutOff(...sockets)
  },

  'S-27 packets with bytes that changed on the way': async (arena) => {
    const right = [
      publish('hostile/a', 'xyz', 0x33),
      subscribe(['hostile/#', '$share/g/hostile/#'], 2),
      hello(
        'mutant',
        0xc6,
        join(seconds(1), 33, number(9, 2)),
        join(0, field('w'), field('x'), field('u'), field('p')),
      ),
    ]
    const sockets = times(60, (at) => {
      const bytes = Buffer.concat([hello(arena.id()), right[at % 3]!])
      for (let time = 0; time < 3; time++) bytes[arena.random(bytes.length)] = arena.random(256)
      return arena.open(arena.port, bytes)
    })
    await leave(...sockets)
  },

  'S-28 Topic Aliases that are none': async (arena) => {
    const aliased = (topic: string, alias: number): Buffer =>
      packet(0x31, field(topic), properties(5, 35, number(alias, 2)), 1)
    await cutOff(arena.client(aliased('a', 0)), arena.client(aliased('a', 33)), arena.client(aliased('', 5)))
    await leave(arena.client(...times(200, (at) => aliased(`${arena.id()}/${at}`, (at % 32) + 1))))
  },

  'S-29 a flood of connections': async (arena) => {
    await leave(...times(60, () => arena.client()))
  },

  'S-32 frames that are too large, texts, compressed, in pieces': async (arena) => {
    const headers = 'Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Extensions: permessage-deflate\r\n'
    const frames = [
      '82ff 0000010000000000 00000000',
      'c181 00000000 00',
      '8181 00000000 78',
      '0280 00000000',
      '8201 78',
    ]
    await leave(
      ...frames.map((text) => arena.webSocket(headers, hex(text))),
      arena.webSocket('Origin: http://evil\r\n'),
    )
    const pieces = times(500, () => hex('0081 00000000 10'))
    await leave(
      arena.webSocket(headers, hex('0281 00000000 10'), ...pieces),
      arena.webSocket(`X: ${'x'.repeat(100_000)}\r\n`),
    )
  },

  'S-33 a PROXY header that nobody asked for': async (arena) => {
    const binary = Buffer.concat([hex('0d0a0d0a000d0a515549540a 21 11 000c'), Buffer.alloc(12)])
    await cutOff(arena.open(arena.port, Buffer.from('PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n'), hello('x')))
    await cutOff(arena.open(arena.port, binary, hello('x')))
  },

  'S-35 what would make a mess of the log': async (arena) => {
    const texts = ['\u001b[31m\r\nroot: a line of its own', '\u009b2J', '‮txt.exe', 'x'.repeat(60_000), '\u2028\u2029']
    const sockets = texts.flatMap((text) => [
      arena.open(arena.port, connect({ payload: field(text) })),
      arena.open(arena.port, hello(text), hex('f00f')),
      arena.open(arena.port, hello(arena.id(), 0x82, Buffer.alloc(0), field(text)), hex('f00f')),
      arena.client(publish(text)),
      arena.client(packet(0xe0, 0x82, properties(5, 31, field(text)))),
      arena.open(
        arena.webSocketPort,
        Buffer.from(`GET /${text.slice(0, 9_000)} HTTP/1.1\r\nHost: ${text.slice(0, 99)}\r\n\r\n`),
      ),
    ])
    await leave(...sockets)
  },

  'S-37 a storm of subscriptions': async (arena) => {
    const filters = (count: number): string[] => times(count, (at) => `${arena.id()}/${at}`)
    const id = arena.id()
    const jitter = times(10, () => {
      const same = filters(50)
      return arena.open(arena.port, hello(id, 0, seconds(1)), subscribe(same, 2), unsubscribe(same), subscribe(same, 1))
    })
    const many = times(12, (at) => subscribe(filters(1_000), 0, at + 1))
    await leave(arena.client(subscribe(filters(10_000))), arena.client(...many), ...jitter)
  },

  'S-38 the longest times': async (arena) => {
    const times32 = [0xffff_ffff, 2 ** 31, 2_147_484, 1]
    const sockets = times32.map((time) => {
      const expiring = packet(0x31, field(arena.id()), properties(5, 2, number(time, 4)), 1)
      return arena.open(arena.port, hello(arena.id(), 2, seconds(time)), subscribe(['a'], 1), expiring)
    })
    await leave(...sockets)
  },

  'S-39 Wills with a delay, of clients that come back': async (arena) => {
    const will = (id: string): Buffer =>
      hello(
        id,
        0x24,
        seconds(60),
        join(properties(5, 24, number(arena.random(3), 4)), field('hostile/will'), field('gone')),
      )
    const ids = times(10, () => arena.id())
    for (let time = 0; time < 2; time++) await leave(...ids.map((id) => arena.open(arena.port, will(id))))
  },

  'more is retained than there is room for': async (arena) => {
    await leave(arena.client(...times(20, () => publish(arena.id(), Buffer.alloc(100_000), 0x31))))
  },
}
