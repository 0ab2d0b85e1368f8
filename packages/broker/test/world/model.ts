/** The standard in its simplest form: what the broker has to do after all that it has been told, and what it may not do. */

import { encodedLength, type Publish, type QoS, type Received, type Will } from '@tidewire/codec'
import { matches, parseShared } from '@tidewire/topics'
import type { Message } from '../../src/message.js'
import { text } from '../fixture.js'
import type { Item, Reply, Sent, Wire } from './wire.js'

/** Who may not do what: all else is allowed. */
export class Rights {
  /** When each was taken and given back, by turns. */
  readonly #changes: Map<string, { readonly order: number; readonly isAllowed: boolean }[]> = new Map()

  may(clientId: string, action: string, topic: string): boolean {
    return this.#changes.get(`${action} ${clientId} ${topic}`)?.at(-1)?.isAllowed ?? true
  }

  set(clientId: string, action: string, topic: string, isAllowed: boolean, order: number): void {
    const key = `${action} ${clientId} ${topic}`
    this.#changes.set(key, [...(this.#changes.get(key) ?? []), { order, isAllowed }])
  }

  /** Whether it has been allowed without a break since then. */
  hasBeen(order: number, clientId: string, action: string, topic: string): boolean {
    const changes = this.#changes.get(`${action} ${clientId} ${topic}`) ?? []
    const before = changes.findLast((change) => change.order <= order)?.isAllowed ?? true
    return before && changes.every((change) => change.order <= order || change.isAllowed)
  }
}

/** A message that has been sent on its way. */
interface Routed {
  readonly sent: Sent
  readonly publisher: string | undefined
  /** Grows from one to the next. */
  readonly order: number
  readonly expiresAt: number
  /** For a retained one: when it was replaced. */
  until: number
}

/** A copy that one session has to get. */
interface Copy {
  readonly routed: Routed
  readonly qos: QoS
  readonly retain: boolean
  readonly identifiers: readonly number[]
  /** For QoS 0: the connection on which alone it may be sent. */
  readonly wire: Wire | undefined
  /** Whether something has happened after which it may be left out. */
  isOptional: boolean
}

interface InFlight {
  readonly routed: Routed
  readonly packetId: number
  readonly qos: QoS
  readonly retain: boolean
  readonly order: number
  awaits: 'puback' | 'pubrec' | 'pubcomp'
  /** The connection on which it was sent last, and that on which it was released. */
  publishedOn: Wire | undefined
  releasedOn: Wire | undefined
  /** Set for one that came by a group. */
  readonly shared: SharedDelivery | undefined
  /** Whether it could not be sent again when the connection began. */
  isAbandoned: boolean
}

interface Subscribed {
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly identifier: number
}

/** A subscription's retained messages. */
interface Replay extends Subscribed {
  readonly topicFilter: string
  readonly order: number
  readonly wire: Wire
  readonly done: Set<Routed>
}

/** A copy that one member of a group has to get. */
interface SharedCopy {
  readonly routed: Routed
  readonly topicFilter: string
  readonly members: readonly { readonly session: Session; readonly qos: QoS }[]
  /** Those who got it. */
  deliveries: SharedDelivery[]
}

interface SharedDelivery {
  readonly session: Session
  readonly qos: QoS
  /** Whether it has been acknowledged. */
  isSettled: boolean
}

/** What a PUBLISH turns out to be. */
interface Taken {
  readonly routed: Routed
  readonly shared: SharedDelivery | undefined
}

/** A Will of a client that is gone. */
export interface PendingWill {
  readonly type: 'will'
  readonly session: Session
  readonly sent: Sent
  readonly delay: number
  due: number
  isAsked: boolean
  /** When a hook was asked about it. */
  askedAt?: number
}

export class Session {
  readonly clientId: string
  readonly subscriptions: Map<string, Subscribed> = new Map()
  /** The QoS of all subscriptions that it ever had, by Topic Filter. */
  readonly granted: Map<string, QoS[]> = new Map()
  wire: Wire | undefined = undefined
  expiry = 0
  expiresAt = Number.POSITIVE_INFINITY
  hasEnded = false
  will: Will | undefined = undefined
  /** What it has to get, in order. */
  waiting: Copy[] = []
  readonly inFlight: Map<number, InFlight> = new Map()
  readonly replays: Replay[] = []
  /** What it got and need not have got: it may have come by a group. */
  readonly spare: Copy[] = []
  /** QoS 2 from the client: whether it is accepted, or the connection that waits for the answer of a hook. */
  readonly unreleased: Map<number, 'accepted' | 'asking' | Wire> = new Map()
  /** The last message by publisher, topic and QoS. */
  readonly last: Map<string, number> = new Map()

  constructor(clientId: string) {
    this.clientId = clientId
  }
}

export interface Rules {
  readonly overlapping: 'once' | 'each'
  /** Whether hooks are asked. */
  readonly asks: boolean
  /** Whether they may answer later. */
  readonly areLate: boolean
  readonly maxInFlight: number
  readonly maxSessionExpiry: number
  readonly sessionExpiryBefore5: number
  readonly maxKeepAlive: number
  readonly connectTimeout: number
  readonly maxBufferedBytes: number
  /** Whether a connection may be ended for its slowness. */
  readonly mayDisconnect: boolean
  /** How often too much has waited for a client. */
  readonly drops: () => number
}

const tick = 100
const keyOf = (topic: string, payload: string): string => `${topic} ${payload.slice(0, 20)}`

