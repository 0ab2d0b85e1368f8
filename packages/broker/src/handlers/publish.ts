// hot: runs per packet
/** PUBLISH (section 3.3): a message from a client. */

import { isUtf8 } from 'node:buffer'
import {
  MqttError,
  mayCarry,
  type PublishProperties,
  protocolError,
  ReasonCode,
  type ReceivedPublish,
} from '@tidewire/codec'
import { topicNameFault } from '@tidewire/topics'
import type { Connection } from '../connection.js'
import type { Outcome } from '../core.js'
import { when } from '../environment.js'

export function handlePublish(connection: Connection, packet: ReceivedPublish): void | Promise<void> {
  const { core } = connection
  const session = connection.session!
  const { environment } = core
  const { properties, qos, packetId = 0 } = packet
  environment.metrics.messagesReceived++
  environment.metrics.payloadBytesReceived += packet.end - packet.payloadStart
  const topic = topicOf(connection, packet, properties)
  checkFormat(connection, packet, properties) // before it is known to the session: refused now, it may come again
  if (qos > 0) {
    const arrival = session.receiver.publish(packetId, qos as 1 | 2)
    if (arrival === 'exceeded') {
      throw new MqttError(ReasonCode.ReceiveMaximumExceeded, 'more messages than the Receive Maximum', '3.3.4-7')
    }
    if (arrival === 'pending') return
    if (arrival === 'duplicate') return connection.send({ type: 'pubrec', packetId }) // [MQTT-4.3.3-10]
  }
  // The bytes received are used for something else after this turn: what is kept is copied here, once.
  const payload = packet.payload.slice()
  const { correlationData } = properties
  const kept = correlationData === undefined ? properties : { ...properties, correlationData: correlationData.slice() }
  const publication = { topic, payload, qos, retain: packet.retain, properties: kept }
  const arrivedOn = session.receiver.connection
  const arrived = { qos, packetId }
  return when(core.submit(session.client, publication), (outcome) => finish(connection, arrived, arrivedOn, outcome))
}

/** Throws for more User Properties than the limit, and if the option asks for it for text that is none. */
function checkFormat({ core }: Connection, packet: ReceivedPublish, properties: PublishProperties): void {
  const { limits, options } = core.environment
  const count = properties.userProperty?.length ?? 0
  if (count > limits.maxUserProperties) throw new MqttError(ReasonCode.QuotaExceeded, `${count} User Properties`)
  if (options.checkPayloadFormat === true && properties.payloadFormatIndicator === 1 && !isUtf8(packet.payload)) {
    throw new MqttError(ReasonCode.PayloadFormatInvalid, 'the payload is not UTF-8', '3.3.2.3.2')
  }
}

/** The Topic Name, as given or as the Topic Alias stands for it. */
function topicOf(connection: Connection, packet: ReceivedPublish, properties: PublishProperties): string {
  const { incomingAliases } = connection
  const { topicAlias, subscriptionIdentifier } = properties
  if (subscriptionIdentifier !== undefined) {
    throw protocolError('a Subscription Identifier from a Client', '3.3.4-6')
  }
  const { topic } = packet
  if (topic !== '') {
    const fault = topicNameFault(topic, connection.core.environment.limits.maxTopicLevels)
    if (fault !== undefined) throw new MqttError(ReasonCode.TopicNameInvalid, fault.message, fault.statement)
  }
  const resolved = incomingAliases!.resolve(topic, topicAlias)
  if (typeof resolved === 'string') return resolved
  throw new MqttError(resolved.reasonCode, resolved.message, resolved.statement)
}

/** A message is done: sends PUBACK or PUBREC, if that connection still waits for it. */
function finish(connection: Connection, { qos, packetId = 0 }: Arrived, arrivedOn: number, outcome: Outcome): void {
  if (qos === 0) return
  const { receiver, link } = connection.session!
  const { reasonCode, reasonString } = typeof outcome === 'number' ? { reasonCode: outcome } : outcome
  const type = qos === 1 ? 'puback' : 'pubrec'
  const told = mayCarry(type, reasonCode) ? reasonCode : ReasonCode.NotAuthorized
  const code = connection.version === 5 ? told : ReasonCode.Success // before they cannot refuse (3.1.1 [MQTT-3.3.5-2])
  if (!(qos === 1 ? receiver.puback(arrivedOn) : receiver.pubrec(packetId, code))) return
  // While a hook was asked, the client may have come again and sent the message again.
  const current = link === undefined ? connection : (link as Connection)
  current.send({ type, packetId, reasonCode: code, properties: current.explanation(reasonString) })
}

/** What is kept of a PUBLISH whose bytes are gone. */
interface Arrived {
  readonly qos: number
  readonly packetId: number | undefined
}
