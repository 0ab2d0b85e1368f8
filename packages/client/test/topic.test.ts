import {
  bytes as bytesCodec,
  json,
  ReasonCode,
  request,
  type StandardSchema,
  serve,
  text,
  topic,
} from '@tidewire/client'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { bytes, start } from './connected.js'

describe('a topic with types', () => {
  const temperature = topic('site/:site/line/:line/temp', json(z.object({ c: z.number() })))

  it('is where to publish, with levels by name', async () => {
    const { client, peer } = await start()
    const publishing = client.publish(temperature({ site: 'a', line: '3' }), { c: 21.5 })
    const { topic: name, payload, properties } = await peer.expect('publish')
    expect([name, JSON.parse(new TextDecoder().decode(payload)), properties]).toEqual([
      'site/a/line/3/temp',
      { c: 21.5 },
      { contentType: 'application/json' },
    ])
    await publishing
    for (const site of ['', 'a/b', '+', '#', undefined]) {
      expect(() => temperature({ site: site as string, line: '3' })).toThrow(TypeError)
    }
    // @ts-expect-error the types say what a payload is
    void client.publish(temperature({ site: 'a', line: '3' }), { f: 70 })
  })

  it('is what to subscribe to, and refuses what is not of its kind', async () => {
    const invalid: string[] = []
    const { client, peer } = await start()
    const source = topic('site/:site/line/:line/temp', json(z.object({ c: z.number() })), {
      onInvalid: (error) => invalid.push(error.message),
    })
    const subscribing = client.subscribe(source, { qos: 1 })
    const { subscriptions } = await peer.grant()
    expect(subscriptions[0]?.topicFilter).toBe('site/+/line/+/temp')
    const subscription = await subscribing
    for (const [i, payload] of ['{"c":1}', '{"c":"x"}', 'no', '{"c":2}'].entries()) {
      peer.send({ type: 'publish', topic: 'site/a/line/3/temp', payload: bytes(payload), qos: 1, packetId: i + 1 })
    }
    for (const c of [1, 2]) {
      const { params, data, ack } = (await subscription.next()).value!
      expectTypeOf(params).toEqualTypeOf<{ readonly site: string; readonly line: string }>()
      expectTypeOf(data).toEqualTypeOf<{ c: number }>()
      expect([params, data]).toEqual([{ site: 'a', line: '3' }, { c }])
      ack()
    }
    expect(invalid).toHaveLength(2)
    const codes = []
    for (let i = 0; i < 4; i++) codes.push((await peer.expect('puback')).reasonCode)
    expect(codes).toEqual([0, ReasonCode.PayloadFormatInvalid, ReasonCode.PayloadFormatInvalid, 0])
  })

  it('takes any codec, synchronous or not', async () => {
    const { client, peer } = await start()
    const sealed = topic('sealed', {
      encode: async (data: string) => bytes([...data].reverse().join('')),
      decode: async (payload: Uint8Array) => [...new TextDecoder().decode(payload)].reverse().join(''),
    })
    const subscribing = client.subscribe(sealed)
    await peer.grant()
    const subscription = await subscribing
    await client.publish(sealed({}), 'abc')
    const { payload } = await peer.expect('publish')
    expect(payload).toEqual(bytes('cba'))
    peer.send({ type: 'publish', topic: 'sealed', payload })
    expect((await subscription.next()).value?.data).toBe('abc')
  })

  it('has the codecs text and bytes', async () => {
    expect(await text().encode('ä', 'a')).toEqual(bytes('ä'))
    expect(await text().decode(bytes('\u{feff}ä'), undefined as never)).toBe('\u{feff}ä')
    expect(() => text().decode(new Uint8Array([0xff]), undefined as never)).toThrow(TypeError)
    expect(await bytesCodec().encode(bytes('x'), 'a')).toEqual(bytes('x'))
    expect(() => json().encode(undefined, 'a')).toThrow(TypeError)
    const asynchronous: StandardSchema<number> = {
      '~standard': { version: 1, vendor: 'x', validate: async (value) => ({ value: Number(value) }) },
    }
    expect(await json(asynchronous).decode(bytes('"7"'), undefined as never)).toBe(7)
  })
})

