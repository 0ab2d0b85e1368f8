import { memoryUsage } from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { PacketIds, Receiver, Sender } from '@tidewire/session'
import { describe, expect, it } from 'vitest'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/** Bytes of heap that each of some things takes. */
function bytesOf(make: () => object): number {
  const count = 500
  const used = (): number => {
    collect()
    return memoryUsage().heapUsed
  }
  make()
  const before = used()
  const kept = Array.from({ length: count }, make)
  const bytes = (used() - before) / count
  expect(kept.length).toBe(count)
  return bytes
}

const burst = 512
// The tables of a burst take 8,192 bytes each.
const most = 2_000

describe('a session that is away takes little memory after a burst', () => {
  it.each([0, 1])('with %i messages left: what it sends', (left) => {
    const make = (): Sender<string> => {
      const sender = new Sender<string>()
      for (let i = 0; i < burst; i++) sender.send('a', 1)
      for (let id = left + 1; id <= burst; id++) sender.puback(id)
      sender.suspend()
      return sender
    }
    expect(bytesOf(make)).toBeLessThan(most)
  })

  it.each([0, 1])('with %i messages left: what it receives', (left) => {
    const make = (): Receiver => {
      const receiver = new Receiver()
      for (let id = 1; id <= burst; id++) {
        receiver.publish(id, 2)
        receiver.pubrec(id, 0)
      }
      for (let id = left + 1; id <= burst; id++) receiver.pubrel(id)
      receiver.resume()
      return receiver
    }
    expect(bytesOf(make)).toBeLessThan(most)
  })

  it.each([0, 1])('with %i left: its Packet Identifiers', (left) => {
    const make = (): PacketIds => {
      const ids = new PacketIds()
      for (let i = 0; i < burst; i++) ids.take()
      for (let id = left + 1; id <= burst; id++) ids.free(id)
      ids.trim()
      return ids
    }
    expect(bytesOf(make)).toBeLessThan(most)
  })
})

it('identifiers of a snapshot take little memory, however far apart', () => {
  const make = (): object => {
    const sender = new Sender<string>()
    sender.restore([1, 0x8001].map((packetId) => ({ packetId, message: 'a', awaits: 'puback' })))
    const receiver = new Receiver()
    receiver.restore([1, 0x8001])
    return { sender, receiver }
  }
  expect(bytesOf(make)).toBeLessThan(most)
})
