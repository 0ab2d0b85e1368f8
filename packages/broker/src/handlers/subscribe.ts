/** SUBSCRIBE (section 3.8). */

import { MqttError, ReasonCode, type Subscription as Request, type Subscribe } from '@tidewire/codec'
import { topicFilterFault } from '@tidewire/topics'
import type { Connection } from '../connection.js'
import type { Subscription } from '../session.js'

export function handleSubscribe(connection: Connection, packet: Subscribe): void {
  const { core, session } = connection
  checkCount(connection, packet.subscriptions.length)
  const identifier = packet.properties.subscriptionIdentifier ?? 0
  const reasonCodes: number[] = []
  const withRetained: Subscription[] = []
  // One after the other, as if each had come in a packet of its own [MQTT-3.8.4-5].
  for (const request of packet.subscriptions) {
    const refusal = refusalOf(connection, request)
    reasonCodes.push(refusal ?? request.qos)
    if (refusal !== undefined) continue
    const { topicFilter, qos, noLocal = false, retainAsPublished = false, retainHandling = 0 } = request
    const subscription = { session: session!, topicFilter, qos, noLocal, retainAsPublished, identifier }
    const existed = core.router.subscribe(subscription)
    if (retainHandling === 0 || (retainHandling === 1 && !existed)) withRetained.push(subscription) // [MQTT-3.3.1-10]
  }
  connection.send({
    type: 'suback',
    packetId: packet.packetId,
    reasonCodes: toldCodes(connection, packet, reasonCodes),
  })
  for (const subscription of withRetained) session!.replay(core.retained.match(subscription))
}

/** Throws for more Topic Filters than one packet may bring. */
export function checkCount({ limits }: Connection, count: number): void {
  if (count <= limits.maxFiltersPerPacket) return
  throw new MqttError(ReasonCode.QuotaExceeded, `${count} Topic Filters in one packet`)
}

/** The Reason Code with which a Topic Filter is refused, if it is. */
function refusalOf(connection: Connection, { topicFilter }: Request): number | undefined {
  const { environment } = connection.core
  const { maxTopicLevels, maxSubscriptions } = connection.limits
  const { subscriptions } = connection.session!
  if (topicFilterFault(topicFilter, maxTopicLevels) !== undefined) return ReasonCode.TopicFilterInvalid
  if (topicFilter.startsWith('$share/')) return ReasonCode.SharedSubscriptionsNotSupported
  if (subscriptions.size >= maxSubscriptions && !subscriptions.has(topicFilter)) return ReasonCode.QuotaExceeded
  if (!environment.authorize(connection.session!.client, 'subscribe', topicFilter)) return ReasonCode.NotAuthorized
  return undefined
}

/** MQTT 3.1.1 knows one failure, 0x80; MQTT 3.1 none: it is granted what it asked for, and gets nothing. */
function toldCodes({ version }: Connection, { subscriptions }: Subscribe, reasonCodes: number[]): number[] {
  if (version === 5) return reasonCodes
  return reasonCodes.map((code, index) => {
    if (code < 0x80) return code
    return version === 4 ? ReasonCode.UnspecifiedError : subscriptions[index]!.qos
  })
}
