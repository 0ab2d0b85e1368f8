/** The standard in its simplest form: what the broker has to do after all that it has been told, and what it may not do. */

import { encodedLength, type Publish, type QoS, type Received, type Will } from '@tidewire/codec'
import { matches, parseShared } from '@tidewire/topics'
import type { Message } from '../../src/message.js'
import { text } from '../fixture.js'
import { Matching } from './matching.js'
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
  readonly type: 'copy'
  readonly routed: Routed
  readonly session: Session
  readonly qos: QoS
  readonly retain: boolean
  readonly identifiers: readonly number[]
  /** For QoS 0: the connection on which alone it may be sent. */
  readonly wire: Wire | undefined
  /** Whether something has happened after which it may be left out. */
  isOptional: boolean
}

/** A copy that one member of a group has to get. */
interface SharedCopy {
  readonly type: 'shared'
  readonly routed: Routed
  readonly qos: QoS
  readonly topicFilter: string
  readonly members: readonly { readonly session: Session; readonly qos: QoS }[]
  /** Whether a member that may have got it is gone, and has not acknowledged it. */
  isLeft: boolean
}

/** A retained message that a subscription has to get. */
interface RetainedCopy {
  readonly type: 'retained'
  readonly routed: Routed
  readonly session: Session
  readonly qos: QoS
}

/** What a PUBLISH may be there for. */
type Cause = Copy | SharedCopy | RetainedCopy

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
  readonly copies: Map<Routed, RetainedCopy>
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
  /** All subscriptions that it ever had, by Topic Filter. */
  readonly granted: Map<string, Subscribed[]> = new Map()
  /** Topic Filters that it has unsubscribed from at some time. */
  readonly renounced: Set<string> = new Set()
  wire: Wire | undefined = undefined
  /** All connections that it has had. */
  readonly wires: Wire[] = []
  expiry = 0
  expiresAt = Number.POSITIVE_INFINITY
  hasEnded = false
  will: Will | undefined = undefined
  /** All that it has to get and had to. */
  readonly copies: Copy[] = []
  readonly inFlight: Map<number, InFlight> = new Map()
  readonly replays: Replay[] = []
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
const isSame = (one: Pick<Sent, 'topic' | 'payload'>, other: Pick<Sent, 'topic' | 'payload'>): boolean =>
  one.topic === other.topic && one.payload === other.payload
