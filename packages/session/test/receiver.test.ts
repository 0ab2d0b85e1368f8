import { type Arrival, type Receipt, Receiver } from '@tidewire/session'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** A receiver with a Receive Maximum of 2 and one message of identifier 1, which came on this connection or before. */
function receiverIn(state: State, isOfNow: boolean): Receiver {
  const receiver = new Receiver(2)
  if (state !== 'no message') receiver.publish(1, state === 'a QoS 1 message' ? 1 : 2)
  if (state === 'an accepted QoS 2 message') receiver.pubrec(1, 0)
  if (state === 'a QoS 2 message that was released too early') receiver.pubrel(1)
  if (!isOfNow) receiver.resume(2)
  return receiver
}

type State =
  | 'no message'
  | 'a QoS 1 message'
  | 'a QoS 2 message'
  | 'a QoS 2 message that was released too early'
  | 'an accepted QoS 2 message'

const packets = {
  'PUBLISH QoS 1': (receiver: Receiver) => receiver.publish(1, 1),
  'PUBLISH QoS 2': (receiver: Receiver) => receiver.publish(1, 2),
  PUBREL: (receiver: Receiver) => receiver.pubrel(1),
  'the end of QoS 2': (receiver: Receiver) => receiver.pubrec(1, 0),
  'the refusal of QoS 2': (receiver: Receiver) => receiver.pubrec(1, 0x80),
} as const

type Outcome = readonly [answer: Arrival | Receipt | boolean, unreleased: number, accepted: number, outstanding: number]

const nothing: readonly Outcome[] = [
  ['new', 0, 0, 1],
  ['new', 1, 0, 1],
  [false, 0, 0, 0],
  ['unknown', 0, 0, 0],
  ['unknown', 0, 0, 0],
]

/** What each packet, or the application, brings about in each state. */
const transitions: readonly (readonly [State, isOfNow: boolean, readonly Outcome[]])[] = [
  ['no message', true, nothing],
  ['no message', false, nothing],
  [
    'a QoS 1 message',
    true,
    [
      ['new', 0, 0, 2],
      ['new', 1, 0, 2],
      [false, 0, 0, 1],
      ['unknown', 0, 0, 1],
      ['unknown', 0, 0, 1],
    ],
  ],
  ['a QoS 1 message', false, nothing],
  [
    'a QoS 2 message',
    true,
    [
      ['new', 1, 0, 2],
      ['pending', 1, 0, 1],
      [false, 1, 0, 1],
      ['send', 1, 1, 1],
      ['send', 0, 0, 0],
    ],
  ],
  [
    'a QoS 2 message',
    false,
    [
      ['new', 1, 0, 1],
      ['pending', 1, 0, 1],
      [false, 1, 0, 0],
      ['wait', 1, 1, 0],
      ['wait', 0, 0, 0],
    ],
  ],
  [
    'a QoS 2 message that was released too early',
    true,
    [
      ['new', 1, 0, 2],
      ['pending', 1, 0, 1],
      [false, 1, 0, 1],
      ['unknown', 0, 0, 0],
      ['unknown', 0, 0, 0],
    ],
  ],
  [
    'a QoS 2 message that was released too early',
    false,
    [
      ['new', 1, 0, 1],
      ['pending', 1, 0, 1],
      [false, 1, 0, 0],
      ['unknown', 0, 0, 0],
      ['unknown', 0, 0, 0],
    ],
  ],
  [
    'an accepted QoS 2 message',
    true,
    [
      ['new', 1, 1, 2],
      ['duplicate', 1, 1, 1],
      [true, 0, 0, 0],
      ['send', 1, 1, 1],
      ['unknown', 1, 1, 1],
    ],
  ],
  [
    'an accepted QoS 2 message',
    false,
    [
      ['new', 1, 1, 1],
      ['duplicate', 1, 1, 1],
      [true, 0, 0, 0],
      ['wait', 1, 1, 0],
      ['unknown', 1, 1, 0],
    ],
  ],
]

/** How many messages count against the Receive Maximum, told by how many more are taken. */
function outstandingIn(receiver: Receiver): number {
  for (let more = 0; ; more++) if (receiver.publish(1000 + more, 1) === 'exceeded') return 2 - more
}