describe('a request', () => {
  it('is answered through its Response Topic, by its Correlation Data [MQTT-3.3.2-15]', async () => {
    const { client, peer } = await start()
    const asking = [1, 2].map((n) => request(client, 'rpc/double', `${n}`, { qos: 0, reply: json(z.number()) }))
    const { subscriptions } = await peer.grant()
    const questions = [await peer.expect('publish'), await peer.expect('publish')]
    for (const { properties, payload } of questions.reverse()) {
      expect(properties.responseTopic).toBe(subscriptions[0]?.topicFilter)
      const { correlationData } = properties
      const double = bytes(`${Number(new TextDecoder().decode(payload)) * 2}`)
      peer.send({ type: 'publish', topic: properties.responseTopic!, payload: double, properties: { correlationData } })
    }
    expect(await Promise.all(asking)).toEqual([2, 4])
  })

  it('gives up in time, by its signal, when nobody is there, and when the client is closed', async () => {
    const { client, peer } = await start()
    const late = request(client, 'rpc', '', { qos: 0, timeout: 1_000 })
    const refused = expect(late).rejects.toThrow('no answer came in 1000 ms')
    await peer.grant()
    await peer.expect('publish')
    await refused
    const aborted = request(client, 'rpc', '', { qos: 0, signal: AbortSignal.abort(new Error('enough')) })
    await expect(aborted).rejects.toThrow('enough')
    const lonely = request(client, 'rpc', '', { qos: 1 })
    const { packetId = 0 } = await peer.expect('publish')
    peer.send({ type: 'puback', packetId, reasonCode: ReasonCode.NoMatchingSubscribers })
    await expect(lonely).rejects.toMatchObject({ reasonCode: ReasonCode.NoMatchingSubscribers })
    const lost = expect(request(client, 'rpc', '', { qos: 0 })).rejects.toThrow('closed')
    await peer.expect('publish')
    await client.close()
    await lost
    const { client: old } = await start({ protocolVersion: 4 })
    await expect(request(old, 'rpc', '')).rejects.toThrow(TypeError)
  })

  it('is served, one after the other, and failures are told', async () => {
    const { client, peer } = await start()
    const errors: string[] = []
    const handler = ({ data, params }: { data: number[]; params: { op: string } }) => {
      if (params.op !== 'sum') throw new Error('a secret')
      return data.reduce((sum, x) => sum + x)
    }
    const operation = topic('rpc/:op', json(z.array(z.number())))
    const serving = serve(client, operation, handler, { reply: json(), onError: ({ message }) => errors.push(message) })
    await peer.grant()
    await serving
    const ask = async (op: string, payload: string) => {
      const properties = { responseTopic: 'reply', correlationData: bytes('7') }
      peer.send({ type: 'publish', topic: `rpc/${op}`, payload: bytes(payload), properties })
      const answer = await peer.expect('publish')
      expect(answer).toMatchObject({ topic: 'reply', properties: { correlationData: bytes('7') } })
      return answer
    }
    expect((await ask('sum', '[1,2]')).payload).toEqual(bytes('3'))
    const { userProperty } = (await ask('other', '[]')).properties
    expect(userProperty).toEqual([['tidewire-error', '128 the other side failed']])
    expect(errors).toEqual(['a secret'])
  })

  it('learns of a failure of the other side', async () => {
    const { client, peer } = await start()
    const asking = request(client, 'rpc', '', { qos: 0 })
    await peer.grant()
    const { properties } = await peer.expect('publish')
    const { responseTopic = '', correlationData } = properties
    const userProperty = [['tidewire-error', '135 not you']] as const
    peer.send({
      type: 'publish',
      topic: responseTopic,
      payload: bytes(''),
      properties: { correlationData, userProperty },
    })
    await expect(asking).rejects.toMatchObject({ reasonCode: ReasonCode.NotAuthorized, message: 'not you' })
  })
})
