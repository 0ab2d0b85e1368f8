import { connect } from '@tidewire/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { has, startMosquitto } from './program.js'

describe.skipIf(!has('mosquitto', '-h'))('our client and mosquitto', () => {
  describe.each(['mqtt', 'ws'] as const)('over %s', (scheme) => {
    describe.each([3, 4, 5] as const)('with protocol version %i', (protocolVersion) => {
      it('exchange messages at every QoS, and part', async () => {
        const urls = await startMosquitto()
        const client = await connect(urls[scheme], { protocolVersion })
        onTestFinished(() => client.close())
        const all = await client.subscribe('a/#', { qos: 2 })
        const one = await client.subscribe('a/+/c', { qos: 1 })
        for (const qos of [0, 1, 2] as const) {
          expect(await client.publish('a/b/c', `qos ${qos}`, { qos })).toEqual({ reasonCode: 0 })
          expect((await all.next()).value).toMatchObject({ topic: 'a/b/c', text: `qos ${qos}` })
          expect((await one.next()).value).toMatchObject({ text: `qos ${qos}` })
        }
        await one.close()
        await client.close()
        expect(await client.closed).toBeUndefined()
      })
    })
  })
})
