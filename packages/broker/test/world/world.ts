/** A broker in a simulated world: its clients, the network between them, its hooks, and the model that looks on. */

import type { BrokerOptions, Limits, Overflow, SharedStrategy } from '@tidewire/broker'
import type { PublishProperties, QoS, Received, Subscription } from '@tidewire/codec'
import type { Timer } from '../../src/clock.js'
import { Core } from '../../src/core.js'
import { Message } from '../../src/message.js'
import { receive } from '../../src/receive.js'
import { Session } from '../../src/session.js'
import { Subscription as BrokerSubscription } from '../../src/subscription.js'
import { bytes, clientOf, text } from '../fixture.js'
import { Client, type Manner, violations } from './client.js'
import { Model, type PendingWill, Rights } from './model.js'
import { Pipe, randomOf, VirtualClock } from './network.js'
import { type ConnectInput, type Item, type Sent, Wire } from './wire.js'

export interface Settings {
  readonly seed: number
  readonly overlapping: 'once' | 'each'
  readonly overflow: Overflow
  readonly sharedStrategy: SharedStrategy
  /** Whether hooks are asked, and answer at once or later. */
  readonly hooks: 'none' | 'now' | 'later'
  /** Whether little may wait for a client: then some of it is dropped. */
  readonly isTight: boolean
}

/** What may happen, with who it happens to. */
export type Step =
  | {
      readonly type: 'connect'
      readonly who: number
      readonly packet: Omit<ConnectInput, 'type' | 'clientId' | 'will'>
      readonly will: Omit<Sent, 'payload'> | undefined
    }
  | {
      readonly type: 'subscribe'
      readonly who: number
      readonly subscriptions: readonly Subscription[]
      readonly identifier: number
    }
  | { readonly type: 'unsubscribe'; readonly who: number; readonly topicFilters: readonly string[] }
  | {
      readonly type: 'publish'
      readonly who: number
      readonly topic: string
      readonly qos: QoS
      readonly retain: boolean
      readonly size: number
      readonly properties: PublishProperties
      readonly usesAlias: boolean
      readonly times: number
    }
  | { readonly type: 'manner'; readonly who: number; readonly manner: Manner }
  | { readonly type: 'release'; readonly who: number; readonly count: number }
  | {
      readonly type: 'disconnect'
      readonly who: number
      readonly reasonCode: number
      readonly expiry: number | undefined
    }
  | { readonly type: 'cut'; readonly who: number }
  | { readonly type: 'return'; readonly who: number; readonly receiveMaximum: number }
  | { readonly type: 'hold' | 'stall'; readonly who: number; readonly on: boolean }
  | { readonly type: 'violate'; readonly who: number; readonly which: number }
  | { readonly type: 'ping'; readonly who: number }
  | { readonly type: 'pass'; readonly milliseconds: number }
  | {
      readonly type: 'rights'
      readonly who: number
      readonly action: 'receive' | 'publish' | 'subscribe'
      readonly topic: string
      readonly isAllowed: boolean
    }
  | { readonly type: 'answer'; readonly which: number }

/** A question that a hook has not answered. */
interface Question {
  readonly wire: Wire | undefined
  readonly item: Item | PendingWill | undefined
  readonly clientId: string
  readonly action: string
  readonly topic: string
  readonly askedAt: number
  readonly resolve: (answer: boolean) => void
}

export const clientCount = 3
const hookTimeout = 5_000

const limits: Partial<Limits> = {
  maxPacketSize: 20_000,
  receiveMaximum: 4,
  maxInFlight: 5,
  topicAliasMaximum: 3,
  maxOutgoingAliases: 3,
  maxSessionExpiry: 60,
  sessionExpiryBefore5: 30,
  maxBufferedBytes: 3_000,
  maxAwaitingRelease: 20,
  hookTimeout,
}
const tightLimits: Partial<Limits> = { maxQueuedMessages: 3, maxQueuedBytes: 6_000 }