/** What has to come in order. */
const lineOf = ({ publisher, sent }: Routed, qos: QoS): string => `${publisher} ${sent.topic} ${qos}`
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
  /** All sessions that there ever were. */
  readonly #everyone: Session[] = []
  readonly #routed: Routed[] = []
  /** Those that were retained. */
  readonly #history: Routed[] = []
  readonly #shared: SharedCopy[] = []
  /** What was sent, and why. */
  readonly #matching: Matching<object, Cause> = new Matching()
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
        const { subscriptions, renounced } = wire.session!
        const reasonCodes = item.topicFilters.map((topicFilter) => (subscriptions.delete(topicFilter) ? 0 : 0x11))
        for (const topicFilter of item.topicFilters) renounced.add(topicFilter)
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
    if (session === undefined || cleanStart) {
      session = new Session(clientId)
      this.#everyone.push(session)
    } else
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
    session.wires.push(wire)
    wire.session = session
    wire.order = ++this.order
    wire.replies.push({ type: 'connack', reasonCodes: [0], sessionPresent })
    for (const entry of session.inFlight.values()) {
      this.#abandon(wire, entry)
    }
    for (const copy of session.copies) this.#checkSize(copy)
    for (const topicFilter of session.granted.keys()) this.#limit(wire, topicFilter)
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
    session.granted.set(topicFilter, [...(session.granted.get(topicFilter) ?? []), subscribed])
    this.#limit(wire, topicFilter)
    this.peak = Math.max(this.peak, this.subscriptions + this.groups.size)
    if (parseShared(topicFilter) !== undefined || retainHandling === 2 || (retainHandling === 1 && existed)) return
    session.replays.push({ ...subscribed, topicFilter, order: ++this.order, wire, copies: new Map() })
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
    for (const copy of session.copies) if (copy.qos === 0) copy.isOptional = true
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
    for (const entry of session.inFlight.values()) this.#leave(entry)
    this.sessions.delete(session.clientId)
    for (const pending of this.#wills) if (pending.session === session) pending.due = Math.min(pending.due, this.#now())
  }

  /** What a member of a group has not acknowledged goes to another one when it is gone [MQTT-4.8.2-5]. */
  #leave(entry: InFlight): void {
    if (entry.qos === 2) return
    for (const cause of this.#matching.delete(entry)) if (cause.type === 'shared') cause.isLeft = true
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
    const isTwin = payload !== '' && this.#routed.some((other) => isSame(other.sent, sent))
    if (isTwin) this.fault(`${keyOf(message.topic, payload)} is sent on its way again`)
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
        type: 'copy',
        routed,
        session,
        qos,
        retain: retain && set.some(({ retainAsPublished }) => retainAsPublished),
        identifiers: set.map(({ identifier }) => identifier).filter((identifier) => identifier > 0),
        wire: qos === 0 ? wire : undefined,
        isOptional: isOptional && topic.startsWith('w/') ? true : qos === 0 && wire!.wasCongested,
      }
      this.#checkSize(copy)
      session.copies.push(copy)
    }
  }

  #toGroup(topicFilter: string, routed: Routed): void {
    const members: { session: Session; qos: QoS }[] = []
    for (const session of this.sessions.values()) {
      const qos = session.subscriptions.get(topicFilter)?.qos
      if (qos === undefined || !this.#rights.may(session.clientId, 'receive', routed.sent.topic)) continue
      members.push({ session, qos: Math.min(qos, routed.sent.qos) as QoS })
    }
    this.#shared.push({ type: 'shared', routed, qos: routed.sent.qos, topicFilter, members, isLeft: false })
  }

  /** What is too large for a client need not be sent [MQTT-3.1.2-25]. */
  #checkSize(copy: Copy): void {
    const { wire } = copy.session
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
        // Sent again as the connection began, or in place of what may not be; else it is a reply.
        if (entry.publishedOn !== wire && entry.releasedOn !== wire) {
          entry.releasedOn = wire
          return
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
    const causes = this.#causes(wire, session, packet, topic)
    const [cause] = causes
    const kind = `QoS ${packet.qos}${packet.retain ? ' retained' : ''}`
    if (cause === undefined) return this.fault(`PUBLISH ${name} ${kind} that is not to be sent, or not any more`)
    const { routed } = cause
    if (this.#now() >= routed.expiresAt && !packet.dup) this.fault(`PUBLISH ${name} after it has expired`)
    this.#checkProperties(wire, packet, routed, name)
    const effect = packet.qos === 0 ? {} : this.#keep(wire, session, packet, routed)
    if (!this.#matching.add(effect, causes)) this.fault(`PUBLISH ${name} ${kind} once too often`)
    if (causes.every(({ type }) => type === 'shared')) this.seen.shared++
    if (causes.every(({ type }) => type === 'retained')) this.seen.replayed++
    // What it is for certain, and not only maybe, comes in order.
    if (causes.every((other) => other.type === 'copy' && other.routed === routed))
      session.last.set(lineOf(routed, packet.qos), routed.order)
    if (session.hasEnded && packet.qos > 0) this.#leave(effect as InFlight)
  }

  /** Takes what was sent above QoS 0 for in flight. */
  #keep(wire: Wire, session: Session, packet: Publish, routed: Routed): InFlight {
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
      isAbandoned: false,
    }
    session.inFlight.set(packetId!, entry)
    // Seen when other connections have come already.
    for (const later of session.wires.slice(session.wires.indexOf(wire) + 1)) this.#abandon(later, entry)
    const key = `${wire.clientId} ${keyOf(routed.sent.topic, routed.sent.payload)}`
    if (qos === 2) this.sentOnce.set(key, (this.sentOnce.get(key) ?? 0) + 1)
    return entry
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
    this.#checkProperties(wire, packet, routed, name)
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

  /** What a PUBLISH may be there for: a message for subscriptions, one for a group, or a retained one. */
  #causes(wire: Wire, session: Session, packet: Publish, topic: string): Cause[] {
    const { qos, retain, properties } = packet
    const payload = text(packet.payload)
    const identifiers = [...(properties.subscriptionIdentifier ?? [])].sort().join()
    const isIt = ({ sent }: Routed): boolean => isSame(sent, { topic, payload })
    const hasIdentifiers = (expected: readonly number[]): boolean =>
      wire.version < 5 || [...expected].sort().join() === identifiers
    const isBy = ({ identifier, qos: granted }: Pick<Subscribed, 'identifier' | 'qos'>, { sent }: Routed): boolean =>
      hasIdentifiers(identifier > 0 ? [identifier] : []) && Math.min(granted, sent.qos) === qos
    const copies = session.copies.filter(
      (copy) =>
        isIt(copy.routed) &&
        copy.qos === qos &&
        copy.retain === retain &&
        (copy.wire ?? wire) === wire &&
        hasIdentifiers(copy.identifiers) &&
        // [MQTT-4.6.0-5] [MQTT-4.6.0-6]
        (session.last.get(lineOf(copy.routed, qos)) ?? 0) <= copy.routed.order,
    )
    // It may come to a member that is one no more, if it had to wait for its turn.
    const shared = this.#shared.filter(
      ({ routed, topicFilter }) =>
        isIt(routed) &&
        session.granted
          .get(topicFilter)
          ?.some((by) => isBy(by, routed) && retain === (routed.sent.retain && by.retainAsPublished)),
    )
    const routed = retain ? this.#history.find(isIt) : undefined
    if (routed === undefined) return [...copies, ...shared]
    const replays = session.replays.filter(
      ({ topicFilter, noLocal, order, ...by }) =>
        matches(topicFilter, topic) &&
        isBy(by, routed) &&
        // What came later has been sent by itself, only that of QoS 0 may have been dropped.
        (routed.order < order || qos === 0) &&
        routed.until > order &&
        !(noLocal && routed.publisher === session.clientId),
    )
    return [...copies, ...shared, ...replays.map((replay) => this.#retainedCopy(session, replay, routed))]
  }

  #retainedCopy(session: Session, { copies, qos }: Replay, routed: Routed): RetainedCopy {
    const copy = copies.get(routed)
    if (copy !== undefined) return copy
    const made: RetainedCopy = { type: 'retained', routed, session, qos: Math.min(qos, routed.sent.qos) as QoS }
    copies.set(routed, made)
    return made
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
      routed.until = ++this.order
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
    for (const session of this.sessions.values()) {
      const { clientId, wire } = session
      if (wire === undefined) continue
      for (const reply of wire.replies) this.fault(`${clientId} has not got ${describe(reply)}`)
      for (const entry of session.inFlight.values()) this.#abandon(wire, entry)
      for (const { packetId, awaits, isAbandoned, publishedOn } of session.inFlight.values())
        if (!isAbandoned || publishedOn === wire)
          this.fault(`PUBLISH ${packetId} to ${clientId} still awaits ${awaits}`)
    }
    const due = [...this.#dueCopies()].sort((one, other) => one.qos - other.qos)
    for (const cause of this.#matching.idle(due)) {
      const { type, routed, qos } = cause
      const to = type === 'shared' ? cause.topicFilter : cause.session.clientId
      if (qos > 0) this.missing++
      this.#lost.push(`${type} ${keyOf(routed.sent.topic, routed.sent.payload)} QoS ${qos} to ${to} is lost`)
    }
  }

  /** All that must have been sent. */
  *#dueCopies(): Generator<Cause> {
    const now = this.#now()
    for (const session of this.sessions.values()) {
      if (session.wire === undefined) continue
      for (const copy of session.copies) {
        const { order, expiresAt, sent } = copy.routed
        if (copy.isOptional || expiresAt <= now) continue
        if (this.#rights.hasBeen(order, session.clientId, 'receive', sent.topic)) yield copy
      }
      for (const replay of session.replays) yield* this.#dueRetained(session, replay)
    }
    for (const copy of this.#shared) if (this.#isDue(copy)) yield copy
  }

  readonly #lost: string[] = []

  /** Copies that were not sent though nothing stood against it. */
  get lost(): readonly string[] {
    return this.#lost
  }

  *#dueRetained(session: Session, replay: Replay): Generator<Cause> {
    const { topicFilter, order, noLocal, wire } = replay
    const { clientId } = session
    if (session.wire !== wire || wire.wasCongested || wire.maxPacketSize < Number.POSITIVE_INFINITY) return
    if (!session.subscriptions.has(topicFilter)) return
    for (const [topic, routed] of this.retained) {
      const { publisher } = routed
      if (routed.order > order || !matches(topicFilter, topic) || routed.expiresAt <= this.#now()) continue
      if (noLocal && publisher === clientId) continue
      if (publisher !== undefined && !this.#rights.hasBeen(order, publisher, 'publish', topic)) continue
      if (!this.#rights.hasBeen(order, clientId, 'receive', topic)) continue
      yield this.#retainedCopy(session, replay, routed)
    }
  }

  #isDue({ routed, members, topicFilter, isLeft }: SharedCopy): boolean {
    if (members.length === 0 || routed.expiresAt <= this.#now() || this.#limited.has(topicFilter)) return false
    const may = ({ clientId }: Session): boolean =>
      this.#rights.hasBeen(routed.order, clientId, 'receive', routed.sent.topic)
    const takes = ({ session, qos }: SharedCopy['members'][number]): boolean =>
      qos > 0 && !session.hasEnded && session.wire?.maxPacketSize === Number.POSITIVE_INFINITY && may(session)
    if (!isLeft && members.every(takes)) return true
    // It may have gone to any other member, and if it was not seen on its way to one, be lost with that.
    const all = this.#everyone.filter(({ granted }) => granted.has(topicFilter))
    const anyTakes = all.every(
      (session) => may(session) && session.granted.get(topicFilter)!.every(({ qos }) => qos > 0),
    )
    const hasStayed = ({ session }: SharedCopy['members'][number]): boolean => !session.renounced.has(topicFilter)
    return anyTakes && !this.#rules.areLate && members.some((member) => takes(member) && hasStayed(member))
  }

  /** What the application itself does. */
  clear(): void {
    for (const routed of this.retained.values()) routed.until = ++this.order
    this.retained.clear()
  }
}

function describe(packet: Received | Reply | undefined): string {
  if (packet === undefined) return 'nothing'
  const { type, packetId, reasonCode, reasonCodes } = packet as Partial<Reply & { reasonCode: number }>
  return [type, packetId, reasonCode, reasonCodes].filter((each) => each !== undefined).join(' ')
}
