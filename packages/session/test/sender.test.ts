import { type Awaited, PacketIds, Sender, type Step } from '@tidewire/session'
import { describe, expect, it } from 'vitest'

/** What can be known of one message: nothing, or what it awaits and how it came onto this connection. */
type Where = 'new here' | 'to be sent again' | 'sent again'

/** A sender with one message, of identifier 1, in a state. */
function senderIn(awaits: Awaited | undefined, where: Where): Sender<string> {
  const sender = new Sender<string>(2)
  if (awaits === undefined) return sender
  sender.send('a', awaits === 'puback' ? 1 : 2)
  if (awaits === 'pubcomp') sender.pubrec(1, 0)
  if (where !== 'new here') sender.resume(2)
  if (where === 'sent again') sender.next()
  return sender
}

/** How many more messages could be sent. */
function quotaOf(sender: Sender<string>): number {
  while (sender.next() !== undefined);
  let sent = 0
  for (; sender.ready; sent++) sender.send('more', 1)
  return sent
}

const packets: Readonly<Record<string, (sender: Sender<string>) => Step>> = {
  PUBACK: (sender) => sender.puback(1),
  PUBREC: (sender) => sender.pubrec(1, 0x00),
  'PUBREC 0x10': (sender) => sender.pubrec(1, 0x10),
  'PUBREC 0x80': (sender) => sender.pubrec(1, 0x80),
  PUBCOMP: (sender) => sender.pubcomp(1),
}

const unknown: readonly Step[] = ['unknown', 'unknown', 'unknown', 'unknown', 'unknown']

/** What each packet brings about in each state. */
const transitions: readonly (readonly [Awaited | undefined, string, readonly Step[]])[] = [
  [undefined, 'no message [MQTT-4.3.3-4]', unknown],
  ['puback', 'unacknowledged QoS 1 [MQTT-4.3.2-3]', ['settled', 'violation', 'violation', 'violation', 'violation']],
  ['pubrec', 'unacknowledged QoS 2 [MQTT-4.3.3-3]', ['violation', 'release', 'release', 'settled', 'violation']],
  ['pubcomp', 'unacknowledged PUBREL [MQTT-4.3.3-5]', ['violation', 'release', 'release', 'violation', 'settled']],
]

/** What is sent again afterwards. */
function after(awaits: Awaited | undefined, step: Step): Awaited | undefined {
  if (step === 'settled' || awaits === undefined) return undefined
  return step === 'release' ? 'pubcomp' : awaits
}

