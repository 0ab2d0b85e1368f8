import fc from 'fast-check'
import { expect, it } from 'vitest'
import { End } from './two-sessions.js'

interface World {
  readonly client: End
  readonly server: End
}

type Side = keyof World

function newWorld(): World {
  const client = new End()
  const server = new End()
  client.peer = server
  server.peer = client
  return { client, server }
}

/** Something that happens, at any time; what must be true is looked at by the ends and their witnesses. */
function happening<T>(name: string, arguments_: fc.Arbitrary<T>, run: (world: World, argument: T) => void) {
  return arguments_.map((argument) => ({
    check: () => true,
    run: (_: object, world: World) => run(world, argument),
    toString: () => `${name} ${JSON.stringify(argument)}`,
  }))
}

const side = fc.constantFrom<Side>('client', 'server')
const maximum = fc.constantFrom(1, 2, 3, 10)
const message = fc.record({ side, qos: fc.constantFrom<1 | 2>(1, 2, 2), refused: fc.nat(9).map((n) => n === 0) })
const few = fc.record({ side, count: fc.integer({ min: 1, max: 5 }) })

const publish = happening('publish', message, (world, { side, qos, refused }) => world[side].publish(qos, refused))
const carry = happening('carry', few, (world, { side, count }) => {
  for (let i = 0; i < count; i++) world[side].take()
})
const finish = happening('finish', few, (world, { side, count }) => {
  for (let i = 0; i < count; i++) world[side].finish()
})
const connect = happening('connect', maximum, ({ client }, receiveMaximum) => client.connect(receiveMaximum))
const accept = happening('accept', maximum, ({ server }, receiveMaximum) => server.accept(receiveMaximum))
const reconnect = happening('reconnect', maximum, ({ client, server }, receiveMaximum) => {
  client.connect(receiveMaximum)
  server.accept(receiveMaximum)
  client.take()
})

/** Lets everything come to its end. */
function settle({ client, server }: World): void {
  client.connect(3)
  server.accept(2)
  const ends = [client, server]
  while (ends.some(({ incoming, work }) => incoming.length + work.length > 0)) {
    for (const end of ends) {
      end.take()
      end.finish()
    }
  }
}

/** What has become of the messages from one end to the other. */
function look(from: End, to: End): void {
  expect([from.sender.size, from.ids.size, from.waiting.length, to.receiver.size]).toEqual([0, 0, 0, 0])
  expect(from.witness.settled.size).toBe(from.published.length)
  for (const { number, qos, refused } of from.published) {
    const times = to.delivered.filter((it) => it === number).length
    if (refused) expect(times).toBe(0)
    else if (qos === 2 && !to.abandoned.has(number)) expect(times, 'exactly once').toBe(1)
    else expect(times, 'at least once').toBeGreaterThan(0)
  }
  const first = [...new Set(to.delivered)]
  expect(first).toEqual(first.toSorted((a, b) => a - b))
  // All of the quota is back, and no more.
  let quota = 0
  for (; from.sender.ready; quota++) from.sender.send({ number: 0, qos: 1, refused: false }, 1)
  expect(quota).toBe(to.receiveMaximum)
  for (let more = 0; to.receiver.publish(1 + more, 1) === 'new'; more++) expect(more).toBeLessThan(to.receiveMaximum)
}

it('two sessions bring QoS 1 at least once, QoS 2 exactly once, in order and within the quota, through lost and doubled connections and restarts [MQTT-4.3.2-3] [MQTT-4.3.3-10] [MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-4.9.0-2]', () => {
  const commands = fc.commands(
    [
      publish,
      publish,
      publish,
      carry,
      carry,
      carry,
      finish,
      finish,
      connect,
      accept,
      reconnect,
      happening('subscribe', fc.constant('client' as const), ({ client }) => client.subscribe()),
      happening('release early', side, (world, side) => world[side].releaseEarly()),
      happening('lose', side, (world, side) => world[side].lose()),
      happening('crash', side, (world, side) => world[side].crash()),
    ],
    { maxCommands: 120, size: 'max' },
  )
  fc.assert(
    fc.property(commands, (run) => {
      const world = newWorld()
      fc.modelRun(() => ({ model: {}, real: world }), run)
      settle(world)
      settle(world) // what a peer released too early was not acknowledged
      look(world.client, world.server)
      look(world.server, world.client)
    }),
    { numRuns: 300 },
  )
})
