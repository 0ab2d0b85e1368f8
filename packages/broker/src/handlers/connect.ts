/** CONNECT (section 3.1): who comes, with which session and under which conditions. */

import { isUtf8 } from 'node:buffer'
import { type ConnackProperties, type Connect, encodedLength, MqttError, mayCarry, ReasonCode } from '@tidewire/codec'
import { IncomingAliases, OutgoingAliases } from '@tidewire/session'
import { topicNameFault } from '@tidewire/topics'
import type { Connection } from '../connection.js'
import { isRefusal, when } from '../environment.js'
import type { Client, Grant, Refusal } from '../hooks.js'
import type { Session, StoredWill } from '../session.js'
import { authenticate, methodOf } from './auth.js'

/** Connect Return Codes of MQTT 3.1.1 (section 3.2.2.3) for the Reason Codes that have one. */
const returnCodes: Readonly<Record<number, number>> = {
  [ReasonCode.UnsupportedProtocolVersion]: 1,
  [ReasonCode.ClientIdentifierNotValid]: 2,
  [ReasonCode.ServerUnavailable]: 3,
  [ReasonCode.ServerBusy]: 3,
  [ReasonCode.QuotaExceeded]: 3,
  [ReasonCode.BadUserNameOrPassword]: 4,
  [ReasonCode.NotAuthorized]: 5,
}

export function handleConnect(connection: Connection, packet: Connect): void | Promise<void> {
  const { environment, sessions } = connection.core
  const { clientId, userName, protocolVersion, properties } = packet
  const { peer } = connection.transport
  connection.version = protocolVersion
  connection.maxPacketSize = properties.maximumPacketSize ?? Number.POSITIVE_INFINITY
  connection.explains = properties.requestProblemInformation !== false
  const fault = connectFault(connection, packet)
  if (fault !== undefined) return refuse(connection, fault)
  const client: Client & { userName: string | undefined } = {
    clientId: clientId === '' ? sessions.newClientId() : clientId,
    userName,
    protocolVersion,
    remoteAddress: peer.address,
    remotePort: peer.port,
    listener: peer.listener,
    certificate: peer.certificate,
    pskIdentity: peer.pskIdentity,
  }
  const will = storedWill(packet) // copies what it needs of the packet, whose bytes do not stay
  // The object stays the same: hooks may have kept what they know of the client by it.
  const succeed = (authenticationData: Uint8Array | undefined, grant: Grant): void | Promise<void> => {
    if (grant.userName !== undefined) client.userName = grant.userName
    return authenticated(connection, { packet, client, will, authenticationData, expiresAt: grant.expiresAt })
  }
  connection.state = 'authenticating'
  if (properties.authenticationMethod !== undefined) {
    connection.authenticationMethod = properties.authenticationMethod
    return authenticate(connection, client, properties.authenticationData?.slice(), {
      succeed,
      refuse: (refusal) => refuse(connection, errorOf(refusal)),
    })
  }
  return when(environment.authenticate(client, packet.password?.slice()), (answer) => {
    if (connection.state !== 'authenticating') return
    return isRefusal(answer) ? refuse(connection, errorOf(answer)) : succeed(undefined, answer)
  })
}

/** A CONNECT that is being dealt with. */
interface Request {
  readonly packet: Connect
  readonly client: Client
  readonly will: StoredWill | undefined
  /** What the exchange of enhanced authentication ended with. */
  readonly authenticationData: Uint8Array | undefined
  /** When the connection is to end, milliseconds since 1970. */
  readonly expiresAt: number | undefined
}

function errorOf({ reasonCode, reasonString = 'it may not connect' }: Refusal): MqttError {
  return new MqttError(mayCarry('connack', reasonCode) ? reasonCode : ReasonCode.NotAuthorized, reasonString)
}

