/** CONNECT (section 3.1): the first packet from Client to Server. */

import type { Input } from './input.js'
import { MqttError, malformed, protocolError } from './mqtt-error.js'
import type { ProtocolVersion, QoS } from './packet-type.js'
import { type Properties, propertiesSize, readProperties, writeProperties } from './properties.js'
import type { Reader } from './reader.js'
import { ReasonCode } from './reason-code.js'
import { hasWildcard } from './topic.js'
import { binaryLength, checkInteger, stringLength, type Writer } from './writer.js'

export type ConnectProperties = Pick<
  Properties,
  | 'sessionExpiryInterval'
  | 'receiveMaximum'
  | 'maximumPacketSize'
  | 'topicAliasMaximum'
  | 'requestResponseInformation'
  | 'requestProblemInformation'
  | 'userProperty'
  | 'authenticationMethod'
  | 'authenticationData'
>

export type WillProperties = Pick<
  Properties,
  | 'willDelayInterval'
  | 'payloadFormatIndicator'
  | 'messageExpiryInterval'
  | 'contentType'
  | 'responseTopic'
  | 'correlationData'
  | 'userProperty'
>

/** The message that the Server publishes when the Client is lost (section 3.1.2.5). */
export interface Will {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly properties: WillProperties
}

export interface Connect {
  readonly type: 'connect'
  readonly protocolVersion: ProtocolVersion
  /** May be empty: the Server then assigns one. */
  readonly clientId: string
  /** Called Clean Session before MQTT 5.0. */
  readonly cleanStart: boolean
  /** Seconds, 0 to 65,535; 0 turns it off. */
  readonly keepAlive: number
  readonly will?: Will | undefined
  readonly userName?: string | undefined
  readonly password?: Uint8Array | undefined
  readonly properties: ConnectProperties
}

const cleanStartBit = 0x02
const willBit = 0x04
const willRetainBit = 0x20
const passwordBit = 0x40
const userNameBit = 0x80

export function readConnect(reader: Reader): Connect {
  const protocolVersion = readVersion(reader)
  const flagsAt = reader.offset
  const flags = reader.byte()
  if ((flags & 1) !== 0) throw malformed('the reserved Connect Flag is set', 'MQTT-3.1.2-3', flagsAt)
  const willQoS = (flags >> 3) & 3
  const hasWill = (flags & willBit) !== 0
  if (willQoS === 3) throw malformed('the Will QoS is 3', 'MQTT-3.1.2-12', flagsAt)
  if (!hasWill && willQoS > 0) throw malformed('Will QoS without a Will', 'MQTT-3.1.2-11', flagsAt)
  if (!hasWill && (flags & willRetainBit) !== 0) throw malformed('Will Retain without a Will', 'MQTT-3.1.2-13', flagsAt)
  if (protocolVersion < 5 && (flags & passwordBit) !== 0 && (flags & userNameBit) === 0) {
    throw malformed('a Password without a User Name', '3.1.1 MQTT-3.1.2-22', flagsAt)
  }
  const keepAlive = reader.uint16()
  const properties: ConnectProperties = protocolVersion === 5 ? readProperties(reader, 'connect') : {}
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw protocolError('Authentication Data without an Authentication Method', '3.1.2.11.10', reader.offset)
  }
  const clientIdAt = reader.offset
  const clientId = reader.string()
  if (protocolVersion === 3 && reader.relaxed.clientIdLength !== true) checkOldClientId(clientId, clientIdAt)
  const will = hasWill ? readWill(reader, protocolVersion, willQoS as QoS, (flags & willRetainBit) !== 0) : undefined
  return {
    type: 'connect',
    protocolVersion,
    clientId,
    cleanStart: (flags & cleanStartBit) !== 0,
    keepAlive,
    will,
    userName: (flags & userNameBit) !== 0 ? reader.string() : undefined,
    password: (flags & passwordBit) !== 0 ? reader.binary() : undefined,
    properties,
  }
}

function readVersion(reader: Reader): ProtocolVersion {
  const nameAt = reader.offset
  const name = reader.string()
  if (name !== 'MQTT' && name !== 'MQIsdp') {
    throw new MqttError(ReasonCode.UnsupportedProtocolVersion, 'not the protocol MQTT', 'MQTT-3.1.2-1', nameAt)
  }
  const level = reader.byte()
  if (name === 'MQTT' ? level !== 4 && level !== 5 : level !== 3) {
    const message = `Protocol Version ${level} of ${name} is not known`
    throw new MqttError(ReasonCode.UnsupportedProtocolVersion, message, 'MQTT-3.1.2-2', reader.offset - 1)
  }
  return level as ProtocolVersion
}

function checkOldClientId(clientId: string, offset: number): void {
  const length = [...clientId].length
  if (length < 1 || length > 23) {
    const message = `MQTT 3.1 allows a Client Identifier of 1 to 23 characters, not ${length}`
    throw new MqttError(ReasonCode.ClientIdentifierNotValid, message, '3.1 CONNECT', offset)
  }
}

function readWill(reader: Reader, version: ProtocolVersion, qos: QoS, retain: boolean): Will {
  const properties: WillProperties = version === 5 ? readProperties(reader, 'will') : {}
  const topicAt = reader.offset
  const topic = reader.string()
  if (topic === '') throw malformed('the Will Topic is empty', 'MQTT-4.7.3-1', topicAt)
  if (hasWildcard(topic)) throw malformed('the Will Topic holds a wildcard', 'MQTT-4.7.0-1', topicAt)
  return { topic, payload: reader.binary(), qos, retain, properties }
}

export function connectLength(packet: Input<Connect>): number {
  const { protocolVersion, will, userName, password } = packet
  checkInteger('keepAlive', packet.keepAlive ?? 0, 0, 0xffff)
  let length = (protocolVersion === 3 ? 8 : 6) + 4 + stringLength(packet.clientId)
  if (protocolVersion === 5) length += propertiesSize(packet.properties, 'connect')
  if (will !== undefined) {
    checkInteger('will.qos', will.qos, 0, 2)
    if (will.topic === '' || hasWildcard(will.topic))
      throw new TypeError('will.topic may not be empty or hold a wildcard')
    if (protocolVersion === 5) length += propertiesSize(will.properties, 'will')
    length += stringLength(will.topic) + binaryLength(will.payload)
  }
  if (userName !== undefined) length += stringLength(userName)
  if (password !== undefined) {
    // 3.1.1 [MQTT-3.1.2-22]
    if (protocolVersion < 5 && userName === undefined) throw new TypeError('password without userName needs MQTT 5.0')
    length += binaryLength(password)
  }
  return length
}

export function writeConnect(writer: Writer, packet: Input<Connect>): void {
  const { protocolVersion, will, userName, password } = packet
  writer.string(protocolVersion === 3 ? 'MQIsdp' : 'MQTT')
  writer.byte(protocolVersion)
  writer.byte(
    (userName === undefined ? 0 : userNameBit) |
      (password === undefined ? 0 : passwordBit) |
      (will === undefined ? 0 : willBit | (will.qos << 3) | (will.retain ? willRetainBit : 0)) |
      (packet.cleanStart === false ? 0 : cleanStartBit),
  )
  writer.uint16(packet.keepAlive ?? 0)
  if (protocolVersion === 5) writeProperties(writer, packet.properties, 'connect')
  writer.string(packet.clientId)
  if (will !== undefined) {
    if (protocolVersion === 5) writeProperties(writer, will.properties, 'will')
    writer.string(will.topic)
    writer.binary(will.payload)
  }
  if (userName !== undefined) writer.string(userName)
  if (password !== undefined) writer.binary(password)
}
