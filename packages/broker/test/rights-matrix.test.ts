import type { Action, Client } from '@tidewire/broker'
import { ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { bytes, type Fixture, startBroker } from './fixture.js'
import { RawClient } from './raw-client.js'

const payload = bytes('x')
const delay = 50

type Party = 'reader' | 'writer'

/** A broker with rules that are changed, somebody who reads and somebody who writes. */
class World {
  received = 0
  readonly #fixture: Fixture
  readonly #forbid: (userName: string) => void
  #reader: RawClient | undefined
  #writer: RawClient | undefined
  #packetId = 0

  constructor(fixture: Fixture, forbid: (userName: string) => void) {
    this.#fixture = fixture
    this.#forbid = forbid
  }

  static async start(hasEpoch: boolean): Promise<World> {
    const forbidden = new Set<string>()
    // The right to subscribe stays: what is looked at is each message.
    const authorize = ({ userName = '' }: Client, action: Action): boolean =>
      action === 'subscribe' || !forbidden.has(userName)
    const rules = { epoch: 1, authorize }
    const fixture = await startBroker({ authorize: hasEpoch ? rules : authorize, sysInterval: 10 })
    return new World(fixture, (userName) => {
      forbidden.add(userName)
      rules.epoch++
    })
  }

  get broker(): Fixture['broker'] {
    return this.#fixture.broker
  }

  forbid(party: Party): void {
    this.#forbid(party)
  }

  /** The Reason Code with which somebody else is answered who says the Client Identifier of a party. */
  async steal(party: Party): Promise<number> {
    const thief = await RawClient.open(this.#fixture.port)
    thief.send(connect(party, 'thief'))
    return (await thief.expect('connack')).reasonCode
  }

  async readerComes(): Promise<void> {
    this.#reader = await RawClient.open(this.#fixture.port)
    this.#reader.send(connect('reader', 'reader'))
    await this.#reader.expect('connack')
  }

  async readerSubscribes(topicFilter: string): Promise<void> {
    if (this.#reader === undefined) await this.readerComes()
    await this.#reader!.subscribe(topicFilter, 1)
  }

  async readerGoes(): Promise<void> {
    await this.#fixture.lose(this.#reader!)
  }

  /** Counts what the reader has been sent. */
  async hear(): Promise<void> {
    const packets = await this.#reader!.drain()
    this.received += packets.filter(({ type }) => type === 'publish').length
  }

  /** The writer comes, if it may, with a Will if there is a delay for it. */
  async writerComes(willDelayInterval?: number): Promise<void> {
    const will =
      willDelayInterval === undefined
        ? {}
        : { will: { topic: 'a', payload, qos: 1, properties: { willDelayInterval } } }
    const writer = await RawClient.open(this.#fixture.port)
    writer.send({ ...connect('writer', 'writer'), ...will } as never)
    const { reasonCode } = await writer.expect('connack')
    if (reasonCode === ReasonCode.Success) this.#writer = writer
  }

  async writerGoes(): Promise<void> {
    if (this.#writer !== undefined) await this.#fixture.lose(this.#writer)
  }

  async write(retain = false): Promise<void> {
    if (this.#writer === undefined) await this.writerComes()
    this.#writer!.send({ type: 'publish', topic: 'a', payload, qos: 1, packetId: ++this.#packetId, retain })
    await this.#writer!.expect('puback')
  }

  wait(seconds: number): void {
    this.#fixture.clock.advance(seconds)
  }
}

function connect(clientId: string, userName: string) {
  const properties = { sessionExpiryInterval: 1000 }
  return { type: 'connect', protocolVersion: 5, clientId, userName, cleanStart: false, properties } as const
}

/** A way that messages go, in three parts. */
interface Path {
  /** Whose right it is about. */
  readonly party: Party
  /** What is there before the message is. */
  begin(world: World): Promise<unknown>
  /** The broker takes it; where it goes at once, it is there. */
  take(world: World): Promise<unknown>
  /** What is under way comes out; where nothing can be, the next one is sent. */
  release(world: World): Promise<unknown>
}

/** Paths on which the message is under way while the reader is away. */
const away = (topicFilter: string, take: (world: World) => Promise<unknown>): Path => ({
  party: 'reader',
  begin: (world) => world.readerSubscribes(topicFilter),
  take,
  async release(world) {
    await world.readerComes()
    await world.hear()
  },
})

const goes = async (world: World): Promise<void> => {
  await world.readerGoes()
  await world.write()
}

/** Paths on which nothing is ever under way for long. */
const atOnce = (topicFilter: string, send: (world: World) => unknown): Path => {
  const take = async (world: World): Promise<void> => {
    await send(world)
    await world.hear()
  }
  const begin = async (world: World): Promise<void> => {
    await world.readerSubscribes(topicFilter)
    await world.hear() // what is retained
  }
  return { party: 'reader', begin, take, release: take }
}

async function listen(world: World): Promise<void> {
  for await (const _ of world.broker.subscribe('a')) world.received++
}

const subscribed = (world: World): Promise<void> => world.readerSubscribes('a')

const toApplication = async (world: World): Promise<void> => {
  await world.write()
  await new Promise(setImmediate)
}

const subscribedLate = async (world: World): Promise<void> => {
  await world.readerSubscribes('+')
  await world.hear()
}

const paths: Readonly<Record<string, Path>> = {
  'S-02 live': atOnce('a', (world) => world.write()),
  'S-03 queued': away('a', goes),
  'S-03 in flight': away('a', async (world) => {
    await world.write()
    await world.hear()
    await world.readerGoes()
  }),
  'S-05 retained': {
    party: 'reader',
    begin: (world) => world.readerComes(),
    take: (world) => world.write(true),
    release: subscribedLate,
  },
  'S-04 retained, of its publisher': {
    party: 'writer',
    begin: (world) => world.readerComes(),
    take: (world) => world.write(true),
    release: subscribedLate,
  },
  'S-11 shared': atOnce('$share/g/a', (world) => world.write()),
  'S-11 shared and queued': away('$share/g/a', goes),
  'S-06 Will': {
    party: 'writer',
    begin: subscribed,
    take: (world) => world.writerComes(0),
    async release(world) {
      await world.writerGoes()
      await world.hear()
    },
  },
  'S-06 delayed Will': {
    party: 'writer',
    begin: subscribed,
    async take(world) {
      await world.writerComes(delay)
      await world.writerGoes()
    },
    async release(world) {
      world.wait(delay + 1)
      await world.hear()
    },
  },
  'S-12 $SYS': atOnce('$SYS/#', (world) => world.wait(10)),
  'in-process, from the application': atOnce('a', (world) => world.broker.publish('a', 'x', { qos: 1 })),
  'in-process, to the application': {
    party: 'writer',
    begin: async (world) => void listen(world),
    take: toApplication,
    release: toApplication,
  },
}

/** What happens while a message goes its way, and whether something may come after it. */
const checks: Readonly<Record<string, (world: World, path: Path) => Promise<void>>> = {
  async 'allowed, to compare'(world, path) {
    await path.begin(world)
    await path.take(world)
    await comes(world, path)
  },
  async denied(world, path) {
    world.forbid(path.party)
    await path.begin(world)
    await path.take(world)
    await path.release(world)
    expect(world.received).toBe(0)
  },
  async 'revoked before'(world, path) {
    await path.begin(world)
    world.forbid(path.party)
    await comesNothing(world, async () => {
      await path.take(world)
      await path.release(world)
    })
  },
  async 'revoked after'(world, path) {
    await path.begin(world)
    await path.take(world)
    world.forbid(path.party)
    await comesNothing(world, () => path.release(world))
  },
  async 'another principal S-07'(world, path) {
    await path.begin(world)
    await path.take(world)
    expect(await world.steal(path.party)).toBe(ReasonCode.NotAuthorized)
    await comes(world, path)
  },
}

async function comes(world: World, path: Path): Promise<void> {
  const before = world.received
  await path.release(world)
  expect(world.received).toBeGreaterThan(before)
}

async function comesNothing(world: World, course: () => Promise<unknown>): Promise<void> {
  const before = world.received
  await course()
  expect(world.received).toBe(before)
}

describe.each([
  ['with an epoch', true],
  ['asked each time', false],
])('rules %s', (_, hasEpoch) => {
  describe.each(Object.entries(paths))('%s', (_, path) => {
    it.each(Object.entries(checks))('%s', async (_, check) => check(await World.start(hasEpoch), path))
  })
})
