import { getEventListeners } from 'node:events'
import { createBroker, type LocalOptions, type Publication } from '@tidewire/broker'
import { MqttError } from '@tidewire/codec'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Core } from '../src/core.js'
import { LocalSubscription } from '../src/local.js'
import { Message } from '../src/message.js'
import { bytes, startBroker, text } from './fixture.js'
import { RawClient } from './raw-client.js'

type Messages = AsyncIterableIterator<Publication, undefined>

function start(options: object = {}): ReturnType<typeof createBroker> {
  const broker = createBroker({ sysInterval: 0, ...options })
  onTestFinished(() => broker.close())
  return broker
}

/** The payloads of the next messages. */
async function take(messages: Messages, count: number): Promise<string[]> {
  const payloads: string[] = []
  for (let i = 0; i < count; i++) {
    const { value } = await messages.next()
    if (value === undefined) break
    payloads.push(text(value.payload))
  }
  return payloads
}

const isOver = { done: true, value: undefined }

describe('publish', () => {
  it('reaches clients and the application with QoS, RETAIN and properties', async () => {
    const { broker, port } = await startBroker()
    const client = await RawClient.connect(port)
    await client.subscribe('#', 2, { retainAsPublished: true })
    const messages = broker.subscribe('#')
    const properties = { contentType: 'text/plain', userProperty: [['a', 'b']] } as const
    await broker.publish('a', 'é', { qos: 2, retain: true, properties })
    const expected = { topic: 'a', payload: bytes('é'), qos: 2, retain: true, properties }
    expect(await client.expect('publish')).toMatchObject(expected)
    expect(await messages.next()).toEqual({ done: false, value: expected })
  })

  it.each([
    ['no topic', ['', 'x'], TypeError],
    ['a Topic Filter', ['a/#', 'x'], TypeError],
    ['a topic with U+0000', ['a\0', 'x'], TypeError],
    ['a lone surrogate', ['\ud800', 'x'], TypeError],
    ['too many levels', ['/'.repeat(128), 'x'], TypeError],
    ['a topic that is no string', [5, 'x'], TypeError],
    ['a payload that is an array', ['a', [1, 2]], TypeError],
    ['no payload', ['a', undefined], TypeError],
    ['a QoS there is not', ['a', 'x', { qos: 3 }], RangeError],
    ['a RETAIN that is not true or false', ['a', 'x', { retain: 1 }], TypeError],
    ['a property there is not', ['a', 'x', { properties: { colour: 'red' } }], TypeError],
    ['a Response Topic with wildcards', ['a', 'x', { properties: { responseTopic: '#' } }], TypeError],
  ])('rejects %s', async (_, args, error) => {
    const broker = start()
    await expect(broker.publish(...(args as [string, string]))).rejects.toThrow(error)
  })

  it('leaves the caller its bytes and lists', async () => {
    const broker = start()
    const given = Buffer.from('given') // of which a slice is no copy
    const userProperty: [string, string][] = [['a', 'b']]
    const correlationData = Buffer.from('given')
    await broker.publish('a', given, { retain: true, properties: { userProperty, correlationData } })
    given.fill(0)
    correlationData.fill(0)
    userProperty[0]![1] = 'c'
    const { value } = await broker.subscribe('a').next()
    expect(value).toMatchObject({
      payload: bytes('given'),
      properties: { userProperty: [['a', 'b']], correlationData: bytes('given') },
    })
  })

  it('asks no hook, may use $, and tells when no memory is left', async () => {
    const no = (): never => {
      throw new Error('asked')
    }
    const broker = start({
      onPublish: no,
      onDeliver: no,
      onSubscribe: no,
      authorize: no,
      limits: { maxRetainedBytes: 1 },
    })
    const messages = broker.subscribe('$SYS/#')
    await broker.publish('$SYS/x', 'x', { qos: 1 })
    expect(await take(messages, 1)).toEqual(['x'])
    await expect(broker.publish('a', 'x', { retain: true })).rejects.toThrow(MqttError)
    expect(broker.metrics.hooksFailed).toBe(0)
  })

  it('is refused by a broker that is closed', async () => {
    const broker = start()
    await broker.close()
    await expect(broker.publish('a', 'x')).rejects.toThrow('the broker is closed')
    expect(() => broker.subscribe('a')).toThrow('the broker is closed')
  })
})

