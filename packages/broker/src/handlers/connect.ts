/** CONNECT (section 3.1): who comes, with which session and under which conditions. */

import { type ConnackProperties, type Connect, encode, MqttError, protocolError, ReasonCode } from '@tidewire/codec'
import { IncomingAliases } from '@tidewire/session'
import { topicNameFault } from '@tidewire/topics'
import type { Connection } from '../connection.js'
import type { Client } from '../hooks.js'
import { Message } from '../message.js'
import type { Session, StoredWill } from '../session.js'

/** Connect Return Codes of MQTT 3.1.1 (section 3.2.2.3) for the Reason Codes that have one. */
const returnCodes: Readonly<Record<number, number>> = {
  [ReasonCode.UnsupportedProtocolVersion]: 1,
  [ReasonCode.ClientIdentifierNotValid]: 2,
  [ReasonCode.ServerUnavailable]: 3,
  [ReasonCode.ServerBusy]: 3,
  [ReasonCode.BadUserNameOrPassword]: 4,
  [ReasonCode.NotAuthorized]: 5,
}

export function handleConnect(connection: Connection, packet: Connect): void | Promise<void> {
  const { environment, sessions } = connection.core
  if (connection.state !== 'connecting') throw protocolError('a second CONNECT', 'MQTT-3.1.0-2')
  connection.version = packet.protocolVersion
  connection.maxPacketSize = packet.properties.maximumPacketSize ?? Number.POSITIVE_INFINITY
  const fault = connectFault(connection, packet)
  if (fault !== undefined) return refuse(connection, fault)
  const client: Client = {
    clientId: packet.clientId === '' ? sessions.newClientId() : packet.clientId,
    userName: packet.userName,
    protocolVersion: packet.protocolVersion,
    remoteAddress: connection.transport.remoteAddress,
  }
  const allowed = environment.authenticate(client, packet.password)
  if (typeof allowed === 'boolean') return authenticated(connection, packet, client, allowed)
  connection.state = 'authenticating'
  return allowed.then((answer) => {
    if (connection.state === 'authenticating') authenticated(connection, packet, client, answer)
  })
}

/** What the packet itself asks that it cannot have. */
function connectFault(connection: Connection, packet: Connect): MqttError | undefined {
  const { limits } = connection.core.environment
  const { clientId, protocolVersion, cleanStart, properties, will } = packet
  if (clientId === '' && !cleanStart && protocolVersion < 5) {
    const message = 'a session that is to be kept needs a Client Identifier'
    return new MqttError(ReasonCode.ClientIdentifierNotValid, message, '3.1.1 MQTT-3.1.3-8')
  }
  if (clientId.length > limits.maxClientIdLength) {
    return new MqttError(ReasonCode.ClientIdentifierNotValid, 'the Client Identifier is too long', 'MQTT-3.1.3-8')
  }
  if (properties.authenticationMethod !== undefined) {
    const message = 'no enhanced authentication is known here'
    return new MqttError(ReasonCode.BadAuthenticationMethod, message, 'MQTT-4.12.0-1')
  }
  const topicFault = will && topicNameFault(will.topic, limits.maxTopicLevels)
  return topicFault && new MqttError(ReasonCode.TopicNameInvalid, `the Will Topic: ${topicFault.message}`)
}

function authenticated(connection: Connection, packet: Connect, client: Client, allowed: boolean): void {
  const { environment } = connection.core
  if (!allowed) {
    const { BadUserNameOrPassword, NotAuthorized } = ReasonCode
    const reasonCode = packet.userName === undefined ? NotAuthorized : BadUserNameOrPassword
    return refuse(connection, new MqttError(reasonCode, `${JSON.stringify(client.clientId)} may not connect`))
  }
  if (packet.will !== undefined && !environment.authorize(client, 'publish', packet.will.topic)) {
    return refuse(connection, new MqttError(ReasonCode.NotAuthorized, 'the Will may not be published'))
  }
  accept(connection, packet, client)
}

function accept(connection: Connection, packet: Connect, client: Client): void {
  const { limits } = connection.core.environment
  const { properties } = packet
  const [session, sessionPresent] = takeSession(connection, client, packet.cleanStart)
  session.expiryInterval = sessionExpiry(connection, packet)
  session.will = storedWill(connection, packet, client)
  session.receiver.resume(packet.protocolVersion === 5 ? limits.receiveMaximum : 0xffff)
  connection.incomingAliases = new IncomingAliases(limits.topicAliasMaximum)
  connection.problemInformation = properties.requestProblemInformation ?? true
  const keepAlive = serverKeepAlive(connection, packet)
  connection.opened(client, session, keepAlive)
  const connack = connackProperties(connection, packet, keepAlive)
  if (packet.protocolVersion === 5 && packet.clientId === '') connack.assignedClientIdentifier = client.clientId
  connection.send({ type: 'connack', sessionPresent, properties: connack })
  session.link = connection
  session.resume(Math.min(limits.maxInFlight, properties.receiveMaximum ?? 0xffff))
}