/** What the packet itself asks that it cannot have. */
function connectFault(connection: Connection, packet: Connect): MqttError | undefined {
  const { environment } = connection.core
  const { limits } = connection
  const { clientId, protocolVersion, cleanStart, properties, will } = packet
  if (clientId === '' && !cleanStart && protocolVersion < 5) {
    const message = 'a session that is to be kept needs a Client Identifier'
    return new MqttError(ReasonCode.ClientIdentifierNotValid, message, '3.1.1 3.1.3-8')
  }
  if (clientId.length > limits.maxClientIdLength) {
    return new MqttError(ReasonCode.ClientIdentifierNotValid, 'the Client Identifier is too long', '3.1.3-8')
  }
  if (environment.overload.load !== 'normal') {
    environment.metrics.connectionsRefusedByLag++
    return new MqttError(ReasonCode.ServerBusy, `the broker is ${Math.round(environment.overload.lag)} ms late`)
  }
  const userProperties = Math.max(properties.userProperty?.length ?? 0, will?.properties.userProperty?.length ?? 0)
  if (userProperties > limits.maxUserProperties) {
    return new MqttError(ReasonCode.QuotaExceeded, `${userProperties} User Properties`)
  }
  const { authenticationMethod } = properties
  if (authenticationMethod !== undefined && methodOf(connection, authenticationMethod) === undefined) {
    const message = 'the Authentication Method is not known here'
    return new MqttError(ReasonCode.BadAuthenticationMethod, message, '4.12.0-1')
  }
  const { payloadFormatIndicator } = will?.properties ?? {}
  if (environment.options.checkPayloadFormat === true && payloadFormatIndicator === 1 && !isUtf8(will!.payload)) {
    return new MqttError(ReasonCode.PayloadFormatInvalid, 'the Will Payload is not UTF-8', '3.1.3.2.3')
  }
  const topicFault = will && topicNameFault(will.topic, limits.maxTopicLevels)
  return topicFault && new MqttError(ReasonCode.TopicNameInvalid, `the Will Topic: ${topicFault.message}`)
}

/** The client is who it says: now it is asked what it may do. */
function authenticated(connection: Connection, request: Request): void | Promise<void> {
  const { environment, sessions } = connection.core
  const { clientId, userName } = request.client
  const fail = (reasonCode: number, message: string): void => refuse(connection, new MqttError(reasonCode, message))
  if (request.expiresAt !== undefined && request.expiresAt <= Date.now()) {
    return fail(ReasonCode.NotAuthorized, 'what it was granted is over')
  }
  const mayWill = request.will === undefined || environment.mayPublish(request.client, request.will)
  return when(mayWill, (allowed) => {
    if (connection.state !== 'authenticating') return
    if (!allowed) return fail(ReasonCode.NotAuthorized, 'the Will may not be published')
    // Only now, when nothing more is asked: meanwhile the session may have begun.
    const existing = sessions.get(clientId)
    // A session belongs to the user who began it: another one neither gets nor ends it.
    if (existing !== undefined && existing.client.userName !== userName) {
      return fail(ReasonCode.NotAuthorized, `${JSON.stringify(clientId)} is the Client Identifier of another user`)
    }
    if (!mayKeep(connection, request.packet, existing)) {
      return fail(ReasonCode.ServerUnavailable, 'the session cannot be kept')
    }
    if (existing === undefined && sessions.isFull) return fail(ReasonCode.QuotaExceeded, 'too many sessions')
    // Asking about this one took so long that the client has connected again.
    const { link } = existing ?? {}
    if (link !== undefined && link.sequence > connection.sequence) return connection.close()
    accept(connection, request)
  })
}

/** Whether the store, if there is one, takes a session that is to outlive its connection; while it is full, one that is there. */
function mayKeep(connection: Connection, packet: Connect, existing: Session | undefined): boolean {
  const { journal } = connection.core.environment
  if (journal?.obstacle === undefined || sessionExpiry(connection, packet) === 0) return true
  return journal.store.state === 'full' && existing !== undefined && !packet.cleanStart
}

