/** SUBSCRIBE (section 3.8). */

import {
  MqttError,
  mayCarry,
  ReasonCode,
  type Subscription as Request,
  type Subscribe,
  type UnsubscribeProperties,
} from '@tidewire/codec'
import { parseShared, topicFilterFault } from '@tidewire/topics'
import type { Connection } from '../connection.js'
import { isPromise, isRefusal, type Subscribed, when } from '../environment.js'
import type { SubscriptionLimit } from '../metrics.js'
import type { Replay } from '../session.js'
import { Subscription, wildcardLevels } from '../subscription.js'

export function handleSubscribe(connection: Connection, packet: Subscribe): void | Promise<void> {
  checkCount(connection, packet.subscriptions.length)
  checkUserProperties(connection, packet.properties)
  return subscribeFrom(connection, packet, [])
}

/** One after the other, as if each had come in a packet of its own [MQTT-3.8.4-5]. */
function subscribeFrom(connection: Connection, packet: Subscribe, done: Done[]): void | Promise<void> {
  while (done.length < packet.subscriptions.length) {
    const request = packet.subscriptions[done.length]!
    const answer = ask(connection, request)
    if (isPromise(answer)) {
      return answer.then((subscribed) => {
        done.push(subscribe(connection, packet, request, subscribed))
        return subscribeFrom(connection, packet, done)
      })
    }
    done.push(subscribe(connection, packet, request, answer))
  }
  finish(connection, packet, done)
}

/** What became of one Topic Filter. */
interface Done {
  readonly reasonCode: number
  /** Why it was refused. */
  readonly reasonString?: string | undefined
  /** Retained messages that are to be sent. */
  readonly replay?: Replay
}

/** Whether a Topic Filter may be subscribed to, and how. */
function ask(connection: Connection, { topicFilter, qos }: Request): Subscribed | Promise<Subscribed> {
  const reasonCode = faultOf(connection, topicFilter)
  if (reasonCode !== undefined) return { reasonCode }
  const { environment } = connection.core
  const { client } = connection.session!
  const filter = parseShared(topicFilter)?.filter ?? topicFilter
  return when(environment.authorize(client, 'subscribe', filter), (allowed) =>
    allowed ? environment.onSubscribe(client, { topicFilter, qos }) : { reasonCode: ReasonCode.NotAuthorized },
  )
}

function subscribe(connection: Connection, packet: Subscribe, request: Request, answer: Subscribed): Done {
  if (isRefusal(answer)) {
    const { reasonCode, reasonString } = answer
    return { reasonCode: mayCarry('suback', reasonCode) ? reasonCode : ReasonCode.NotAuthorized, reasonString }
  }
  const { core, session } = connection
  // It went away while a hook was asked, or another one took its session.
  if (session?.link !== connection) return { reasonCode: ReasonCode.UnspecifiedError }
  const { topicFilter, qos, noLocal = false, retainAsPublished = false, retainHandling = 0 } = request
  // Asked again: others may have subscribed while a hook was.
  const reasonCode = faultOf(connection, topicFilter)
  if (reasonCode !== undefined) return { reasonCode }
  const granted = answer.qos !== undefined && answer.qos < qos ? answer.qos : qos
  const subscription = new Subscription(session, topicFilter, {
    qos: granted,
    noLocal,
    retainAsPublished,
    identifier: packet.properties.subscriptionIdentifier ?? 0,
    overflow: answer.overflow ?? core.environment.options.overflow ?? 'dropNewest',
  })
  const existed = core.router.subscribe(subscription)
  const sendsRetained = retainHandling === 0 || (retainHandling === 1 && !existed) // [MQTT-3.3.1-10]
  const isShared = subscription.group !== undefined
  return sendsRetained && !isShared
    ? { reasonCode: granted, replay: { topicFilter, messages: core.retained.match(subscription) } }
    : { reasonCode: granted }
}

function finish(connection: Connection, packet: Subscribe, done: readonly Done[]): void {
  const reasonCodes = done.map(({ reasonCode }) => reasonCode)
  connection.send({
    type: 'suback',
    packetId: packet.packetId,
    reasonCodes: toldCodes(connection, packet, reasonCodes),
    properties: connection.explanation(done.find(({ reasonString }) => reasonString !== undefined)?.reasonString),
  })
  for (const { replay } of done) {
    if (replay !== undefined) connection.session!.replay(replay)
  }
}

/** Throws for more User Properties than the limit. */
export function checkUserProperties({ limits }: Connection, { userProperty = [] }: UnsubscribeProperties): void {
  if (userProperty.length <= limits.maxUserProperties) return
  throw new MqttError(ReasonCode.QuotaExceeded, `${userProperty.length} User Properties`)
}

/** Throws for more Topic Filters than one packet may bring. */
export function checkCount({ limits }: Connection, count: number): void {
  if (count <= limits.maxFiltersPerPacket) return
  throw new MqttError(ReasonCode.QuotaExceeded, `${count} Topic Filters in one packet`)
}

/** The Reason Code with which a Topic Filter is refused in any case. */
function faultOf(connection: Connection, topicFilter: string): number | undefined {
  const { core, session, limits } = connection
  if (topicFilterFault(topicFilter, limits.maxTopicLevels) !== undefined) return ReasonCode.TopicFilterInvalid
  const obstacle = session!.isDurable ? core.environment.journal?.obstacle : undefined
  if (obstacle !== undefined) return mayCarry('suback', obstacle) ? obstacle : ReasonCode.UnspecifiedError
  const limit = limitOf(connection, topicFilter)
  if (limit === undefined) return undefined
  core.environment.metrics.subscriptionsRefused[limit]++
  return ReasonCode.QuotaExceeded
}

/** The limit that a Topic Filter is above. */
function limitOf({ core, session, limits }: Connection, topicFilter: string): SubscriptionLimit | undefined {
  const { subscriptions, wildcardLevels: levels } = session!
  if (subscriptions.has(topicFilter)) return undefined
  if (subscriptions.size >= limits.maxSubscriptions) return 'maxSubscriptions'
  if (levels + wildcardLevels(topicFilter) > limits.maxWildcardLevels) return 'maxWildcardLevels'
  if (!topicFilter.startsWith('$share/')) return undefined
  const { groups } = core.router
  return groups.size >= limits.maxSharedGroups && !groups.has(topicFilter) ? 'maxSharedGroups' : undefined
}

/** MQTT 3.1.1 knows one failure, 0x80; MQTT 3.1 none: it is granted what it asked for, and gets nothing. */
function toldCodes({ version }: Connection, { subscriptions }: Subscribe, reasonCodes: number[]): number[] {
  if (version === 5) return reasonCodes
  return reasonCodes.map((code, index) => {
    if (code < 0x80) return code
    return version === 4 ? ReasonCode.UnspecifiedError : subscriptions[index]!.qos
  })
}