/** The session of the client, and whether it was there before [MQTT-3.2.2-2] [MQTT-3.2.2-3]. */
function takeSession(connection: Connection, client: Client, cleanStart: boolean): [Session, boolean] {
  const { sessions, wills } = connection.core
  // Only a session that outlives its connection is left when the one that has it is sent away [MQTT-3.1.4-3].
  sessions.get(client.clientId)?.link?.disconnect(ReasonCode.SessionTakenOver)
  const session = sessions.get(client.clientId)
  if (session !== undefined && cleanStart) sessions.end(session) // [MQTT-3.1.2-4]
  if (session === undefined || cleanStart) return [sessions.create(client), false] // [MQTT-3.1.2-6]
  sessions.retain(session) // [MQTT-3.1.2-5]
  wills.discard(session) // [MQTT-3.1.3-9]
  session.client = client
  return [session, true]
}

/** Seconds that the session is kept, Infinity for ever. */
function sessionExpiry(connection: Connection, { protocolVersion, cleanStart, properties }: Connect): number {
  const { maxSessionExpiry, sessionExpiryBefore5 } = connection.core.environment.limits
  if (protocolVersion < 5) return cleanStart ? 0 : sessionExpiryBefore5
  return Math.min(properties.sessionExpiryInterval ?? 0, maxSessionExpiry)
}

function serverKeepAlive(connection: Connection, { protocolVersion, keepAlive }: Connect): number {
  const { maxKeepAlive } = connection.core.environment.limits
  // Before MQTT 5.0 the client could not be told of another one.
  return protocolVersion === 5 && (keepAlive === 0 || keepAlive > maxKeepAlive) ? maxKeepAlive : keepAlive
}

function storedWill(connection: Connection, { will }: Connect, client: Client): StoredWill | undefined {
  if (will === undefined) return undefined
  const { topic, payload, qos, retain, properties } = will
  const { willDelayInterval = 0, ...passedOn } = properties
  // Its bytes are those of the CONNECT, which do not stay.
  const owned = { ...passedOn, ...(passedOn.correlationData && { correlationData: passedOn.correlationData.slice() }) }
  const now = connection.core.environment.clock.now()
  return {
    message: new Message(topic, payload.slice(), qos, retain, owned, now, client.clientId),
    delayInterval: willDelayInterval,
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** What the client is told of its conditions; what equals the default of the standard is left out. */
function connackProperties(connection: Connection, packet: Connect, keepAlive: number): Writable<ConnackProperties> {
  if (packet.protocolVersion < 5) return {}
  const { limits } = connection.core.environment
  const properties: Writable<ConnackProperties> = {
    receiveMaximum: limits.receiveMaximum,
    maximumPacketSize: limits.maxPacketSize,
    topicAliasMaximum: limits.topicAliasMaximum,
    sharedSubscriptionAvailable: false,
  }
  const { sessionExpiryInterval = 0 } = packet.properties
  if (sessionExpiryInterval > limits.maxSessionExpiry) properties.sessionExpiryInterval = limits.maxSessionExpiry
  if (keepAlive !== packet.keepAlive) properties.serverKeepAlive = keepAlive // [MQTT-3.2.2-22]
  return properties
}

/** Says no, in the words of the version that the client speaks, and closes [MQTT-3.2.2-7]. */
function refuse(connection: Connection, error: MqttError): void {
  const { log } = connection.core.environment
  log.warn(`${connection.transport.remoteAddress} is refused: ${error.message}`)
  const { reasonCode, message: reasonString } = error
  if (connection.version === 5) {
    const properties = { reasonString }
    const bytes = encode({ type: 'connack', reasonCode, properties })
    connection.send({
      type: 'connack',
      reasonCode,
      properties: bytes.length <= connection.maxPacketSize ? properties : {},
    })
  } else {
    const returnCode = returnCodes[reasonCode]
    // For other reasons there is no code: just close (3.1.1 [MQTT-3.2.2-6]).
    if (returnCode !== undefined) connection.send({ type: 'connack', reasonCode: returnCode })
  }
  connection.close()
}

/** Says no to a CONNECT that could not be decoded, as far as its Protocol Version can be told from its bytes. */
export function refuseMalformed(connection: Connection, error: MqttError, connect: Uint8Array): void {
  const nameLength = (connect[0]! << 8) | connect[1]!
  const level = connect[2 + nameLength] ?? 0
  const unsupported = error.reasonCode === ReasonCode.UnsupportedProtocolVersion
  if (level >= 5) connection.version = 5
  else if (unsupported || error.reasonCode === ReasonCode.ClientIdentifierNotValid) connection.version = 4
  else return connection.close() // 3.1.1 [MQTT-3.1.4-1]
  refuse(connection, error)
}
