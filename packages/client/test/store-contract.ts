/** What every store must do: one suite for all of them. */

import type { OutgoingRecord, SessionRecord, SessionStore } from '@tidewire/client'
import { describe, expect, it } from 'vitest'

const message = (text: string): OutgoingRecord['message'] => ({
  topic: `topic/${text}`,
  payload: new TextEncoder().encode(text),
  qos: 2,
  retain: true,
  properties: { contentType: 'text/plain', correlationData: new Uint8Array([1, 2]), userProperty: [['a', 'b']] },
})

const outgoing = (key: number, text: string, packetId = key): OutgoingRecord => ({
  key,
  packetId,
  awaits: 'pubrec',
  message: message(text),
})

const sorted = (records: readonly SessionRecord[]): SessionRecord[] => [...records].sort((a, b) => a.key - b.key)

/** `open` makes a store, of the same place whenever it is called. */
export function storeContract(name: string, open: () => SessionStore): void {
  let sessions = 0
  /** Does something with a session that has just been loaded. Returns what there was. */
  const visit = async (clientId: string, act?: (store: SessionStore) => Promise<void>): Promise<SessionRecord[]> => {
    const store = open()
    const records = sorted(await store.load(clientId))
    await act?.(store)
    await store.close()
    return records
  }
  const newId = (): string => `${name}-${++sessions}-${Math.random()}`

  describe(`a store: ${name}`, () => {
    it('has nothing of a session that it does not know', async () => {
      expect(await visit(newId())).toEqual([])
    })

    it('has what was put, all of it', async () => {
      const id = newId()
      const records = [{ key: -7 }, outgoing(1, 'one'), outgoing(2, 'waits', 0), outgoing(2 ** 40, 'ü', 0xffff)]
      await visit(id, (store) => store.write(records.map((put) => ({ put }))))
      expect(await visit(id)).toEqual(records)
    })

    it('makes changes in their order', async () => {
      const id = newId()
      await visit(id, async (store) => {
        await store.write([
          { put: outgoing(1, 'first') },
          { put: { key: -1 } },
          { delete: 1 },
          { put: outgoing(1, 'last') },
        ])
        await store.write([{ delete: -1 }, { delete: 99 }, { put: { key: -2 } }])
      })
      expect(await visit(id)).toEqual([{ key: -2 }, outgoing(1, 'last')])
    })

    it('keeps sessions apart, whatever they are called', async () => {
      const ids = ['../x', 'a/b', '', '__proto__', 'ä'.repeat(300)].map((each) => newId() + each)
      for (const [key, id] of ids.entries()) await visit(id, (store) => store.write([{ put: { key: -key - 1 } }]))
      for (const [key, id] of ids.entries()) expect(await visit(id)).toEqual([{ key: -key - 1 }])
    })

    it('does not change what it has when the bytes that it was given change', async () => {
      const id = newId()
      const record = outgoing(1, 'one')
      await visit(id, async (store) => {
        await store.write([{ put: record }])
        if (name !== 'memory') record.message.payload.fill(0)
      })
      expect(await visit(id)).toEqual([outgoing(1, 'one')])
    })

    it('takes many changes', async () => {
      const id = newId()
      await visit(id, async (store) => {
        for (let batch = 0; batch < 10; batch++) {
          const keys = Array.from({ length: 100 }, (_, i) => batch * 100 + i + 1)
          await store.write(keys.map((key) => ({ put: outgoing(key, `${key}`) })))
          await store.write(keys.slice(1).map((key) => ({ delete: key })))
        }
      })
      expect((await visit(id)).map(({ key }) => key)).toEqual([1, 101, 201, 301, 401, 501, 601, 701, 801, 901])
    })
  })
}
