/** CONNECT (section 3.1): the first packet from Client to Server. */

import type { Fields } from './fields.js'
import type { Input } from './input.js'
import type { ProtocolVersion, QoS } from './packet-type.js'
import type { Properties } from './properties.js'
import { ofWill, topicName } from './property.js'
import { whole } from './range.js'

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

export function connect(fields: Fields, given: Partial<Input<Connect>>): Connect {
  const protocolVersion = version(fields, given.protocolVersion)
  fields.version = protocolVersion
  const flags = fields.uint(1, flagsOf(given))
  const qos = ((flags >> 3) & 3) as QoS
  const hasWill = (flags & willBit) > 0
  // MQTT 3.1 disregards what else is said of a Will that there is not, and lets the packet end before User Name and Password.
  const isStrict = protocolVersion > 3
  const retain = (flags & willRetainBit) > 0
  const hasUserName = (flags & userNameBit) > 0
  const hasPassword = (flags & passwordBit) > 0
  if ((flags & 1) > 0) throw fields.fault(0x81, 'flags', '3.1.2-3')
  if (qos > 2 && (hasWill || isStrict)) throw fields.fault(0x81, 'Will QoS 3', '3.1.2-12')
  if (!hasWill && qos > 0 && isStrict) throw fields.fault(0x81, 'Will QoS', '3.1.2-11')
  if (!hasWill && retain && isStrict) throw fields.fault(0x81, 'Will Retain', '3.1.2-13')
  if (protocolVersion < 5 && hasPassword && !hasUserName) {
    throw fields.fault(0x81, 'Password', '3.1.1 3.1.2-22')
  }
  const keepAlive = fields.uint(2, given.keepAlive ?? 0, 'keepAlive')
  const ofPacket: ConnectProperties = fields.propertiesOf(1, given.properties)
  if (ofPacket.authenticationData !== undefined && ofPacket.authenticationMethod === undefined) {
    throw fields.fault(0x82, 'Authentication Data', '3.1.2.11.10')
  }
  return {
    type: 'connect',
    protocolVersion,
    clientId: clientId(fields, given.clientId, flags),
    cleanStart: (flags & cleanStartBit) > 0,
    keepAlive,
    will: hasWill ? will(fields, given.will, qos, retain) : undefined,
    userName: hasUserName && (isStrict || fields.more(true)) ? fields.string(given.userName) : undefined,
    password: hasPassword && (isStrict || fields.more(true)) ? fields.binary(given.password) : undefined,
    properties: ofPacket,
  }
}

function flagsOf({ will, cleanStart = true, userName, password }: Partial<Input<Connect>>): number {
  return (
    (userName === undefined ? 0 : userNameBit) |
    (password === undefined ? 0 : passwordBit) |
    (will === undefined
      ? 0
      : willBit | (whole(will.qos ?? 0, 'qos', 2) << 3) | (will.retain === true ? willRetainBit : 0)) |
    (cleanStart ? cleanStartBit : 0)
  )
}

function version(fields: Fields, given: ProtocolVersion | undefined): ProtocolVersion {
  const name = fields.string(given === 3 ? 'MQIsdp' : 'MQTT')
  if (name !== 'MQTT' && name !== 'MQIsdp') throw fields.fault(0x84, 'protocol', '3.1.2-1')
  const level = fields.uint(1, given, 'protocolVersion')
  if (name === 'MQTT' ? level !== 4 && level !== 5 : level !== 3) {
    throw fields.fault(0x84, `Protocol Version ${level} of ${name}`, '3.1.2-2')
  }
  return level as ProtocolVersion
}

function clientId(fields: Fields, given: string | undefined, flags: number): string {
  const id = fields.string(given)
  if (id === '' && fields.version < 5 && (flags & cleanStartBit) === 0) {
    throw fields.fault(0x85, 'Client Identifier', '3.1.1 3.1.3-8')
  }
  if (fields.version === 3 && fields.relaxed.clientIdLength !== true) {
    const { length } = [...id]
    if (length < 1 || length > 23) throw fields.fault(0x85, 'Client Identifier', '3.1 CONNECT')
  }
  return id
}

function will(fields: Fields, given: Input<Will> | undefined, qos: QoS, retain: boolean): Will {
  const ofWillOnly: WillProperties = fields.propertiesOf(ofWill, given?.properties)
  const topic = topicName(fields, given?.topic, '4.7.0-1')
  return { topic, payload: fields.binary(given?.payload), qos, retain, properties: ofWillOnly }
}