export class Model {
  readonly sessions: Map<string, Session> = new Map()
  readonly retained: Map<string, Routed> = new Map()
  readonly faults: string[] = []
  /** The connection whose packets the broker is dealing with. */
  active: Wire | undefined = undefined
  order = 0
  /** The most subscriptions and groups that there were at once. */
  peak = 0
  /** Copies that had to be sent when they could not be any more. */
  missing = 0
  /** What really happened, so that a run in which nothing does is noticed. */
  readonly seen = { routed: 0, sent: 0, resent: 0, shared: 0, replayed: 0, wills: 0, takeovers: 0, expired: 0 }
  /** How often QoS 2 messages were sent for the first time, by client, topic and payload. */
  readonly sentOnce: Map<string, number> = new Map()
  readonly #routed: Routed[] = []
  /** Those that were retained. */
  readonly #history: Routed[] = []
  readonly #shared: SharedCopy[] = []
  #wills: PendingWill[] = []
  /** Topic Filters of those who have taken small packets only at some time. */
  readonly #limited: Set<string> = new Set()
  readonly #rules: Rules
  readonly #rights: Rights
  readonly #now: () => number

  constructor(rules: Rules, rights: Rights, now: () => number) {
    this.#rules = rules
    this.#rights = rights
    this.#now = now
  }

  fault(text: string): void {
    this.faults.push(`at ${this.#now()} ms: ${text}`)
  }

  // What the broker deals with.

  /** All that the broker must have dealt with when it has nothing more to do. */
  catchUp(wire: Wire): void {
    while (wire.inbox.length > 0 && wire.blocked === undefined) this.#apply(wire, wire.inbox.shift()!)
  }

