import { IncomingAliases, PacketIds, Receiver, Sender } from '@tidewire/session'
import { describe, expect, it } from 'vitest'

describe('Packet Identifiers', () => {
  it('ascend from 1, skip those in use and never are 0 [MQTT-2.2.1-3] [MQTT-2.2.1-4]', () => {
    const ids = new PacketIds()
    expect([ids.take(), ids.take(), ids.take()]).toEqual([1, 2, 3])
    ids.free(1)
    for (let i = 4; i <= 0xffff; i++) ids.take()
    expect(ids.take()).toBe(1)
    expect(ids.take()).toBe(0)
    ids.free(500)
    expect(ids.take()).toBe(500)
  })
})

describe('the sending end', () => {
  it('of QoS 1 waits for PUBACK [MQTT-4.3.2-3]', () => {
    const sender = new Sender<string>()
    expect(sender.send('a', 1)).toBe(1)
    expect(sender.get(1)).toBe('a')
    expect(sender.puback(1)).toBe('settled')
    expect(sender.size).toBe(0)
    expect(sender.puback(1)).toBe('unknown')
  })

  it('of QoS 2 waits for PUBREC, then for PUBCOMP [MQTT-4.3.3-4] [MQTT-4.3.3-5]', () => {
    const sender = new Sender<string>()
    sender.send('a', 2)
    expect(sender.pubcomp(1)).toBe('violation')
    expect(sender.puback(1)).toBe('violation')
    expect(sender.pubrec(1, 0)).toBe('release')
    expect(sender.pubrec(1, 0)).toBe('release')
    expect(sender.pubcomp(1)).toBe('settled')
    expect(sender.pubrec(1, 0)).toBe('unknown')
  })

  it('of QoS 2 is done when PUBREC refuses [MQTT-4.4.0-2]', () => {
    const sender = new Sender<string>(1)
    sender.send('a', 2)
    expect(sender.ready).toBe(false)
    expect(sender.pubrec(1, 0x97)).toBe('settled')
    expect(sender.ready).toBe(true)
  })

  it('takes PUBREC for a QoS 1 message as a violation', () => {
    const sender = new Sender<string>()
    sender.send('a', 1)
    expect(sender.pubrec(1, 0)).toBe('violation')
  })

  it('keeps to the quota [MQTT-4.9.0-2]', () => {
    const sender = new Sender<string>(2)
    sender.send('a', 1)
    sender.send('b', 2)
    expect(sender.ready).toBe(false)
    sender.pubrec(2, 0)
    expect(sender.ready).toBe(false) // only PUBCOMP gives it back
    sender.pubcomp(2)
    expect(sender.ready).toBe(true)
  })

  it('sends all again in order on a new connection, PUBREL first and beyond the quota [MQTT-4.4.0-1] [MQTT-4.6.0-1]', () => {
    const sender = new Sender<string>()
    for (const [message, qos] of [
      ['a', 1],
      ['b', 2],
      ['c', 1],
      ['d', 2],
    ] as const)
      sender.send(message, qos)
    sender.pubrec(4, 0)
    sender.resume(2)
    const again = [sender.next(), sender.next(), sender.next()]
    expect(again.map((entry) => [entry?.message, entry?.awaits])).toEqual([
      ['d', 'pubcomp'],
      ['a', 'puback'],
      ['b', 'pubrec'],
    ])
    expect(sender.next()).toBeUndefined()
    sender.pubcomp(4) // took nothing from the quota of this connection, and gives nothing
    expect(sender.next()).toBeUndefined()
    expect(sender.ready).toBe(false)
    sender.puback(1)
    expect(sender.next()?.message).toBe('c')
    expect(sender.ready).toBe(false)
    sender.pubrec(2, 0)
    sender.pubcomp(2)
    expect(sender.ready).toBe(true)
    expect(sender.next()).toBeUndefined()
  })

  it('does not send again what was settled meanwhile', () => {
    const sender = new Sender<string>()
    sender.send('a', 1)
    sender.send('b', 1)
    sender.resume(1)
    expect(sender.next()?.message).toBe('a')
    sender.puback(2)
    sender.puback(1)
    expect(sender.next()).toBeUndefined()
    expect(sender.ready).toBe(true)
  })

  it('comes back from a snapshot', () => {
    const before = new Sender<string>()
    before.send('a', 1)
    before.send('b', 2)
    before.pubrec(2, 0)
    const after = new Sender<string>()
    after.restore(before.snapshot())
    after.resume(10)
    expect(after.next()).toMatchObject({ packetId: 2, awaits: 'pubcomp' })
    expect(after.next()).toMatchObject({ packetId: 1, awaits: 'puback', message: 'a' })
    expect(after.send('c', 1)).toBe(3)
  })
})

describe('the receiving end', () => {
  it('of QoS 2 knows a message until it is released [MQTT-4.3.3-10] [MQTT-4.3.3-12]', () => {
    const receiver = new Receiver()
    expect(receiver.publish(1, 2)).toBe('new')
    expect(receiver.publish(1, 2)).toBe('duplicate')
    expect(receiver.pubrel(1)).toBe(true)
    expect(receiver.pubrel(1)).toBe(false)
    expect(receiver.publish(1, 2)).toBe('new')
  })

  it('of QoS 1 takes the same identifier as a new message [MQTT-4.3.2-5]', () => {
    const receiver = new Receiver()
    expect(receiver.publish(1, 1)).toBe('new')
    receiver.puback(1)
    expect(receiver.publish(1, 1)).toBe('new')
  })

  it('forgets what it has refused [MQTT-4.3.3-9]', () => {
    const receiver = new Receiver()
    receiver.publish(1, 2)
    receiver.refuse(1)
    expect(receiver.publish(1, 2)).toBe('new')
  })

  it('counts against its Receive Maximum what this connection brought [MQTT-3.3.4-7]', () => {
    const receiver = new Receiver(2)
    receiver.publish(1, 1)
    receiver.publish(2, 2)
    expect(receiver.publish(3, 1)).toBe('exceeded')
    receiver.puback(1)
    expect(receiver.publish(3, 2)).toBe('new')
    receiver.resume(2)
    expect(receiver.publish(2, 2)).toBe('duplicate')
    expect(receiver.publish(4, 1)).toBe('new')
    expect(receiver.publish(5, 1)).toBe('exceeded')
    receiver.pubrel(3) // came on the connection before
    expect(receiver.publish(5, 1)).toBe('exceeded')
    receiver.pubrel(2)
    expect(receiver.publish(5, 1)).toBe('new')
  })

  it('comes back from a snapshot', () => {
    const before = new Receiver()
    before.publish(7, 2)
    const after = new Receiver()
    after.restore(before.snapshot())
    expect(after.publish(7, 2)).toBe('duplicate')
  })
})

describe('Topic Aliases of the peer', () => {
  it('are 1 to the maximum [MQTT-3.3.2-8] [MQTT-3.3.2-12]', () => {
    const aliases = new IncomingAliases(2)
    expect([0, 1, 2, 3].map((alias) => aliases.allows(alias))).toEqual([false, true, true, false])
  })

  it('stand for the last topic that was given', () => {
    const aliases = new IncomingAliases(2)
    expect(aliases.get(1)).toBeUndefined()
    aliases.set(1, 'a')
    aliases.set(1, 'b')
    expect(aliases.get(1)).toBe('b')
  })
})