function accept(connection: Connection, request: Request): void {
  const { packet, client, will, expiresAt } = request
  const { core, limits } = connection
  const { environment } = core
  const keepAlive = serverKeepAlive(connection, packet)
  const properties = connackProperties(connection, request, keepAlive)
  // A client that takes no CONNACK cannot be spoken to [MQTT-3.1.2-24].
  if (encodedLength({ type: 'connack', properties }, connection.version) > connection.maxPacketSize)
    return connection.close()
  const [session, sessionPresent] = takeSession(connection, client, packet.cleanStart)
  session.expiryInterval = sessionExpiry(connection, packet)
  session.will = will
  core.sessions.write(session)
  core.wills.write(session)
  session.receiver.resume(packet.protocolVersion === 5 ? limits.receiveMaximum : limits.maxAwaitingRelease)
  connection.incomingAliases = new IncomingAliases(limits.topicAliasMaximum)
  const aliases = Math.min(limits.maxOutgoingAliases, packet.properties.topicAliasMaximum ?? 0)
  if (aliases > 0) connection.outgoingAliases = new OutgoingAliases(aliases)
  connection.opened(session, keepAlive)
  connection.expireAt(expiresAt)
  session.link = connection
  // MQTT 3.1 has no Session Present.
  const told = sessionPresent && packet.protocolVersion > 3
  connection.send({ type: 'connack', sessionPresent: told, properties })
  environment.onConnect(client, sessionPresent)
  session.resume(Math.min(limits.maxInFlight, packet.properties.receiveMaximum ?? 0xffff))
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
  const { maxSessionExpiry, sessionExpiryBefore5 } = connection.limits
  if (protocolVersion < 5) return cleanStart ? 0 : sessionExpiryBefore5
  return Math.min(properties.sessionExpiryInterval ?? 0, maxSessionExpiry)
}

function serverKeepAlive(connection: Connection, { keepAlive }: Connect): number {
  const { maxKeepAlive } = connection.limits
  // Before MQTT 5.0 the client cannot be told of another one; but who is idle for so long may be sent away.
  return keepAlive === 0 || keepAlive > maxKeepAlive ? maxKeepAlive : keepAlive
}

function storedWill({ will }: Connect): StoredWill | undefined {
  if (will === undefined) return undefined
  const { topic, payload, qos, retain } = will
  const { willDelayInterval: delayInterval = 0, correlationData, ...properties } = will.properties
  const kept = correlationData === undefined ? properties : { ...properties, correlationData: correlationData.slice() }
  return { topic, payload: payload.slice(), qos, retain, properties: kept, delayInterval }
}

/** What the client is told of its conditions; what equals the default of the standard is left out. */
function connackProperties(
  { core, limits }: Connection,
  { packet, client, authenticationData }: Request,
  keepAlive: number,
): ConnackProperties {
  const { sessionExpiryInterval = 0, authenticationMethod, requestResponseInformation } = packet.properties
  const responseInformation = requestResponseInformation ? core.environment.responseInformation(client) : undefined
  return {
    receiveMaximum: limits.receiveMaximum,
    maximumPacketSize: limits.maxPacketSize,
    topicAliasMaximum: limits.topicAliasMaximum,
    ...(sessionExpiryInterval > limits.maxSessionExpiry && { sessionExpiryInterval: limits.maxSessionExpiry }),
    ...(keepAlive !== packet.keepAlive && { serverKeepAlive: keepAlive }), // [MQTT-3.2.2-22]
    ...(packet.clientId === '' && { assignedClientIdentifier: client.clientId }), // [MQTT-3.1.3-7]
    ...(responseInformation !== undefined && { responseInformation }),
    ...(authenticationMethod !== undefined && { authenticationMethod }), // [MQTT-4.12.0-5]
    ...(authenticationData !== undefined && { authenticationData }),
  }
}

/** Says no, in the words of the version that the client speaks, and closes [MQTT-3.2.2-7]. */
export function refuse(connection: Connection, error: MqttError): void {
  const { log, metrics } = connection.core.environment
  const { reasonCode, message: reasonString } = error
  metrics.connectionsRefused++
  log.warn(`${connection.transport.peer.name} is refused: ${reasonString}`)
  if (connection.version === 5) {
    connection.send({ type: 'connack', reasonCode, properties: { reasonString } })
  } else {
    const returnCode = returnCodes[reasonCode]
    // For other reasons there is no code: just close (3.1.1 [MQTT-3.2.2-6]).
    if (returnCode !== undefined) connection.send({ type: 'connack', reasonCode: returnCode })
  }
  connection.close()
}

/** Says no to a CONNECT that could not be decoded, as far as its Protocol Version can be told from its body. */
export function refuseMalformed(connection: Connection, error: MqttError, body: Uint8Array): void {
  const nameLength = (body[0]! << 8) | body[1]!
  const level = body[2 + nameLength] ?? 0
  const unsupported = error.reasonCode === ReasonCode.UnsupportedProtocolVersion
  if (level >= 5) connection.version = 5
  else if (unsupported || error.reasonCode === ReasonCode.ClientIdentifierNotValid) connection.version = 4
  else return connection.close() // 3.1.1 [MQTT-3.1.4-1]
  refuse(connection, error)
}