export class World {
  readonly model: Model
  readonly #clock = new VirtualClock()
  readonly #settings: Settings
  readonly #core: Core
  readonly #rights = new Rights()
  readonly #random: (limit: number) => number
  readonly #clients: readonly Client[]
  #wires: Wire[] = []
  /** What the broker has written and the model has not seen. */
  #written: { readonly wire: Wire; readonly bytes: Uint8Array }[] = []
  #questions: Question[] = []
  /** Whether the broker asks about a retained message, which is not waited for. */
  #isAside = false
  readonly #timers: Set<Timer> = new Set()
  #sequence = 0
  #messages = 0
  #packetId = 1000
  /** Errors in the log that have to be there. */
  #late = 0

  constructor(settings: Settings) {
    this.#settings = settings
    this.#random = randomOf(settings.seed)
    this.#core = new Core(this.#options())
    const { environment } = this.#core
    const complete = environment.limits
    this.model = new Model(
      {
        overlapping: settings.overlapping,
        asks: settings.hooks !== 'none',
        areLate: settings.hooks === 'later',
        maxInFlight: complete.maxInFlight,
        maxSessionExpiry: complete.maxSessionExpiry,
        sessionExpiryBefore5: complete.sessionExpiryBefore5,
        maxKeepAlive: complete.maxKeepAlive,
        connectTimeout: complete.connectTimeout,
        maxBufferedBytes: complete.maxBufferedBytes,
        drops: () => environment.metrics.dropped.queueFull,
        mayDisconnect: settings.overflow === 'disconnect' && settings.isTight,
      },
      this.#rights,
      () => this.#clock.now(),
    )
    this.#clients = Array.from(
      { length: clientCount },
      (_, index) => new Client(`c${index}`, (text) => this.model.fault(text)),
    )
    this.#watch()
    environment.timers.start()
    environment.overload.start()
  }

  #options(): BrokerOptions {
    const { overlapping, overflow, sharedStrategy, hooks, isTight } = this.#settings
    const log = {
      info() {},
      warn() {},
      error: (message: string) => {
        if (/took longer than/.test(message)) this.#late++
        else this.model.fault(`an error: ${message}`)
      },
    }
    const asked: BrokerOptions = {
      authenticate: ({ clientId }) => this.#ask(clientId, 'connect', ''),
      authorize: ({ clientId }, action, topic) => {
        if (action === 'receive') return this.#rights.may(clientId, action, topic)
        return this.#ask(clientId, action, topic)
      },
    }
    return {
      clock: this.#clock,
      log,
      overlapping,
      overflow,
      sharedStrategy,
      limits: isTight ? { ...limits, ...tightLimits } : limits,
      ...(hooks !== 'none' && asked),
    }
  }

  /** Sees each message as it is sent on its way, each timer as it is set, and each question that nobody waits for. */
  #watch(): void {
    const { router, environment } = this.#core
    const route = router.route.bind(router)
    router.route = (message, path) => {
      this.model.routed(message)
      return route(message, path)
    }
    const { timers } = environment
    const set = timers.set.bind(timers)
    timers.set = (timer, milliseconds) => {
      this.#timers.add(timer)
      set(timer, milliseconds)
    }
    const ask = environment.mayStillPublish.bind(environment)
    environment.mayStillPublish = (client, topic) => {
      this.#isAside = true
      try {
        return ask(client, topic)
      } finally {
        this.#isAside = false
      }
    }
  }

  #ask(clientId: string, action: string, topic: string): boolean | Promise<boolean> {
    if (this.#isAside) return this.#rights.may(clientId, action, topic)
    const item = this.model.asked(clientId, action, topic)
    const wire = this.model.active
    if (this.#settings.hooks === 'now' || this.#random(2) === 0) {
      const answer = this.#rights.may(clientId, action, topic)
      this.#answered(item, answer)
      return answer
    }
    if (wire !== undefined && item !== undefined && item.type !== 'will') wire.blocked = item
    return new Promise((resolve) => {
      const of = item?.type === 'will' ? undefined : wire
      this.#questions.push({ wire: of, item, clientId, action, topic, askedAt: this.#clock.now(), resolve })
    })
  }

  #answered(item: Item | PendingWill | undefined, answer: boolean): void {
    if (item?.type === 'will') {
      if (!answer) this.model.refused(item)
    } else if (item?.type === 'connect') {
      item.answers.push(answer)
      item.questions = answer ? item.questions - 1 : 0
    } else if (item?.type === 'publish' || item?.type === 'filter') item.answer = answer
  }

  /** Answers a question, or as `late` lets it go unanswered. */
  async #answer(question: Question, late = false): Promise<void> {
    const { wire, item, clientId, action, topic, resolve } = question
    this.#questions = this.#questions.filter((other) => other !== question)
    const answer = !late && this.#rights.may(clientId, action, topic)
    if (wire?.blocked === item) wire!.blocked = undefined
    this.#answered(item, answer)
    await this.#slice(wire, () => {
      if (!late) resolve(answer)
    })
  }

  /** Lets the broker do something, about a connection, and looks at what it did. */
  async #slice(wire: Wire | undefined, act: () => void): Promise<void> {
    const { model } = this
    model.active = wire
    act()
    if (this.#settings.hooks === 'later') await new Promise(setImmediate)
    if (wire !== undefined) model.catchUp(wire)
    model.active = undefined
    this.#look()
  }

  #look(): void {
    this.#excuse()
    const written = this.#written
    this.#written = []
    for (const { wire, bytes } of written) {
      try {
        for (const packet of wire.observer.push(bytes)) this.model.sent(wire, packet)
      } catch (error) {
        this.model.fault(`${wire.clientId} got what is no packet: ${error}`)
      }
    }
    this.#fail()
  }

  /** Sees which connections the broker has ended by itself: what it does next may follow from that. */
  #excuse(): void {
    for (const wire of this.#wires) if (wire.pipe.state !== 'open') this.model.excuse(wire)
  }

  #fail(): void {
    if (this.model.faults.length > 0) throw new Error(this.model.faults.join('\n'))
  }

  /** Ends the turn of the event loop. */
  async #turn(): Promise<void> {
    while (this.#clock.turn()) await this.#slice(undefined, () => {})
    this.model.check(this.#wires)
    this.#fail()
  }

  async run(step: Step, rounds: number): Promise<void> {
    await this.#do(step)
    await this.#turn()
    for (let i = 0; i < rounds; i++) await this.#round()
    this.#compare()
  }

  async #do(step: Step): Promise<void> {
    if (step.type === 'pass') return this.#pass(step.milliseconds)
    if (step.type === 'answer') {
      const question = this.#questions[step.which % this.#questions.length]
      return question && this.#answer(question)
    }
    const client = this.#clients[step.who]!
    switch (step.type) {
      case 'connect':
        return this.#connect(client, step.packet, step.will)
      case 'subscribe':
        return client.subscribe(++this.#packetId, step.subscriptions, step.identifier)
      case 'unsubscribe':
        return client.unsubscribe(++this.#packetId, step.topicFilters)
      case 'publish':
        return this.#publish(client, step)
      case 'manner':
        client.manner = step.manner
        return
      case 'release':
        return client.release(step.count)
      case 'disconnect':
        return client.disconnect(step.reasonCode, step.expiry)
      case 'cut':
        return client.wire && this.#cut(client.wire)
      case 'return': {
        if (client.wire !== undefined) await this.#cut(client.wire)
        const properties = { sessionExpiryInterval: 50, receiveMaximum: step.receiveMaximum }
        return this.#connect(client, { protocolVersion: 5, cleanStart: false, properties }, undefined)
      }
      case 'hold':
        if (client.wire !== undefined) client.wire.isHeld = step.on
        return
      case 'stall':
        if (client.wire !== undefined) client.wire.isStalled = step.on
        return
      case 'violate': {
        const [packet, reasonCode] = violations[step.which]!
        if (reasonCode === 0x94 && client.wire?.version === 4) return
        if (client.isConnected) client.violate(packet, reasonCode)
        return
      }
      case 'ping':
        return client.ping()
      case 'rights': {
        const { action, topic, isAllowed } = step
        if (this.#settings.hooks !== 'none')
          this.#rights.set(client.clientId, action, topic, isAllowed, ++this.model.order)
        return
      }
    }
  }

  #connect(
    client: Client,
    packet: Omit<ConnectInput, 'type' | 'clientId' | 'will'>,
    will: Omit<Sent, 'payload'> | undefined,
  ): void {
    const now = this.#clock.now()
    const { limits } = this.#core.environment
    const pipe = new Pipe(limits, now, (bytes) => {
      this.#written.push({ wire, bytes })
      if (pipe.backlog > limits.maxBufferedBytes) wire.wasCongested = true
    })
    const isNew = packet.protocolVersion === 5
    const withWill = will && {
      will: { ...will, properties: isNew ? will.properties : {}, payload: bytes(`w${++this.#messages}`) },
    }
    const connect: ConnectInput = { type: 'connect', clientId: client.clientId, ...packet, ...withWill }
    const wire: Wire = new Wire(++this.#sequence, pipe, isNew ? connect : { ...connect, properties: {} }, now)
    receive(this.#core, pipe)
    this.#wires.push(wire)
    client.connect(wire)
  }

  #publish(
    client: Client,
    { topic, qos, retain, size, properties, usesAlias, times }: Step & { type: 'publish' },
  ): void {
    for (let i = 0; i < times; i++) {
      const payload = size === 0 ? '' : `m${++this.#messages}`.padEnd(size, '.')
      // Messages without a payload cannot be told from each other, so they are all the same.
      client.publish({ topic, payload, qos, retain, properties: size === 0 ? {} : properties }, usesAlias)
    }
  }

  /** The network loses a connection. */
  async #cut(wire: Wire): Promise<void> {
    this.#clientOf(wire).lost(wire)
    wire.outgoing.length = 0
    wire.isCut = true
    if (wire.pipe.state === 'gone') return
    wire.pipe.state = 'gone'
    this.#wires = this.#wires.filter((other) => other !== wire)
    await this.#slice(wire, () => {
      if (wire.session === undefined) {
        this.model.close(wire)
        wire.blocked = undefined
      } else wire.inbox.push({ type: 'gone' })
      wire.pipe.handler.closed()
    })
  }

  #clientOf({ clientId }: Wire): Client {
    return this.#clients.find((client) => client.clientId === clientId)!
  }

  /** The network moves some bytes in each direction. Returns whether there were any. */
  async #round(): Promise<boolean> {
    let hasMoved = false
    for (const wire of [...this.#wires].sort(() => this.#random(3) - 1)) {
      if (await this.#deliver(wire)) hasMoved = true
      if (this.#random(2) === 0) await this.#turn()
    }
    await this.#turn()
    for (const wire of [...this.#wires]) if (await this.#take(wire)) hasMoved = true
    await this.#turn()
    return hasMoved
  }

  /** The broker gets a chunk of what a client has sent. */
  async #deliver(wire: Wire): Promise<boolean> {
    const { outgoing, pipe } = wire
    if (outgoing.length === 0 || wire.isHeld || pipe.isPaused || pipe.state !== 'open') return false
    let left = [1, 3, 20, 500, 100_000][this.#random(5)]!
    const chunk: Uint8Array[] = []
    const items: Item[] = []
    while (left > 0 && outgoing.length > 0) {
      const [first] = outgoing
      chunk.push(first!.bytes.subarray(0, left))
      left -= chunk.at(-1)!.length
      first!.bytes = first!.bytes.subarray(chunk.at(-1)!.length)
      if (first!.bytes.length > 0) continue
      outgoing.shift()
      items.push(...first!.items)
    }
    const now = this.#clock.now()
    if (items.length > 0) wire.packetAt = now
    wire.heardAt = now
    for (const item of items) {
      if (item.type === 'connect' && this.#settings.hooks !== 'none')
        item.questions = item.packet.will === undefined ? 1 : 2
      if (!wire.isOver) wire.inbox.push(item)
    }
    const whole = new Uint8Array(Buffer.concat(chunk))
    await this.#slice(wire, () => pipe.handler.data(whole))
    whole.fill(0xff) // they are the broker's no more
    return true
  }

  /** A client gets a chunk of what the broker has sent, or the end. */
  async #take(wire: Wire): Promise<boolean> {
    const { pipe } = wire
    const client = this.#clientOf(wire)
    if (pipe.state === 'cut') {
      await this.#ended(wire)
      return true
    }
    if (wire.isStalled) return false
    if (pipe.backlog > 0) {
      const taken = pipe.take([1, 7, 100, 5_000, 100_000][this.#random(5)]!)
      for (const packet of wire.decoder.push(taken) as Iterable<Received>) client.take(packet, wire)
      if (pipe.backlog === 0 && pipe.state === 'open') await this.#slice(undefined, () => pipe.handler.drained())
      return true
    }
    if (pipe.state !== 'ending') return false
    await this.#ended(wire)
    return true
  }

  async #ended(wire: Wire): Promise<void> {
    this.#clientOf(wire).lost(wire)
    this.#wires = this.#wires.filter((other) => other !== wire)
    wire.pipe.state = 'gone'
    await this.#slice(undefined, () => wire.pipe.handler.closed())
  }

  async #pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0; ) {
      await this.#tick((most) => {
        const passed = this.#clock.step(most)
        left -= passed
      }, left)
    }
  }

  async #tick(step: (most: number) => void, most: number): Promise<void> {
    // Only one answer at a time is late, so that it is known who goes on after it.
    const late = this.#questions.filter(({ askedAt }) => askedAt + hookTimeout <= this.#clock.now() + 100)
    for (const question of late.slice(1)) await this.#answer(question)
    await this.#turn()
    step(most)
    this.#excuse()
    const now = this.#clock.now()
    const [question] = late
    if (question !== undefined && Math.ceil((question.askedAt + hookTimeout) / 100) * 100 <= now)
      await this.#answer(question, true)
    while (this.#clock.turn());
    this.model.ticked()
    this.#look()
    this.model.check(this.#wires)
    this.#fail()
  }

  /** What the broker keeps is what it has to keep. */
  #compare(): void {
    const { sessions, router, retained } = this.#core
    const { model } = this
    const is = [sessions.size, router.size, router.groups.size, retained.size, sessions.connected]
    let connected = 0
    for (const { wire } of model.sessions.values()) if (wire !== undefined) connected++
    const expected = [model.sessions.size, model.subscriptions, model.groups.size, model.retained.size, connected]
    if (is.join() !== expected.join())
      model.fault(`sessions, subscriptions, groups, retained, connected: ${is}, not ${expected}`)
    this.#fail()
  }

  /** All that happens until nothing is left to happen. */
  async #settle(): Promise<void> {
    for (let rounds = 0; ; rounds++) {
      while (this.#questions.length > 0) await this.#answer(this.#questions[0]!)
      const hasMoved = await this.#round()
      if (
        !hasMoved &&
        this.#questions.length === 0 &&
        !this.#wires.some(({ outgoing, pipe }) => outgoing.length > 0 && !pipe.isPaused)
      )
        return
      if (rounds > 20_000) throw new Error('it never comes to rest')
    }
  }

  /** All comes right again; what had to be delivered is, and what has to be kept is. */
  async heal(): Promise<void> {
    for (const client of this.#clients) client.manner = 'now'
    for (const wire of this.#wires) {
      wire.isHeld = false
      wire.isStalled = false
    }
    for (const client of this.#clients) client.release(Number.POSITIVE_INFINITY)
    await this.#settle()
    for (const client of this.#clients) {
      if (client.isConnected || !this.model.sessions.has(client.clientId)) continue
      const properties = { sessionExpiryInterval: 60, topicAliasMaximum: 5 }
      this.#connect(client, { protocolVersion: 5, cleanStart: false, properties }, undefined)
    }
    await this.#settle()
    for (const client of this.#clients) client.release(Number.POSITIVE_INFINITY)
    await this.#settle()
    this.#compare()
    this.model.checkDone()
    const { dropped, hooksFailed } = this.#core.environment.metrics
    const { lost, missing, faults } = this.model
    if (lost.length > missing || missing > dropped.queueFull + dropped.replaced) faults.push(...lost)
    if (!this.#settings.isTight && dropped.queueFull > 0)
      faults.push(`dropped: ${dropped.queueFull}, though no limit was hit`)
    if (hooksFailed !== this.#late) faults.push(`hooks failed: ${hooksFailed}, not ${this.#late}`)
    for (const client of this.#clients) {
      if (client.isConnected && client.unfinished > 0)
        faults.push(`${client.unfinished} messages of ${client.clientId} are not acknowledged`)
      for (const [key, count] of client.received) {
        const most = this.model.sentOnce.get(`${client.clientId} ${key}`) ?? 0
        if (client.isConnected && count > most)
          faults.push(`${key} came to ${client.clientId} ${count} times, not ${most}`)
      }
    }
    this.#fail()
    await this.#read()
  }

  /** The retained messages are those that a new client gets. */
  async #read(): Promise<void> {
    const { environment, router, retained } = this.#core
    const got: string[] = []
    const reader = new Session(clientOf('reader'), environment, true)
    const subscription = new BrokerSubscription(reader, '#', { qos: 2, overflow: 'dropNewest' })
    router.subscribe(subscription)
    const now = this.#clock.now()
    for (const delivery of retained.match(subscription)) {
      if (delivery === undefined) continue // nothing was found yet
      const { message } = delivery
      if (now < message.expiresAt) got.push(`${message.topic} ${text(message.payload)} ${message.qos}`)
    }
    router.unsubscribeAll(reader)
    const expected: string[] = []
    for (const [topic, { sent, expiresAt, publisher }] of this.model.retained) {
      if (publisher !== undefined && !this.#rights.may(publisher, 'publish', topic)) continue
      if (now < expiresAt) expected.push(`${topic} ${sent.payload} ${sent.qos}`)
    }
    if (got.sort().join() !== expected.sort().join()) this.model.fault(`retained: ${got}, not ${expected}`)
    this.#fail()
  }

  /** All leave, one way or the other, and time passes: nothing is left of them. */
  async end(): Promise<void> {
    for (const [index, client] of this.#clients.entries()) {
      if (index % 2 === 0) client.disconnect(index === 0 ? 0 : 4, undefined)
      else if (client.wire !== undefined) await this.#cut(client.wire)
    }
    await this.#settle()
    for (const wire of [...this.#wires]) await this.#cut(wire)
    await this.#pass(130_000)
    await this.#settle()
    await this.#pass(130_000)
    await this.#settle()
    this.#compare()
    const core = this.#core
    for (const topic of [...this.model.retained.keys()]) {
      core.retained.store(
        Message.of({ topic, payload: bytes(''), qos: 0, retain: true, properties: {} }, 0, undefined),
        Number.NaN,
      )
    }
    this.model.clear()
    this.#compare()
    const left = [...this.#timers].filter(({ pending }) => pending).length
    const { sessions, router, retained, connections, locals, environment } = core
    const sizes = [
      sessions.size,
      router.size,
      router.sharedSize,
      router.groups.size,
      retained.size,
      retained.bytes,
      connections.size,
    ]
    const all = [...sizes, locals.size, environment.metrics.connections, left, this.model.wills, this.#questions.length]
    if (all.some((size) => size !== 0)) this.model.fault(`left over: ${all}`)
    this.#checkNumbers()
    environment.timers.stop()
    environment.overload.stop()
    if (this.#clock.size > 0) this.model.fault('the clock is still asked')
    this.#fail()
  }

  /** The router has got back all its numbers. */
  #checkNumbers(): void {
    const { environment, router } = this.#core
    const session = new Session(clientOf('numbers'), environment, true)
    for (let i = 0; i < this.model.peak; i++) {
      const subscription = new BrokerSubscription(session, `${i}`, { qos: 0, overflow: 'dropNewest' })
      router.subscribe(subscription)
      if (subscription.number > this.model.peak) this.model.fault(`the router gives the number ${subscription.number}`)
    }
    router.unsubscribeAll(session)
  }
}