  /** Goes on with what the active connection has sent until something is so. */
  #reach(isSo: () => boolean): boolean {
    const { active } = this
    while (!isSo()) {
      if (active === undefined || active.blocked !== undefined) return false
      const item = active.inbox[0]
      if (item === undefined) return false
      if (item.type === 'connect' && item.questions > 0) return false
      active.inbox.shift()
      this.#apply(active, item)
    }
    return true
  }

  /** A hook is asked, about a packet of the active connection or about a Will. Returns the item that waits for it. */
  asked(clientId: string, action: string, topic: string): Item | PendingWill | undefined {
    const { active } = this
    const head = (): Item | undefined => active?.inbox[0]
    const connect = head()
    if (active?.clientId === clientId && connect?.type === 'connect' && connect.questions > 0) return connect
    if (action === 'publish' && topic.startsWith('w/')) {
      const will = this.#dueWill(clientId, ({ sent, isAsked }) => sent.topic === topic && !isAsked)
      if (will === undefined) {
        this.fault(`a Will of ${clientId} that is not due, or is none`)
        return undefined
      }
      will.isAsked = true
      will.askedAt = this.#now()
      return will
    }
    const isIt = (): boolean => {
      const item = head()
      if (item?.type === 'publish' && action === 'publish') {
        return item.sent.topic === topic && !item.isAsked && !this.#isDuplicate(active!, item)
      }
      const filter = item?.type === 'filter' ? item.request.topicFilter : ''
      return (
        item?.type === 'filter' &&
        action === 'subscribe' &&
        !item.isAsked &&
        (parseShared(filter)?.filter ?? filter) === topic
      )
    }
    if (!this.#reach(isIt)) {
      // A SUBSCRIBE of a connection that is gone is asked about to its end.
      if (action !== 'subscribe')
        this.fault(`a hook is asked about ${action} ${topic} of ${clientId}, who did not ask for it`)
      return undefined
    }
    const item = head()!
    if (item.type === 'publish') {
      item.isAsked = true
      item.begunAt = this.#now()
      if (item.sent.qos === 2) active!.session!.unreleased.set(item.packetId, 'asking')
    } else if (item.type === 'filter') item.isAsked = true
    return item
  }

  /** A Will may not be published, as a hook said. */
  refused(will: PendingWill): void {
    this.#wills = this.#wills.filter((other) => other !== will)
  }

  #isDuplicate(wire: Wire, { sent, packetId }: Item & { type: 'publish' }): boolean {
    return sent.qos === 2 && wire.session!.unreleased.has(packetId)
  }

  #apply(wire: Wire, item: Item): void {
    if (wire.isOver && item.type !== 'publish') return
    wire.heardAt = this.#now()
    switch (item.type) {
      case 'connect':
        return this.#connect(wire, item)
      case 'filter':
        return this.#subscribe(wire, item)
      case 'subscribed':
        wire.replies.push({ type: 'suback', packetId: item.packetId, reasonCodes: wire.granted })
        wire.granted = []
        return
      case 'unsubscribe': {
        const { subscriptions } = wire.session!
        const reasonCodes = item.topicFilters.map((topicFilter) => (subscriptions.delete(topicFilter) ? 0 : 0x11))
        const { packetId } = item
        wire.replies.push({ type: 'unsuback', packetId, reasonCodes: wire.version === 5 ? reasonCodes : [] })
        return
      }
      case 'publish':
        return this.#publish(wire, item)
      case 'acknowledgement':
        return this.#acknowledge(wire, item.packet)
      case 'pingreq':
        wire.replies.push({ type: 'pingresp' })
        return
      case 'disconnect':
        return this.#disconnect(wire, item)
      case 'violation':
        return this.close(wire, item.reasonCode)
      case 'gone':
        return this.close(wire)
    }
  }

  #connect(wire: Wire, { packet, answers }: Item & { type: 'connect' }): void {
    const { clientId, properties = {}, will, cleanStart = true, protocolVersion } = packet
    wire.packetAt = this.#now()
    if (answers.includes(false)) {
      wire.replies.push({ type: 'connack', reasonCodes: [wire.version === 5 ? 0x87 : 5] })
      return this.close(wire)
    }
    const existing = this.sessions.get(clientId)
    if (existing?.wire !== undefined) {
      if (existing.wire.sequence > wire.sequence) return this.close(wire)
      this.seen.takeovers++
      this.close(existing.wire, 0x8e)
    }
    let session = this.sessions.get(clientId)
    const sessionPresent = session !== undefined && !cleanStart
    if (session !== undefined && cleanStart) this.#end(session)
    if (session === undefined || cleanStart) session = new Session(clientId)
    else
      this.#wills = this.#wills.filter(
        (pending) => pending.session !== session || pending.delay === 0 || pending.isAsked,
      )
    this.sessions.set(clientId, session)
    const { maxSessionExpiry, sessionExpiryBefore5 } = this.#rules
    const asked = Math.min(properties.sessionExpiryInterval ?? 0, maxSessionExpiry)
    session.expiry = protocolVersion === 5 ? asked : cleanStart ? 0 : sessionExpiryBefore5
    session.expiresAt = Number.POSITIVE_INFINITY
    session.will = will as Will | undefined
    session.wire = wire
    wire.session = session
    wire.order = ++this.order
    wire.replies.push({ type: 'connack', reasonCodes: [0], sessionPresent })
    for (const entry of session.inFlight.values()) {
      this.#abandon(wire, entry)
    }
    for (const copy of session.waiting) this.#checkSize(session, copy)
    for (const topicFilter of session.subscriptions.keys()) this.#limit(wire, topicFilter)
    for (const [packetId, state] of session.unreleased)
      if (state !== 'accepted') session.unreleased.set(packetId, 'asking')
  }

  #subscribe(wire: Wire, { request, identifier, answer = true }: Item & { type: 'filter' }): void {
    const { topicFilter, qos, noLocal = false, retainAsPublished = false, retainHandling = 0 } = request
    const session = wire.session!
    if (!answer) {
      wire.granted.push(wire.version === 5 ? 0x87 : 0x80)
      return
    }
    const existed = session.subscriptions.has(topicFilter)
    const subscribed = { qos, noLocal, retainAsPublished, identifier: wire.version === 5 ? identifier : 0 }
    session.subscriptions.set(topicFilter, subscribed)
    wire.granted.push(qos)
    session.granted.set(topicFilter, [...(session.granted.get(topicFilter) ?? []), qos])
    this.#limit(wire, topicFilter)
    this.peak = Math.max(this.peak, this.subscriptions + this.groups.size)
    if (parseShared(topicFilter) !== undefined || retainHandling === 2 || (retainHandling === 1 && existed)) return
    session.replays.push({ ...subscribed, topicFilter, order: ++this.order, wire, done: new Set() })
  }

  #limit({ maxPacketSize }: Wire, topicFilter: string): void {
    if (maxPacketSize < Number.POSITIVE_INFINITY) this.#limited.add(topicFilter)
  }

  get subscriptions(): number {
    let count = 0
    for (const { subscriptions } of this.sessions.values()) count += subscriptions.size
    return count
  }

  get groups(): ReadonlySet<string> {
    const groups = new Set<string>()
    for (const { subscriptions } of this.sessions.values()) {
      for (const topicFilter of subscriptions.keys())
        if (parseShared(topicFilter) !== undefined) groups.add(topicFilter)
    }
    return groups
  }

  #publish(wire: Wire, item: Item & { type: 'publish' }): void {
    const { sent, packetId, isRouted, answer = true, isAsked } = item
    const { unreleased, wire: current } = wire.session!
    const known = sent.qos === 2 ? unreleased.get(packetId) : undefined
    if (known !== undefined && !isAsked) {
      if (known === 'accepted') wire.replies.push({ type: 'pubrec', packetId, reasonCodes: [0] })
      else unreleased.set(packetId, wire) // it is told when the hook has answered
      return
    }
    if (answer && !isRouted) this.fault(`${keyOf(sent.topic, sent.payload)} of ${wire.clientId} went nowhere`)
    const reasonCode = answer || wire.version < 5 ? 0 : 0x87
    if (sent.qos === 2 && reasonCode === 0) unreleased.set(packetId, 'accepted')
    if (sent.qos === 2 && reasonCode > 0) unreleased.delete(packetId)
    const told = known instanceof Object ? known : wire
    if (sent.qos === 0 || told !== current || told.isOver) return
    const isLoose = told !== wire
    told.replies.push({
      type: sent.qos === 1 ? 'puback' : 'pubrec',
      packetId,
      reasonCodes: [told.version < 5 ? 0 : reasonCode],
      isLoose,
    })
  }

  #acknowledge(wire: Wire, { type, packetId, reasonCode = 0 }: (Item & { type: 'acknowledgement' })['packet']): void {
    const session = wire.session!
    if (type === 'pubrel') {
      const isKnown = session.unreleased.delete(packetId)
      wire.replies.push({ type: 'pubcomp', packetId, reasonCodes: [isKnown || wire.version < 5 ? 0 : 0x92] })
      return
    }
    const entry = session.inFlight.get(packetId)
    if (entry === undefined) {
      if (type === 'pubrec')
        wire.replies.push({ type: 'pubrel', packetId, reasonCodes: [wire.version === 5 ? 0x92 : 0] })
      return
    }
    if (type === 'pubrec' && reasonCode < 0x80 && entry.awaits !== 'puback') {
      entry.awaits = 'pubcomp'
      wire.replies.push({ type: 'pubrel', packetId, reasonCodes: [0] })
      return
    }
    if (type !== entry.awaits) return this.close(wire, 0x82)
    if (entry.shared !== undefined) entry.shared.isSettled = true
    session.inFlight.delete(packetId)
  }

  #disconnect(wire: Wire, { reasonCode, expiry }: Item & { type: 'disconnect' }): void {
    const session = wire.session!
    if (expiry !== undefined) {
      if (session.expiry === 0 && expiry > 0) return this.close(wire, 0x82)
      session.expiry = Math.min(expiry, this.#rules.maxSessionExpiry)
    }
    if (reasonCode === 0) session.will = undefined
    this.close(wire)
  }

  /** A connection ends, with a DISCONNECT of the broker if it has a reason to give. */
  close(wire: Wire, reasonCode?: number): void {
    if (wire.isOver) return
    wire.isOver = true
    // What a hook is asked about is still sent on its way.
    wire.inbox.splice(0, wire.inbox.length, ...(wire.blocked?.type === 'publish' ? [wire.blocked] : []))
    if (reasonCode !== undefined && wire.version === 5)
      wire.replies.push({ type: 'disconnect', reasonCodes: [reasonCode] })
    const { session } = wire
    if (session?.wire !== wire) return
    session.wire = undefined
    for (const copy of session.waiting) if (copy.qos === 0) copy.isOptional = true
    const { will } = session
    session.will = undefined
    if (will !== undefined) {
      const { topic, payload, qos, retain } = will
      const { willDelayInterval: delay = 0, ...properties } = will.properties
      const sent = { topic, payload: text(payload), qos, retain, properties }
      this.#wills.push({ type: 'will', session, sent, delay, due: this.#now() + delay * 1000, isAsked: false })
    }
    if (session.expiry === 0) this.#end(session)
    else session.expiresAt = this.#now() + session.expiry * 1000
  }

  #end(session: Session): void {
    session.hasEnded = true
    session.subscriptions.clear()
    this.sessions.delete(session.clientId)
    for (const pending of this.#wills) if (pending.session === session) pending.due = Math.min(pending.due, this.#now())
  }

  // Messages on their way.

  #dueWill(clientId: string, isIt: (will: PendingWill) => boolean): PendingWill | undefined {
    let found: PendingWill | undefined
    const find = (): boolean => {
      found = this.#wills.find((will) => will.session.clientId === clientId && isIt(will))
      return found !== undefined && (found.due <= this.#now() || found.session.expiresAt <= this.#now())
    }
    if (this.#reach(find)) return found
    // The connection may have ended by itself just now.
    const { wire } = this.sessions.get(clientId) ?? {}
    if (wire !== undefined) this.excuse(wire)
    return find() ? found : undefined
  }

  /** Ends a connection that the broker may end by itself now. Returns whether it may. */
  excuse(wire: Wire, reasonCode?: number): boolean {
    if (wire.isOver) return false
    const { mayDisconnect, connectTimeout, drops } = this.#rules
    if (wire.session === undefined) {
      if (this.#now() < wire.acceptedAt + connectTimeout) return false
      if (wire.inbox[0]?.type === 'connect')
        wire.replies.push({ type: 'connack', reasonCodes: [wire.version === 5 ? 0x88 : 3] })
      this.close(wire)
    } else if (this.#now() >= wire.packetAt + this.#keepAlive(wire) && reasonCode !== 0x97) this.close(wire, 0x8d)
    else if (mayDisconnect && drops() > 0) this.close(wire, 0x97)
    else return false
    return true
  }

  #keepAlive({ connect }: Wire): number {
    const { keepAlive = 0 } = connect
    return (keepAlive === 0 ? this.#rules.maxKeepAlive : keepAlive) * 1500
  }

  /** A message is sent on its way: why, and to whom? */
  routed(message: Message): void {
    this.seen.routed++
    const publisher = message.publisher?.clientId
    const payload = text(message.payload)
    const { sent, begunAt } = this.#origin(publisher, message.topic, payload)
    if (sent === undefined) return this.fault(`${keyOf(message.topic, payload)} was never sent, or not now`)
    if (sent.qos !== message.qos || sent.retain !== message.retain || sent.payload !== payload) {
      this.fault(`${keyOf(message.topic, payload)} is another message than the one sent`)
    }
    const { messageExpiryInterval = Number.POSITIVE_INFINITY } = sent.properties
    const expiresAt = begunAt + messageExpiryInterval * 1000
    const routed: Routed = { sent, publisher, order: ++this.order, expiresAt, until: Number.POSITIVE_INFINITY }
    this.#routed.push(routed)
    if (sent.retain) this.#retain(routed)
    for (const session of this.sessions.values()) this.#toSession(session, routed)
    for (const topicFilter of this.groups)
      if (matches(parseShared(topicFilter)!.filter, sent.topic)) this.#toGroup(topicFilter, routed)
  }

  #origin(publisher: string | undefined, topic: string, payload: string): { sent: Sent | undefined; begunAt: number } {
    const now = this.#now()
    if (topic.startsWith('w/') && publisher !== undefined) {
      const { asks } = this.#rules
      const will = this.#dueWill(publisher, ({ sent, isAsked }) => sent.payload === payload && isAsked === asks)
      this.#wills = this.#wills.filter((other) => other !== will)
      this.seen.wills++
      return { sent: will?.sent, begunAt: will?.askedAt ?? now }
    }
    const head = (): Item | undefined => this.active?.inbox[0]
    const isIt = (): boolean => {
      const item = head()
      return (
        item?.type === 'publish' &&
        !item.isRouted &&
        item.sent.topic === topic &&
        item.sent.payload === payload &&
        this.#isNew(item)
      )
    }
    if (this.active?.clientId !== publisher || !this.#reach(isIt)) return { sent: undefined, begunAt: now }
    const item = head() as Item & { type: 'publish' }
    item.isRouted = true
    return { sent: item.sent, begunAt: item.begunAt ?? now }
  }

  /** Whether a PUBLISH is to be sent on its way. */
  #isNew(item: Item & { type: 'publish' }): boolean {
    return this.#rules.asks ? item.isAsked : !this.#isDuplicate(this.active!, item)
  }

  #retain(routed: Routed): void {
    const { topic, payload } = routed.sent
    const before = this.retained.get(topic)
    if (before !== undefined) before.until = routed.order
    if (payload === '') {
      this.retained.delete(topic)
      return
    }
    this.retained.set(topic, routed)
    this.#history.push(routed)
  }

  #toSession(session: Session, routed: Routed): void {
    const { topic, retain, qos: most } = routed.sent
    if (!this.#rights.may(session.clientId, 'receive', topic)) return
    const matching = [...session.subscriptions].filter(
      ([topicFilter, { noLocal }]) =>
        parseShared(topicFilter) === undefined &&
        matches(topicFilter, topic) &&
        !(noLocal && routed.publisher === session.clientId),
    )
    const all = matching.map(([, subscribed]) => subscribed)
    const sets = this.#rules.overlapping === 'each' ? all.map((each) => [each]) : all.length > 0 ? [all] : []
    for (const set of sets) {
      const qos = Math.min(most, ...[Math.max(...set.map((each) => each.qos))]) as QoS
      const { wire } = session
      if (qos === 0 && wire === undefined) continue
      // A Will that is published while its client connects again may still have come to the connection before.
      const isOptional = qos === 0 && (wire!.wasCongested || wire === this.active)
      const copy: Copy = {
        routed,
        qos,
        retain: retain && set.some(({ retainAsPublished }) => retainAsPublished),
        identifiers: set.map(({ identifier }) => identifier).filter((identifier) => identifier > 0),
        wire: qos === 0 ? wire : undefined,
        isOptional: isOptional && topic.startsWith('w/') ? true : qos === 0 && wire!.wasCongested,
      }
      this.#checkSize(session, copy)
      session.waiting.push(copy)
    }
  }

  #toGroup(topicFilter: string, routed: Routed): void {
    const members: { session: Session; qos: QoS }[] = []
    for (const session of this.sessions.values()) {
      const qos = session.subscriptions.get(topicFilter)?.qos
      if (qos === undefined || !this.#rights.may(session.clientId, 'receive', routed.sent.topic)) continue
      members.push({ session, qos: Math.min(qos, routed.sent.qos) as QoS })
    }
    this.#shared.push({ routed, topicFilter, members, deliveries: [] })
  }

  /** What is too large for a client need not be sent [MQTT-3.1.2-25]. */
  #checkSize({ wire }: Session, copy: Copy): void {
    if (wire !== undefined && this.#isTooLarge(wire, copy.routed.sent, copy.identifiers)) copy.isOptional = true
  }

  #isTooLarge({ maxPacketSize, version }: Wire, sent: Sent, subscriptionIdentifier: readonly number[]): boolean {
    if (maxPacketSize === Number.POSITIVE_INFINITY) return false
    const { topic, payload, properties } = sent
    const all = { ...properties, ...(subscriptionIdentifier.length > 0 && { subscriptionIdentifier }) }
    const length = encodedLength(
      { type: 'publish', topic, payload: new Uint8Array(payload.length), qos: 1, packetId: 1, properties: all },
      version,
    )
    return length + 4 > maxPacketSize // with a Topic Alias
  }

  // What the broker has sent.

  /** A packet of the broker, as it leaves it. */
  sent(wire: Wire, packet: Received): void {
    if (packet.type === 'publish') return this.#sentPublish(wire, packet)
    if (packet.type === 'disconnect' || (packet.type === 'connack' && packet.reasonCode > 0))
      this.excuse(wire, packet.reasonCode)
    if (packet.type === 'pubrel' && wire.session !== undefined) {
      const entry = wire.session.inFlight.get(packet.packetId)
      if (entry === undefined && this.#rules.areLate && wire.replies[0]?.type !== 'pubrel') return
      if (entry !== undefined) {
        // What may not be sent again is released.
        this.#abandon(wire, entry)
        if (entry.awaits === 'pubrec' && entry.isAbandoned && entry.publishedOn !== wire) entry.awaits = 'pubcomp'
        if (entry.awaits !== 'pubcomp') this.fault(`PUBREL ${packet.packetId} to ${wire.clientId} without a PUBREC`)
        if (entry.releasedOn !== wire) {
          entry.releasedOn = wire
          if (wire.replies[0]?.type !== 'pubrel') return // sent again as the connection began
        }
      }
    }
    const index = wire.replies.findIndex(
      (reply) => reply.type === packet.type && reply.packetId === ('packetId' in packet ? packet.packetId : undefined),
    )
    const reply = wire.replies[index]
    if (reply === undefined || !(reply.isLoose || wire.replies.slice(0, index).every(({ isLoose }) => isLoose))) {
      return this.fault(`${wire.clientId} got ${describe(packet)}, and not ${describe(wire.replies[0])}`)
    }
    wire.replies.splice(index, 1)
    const codes = 'reasonCodes' in packet ? packet.reasonCodes : 'reasonCode' in packet ? [packet.reasonCode] : []
    const isSame = (reply.reasonCodes ?? codes).every(
      (code, at) => code === codes[at] || (code === 0 && codes[at] === 0x10),
    )
    if (!isSame || codes.length !== (reply.reasonCodes ?? codes).length) {
      this.fault(`${wire.clientId} got ${describe(packet)}, and not ${describe(reply)}`)
    }
    if (
      packet.type === 'connack' &&
      reply.sessionPresent !== undefined &&
      packet.sessionPresent !== reply.sessionPresent
    ) {
      this.fault(`${wire.clientId} is told that Session Present is ${packet.sessionPresent}`)
    }
  }

  #sentPublish(wire: Wire, packet: Publish): void {
    const { session } = wire
    const name = `${packet.qos > 0 ? `${packet.packetId} ` : ''}${keyOf(packet.topic, text(packet.payload))} to ${wire.clientId}`
    if (session === undefined) return this.fault(`PUBLISH ${name} without a session`)
    const topic = wire.aliases.resolve(packet.topic, packet.properties.topicAlias)
    if (typeof topic !== 'string') return this.fault(`PUBLISH ${name}: ${topic.message}`)
    if (!this.#rights.may(wire.clientId, 'receive', topic)) this.fault(`PUBLISH ${name} without the right`)
    // What was not sent before the connection was lost counts as sent too.
    const isFirst = !packet.dup || (this.#rules.areLate && !session.inFlight.has(packet.packetId!))
    if (!isFirst) return this.#sentAgain(wire, session, packet, topic)
    if (packet.qos > 0 && !packet.dup) this.#checkQuota(wire, session, packet.packetId!, name)
    this.seen.sent++
    const taken = this.#take(wire, session, packet, topic)
    if (taken === undefined)
      return this.fault(`PUBLISH ${name} QoS ${packet.qos}${packet.retain ? ' retained' : ''} that is not to be sent`)
    const { routed, shared } = taken
    if (this.#now() >= routed.expiresAt && !packet.dup) this.fault(`PUBLISH ${name} after it has expired`)
    this.#checkProperties(wire, packet, routed, name)
    if (packet.qos === 0) return
    const { packetId, qos, retain } = packet
    const awaits = qos === 1 ? 'puback' : 'pubrec'
    const entry: InFlight = {
      routed,
      packetId: packetId!,
      qos,
      retain,
      order: ++this.order,
      awaits,
      publishedOn: wire,
      releasedOn: undefined,
      shared,
      isAbandoned: false,
    }
    session.inFlight.set(packetId!, entry)
    if (session.wire !== undefined && session.wire !== wire) this.#abandon(session.wire, entry)
    const key = `${wire.clientId} ${keyOf(topic, text(packet.payload))}`
    if (qos === 2) this.sentOnce.set(key, (this.sentOnce.get(key) ?? 0) + 1)
  }

  /** Sees whether a message in flight may not be sent again. */
  #abandon(wire: Wire, entry: InFlight): void {
    const { sent } = entry.routed
    const may = this.#rights.hasBeen(wire.order, wire.clientId, 'receive', sent.topic)
    if (!may || this.#isTooLarge(wire, sent, [1, 1, 1, 1])) entry.isAbandoned = true
  }

  #checkQuota(wire: Wire, session: Session, packetId: number, name: string): void {
    let outstanding = 0
    for (const entry of session.inFlight.values()) this.#abandon(wire, entry)
    const { isAbandoned: isLeft, publishedOn: on } = session.inFlight.get(packetId) ?? {}
    const isFree = on === undefined || (isLeft === true && on !== wire)
    if (!isFree) this.fault(`PUBLISH ${name}: the Packet Identifier is in use`)
    for (const { publishedOn, awaits, isAbandoned } of session.inFlight.values()) {
      if (publishedOn === wire) outstanding++
      else if (awaits !== 'pubcomp' && !isAbandoned) this.fault(`PUBLISH ${name} before what is to be sent again`)
    }
    if (outstanding >= this.#quota(wire)) this.fault(`PUBLISH ${name}: more than the Receive Maximum`)
  }

  #quota({ receiveMaximum }: Wire): number {
    return Math.min(receiveMaximum, this.#rules.maxInFlight)
  }

  #sentAgain(wire: Wire, session: Session, packet: Publish, topic: string): void {
    const name = `${packet.packetId} ${keyOf(topic, text(packet.payload))} to ${wire.clientId}, again`
    const entry = session.inFlight.get(packet.packetId!)
    this.seen.resent++
    if (entry === undefined) return this.fault(`PUBLISH ${name}: it is not in flight`)
    const { routed, qos, retain, awaits, publishedOn } = entry
    const isSame =
      routed.sent.topic === topic &&
      routed.sent.payload === text(packet.payload) &&
      qos === packet.qos &&
      retain === packet.retain
    if (!isSame) this.fault(`PUBLISH ${name}: it is another one`)
    if (awaits === 'pubcomp') this.fault(`PUBLISH ${name}: it has been received`)
    if (publishedOn === wire) this.fault(`PUBLISH ${name} on the same connection`)
    for (const other of session.inFlight.values()) {
      if (other.publishedOn === wire && other.order > entry.order)
        this.fault(`PUBLISH ${name} behind ${other.packetId}`)
    }
    let outstanding = 0
    for (const other of session.inFlight.values()) if (other.publishedOn === wire) outstanding++
    if (outstanding >= this.#quota(wire)) this.fault(`PUBLISH ${name}: more than the Receive Maximum`)
    // It may have been another one that looked the same to a client of another version.
    const twin = this.#routed.find(
      (other) => other.sent.payload === routed.sent.payload && !this.#differs(packet, other),
    )
    this.#checkProperties(wire, packet, twin ?? routed, name)
    entry.publishedOn = wire
  }

  #checkProperties({ version }: Wire, packet: Publish, routed: Routed, name: string): void {
    const difference = version === 5 ? this.#differs(packet, routed) : undefined
    if (difference !== undefined) this.fault(`PUBLISH ${name} with ${difference}`)
  }

  /** A property that is not as it has to be [MQTT-3.3.2-6] [MQTT-3.3.2-17] [MQTT-3.3.2-20]. */
  #differs({ properties }: Publish, routed: Routed): string | undefined {
    const { userProperty, contentType } = routed.sent.properties
    const left = this.#left(routed)
    if (properties.messageExpiryInterval !== left) return `${properties.messageExpiryInterval} s left, not ${left}`
    if (JSON.stringify(properties.userProperty) !== JSON.stringify(userProperty)) return 'other User Properties'
    return properties.contentType === contentType ? undefined : 'another Content Type'
  }

  /** The Message Expiry Interval that is left of a message. */
  #left({ expiresAt }: Routed): number | undefined {
    if (expiresAt === Number.POSITIVE_INFINITY) return undefined
    return Math.max(0, Math.ceil((expiresAt - this.#now()) / 1000))
  }

  /** What the PUBLISH delivers: a message for a subscription, a retained one, or one for a group. */
  #take(wire: Wire, session: Session, packet: Publish, topic: string): Taken | undefined {
    const payload = text(packet.payload)
    const { qos, retain } = packet
    const identifiers = [...(packet.properties.subscriptionIdentifier ?? [])].sort().join()
    const hasIdentifiers = (expected: readonly number[]): boolean =>
      wire.version < 5 || [...expected].sort().join() === identifiers
    const isIt = ({ sent }: Routed): boolean => sent.topic === topic && sent.payload === payload
    const candidates = session.waiting.filter(
      (copy) =>
        isIt(copy.routed) &&
        copy.qos === qos &&
        copy.retain === retain &&
        (copy.wire ?? wire) === wire &&
        hasIdentifiers(copy.identifiers),
    )
    // A message that was published twice may have expired once, or lost its properties with another version.
    const isLeft = ({ routed }: { readonly routed: Routed }): boolean =>
      routed.expiresAt > this.#now() && (wire.version < 5 || this.#differs(packet, routed) === undefined)
    const shared = this.#shared.filter((each) => isIt(each.routed) && each.routed.sent.qos >= qos)
    // First those that must not be left out.
    const rank = ({ topicFilter, members }: SharedCopy): number =>
      Number(this.#limited.has(topicFilter) || members.some(({ qos }) => qos === 0))
    shared.sort((one, other) => rank(one) - rank(other))
    const ofGroups = shared.length > 0
    const take = (fits: (copy: { readonly routed: Routed }) => boolean): Taken | undefined => {
      const fitting = candidates.filter(fits)
      // Of those that look the same the first ones may have been left out.
      const inOrder = fitting.filter(({ routed }) => this.#isInOrder(session, routed, qos))
      const copyOf = (copy: Copy): Taken => {
        session.waiting.splice(session.waiting.indexOf(copy), 1)
        if (!ofGroups) this.#checkOrder(session, copy.routed, qos)
        return { routed: copy.routed, shared: undefined }
      }
      const must = inOrder.find(({ isOptional }) => !isOptional)
      const isRight = (routed: Routed): boolean => isIt(routed) && fits({ routed })
      const replays = retain ? this.#replays(session, topic, isRight, qos, hasIdentifiers) : []
      // A retained message comes before what is published after it.
      if (must !== undefined && (replays.length === 0 || this.#isNext(session, must))) return copyOf(must)
      const [optional] = must === undefined ? inOrder : []
      if (optional !== undefined) {
        session.spare.push(optional)
        return copyOf(optional)
      }
      const early = replays.find(({ replay, routed }) => routed.order < replay.order)
      const delivery = { session, qos, isSettled: false }
      const ofGroup = early === undefined ? this.#share(shared.filter(fits), delivery, new Set()) : undefined
      if (ofGroup !== undefined) {
        this.seen.shared++
        return { routed: ofGroup.routed, shared: delivery }
      }
      // One that was there before the subscription goes before one that has met it on its way.
      const best = early ?? replays[0]
      if (best === undefined) return fitting[0] && copyOf(fitting[0])
      this.seen.replayed++
      best.replay.done.add(best.routed)
      return { routed: best.routed, shared: undefined }
    }
    return take(isLeft) ?? take(() => true)
  }

  /** Finds the group that a member got a message by; others may turn out to have got it by another one. */
  #share(copies: readonly SharedCopy[], delivery: SharedDelivery, tried: Set<SharedCopy>): SharedCopy | undefined {
    const { session } = delivery
    const isOf = (qos: QoS | undefined, copy: SharedCopy): boolean =>
      qos !== undefined && Math.min(qos, copy.routed.sent.qos) === delivery.qos
    const isMember = (copy: SharedCopy): boolean =>
      isOf(session.subscriptions.get(copy.topicFilter)?.qos, copy) ||
      copy.members.some((member) => member.session === session && member.qos === delivery.qos)
    // It may have come to a member that waits for its turn when it is one no more.
    const wasMember = (copy: SharedCopy): boolean =>
      session.granted.get(copy.topicFilter)?.some((qos) => isOf(qos, copy)) === true
    const mine = [...copies.filter(isMember), ...copies.filter((copy) => !isMember(copy) && wasMember(copy))]
    for (const copy of mine) {
      // The first one, or when those before are gone without it [MQTT-4.8.2-5].
      if (!copy.deliveries.every((other) => other.session.hasEnded && other.qos === 1 && !other.isSettled)) continue
      copy.deliveries.push(delivery)
      return copy
    }
    for (const copy of mine) {
      const [before] = copy.deliveries
      if (tried.has(copy) || before === undefined || copy.deliveries.length > 1) continue
      tried.add(copy)
      copy.deliveries = []
      if (
        this.#share(
          copies.filter((other) => other !== copy),
          before,
          tried,
        ) !== undefined
      ) {
        copy.deliveries.push(delivery)
        return copy
      }
      copy.deliveries = [before]
    }
    return undefined
  }

  /** [MQTT-4.6.0-5] [MQTT-4.6.0-6] */
  #checkOrder(session: Session, routed: Routed, qos: QoS): void {
    const { publisher, order, sent } = routed
    if (!this.#isInOrder(session, routed, qos))
      this.fault(`${keyOf(sent.topic, sent.payload)} to ${session.clientId} after a later one`)
    session.last.set(`${publisher} ${sent.topic} ${qos}`, order)
  }

  /** Whether nothing of its publisher and topic has to come before it: it may have been published twice. */
  #isNext({ waiting }: Session, { routed, qos }: Copy): boolean {
    const { publisher, sent } = routed
    const next = waiting.find(
      (copy) =>
        !copy.isOptional &&
        copy.qos === qos &&
        copy.routed.publisher === publisher &&
        copy.routed.sent.topic === sent.topic &&
        copy.routed.expiresAt > this.#now(),
    )
    return next === undefined || next.routed.order >= routed.order
  }

  #isInOrder({ last }: Session, { publisher, order, sent }: Routed, qos: QoS): boolean {
    return (last.get(`${publisher} ${sent.topic} ${qos}`) ?? 0) <= order
  }

  /** The subscriptions whose retained message it may be. */
  #replays(
    session: Session,
    topic: string,
    isIt: (routed: Routed) => boolean,
    qos: QoS,
    hasIdentifiers: (expected: readonly number[]) => boolean,
  ): { readonly replay: Replay; readonly routed: Routed }[] {
    const found: { readonly replay: Replay; readonly routed: Routed }[] = []
    for (const replay of session.replays) {
      const { topicFilter, identifier, noLocal, done, order } = replay
      if (!matches(topicFilter, topic) || !hasIdentifiers(identifier > 0 ? [identifier] : [])) continue
      const routed = this.#history.findLast(
        (each) =>
          // What came later has been sent by itself, only that of QoS 0 may have been dropped.
          (each.order < order || qos === 0) &&
          each.until > order &&
          isIt(each) &&
          !done.has(each) &&
          Math.min(each.sent.qos, replay.qos) === qos,
      )
      if (routed !== undefined && !(noLocal && routed.publisher === session.clientId)) found.push({ replay, routed })
    }
    // First those that must not be left out.
    const rank = ({ replay }: { readonly replay: Replay }): number =>
      Number(replay.wire !== session.wire || !session.subscriptions.has(replay.topicFilter))
    return found.sort((one, other) => rank(one) - rank(other))
  }

  // Time, and the end.

  /** Time has come to a tick, and the broker has done what was due. */
  ticked(): void {
    const now = this.#now()
    if (now % tick > 0) return
    for (const session of this.sessions.values()) {
      if (session.expiresAt > now) continue
      this.seen.expired++
      this.#end(session)
    }
    for (const [topic, routed] of this.retained) {
      if (routed.expiresAt > now) continue
      routed.until = this.order
      this.retained.delete(topic)
    }
  }

  /** What ought to have happened by now. */
  check(wires: Iterable<Wire>): void {
    const now = this.#now()
    for (const { session, sent, due, isAsked } of this.#wills) {
      if (due <= now - (now % tick) && !isAsked)
        this.fault(`the Will ${sent.payload} of ${session.clientId} is overdue`)
    }
    this.#wills = this.#wills.filter(({ due, isAsked }) => isAsked || due > now - (now % tick))
    for (const wire of wires) {
      const { heardAt, session, pipe, isOver, clientId } = wire
      const isOpen = pipe.state === 'open'
      if (!isOpen && !isOver && !wire.isCut && !this.excuse(wire))
        this.fault(`the connection of ${clientId} was closed for no reason`)
      if (isOpen && isOver) this.fault(`the connection of ${clientId} stays open`)
      if (isOpen && session !== undefined && now > heardAt + this.#keepAlive(wire) + 2 * tick)
        this.fault(`${clientId} is silent, and stays`)
      if (isOpen && session === undefined && now > wire.acceptedAt + this.#rules.connectTimeout + 2 * tick)
        this.fault(`${clientId} never connects, and stays`)
    }
  }

  /** Wills that a hook is asked about, or that wait. */
  get wills(): number {
    return this.#wills.length
  }

  /** All is said and done, and all clients are there and take what comes. */
  checkDone(): void {
    const now = this.#now()
    for (const session of this.sessions.values()) {
      const { clientId, wire } = session
      if (wire === undefined) continue
      for (const reply of wire.replies) this.fault(`${clientId} has not got ${describe(reply)}`)
      for (const entry of session.inFlight.values()) this.#abandon(wire, entry)
      for (const { packetId, awaits, isAbandoned, publishedOn } of session.inFlight.values())
        if (!isAbandoned || publishedOn === wire)
          this.fault(`PUBLISH ${packetId} to ${clientId} still awaits ${awaits}`)
      for (const { routed, isOptional, qos } of session.waiting) {
        const { topic, payload } = routed.sent
        if (isOptional || routed.expiresAt <= now || !this.#rights.hasBeen(routed.order, clientId, 'receive', topic))
          continue
        if (qos > 0) this.missing++
        this.#lost.push(`${keyOf(topic, payload)} QoS ${qos} to ${clientId} is lost`)
      }
      for (const replay of session.replays) this.#checkReplay(session, replay)
    }
    for (const copy of this.#shared) this.#checkShared(copy)
  }

  readonly #lost: string[] = []

  /** Copies that were not sent though nothing stood against it. */
  get lost(): readonly string[] {
    return this.#lost
  }

  #checkReplay(session: Session, { topicFilter, order, noLocal, qos, done, wire }: Replay): void {
    const { clientId } = session
    if (session.wire !== wire || wire.wasCongested || wire.maxPacketSize < Number.POSITIVE_INFINITY) return
    if (!session.subscriptions.has(topicFilter)) return
    for (const [topic, routed] of this.retained) {
      const { publisher, sent } = routed
      if (routed.order > order || done.has(routed) || !matches(topicFilter, topic) || routed.expiresAt <= this.#now())
        continue
      if (noLocal && publisher === clientId) continue
      if (publisher !== undefined && !this.#rights.hasBeen(order, publisher, 'publish', topic)) continue
      if (!this.#rights.hasBeen(order, clientId, 'receive', topic)) continue
      if (Math.min(qos, sent.qos) > 0) this.missing++
      this.#lost.push(`retained ${keyOf(topic, sent.payload)} QoS ${Math.min(qos, sent.qos)} to ${clientId} is lost`)
    }
  }

  #checkShared({ routed, members, deliveries, topicFilter }: SharedCopy): void {
    const { topic, payload } = routed.sent
    if (deliveries.length > 0 || members.length === 0 || routed.expiresAt <= this.#now()) return
    const stayed = members.every(
      ({ session, qos }) =>
        qos > 0 &&
        !session.hasEnded &&
        session.wire?.maxPacketSize === Number.POSITIVE_INFINITY &&
        this.#rights.hasBeen(routed.order, session.clientId, 'receive', topic),
    )
    if (!stayed || this.#limited.has(topicFilter)) return
    const isIt = (copy: Copy): boolean =>
      keyOf(copy.routed.sent.topic, copy.routed.sent.payload) === keyOf(topic, payload)
    for (const { session } of members) {
      const spare = session.spare.findIndex(isIt)
      if (spare >= 0) {
        session.spare.splice(spare, 1)
        return
      }
    }
    this.missing++
    this.#lost.push(`${keyOf(topic, payload)} to ${topicFilter} is lost`)
  }

  /** What the application itself does. */
  clear(): void {
    for (const routed of this.retained.values()) routed.until = this.order
    this.retained.clear()
  }
}

function describe(packet: Received | Reply | undefined): string {
  if (packet === undefined) return 'nothing'
  const { type, packetId, reasonCode, reasonCodes } = packet as Partial<Reply & { reasonCode: number }>
  return [type, packetId, reasonCode, reasonCodes].filter((each) => each !== undefined).join(' ')
}