describe('subscribe', () => {
  it('gives the retained messages first, if asked, then what comes', async () => {
    const broker = start()
    for (const topic of ['a/1', 'a/2']) await broker.publish(topic, topic, { retain: true })
    const all = broker.subscribe('a/#')
    const live = broker.subscribe('a/#', { retained: false })
    await broker.publish('a/3', 'a/3')
    expect(await take(all, 3)).toEqual(['a/1', 'a/2', 'a/3'])
    expect(await take(live, 1)).toEqual(['a/3'])
  })

  it('gives more retained messages than it holds ready, as they are taken', async () => {
    const broker = start()
    for (let i = 0; i < 1_200; i++) await broker.publish(`a/${i}`, `${i}`, { retain: true, qos: 1 })
    const messages = broker.subscribe('a/#', { highWaterMark: 10 })
    expect(new Set(await take(messages, 1_200)).size).toBe(1_200)
    expect(broker.metrics.dropped.slowConnection + broker.metrics.dropped.queueFull).toBe(0)
  })

  it('takes no more at once than the mark; what is of QoS 1 and 2 waits, in order, and QoS 0 is dropped', async () => {
    const broker = start()
    const messages = broker.subscribe('#', { highWaterMark: 3 })
    for (let i = 0; i < 10; i++) await broker.publish('a', `${i}`, { qos: i % 2 === 0 ? 1 : 2 })
    await broker.publish('a', 'lost')
    expect(broker.metrics.messagesSent).toBe(3)
    expect(await take(messages, 10)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    expect(broker.metrics.dropped.slowConnection).toBe(1)
    await broker.publish('a', 'last')
    expect(await take(messages, 1)).toEqual(['last'])
  })

  it('gives messages that stay what they are while others come', async () => {
    const { broker, port } = await startBroker()
    const messages = broker.subscribe('#')
    const client = await RawClient.connect(port)
    for (let i = 0; i < 50; i++) client.send({ type: 'publish', topic: `a/${i}`, payload: bytes(`payload ${i}`) })
    await client.drain()
    for (let i = 0; i < 20; i++) client.send({ type: 'publish', topic: 'b', payload: new Uint8Array(5_000) })
    await client.drain()
    for (let i = 0; i < 50; i++) {
      const { value } = await messages.next()
      expect([value!.topic, text(value!.payload)]).toEqual([`a/${i}`, `payload ${i}`])
    }
  })

  it('lowers the QoS as asked', async () => {
    const broker = start()
    const messages = broker.subscribe('#', { qos: 1 })
    await broker.publish('a', 'x', { qos: 2 })
    expect((await messages.next()).value).toMatchObject({ qos: 1 })
  })

  it('that is never asked is bounded and harms nobody S-19 S-20', async () => {
    const broker = start({ limits: { maxQueuedBytes: 10_000 } })
    const idle = broker.subscribe('#')
    const busy = broker.subscribe('#')
    for (let i = 0; i < 200; i++) {
      await broker.publish('a', 'x'.repeat(500), { qos: 1 })
      expect(await take(busy, 1)).toHaveLength(1)
    }
    expect(broker.metrics.dropped.queueFull).toBeGreaterThan(100)
    await idle.return!()
    await broker.publish('a', 'x', { qos: 1 })
    expect(broker.metrics.dropped.queueFull).toBeLessThan(200)
  })

  it('may be asked for several messages at once, and each is acknowledged', async () => {
    const broker = start()
    const messages = broker.subscribe('#', { highWaterMark: 2 })
    for (let round = 0; round < 5; round++) {
      const both = Promise.all([messages.next(), messages.next()])
      await broker.publish('a', '1', { qos: 1 })
      await broker.publish('a', '2', { qos: 2 })
      expect((await both).map(({ value }) => text(value!.payload))).toEqual(['1', '2'])
    }
  })

  it('ends with the loop, however that ends', async () => {
    const core = coreOf()
    for (const end of ['break', 'throw']) {
      const subscription = new LocalSubscription(core, '#', {})
      core.publish(message('1'))
      core.publish(message('2'))
      const loop = async (): Promise<void> => {
        for await (const _ of subscription) {
          if (end === 'throw') throw new Error('enough')
          break
        }
      }
      if (end === 'throw') await expect(loop()).rejects.toThrow('enough')
      else await loop()
      expect([core.router.size, core.locals.size]).toEqual([0, 0])
      expect(await subscription.next()).toEqual(isOver)
    }
  })

  it('ends with return while a message is waited for, and more than once', async () => {
    const broker = start()
    const messages = broker.subscribe('#')
    const waiting = [messages.next(), messages.next()]
    expect(await messages.return!()).toEqual(isOver)
    expect(await Promise.all(waiting)).toEqual([isOver, isOver])
    expect(await messages.return!()).toEqual(isOver)
    await broker.publish('a', 'x', { qos: 1 })
    expect(await messages.next()).toEqual(isOver)
  })

  it('ends with its signal: what is held ready can still be taken', async () => {
    const broker = start()
    const controller = new AbortController()
    const messages = broker.subscribe('#', { signal: controller.signal, highWaterMark: 2 })
    for (const payload of ['1', '2', '3']) await broker.publish('a', payload, { qos: 1 })
    controller.abort()
    expect(await take(messages, 3)).toEqual(['1', '2'])
    expect(await messages.next()).toEqual(isOver)
  })

  it('with a signal that was aborted before gives nothing', async () => {
    const core = coreOf()
    core.publish(message('x', { retain: true }))
    const subscription = new LocalSubscription(core, '#', { signal: AbortSignal.abort() })
    core.publish(message('y'))
    expect(await subscription.next()).toEqual(isOver)
    expect(await subscription.return()).toEqual(isOver)
    expect([core.router.size, core.locals.size]).toEqual([0, 0])
  })

  it('leaves nothing on a signal that lives longer, nor anywhere else', async () => {
    const core = coreOf()
    const { signal } = new AbortController()
    for (let i = 0; i < 50; i++) {
      const filter = i % 2 === 0 ? '#' : '$share/g/#'
      const subscription = new LocalSubscription(core, filter, { signal })
      core.publish(message('x'))
      await subscription.return()
    }
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect([core.router.size, core.router.sharedSize, core.router.groups.size, core.locals.size]).toEqual([0, 0, 0, 0])
  })

  it('ends with the broker', async () => {
    const broker = start()
    const messages = broker.subscribe('#')
    const waiting = messages.next()
    await broker.close()
    expect(await waiting).toEqual(isOver)
  })

  it.each([
    ['a', { qos: 3 }, RangeError],
    ['a', { highWaterMark: 0 }, RangeError],
    ['a', { highWaterMark: 65_536 }, RangeError],
    ['a', { highWaterMark: 1.5 }, RangeError],
    ['a', { overflow: 'none' }, TypeError],
    ['a', { signal: {} }, TypeError],
    ['a#', {}, TypeError],
    ['', {}, TypeError],
    ['$share/g', {}, TypeError],
  ])('%s with %o is refused', async (topicFilter, options, error) => {
    const broker = start()
    expect(() => broker.subscribe(topicFilter, options as LocalOptions)).toThrow(error)
    await broker.publish('a', 'x')
    expect(broker.metrics.messagesSent).toBe(0)
  })

  it.each([
    ['dropOldest', ['1', '2', '9', '10']],
    ['dropNewest', ['1', '2', '3', '4']],
    ['keepLatest', ['1', '2', '10']],
    ['disconnect', ['1', '2']],
  ] as const)('keeps to the policy %s', async (overflow, expected) => {
    const broker = start({ limits: { maxQueuedBytes: 800 } }) // two messages
    const messages = broker.subscribe('#', { overflow, highWaterMark: 2 })
    for (let i = 1; i <= 10; i++) await broker.publish('a', `${i}`, { qos: 1 })
    await new Promise(setImmediate)
    expect(await take(messages, expected.length)).toEqual(expected)
    if (overflow === 'disconnect') expect(await messages.next()).toEqual(isOver)
  })
})

describe('a Shared Subscription of the application', () => {
  it('gives its messages to clients when it ends, and not those that it has', async () => {
    const { broker, port } = await startBroker()
    const controller = new AbortController()
    const messages = broker.subscribe('$share/g/a', { highWaterMark: 2, signal: controller.signal })
    for (const payload of ['1', '2', '3', '4']) await broker.publish('a', payload, { qos: 1 })
    const client = await RawClient.connect(port)
    await client.subscribe('$share/g/a', 1)
    controller.abort()
    expect(await take(messages, 4)).toEqual(['1', '2'])
    const packets = await client.drain()
    expect(packets.map((packet) => packet.type === 'publish' && text(packet.payload))).toEqual(['3', '4'])
  })

  it('gives back what it holds ready when it is left, but not what it has taken', async () => {
    const { broker, port } = await startBroker()
    const messages = broker.subscribe('$share/g/a')
    for (const payload of ['1', '2', '3']) await broker.publish('a', payload, { qos: 1 })
    expect(await take(messages, 1)).toEqual(['1'])
    const client = await RawClient.connect(port)
    await client.subscribe('$share/g/a', 1)
    await messages.return!()
    const packets = await client.drain()
    expect(packets.map((packet) => packet.type === 'publish' && text(packet.payload))).toEqual(['2', '3'])
  })

  it('takes turns with clients', async () => {
    const { broker, port } = await startBroker()
    const messages = broker.subscribe('$share/g/a')
    const client = await RawClient.connect(port)
    await client.subscribe('$share/g/a')
    for (const payload of ['1', '2', '3', '4']) await broker.publish('a', payload)
    expect(await take(messages, 2)).toEqual(['1', '3'])
    expect(await client.drain()).toHaveLength(2)
  })

  it('that ends by its policy in the midst of a message leaves the others what they get', async () => {
    const { broker } = await startBroker({ limits: { maxQueuedBytes: 400 } })
    const all = Array.from({ length: 4 }, () =>
      broker.subscribe('$share/g/a', { overflow: 'disconnect', highWaterMark: 1 }),
    )
    const witness = broker.subscribe('a')
    for (let i = 0; i < 30; i++) {
      await broker.publish('a', `${i}`, { qos: 1 })
      expect(await take(witness, 1)).toEqual([`${i}`])
      await new Promise(setImmediate)
    }
    for (const messages of all) expect(await take(messages, 2)).toHaveLength(1)
  })
})

function coreOf(): Core {
  return new Core({})
}

function message(payload: string, { retain = false } = {}): Message {
  return Message.of({ topic: 'a', payload: bytes(payload), qos: 1, retain, properties: {} }, 0, undefined)
}
