import { ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { bytes, type ManualClock, startBroker } from './fixture.js'
import { RawClient } from './raw-client.js'

const limits = { lagToRefuse: 200, lagToShed: 1_000 }
const payload = bytes('x')

/** Lets the event loop be late for some time. */
function late(clock: ManualClock, milliseconds: number): void {
  for (let i = 0; i < 2; i++) clock.stall((milliseconds + 100) / 1000)
}

describe('a broker that runs late', () => {
  it.each([
    [5, ReasonCode.ServerBusy],
    [4, 3],
    [3, 3],
  ] as const)('refuses new connections of version %i, and tells them why S-29', async (protocolVersion, reasonCode) => {
    const { port, clock, broker } = await startBroker({ limits })
    const before = await RawClient.connect(port)
    late(clock, 300)
    const client = await RawClient.open(port, protocolVersion)
    client.send({ type: 'connect', protocolVersion, clientId: 'c' })
    expect(await client.expect('connack')).toMatchObject({ reasonCode })
    await client.expectEnd()
    expect(broker.metrics).toMatchObject({ connectionsRefused: 1, connectionsRefusedByLag: 1 })
    expect(broker.metrics.lag).toBeCloseTo(300)
    expect(await before.drain()).toEqual([]) // who is there stays
  })

  it('still takes all messages before the second threshold', async () => {
    const { port, clock } = await startBroker({ limits })
    const client = await RawClient.connect(port)
    await client.subscribe('a')
    late(clock, 900)
    client.send({ type: 'publish', topic: 'a', payload })
    expect(await client.drain()).toHaveLength(1)
  })

  it('sheds what goes out with QoS 0 past it, and only that', async () => {
    const { port, clock, broker } = await startBroker({ limits })
    const client = await RawClient.connect(port)
    await client.subscribe('a', 1)
    await client.subscribe('b', 0)
    late(clock, 1_100)
    for (const topic of ['a', 'b']) client.send({ type: 'publish', topic, payload, qos: 1, packetId: 1 })
    client.send({ type: 'publish', topic: 'a', payload })
    const packets = await client.drain()
    expect(packets.map(({ type }) => type).sort()).toEqual(['puback', 'puback', 'publish'])
    expect(packets.find(({ type }) => type === 'publish')).toMatchObject({ topic: 'a', qos: 1 })
    expect(broker.metrics.dropped.overload).toBe(2)
  })

  it('recovers when it is in time again, not at once', async () => {
    const { port, clock, broker } = await startBroker({ limits })
    late(clock, 2_000)
    clock.advance(0.2)
    expect(broker.metrics.lag).toBeGreaterThan(1_000)
    clock.advance(1.5)
    expect(broker.metrics.lag).toBeLessThan(200)
    await RawClient.connect(port)
    clock.advance(10)
    expect(broker.metrics.lag).toBeLessThan(1)
  })

  it('once, as after a sleep, refuses nobody', async () => {
    const { port, clock, broker } = await startBroker({ limits })
    clock.stall(5)
    expect(broker.metrics.lag).toBe(0)
    await RawClient.connect(port)
  })

  it('is not late because time is measured in steps', async () => {
    const { clock, broker } = await startBroker({ limits })
    clock.advance(100)
    expect(broker.metrics.lag).toBe(0)
  })
})
