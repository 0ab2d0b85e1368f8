// hot: runs per packet
/** PUBLISH (section 3.3): a message from a client. */

import { isUtf8 } from 'node:buffer'
import {
  encode,
  MqttError,
  mayCarry,
  type PublishProperties,
  protocolError,
  type QoS,
  ReasonCode,
  type ReceivedPublish,
} from '@tidewire/codec'
import { topicNameFault } from '@tidewire/topics'
import type { Connection } from '../connection.js'
import type { Outcome } from '../core.js'
import { when } from '../environment.js'
import { expiryOf, Message, publishAt } from '../message.js'
import type { Route } from '../route.js'
import type { Group } from '../shared.js'

export function handlePublish(connection: Connection, packet: ReceivedPublish): void | Promise<void> {
  const { core } = connection
  const { environment } = core
  const session = connection.session!
  const { qos } = packet
  environment.metrics.messagesReceived++
  environment.metrics.payloadBytesReceived += packet.end - packet.payloadStart
  const properties = packet.payloadStart > packet.propertiesStart + 1 ? packet.properties : none
  const route = routeOf(connection, packet, properties)
  if (properties !== none) checkFormat(connection, packet, properties) // refused before it is known, it may come again
  let packetId = 0
  if (qos > 0) {
    packetId = packet.packetId!
    const arrival = session.receiver.publish(packetId, qos as 1 | 2)
    if (arrival === 'exceeded') {
      throw new MqttError(ReasonCode.ReceiveMaximumExceeded, 'more messages than the Receive Maximum', '3.3.4-7')
    }
    if (arrival === 'pending') return
    if (arrival === 'duplicate') return connection.acknowledge(pubrec, packetId) // [MQTT-4.3.3-10]
  }
  const message = messageOf(connection, packet, properties, route.topic)
  const outcome = core.submit(session.client, message, route)
  if (typeof outcome === 'number') return finish(connection, qos, packetId, outcome)
  const arrivedOn = session.receiver.connection
  return when(outcome, (answer) => finishLate(connection, qos, packetId, arrivedOn, answer))
}

const none: PublishProperties = Object.freeze({})
const puback = 0x40
const pubrec = 0x50

/** The route of the Topic Name, as given or as the Topic Alias stands for it. */
function routeOf(connection: Connection, packet: ReceivedPublish, properties: PublishProperties): Route<Group> {
  const { bytes, topicStart, topicEnd } = packet
  const { router } = connection.core
  let route = router.routes.find(bytes, topicStart, topicEnd)
  if (route === undefined && topicStart < topicEnd) {
    const { topic } = packet
    const fault = topicNameFault(topic, connection.limits.maxTopicLevels)
    if (fault !== undefined) throw new MqttError(ReasonCode.TopicNameInvalid, fault.message, fault.statement)
    route = router.routeOf(topic)
    router.routes.add(route, bytes, topicStart, topicEnd)
  }
  // Another listener may allow more levels than this one.
  if (route !== undefined && route.levels > connection.limits.maxTopicLevels) {
    throw new MqttError(ReasonCode.TopicNameInvalid, `the topic has ${route.levels} levels`)
  }
  if (properties.subscriptionIdentifier !== undefined) {
    throw protocolError('a Subscription Identifier from a Client', '3.3.4-6')
  }
  if (route !== undefined && properties.topicAlias === undefined) return route
  const resolved = connection.incomingAliases!.resolve(route?.topic ?? '', properties.topicAlias)
  if (typeof resolved !== 'string') throw new MqttError(resolved.reasonCode, resolved.message, resolved.statement)
  return route ?? router.routeOf(resolved)
}

function messageOf(
  { core, session }: Connection,
  packet: ReceivedPublish,
  properties: PublishProperties,
  topic: string,
): Message {
  const { messageExpiryInterval, topicAlias } = properties
  const expiresAt =
    messageExpiryInterval === undefined ? Number.POSITIVE_INFINITY : expiryOf(properties, core.environment.clock.now())
  const { qos } = packet
  const { client } = session!
  if (topicAlias === undefined) return new Message(packet, topic, qos, expiresAt, client, false)
  const bytes = encode({ type: 'publish', from: packet, topic, packetId: packet.packetId }, 5)
  return new Message(publishAt(bytes, 0, bytes.length, 5), topic, qos, expiresAt, client, true)
}

/** Throws for more User Properties than the limit, and if the option asks for it for text that is none. */
function checkFormat({ core, limits }: Connection, packet: ReceivedPublish, properties: PublishProperties): void {
  const { options } = core.environment
  const count = properties.userProperty?.length ?? 0
  if (count > limits.maxUserProperties) throw new MqttError(ReasonCode.QuotaExceeded, `${count} User Properties`)
  if (options.checkPayloadFormat === true && properties.payloadFormatIndicator === 1 && !isUtf8(packet.payload)) {
    throw new MqttError(ReasonCode.PayloadFormatInvalid, 'the payload is not UTF-8', '3.3.2.3.2')
  }
}

/** A message is done at once: sends PUBACK or PUBREC. */
function finish(connection: Connection, qos: QoS, packetId: number, reasonCode: number): void {
  if (qos === 0) return
  if (reasonCode !== ReasonCode.Success && (connection.version === 5 || reasonCode >= 0x80)) {
    return finishLate(connection, qos, packetId, connection.session!.receiver.connection, reasonCode)
  }
  const session = connection.session!
  if (qos === 1) session.receiver.puback()
  else if (session.receiver.pubrec(packetId, ReasonCode.Success) === 'send') session.accepted(packetId)
  connection.acknowledge(qos === 1 ? puback : pubrec, packetId)
}

/** A message is done: sends PUBACK or PUBREC, if that connection still waits for it. */
function finishLate(connection: Connection, qos: QoS, packetId: number, arrivedOn: number, outcome: Outcome): void {
  if (qos === 0) return
  const session = connection.session!
  const { receiver, link } = session
  const { reasonCode, reasonString } = typeof outcome === 'number' ? { reasonCode: outcome } : outcome
  const type = qos === 1 ? 'puback' : 'pubrec'
  const told = mayCarry(type, reasonCode) ? reasonCode : ReasonCode.NotAuthorized
  // Before MQTT 5.0 nothing can be refused (3.1.1 [MQTT-3.3.5-2]); but what is not kept is not acknowledged.
  const isLost = told >= 0x80 && connection.core.environment.journal?.obstacle !== undefined
  const code = connection.version === 5 || isLost ? told : ReasonCode.Success
  const receipt = qos === 1 ? receiver.puback(arrivedOn) && 'send' : receiver.pubrec(packetId, code)
  if (qos === 2 && code < 0x80 && receipt !== 'unknown') session.accepted(packetId)
  if (receipt !== 'send') return
  // While a hook was asked, the client may have come again and sent the message again.
  const current = link === undefined ? connection : (link as Connection)
  if (isLost && current.version < 5) return current.disconnect(code)
  current.send({ type, packetId, reasonCode: code, properties: current.explanation(reasonString) })
}
