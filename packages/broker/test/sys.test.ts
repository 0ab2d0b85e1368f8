import { ReasonCode } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { bytes, startBroker, text } from './fixture.js'
import { RawClient } from './raw-client.js'

const payload = bytes('x')

/** The retained values below `$SYS/broker`, by name. */
async function values(client: RawClient): Promise<Map<string, string>> {
  await client.subscribe('$SYS/#')
  const packets = await client.drain()
  client.send({ type: 'unsubscribe', packetId: 1, topicFilters: ['$SYS/#'] })
  await client.drain()
  return new Map(
    packets.map((packet) => {
      if (packet.type !== 'publish') throw new Error(packet.type)
      return [packet.topic.replace('$SYS/broker/', ''), text(packet.payload)]
    }),
  )
}

describe('$SYS', () => {
  it('counts what there is', async () => {
    const { port, clock, lose } = await startBroker({ sysInterval: 10 })
    const away = { clientId: 'away', cleanStart: false, properties: { sessionExpiryInterval: 15 } }
    await lose(await RawClient.connect(port, away))
    const client = await RawClient.connect(port)
    const stranger = await RawClient.open(port) // no client yet
    await client.subscribe('a')
    await client.subscribe('$share/g/a')
    await client.subscribe('$share/h/a')
    client.send({ type: 'publish', topic: 'a', payload: bytes('12345'), retain: true })
    expect(await client.drain()).toHaveLength(3)
    clock.advance(10)
    const told = await values(client)
    expect(Object.fromEntries(told)).toMatchObject({
      uptime: '10 seconds',
      'clients/total': '2',
      'clients/connected': '1',
      'clients/active': '1',
      'clients/disconnected': '1',
      'clients/inactive': '1',
      'clients/maximum': '1',
      'clients/expired': '0',
      'subscriptions/count': '1',
      'shared_subscriptions/count': '2',
      'messages/received': '7',
      'publish/messages/received': '1',
      'publish/messages/sent': '3',
      'publish/messages/dropped': '0',
      'publish/bytes/received': '5',
      'publish/bytes/sent': '15',
      'load/publish/received/1min': expect.stringMatching(/^\d+\.\d\d$/),
    })
    expect(told.get('version')).toMatch(/^tidewire \d/)
    expect(Number(told.get('heap/maximum'))).toBeGreaterThanOrEqual(Number(told.get('heap/current')))
    expect(Number(told.get('retained messages/count'))).toBe(told.size + 1)
    clock.advance(10)
    expect(Object.fromEntries(await values(client))).toMatchObject({ 'clients/total': '1', 'clients/expired': '1' })
    stranger.cut()
  })

  it('averages what comes in a minute', async () => {
    const { port, clock, broker } = await startBroker({ sysInterval: 10 })
    const client = await RawClient.connect(port)
    for (let i = 0; i < 30; i++) {
      for (let j = 0; j < 5; j++) client.send({ type: 'publish', topic: 'a', payload })
      await client.drain()
      clock.advance(10)
    }
    const told = await values(client)
    // 30 a minute for five minutes.
    expect(Number(told.get('load/publish/received/1min'))).toBeCloseTo(30 * (1 - Math.exp(-5)), 1)
    expect(Number(told.get('load/publish/received/5min'))).toBeCloseTo(30 * (1 - Math.exp(-1)), 1)
    expect(broker.metrics.messagesReceived).toBe(150)
  })

  it('is sent when it changes, to who asked for it and to no wildcard in the first level S-12 [MQTT-4.7.2-1]', async () => {
    const { port, clock } = await startBroker({ sysInterval: 10 })
    const client = await RawClient.connect(port)
    await client.subscribe('#')
    await client.subscribe('+/broker/uptime')
    const asked = await RawClient.connect(port)
    await asked.subscribe('$SYS/broker/clients/expired', 0, { retainHandling: 2 })
    await asked.subscribe('$SYS/broker/uptime', 0, { retainHandling: 2 })
    clock.advance(20)
    expect(await client.drain()).toEqual([])
    const packets = await asked.drain()
    expect(packets).toMatchObject([{ payload: bytes('10 seconds') }, { payload: bytes('20 seconds') }])
  })

  it.each(['$SYS/broker/uptime', '$SYS/x', '$share/g/a', '$CONTROL/x', '$'])(
    'is the broker’s own: a client may not publish to %s S-12',
    async (topic) => {
      const { port } = await startBroker()
      const client = await RawClient.connect(port)
      await client.subscribe('$SYS/#')
      client.send({ type: 'publish', topic, payload, qos: 1, packetId: 1 })
      expect(await client.expect('puback')).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
      const will = { topic, payload, qos: 0, retain: false, properties: {} } as const
      const other = await RawClient.open(port)
      other.send({ type: 'connect', protocolVersion: 5, clientId: 'c', will })
      expect(await other.expect('connack')).toMatchObject({ reasonCode: ReasonCode.NotAuthorized })
    },
  )

  it('may be turned off', async () => {
    const { port } = await startBroker({ sysInterval: 0 })
    expect(await values(await RawClient.connect(port))).toEqual(new Map())
  })
})