describe('the sending end', () => {
  for (const where of ['new here', 'to be sent again', 'sent again'] as const) {
    for (const [awaits, state, steps] of transitions) {
      describe(`with ${state}, ${where}`, () => {
        it.each(Object.keys(packets).map((name, i) => [name, steps[i]!] as const))('takes %s as %s', (name, step) => {
          const sender = senderIn(awaits, where)
          expect(packets[name]!(sender)).toBe(step)
          const left = after(awaits, step)
          expect(sender.size).toBe(left === undefined ? 0 : 1)
          expect(sender.get(1)).toBe(left === undefined ? undefined : 'a')
          expect(sender.snapshot()).toEqual(left ? [{ packetId: 1, message: 'a', awaits: left }] : [])
          // What was released has been sent already and is not sent again on this connection [MQTT-4.4.0-1].
          const again = where === 'to be sent again' && left !== undefined && step !== 'release'
          expect(sender.next()?.awaits).toBe(again ? left : undefined)
          // A PUBREL alone takes nothing from the quota (section 4.9), a PUBLISH until it is done [MQTT-4.9.0-2].
          const onlyPubrel =
            left === 'pubcomp' && where !== 'new here' && !(where === 'sent again' && awaits === 'pubrec')
          expect(quotaOf(sender)).toBe(left === undefined || onlyPubrel ? 2 : 1)
        })
      })
    }
  }

  it('gives new messages unused identifiers [MQTT-4.3.2-1] [MQTT-4.3.3-1]', () => {
    const sender = new Sender<string>()
    expect([sender.send('a', 1), sender.send('b', 2), sender.send('c', 1)]).toEqual([1, 2, 3])
    expect([0, 1, 2, 3, 4, 9, 65].map((packetId) => sender.get(packetId))).toEqual([
      undefined,
      'a',
      'b',
      'c',
      undefined,
      undefined,
      undefined,
    ])
    expect(sender.puback(9)).toBe('unknown')
  })

  it('shares identifiers with SUBSCRIBE and UNSUBSCRIBE [MQTT-2.2.1-3]', () => {
    const ids = new PacketIds()
    const sender = new Sender<string>(0xffff, ids)
    const requests = Array.from({ length: 20 }, () => ids.take())
    expect(sender.send('a', 1)).toBe(21)
    expect(sender.puback(requests[4]!)).toBe('unknown') // is not a message
    for (let i = 0; i < 20; i++) ids.take()
    expect(sender.get(21)).toBe('a')
    expect(sender.send('b', 1)).toBe(42)
    expect(sender.puback(21)).toBe('settled')
    expect(ids.size).toBe(41)
  })

  it('sends no more than the quota [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-3.3.4-7] [MQTT-3.3.4-9]', () => {
    const sender = new Sender<string>(2)
    sender.send('a', 1)
    sender.send('b', 2)
    expect(sender.ready).toBe(false)
    expect(() => sender.send('c', 1)).toThrow(RangeError)
    sender.pubrec(2, 0)
    expect(sender.ready).toBe(false) // only PUBCOMP gives it back
    sender.pubcomp(2)
    expect(sender.ready).toBe(true)
    expect(sender.send('c', 1)).toBe(3)
  })

  it('sends no more than there are identifiers', () => {
    const ids = new PacketIds()
    const sender = new Sender<number>(0xffff, ids)
    const request = ids.take()
    for (let i = 1; i < 0xffff; i++) sender.send(i, 1)
    expect(sender.ready).toBe(false)
    ids.free(request)
    expect(sender.send(0, 1)).toBe(1)
    expect(sender.size).toBe(0xffff)
  })

  it('sends nothing again while the connection stands [MQTT-4.4.0-1]', () => {
    const sender = new Sender<string>()
    sender.send('a', 1)
    sender.send('b', 2)
    sender.pubrec(2, 0)
    expect(sender.next()).toBeUndefined()
  })

  it('sends PUBLISH again in order and PUBREL in the order of PUBREC, first and beyond the quota [MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-4.6.0-4]', () => {
    const sender = new Sender<string>()
    for (const [message, qos] of [
      ['a', 1],
      ['b', 2],
      ['c', 1],
      ['d', 2],
      ['e', 2],
    ] as const)
      sender.send(message, qos)
    sender.pubrec(5, 0)
    sender.pubrec(4, 0)
    sender.pubrec(5, 0) // came again, and changes nothing
    sender.resume(2)
    const again = [sender.next(), sender.next(), sender.next(), sender.next()]
    expect(again.map((entry) => [entry?.message, entry?.awaits])).toEqual([
      ['e', 'pubcomp'],
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

  it('keeps the order when identifiers have begun again at 1 [MQTT-4.6.0-1]', () => {
    const sender = new Sender<string>()
    sender.restore([{ packetId: 0xfffd, message: 'a', awaits: 'puback' }])
    sender.resume(100)
    sender.next()
    const messages = [...'bcdefghijk']
    const ids = messages.map((message) => sender.send(message, 1))
    expect(ids.slice(0, 4)).toEqual([0xfffe, 0xffff, 1, 2])
    sender.resume(100)
    expect(messages.map(() => sender.next()?.message)).toEqual([...'abcdefghij'])
    expect(sender.next()?.message).toBe('k')
  })

  it('sends new messages only after all old ones [MQTT-4.6.0-1]', () => {
    const sender = new Sender<string>()
    sender.send('a', 1)
    sender.resume(10)
    expect(sender.ready).toBe(false)
    expect(() => sender.send('b', 1)).toThrow(RangeError)
    sender.next()
    expect(sender.send('b', 1)).toBe(2)
  })

  it('does not send again what was settled meanwhile [MQTT-4.4.0-2]', () => {
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

  it('begins again with each connection', () => {
    const sender = new Sender<string>()
    sender.send('a', 1)
    sender.send('b', 1)
    sender.resume(1)
    expect(sender.next()?.message).toBe('a')
    sender.resume(2)
    expect([sender.next()?.message, sender.next()?.message, sender.next()]).toEqual(['a', 'b', undefined])
    expect(sender.ready).toBe(false)
    sender.puback(1)
    expect(quotaOf(sender)).toBe(1)
  })

  it('is not ready without a connection', () => {
    const sender = new Sender<string>(5)
    sender.send('a', 1)
    sender.send('b', 2)
    sender.suspend()
    expect(sender.next()).toBeUndefined()
    sender.puback(1) // too late to give quota
    expect(sender.ready).toBe(false)
    sender.resume(5)
    expect(sender.next()?.message).toBe('b')
    sender.pubrec(2, 0)
    sender.resume(5)
    sender.suspend()
    expect(sender.next()).toBeUndefined() // not even PUBREL
    sender.resume(5)
    expect(sender.next()?.awaits).toBe('pubcomp')
    expect(quotaOf(sender)).toBe(5)
  })

  it('comes back from a snapshot that went through JSON', () => {
    const before = new Sender<string>()
    for (const message of 'abcd') before.send(message, 2)
    before.send('e', 1)
    before.pubrec(3, 0)
    before.pubrec(2, 0)
    before.pubrec(4, 0x97)
    const ids = new PacketIds()
    const after = new Sender<string>(10, ids)
    after.restore(JSON.parse(JSON.stringify(before.snapshot())))
    expect(after.snapshot()).toEqual(before.snapshot())
    expect(after.ready).toBe(false) // before there is a connection
    expect(ids.size).toBe(4)
    after.resume(10)
    expect(after.next()).toMatchObject({ packetId: 3, awaits: 'pubcomp', message: 'c' })
    expect(after.next()).toMatchObject({ packetId: 2, awaits: 'pubcomp', message: 'b' })
    expect(after.next()).toMatchObject({ packetId: 1, awaits: 'pubrec', message: 'a' })
    expect(after.next()).toMatchObject({ packetId: 5, awaits: 'puback', message: 'e' })
    expect(after.next()).toBeUndefined()
    expect(after.send('f', 1)).toBe(6)
  })

  it('comes back from the records of a store in the order of what happened [MQTT-4.6.0-1] [MQTT-4.6.0-4]', () => {
    const sender = new Sender<string>()
    sender.restore([
      { packetId: 9, message: 'a', awaits: 'puback' },
      { packetId: 3, message: 'c', awaits: 'pubcomp' },
      { packetId: 1, message: 'd', awaits: 'pubrec' },
      { packetId: 2, message: 'b', awaits: 'pubcomp' },
    ])
    sender.resume(10)
    expect([1, 2, 3, 4].map(() => sender.next()?.message)).toEqual([...'cbad'])
  })

  it.each([
    ['an identifier that is none', { packetId: 0, message: 'a', awaits: 'puback' }, RangeError],
    ['an identifier that is in use', { packetId: 7, message: 'a', awaits: 'puback' }, RangeError],
    ['an identifier that comes twice', { packetId: 9, message: 'a', awaits: 'puback' }, RangeError],
    ['a step that is none', { packetId: 8, message: 'a', awaits: 'suback' }, TypeError],
    ['no step', { packetId: 8, message: 'a' }, TypeError],
    ['what is no entry', null, TypeError],
  ] as const)('takes nothing of a snapshot with %s', (_, entry, error) => {
    const sender = new Sender<string>()
    sender.restore([{ packetId: 7, message: 'b', awaits: 'pubrec' }])
    sender.resume()
    expect(() => sender.restore([{ packetId: 9, message: 'c', awaits: 'puback' }, entry as never])).toThrow(error)
    expect(sender.snapshot()).toEqual([{ packetId: 7, message: 'b', awaits: 'pubrec' }])
    sender.next()
    expect(sender.send('d', 1)).toBe(8)
  })

  it.each([0, 65536, 1.5, Number.NaN, '7'])('has no Receive Maximum of %s [MQTT-4.9.0-1]', (maximum) => {
    expect(() => new Sender(maximum as number)).toThrow(RangeError)
    const sender = new Sender(1)
    expect(() => sender.resume(maximum as number)).toThrow(RangeError)
    expect(sender.ready).toBe(true)
  })

  it('has a quota of 65,535 unless told otherwise', () => {
    const sender = new Sender<string>(1)
    sender.resume()
    expect(quotaOf(sender)).toBe(0xffff)
  })

  it.each([0, 3, undefined, '1'])('sends nothing of QoS %j', (qos) => {
    const sender = new Sender<string>()
    expect(() => sender.send('a', qos as 1)).toThrow(RangeError)
    expect(sender.size).toBe(0)
  })

  it.each([
    ['resume', (sender: Sender<string>) => sender.suspend()],
    ['next', (sender: Sender<string>) => sender.resume(5)],
    ['Receive Maximum', (sender: Sender<string>) => sender.send('b', 1)],
    ['Packet Identifiers', (_: Sender<string>, ids: PacketIds) => Array.from({ length: 0xffff }, () => ids.take())],
  ])('says what has to come before a message is sent: %s', (word, act) => {
    const ids = new PacketIds()
    const sender = new Sender<string>(2, ids)
    sender.send('a', 1)
    act(sender, ids)
    expect(() => sender.send('c', 1)).toThrow(word)
  })

  it('gives what is to be sent again away: later changes do not show in it', () => {
    const sender = new Sender<string>()
    sender.send('a', 2)
    sender.resume()
    const entry = sender.next()
    sender.pubrec(1, 0)
    expect(entry).toEqual({ packetId: 1, message: 'a', awaits: 'pubrec' })
  })
})
