// hot: runs per packet
/** PUBLISH (section 3.3): a message from a client. */

import { MqttError, type PublishProperties, protocolError, ReasonCode, type ReceivedPublish } from '@tidewire/codec'
import { topicNameFault } from '@tidewire/topics'
import type { Connection } from '../connection.js'
import { Message } from '../message.js'

export function handlePublish(connection: Connection, packet: ReceivedPublish): void {
  const { core } = connection
  const session = connection.session!
  const { environment } = core
  const { properties, qos, packetId = 0 } = packet
  environment.metrics.messagesReceived++
  const topic = topicOf(connection, packet, properties)
  if (qos > 0) {
    const arrival = session.receiver.publish(packetId, qos as 1 | 2)
    if (arrival === 'exceeded') {
      throw new MqttError(ReasonCode.ReceiveMaximumExceeded, 'more messages than the Receive Maximum', '3.3.4-7')
    }
    if (arrival === 'duplicate') return acknowledge(connection, 2, packetId, ReasonCode.Success) // [MQTT-4.3.3-10]
  }
  if (!environment.authorize(session.client, 'publish', topic)) {
    environment.metrics.dropped.notAuthorized++
    return acknowledge(connection, qos, packetId, ReasonCode.NotAuthorized)
  }
  // The bytes received are used for something else after this turn: what is kept is copied here, once.
  const payload = packet.payload.slice()
  const { correlationData } = properties
  const kept = correlationData === undefined ? properties : { ...properties, correlationData: correlationData.slice() }
  const now = environment.clock.now()
  const message = new Message(topic, payload, qos, packet.retain, kept, now, session.clientId)
  acknowledge(connection, qos, packetId, core.publish(message))
}

/** The Topic Name, as given or as the Topic Alias stands for it. */
function topicOf(connection: Connection, packet: ReceivedPublish, properties: PublishProperties): string {
  const { incomingAliases } = connection
  const { topicAlias, subscriptionIdentifier } = properties
  if (subscriptionIdentifier !== undefined) {
    throw protocolError('a Subscription Identifier from a Client', '3.3.4-6')
  }
  const { topic } = packet
  if (topicAlias !== undefined && !incomingAliases!.allows(topicAlias)) {
    const message = `the Topic Alias ${topicAlias} is above the Topic Alias Maximum`
    throw new MqttError(ReasonCode.TopicAliasInvalid, message, '3.3.2-9')
  }
  if (topic === '') {
    const known = topicAlias === undefined ? undefined : incomingAliases!.get(topicAlias)
    if (known === undefined) throw protocolError('neither a Topic Name nor a known Topic Alias', '3.3.2.1')
    return known
  }
  const fault = topicNameFault(topic, connection.limits.maxTopicLevels)
  if (fault !== undefined) throw new MqttError(ReasonCode.TopicNameInvalid, fault.message, fault.statement)
  if (topicAlias !== undefined) incomingAliases!.set(topicAlias, topic)
  return topic
}

/** Sends PUBACK or PUBREC; before MQTT 5.0 they cannot refuse (3.1.1 [MQTT-3.3.5-2]). */
function acknowledge(connection: Connection, qos: number, packetId: number, reasonCode: number): void {
  const { receiver } = connection.session!
  const told = connection.version === 5 ? reasonCode : ReasonCode.Success
  if (qos === 1) {
    receiver.puback(packetId)
    connection.send({ type: 'puback', packetId, reasonCode: told })
  } else if (qos === 2) {
    if (told >= 0x80) receiver.refuse(packetId)
    connection.send({ type: 'pubrec', packetId, reasonCode: told })
  }
}