describe('the receiving end [MQTT-4.3.2-4] [MQTT-4.3.2-5] [MQTT-4.3.3-8] to [MQTT-4.3.3-12]', () => {
  for (const [state, isOfNow, outcomes] of transitions) {
    describe(`with ${state} of ${isOfNow ? 'this' : 'another'} connection`, () => {
      it.each(Object.entries(packets).map(([name, act], i) => [name, outcomes[i]![0], act, outcomes[i]!] as const))(
        'answers %s by %s',
        (_name, _answer, act, [answer, unreleased, accepted, outstanding]) => {
          const receiver = receiverIn(state, isOfNow)
          expect(act(receiver)).toBe(answer)
          expect(receiver.size).toBe(unreleased)
          expect(receiver.snapshot().length).toBe(accepted)
          expect(outstandingIn(receiver)).toBe(outstanding)
        },
      )
    })
  }

  it('takes the identifier of what it refused as a new message [MQTT-4.3.3-9]', () => {
    const receiver = new Receiver(1)
    receiver.publish(1, 2)
    receiver.pubrec(1, 0x97)
    expect(receiver.publish(1, 2)).toBe('new')
  })

  it('takes the identifier of what was released as a new message [MQTT-4.3.3-12]', () => {
    const receiver = new Receiver(1)
    receiver.publish(1, 2)
    receiver.pubrec(1, 0)
    receiver.pubrel(1)
    expect(receiver.publish(1, 2)).toBe('new')
  })

  it('takes no more than its Receive Maximum [MQTT-3.3.4-7] [MQTT-3.3.4-9]', () => {
    const receiver = new Receiver(2)
    receiver.publish(1, 1)
    receiver.publish(2, 2)
    expect(receiver.publish(3, 1)).toBe('exceeded')
    expect(receiver.publish(3, 2)).toBe('exceeded')
    expect(receiver.size).toBe(1)
    receiver.puback()
    expect(receiver.publish(3, 2)).toBe('new')
    expect(receiver.publish(3, 2)).toBe('pending') // is not one more
  })

  it('counts what each connection brought, again what comes again', () => {
    const receiver = new Receiver(2)
    receiver.publish(2, 2)
    receiver.publish(3, 2)
    receiver.resume(2)
    expect(receiver.publish(2, 2)).toBe('pending')
    expect(receiver.publish(4, 1)).toBe('new')
    expect(receiver.publish(5, 1)).toBe('exceeded')
    expect(receiver.publish(3, 2)).toBe('exceeded')
    receiver.pubrec(3, 0x97) // came on the connection before
    expect(receiver.publish(5, 1)).toBe('exceeded')
    receiver.pubrec(2, 0x97)
    expect(receiver.publish(5, 1)).toBe('new')
  })

  it('lets no PUBACK go out on another connection than the message came on', () => {
    const receiver = new Receiver(1)
    const { connection } = receiver
    receiver.publish(1, 1)
    receiver.resume(1)
    expect(receiver.publish(1, 1)).toBe('new')
    expect(receiver.puback(connection)).toBe(false)
    expect(receiver.publish(2, 1)).toBe('exceeded')
    expect(receiver.puback(receiver.connection)).toBe(true)
    expect(receiver.publish(2, 1)).toBe('new')
  })

  it('accepts a QoS 2 message once, however long that takes and wherever it comes again [MQTT-4.3.3-10]', () => {
    const receiver = new Receiver(1)
    receiver.publish(1, 2)
    receiver.resume(1)
    expect(receiver.publish(1, 2)).toBe('pending')
    expect(receiver.pubrec(1, 0)).toBe('send')
    receiver.resume(1)
    expect(receiver.publish(1, 2)).toBe('duplicate')
    expect(receiver.pubrec(1, 0)).toBe('send')
  })

  it('has no more to do at once than its Receive Maximum, however early they are released [MQTT-3.3.4-9]', () => {
    const receiver = new Receiver(2)
    const arrivals = [7, 8, 7, 8, 9].map((packetId) => {
      const arrival = receiver.publish(packetId, 2)
      expect(receiver.pubrel(packetId)).toBe(false)
      return arrival
    })
    expect(arrivals).toEqual(['new', 'new', 'pending', 'pending', 'exceeded'])
  })

  it('does not take the end of one message for that of the next', () => {
    const receiver = new Receiver(2)
    receiver.publish(7, 2)
    receiver.pubrel(7)
    expect(receiver.publish(7, 2)).toBe('pending') // another message, perhaps
    expect(receiver.pubrec(7, 0)).toBe('unknown')
    receiver.resume(2)
    expect(receiver.publish(7, 2)).toBe('new')
  })

  it('takes no more than its Receive Maximum when more is done than has come', () => {
    const receiver = new Receiver(2)
    expect(receiver.puback()).toBe(false)
    receiver.publish(1, 1)
    receiver.publish(2, 2)
    expect([receiver.puback(), receiver.puback(), receiver.puback()]).toEqual([true, true, false])
    receiver.pubrec(2, 0)
    receiver.pubrel(2)
    expect([3, 4, 5].map((packetId) => receiver.publish(packetId, 1))).toEqual(['new', 'new', 'exceeded'])
  })

  it('tells of each change that a store has to write down, also when no PUBREC is to be sent', () => {
    const receiver = new Receiver(10)
    receiver.publish(1, 2)
    receiver.resume(10)
    expect(receiver.pubrec(1, 0)).toBe('wait')
    expect(receiver.snapshot()).toEqual([1])
  })

  it.each([0, 65536, 1.5, Number.NaN, '7'])('has no Receive Maximum of %s', (maximum) => {
    expect(() => new Receiver(maximum as number)).toThrow(RangeError)
    expect(() => new Receiver().resume(maximum as number)).toThrow(RangeError)
  })

  it('has a Receive Maximum of 65,535 unless told otherwise', () => {
    const receiver = new Receiver(1)
    receiver.resume()
    for (let i = 0; i < 0xffff; i++) receiver.publish(1, 1)
    expect(receiver.publish(1, 1)).toBe('exceeded')
  })

  it('takes any identifiers that the peer chooses [MQTT-4.3.3-10] [MQTT-4.3.3-12]', () => {
    const packetId = fc.oneof(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 0x1ff }).map((id) => id << 7),
    )
    const step = fc.record({ packetId, release: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
        const receiver = new Receiver()
        const unreleased = new Set<number>()
        for (const { packetId, release } of steps) {
          if (release) expect(receiver.pubrel(packetId)).toBe(unreleased.delete(packetId))
          else {
            expect(receiver.publish(packetId, 2)).toBe(unreleased.has(packetId) ? 'duplicate' : 'new')
            receiver.pubrec(packetId, 0)
            unreleased.add(packetId)
          }
          expect(receiver.size).toBe(unreleased.size)
        }
        expect(receiver.snapshot().sort()).toEqual([...unreleased].sort())
      }),
      { numRuns: 100 },
    )
  })

  it('comes back from a snapshot that went through JSON, without what is still pending', () => {
    const before = new Receiver()
    for (const packetId of [7, 0xffff, 3]) before.publish(packetId, 2)
    before.publish(5, 1)
    before.pubrec(7, 0)
    before.pubrec(0xffff, 0)
    expect(before.snapshot()).toEqual([7, 0xffff])
    const after = new Receiver()
    after.restore(JSON.parse(JSON.stringify(before.snapshot())))
    after.resume(2)
    expect(after.publish(7, 2)).toBe('duplicate')
    expect(after.publish(3, 2)).toBe('new')
    expect(after.pubrel(0xffff)).toBe(true)
    expect(after.publish(9, 1)).toBe('exceeded')
  })

  it('counts what a snapshot held when it comes again', () => {
    const receiver = new Receiver(1)
    receiver.restore([7])
    expect(receiver.publish(7, 2)).toBe('duplicate')
    expect(receiver.publish(8, 1)).toBe('exceeded')
  })

  it.each([0, 65536, 1.5, Number.NaN, '7', 9, 3])('takes nothing of a snapshot with %s', (packetId) => {
    const receiver = new Receiver()
    receiver.restore([3])
    expect(() => receiver.restore([9, packetId as number])).toThrow(RangeError)
    expect(receiver.snapshot()).toEqual([3])
  })
})
