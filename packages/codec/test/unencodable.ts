/** What a caller may not send, and how that is told. */

import type { ProtocolVersion } from '@tidewire/codec'

export interface Unencodable {
  readonly name: string
  /** No packet by its type, mostly. */
  readonly packet: unknown
  readonly error: typeof TypeError | typeof RangeError
  /** The statement of the cause, where the standard forbids it. */
  readonly statement?: string
  /** 5 if left out. */
  readonly versions?: readonly ProtocolVersion[]
}

const payload = new Uint8Array(3)
const publish = { type: 'publish', topic: 't', payload }
const connect = { type: 'connect', protocolVersion: 5, clientId: 'id' }
const v4 = { ...connect, protocolVersion: 4 }
const will = { topic: 't', payload }
const one = { topicFilter: 'a', qos: 0 }
const subscribe = { type: 'subscribe', packetId: 1, subscriptions: [one] }
const unsubscribe = { type: 'unsubscribe', packetId: 1, topicFilters: ['a'] }
const suback = { type: 'suback', packetId: 1, reasonCodes: [0] }
const unsuback = { type: 'unsuback', packetId: 1, reasonCodes: [0] }
const long = 'x'.repeat(65536)

const all = [3, 4, 5] as const
const early = [3, 4] as const

/** Values that are no whole number of the range. */
const noNumbers = (most: number): unknown[] => [
  -1,
  most + 1,
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  '1',
  null,
  {},
  [1],
]

// Every string field, by what makes a packet of it.
const strings: Readonly<Record<string, (text: unknown) => unknown>> = {
  'Client Identifier': (clientId) => ({ ...connect, clientId }),
  'Will Topic': (topic) => ({ ...connect, will: { ...will, topic } }),
  'User Name': (userName) => ({ ...connect, userName }),
  'Content Type of the Will': (contentType) => ({ ...connect, will: { ...will, properties: { contentType } } }),
  'Topic Name': (topic) => ({ ...publish, topic }),
  'Response Topic': (responseTopic) => ({ ...publish, properties: { responseTopic } }),
  'Content Type': (contentType) => ({ ...publish, properties: { contentType } }),
  'name of a User Property': (name) => ({ ...publish, properties: { userProperty: [[name, 'v']] } }),
  'value of a User Property': (value) => ({ ...publish, properties: { userProperty: [['n', value]] } }),
  'Topic Filter of SUBSCRIBE': (topicFilter) => ({ ...subscribe, subscriptions: [one, { ...one, topicFilter }] }),
  'Topic Filter of UNSUBSCRIBE': (topicFilter) => ({ ...unsubscribe, topicFilters: ['a', topicFilter] }),
  'Reason String': (reasonString) => ({ type: 'puback', packetId: 1, properties: { reasonString } }),
  'Server Reference': (serverReference) => ({ type: 'disconnect', properties: { serverReference } }),
  'Assigned Client Identifier': (assignedClientIdentifier) => ({
    type: 'connack',
    properties: { assignedClientIdentifier },
  }),
  'Response Information': (responseInformation) => ({ type: 'connack', properties: { responseInformation } }),
  'Authentication Method': (authenticationMethod) => ({
    type: 'auth',
    reasonCode: 0x18,
    properties: { authenticationMethod },
  }),
}

const ofStrings: readonly Unencodable[] = Object.entries(strings).flatMap(([name, make]) => [
  ...['\ud800', 'a\udc00', '\udc00\ud800', 'a\ud83d', '\ud83db', '\0', 'a\0b', 'é\0'].map((text) => ({
    name: `${name} ${JSON.stringify(text)} [MQTT-1.5.4-1, MQTT-1.5.4-2]`,
    packet: make(text),
    error: TypeError,
  })),
  ...[long, 'é'.repeat(32768), '😀'.repeat(16384)].map((text) => ({
    name: `${name} of ${text.length} characters, too many bytes [MQTT-4.7.3-3]`,
    packet: make(text),
    error: RangeError,
  })),
  ...[5, null, {}, ['a']].map((text) => ({
    name: `${name} ${JSON.stringify(text)}, which is no string`,
    packet: make(text),
    error: TypeError,
  })),
])

// Every number field, by its largest value.
const numbers: readonly (readonly [name: string, most: number, make: (value: unknown) => unknown])[] = [
  ['Keep Alive', 0xffff, (keepAlive) => ({ ...connect, keepAlive })],
  [
    'Session Expiry Interval',
    0xffffffff,
    (sessionExpiryInterval) => ({ ...connect, properties: { sessionExpiryInterval } }),
  ],
  ['Receive Maximum', 0xffff, (receiveMaximum) => ({ ...connect, properties: { receiveMaximum } })],
  ['Maximum Packet Size', 0xffffffff, (maximumPacketSize) => ({ ...connect, properties: { maximumPacketSize } })],
  ['Topic Alias Maximum', 0xffff, (topicAliasMaximum) => ({ ...connect, properties: { topicAliasMaximum } })],
  ['Will QoS', 2, (qos) => ({ ...connect, will: { ...will, qos } })],
  [
    'Will Delay Interval',
    0xffffffff,
    (willDelayInterval) => ({ ...connect, will: { ...will, properties: { willDelayInterval } } }),
  ],
  [
    'Message Expiry Interval',
    0xffffffff,
    (messageExpiryInterval) => ({ ...publish, properties: { messageExpiryInterval } }),
  ],
  ['Topic Alias', 0xffff, (topicAlias) => ({ ...publish, properties: { topicAlias } })],
  [
    'Payload Format Indicator',
    255,
    (payloadFormatIndicator) => ({ ...publish, properties: { payloadFormatIndicator } }),
  ],
  [
    'Subscription Identifier of PUBLISH',
    0xfffffff,
    (value) => ({ ...publish, properties: { subscriptionIdentifier: [1, value] } }),
  ],
  [
    'Subscription Identifier of SUBSCRIBE',
    0xfffffff,
    (subscriptionIdentifier) => ({ ...subscribe, properties: { subscriptionIdentifier } }),
  ],
  ['Server Keep Alive', 0xffff, (serverKeepAlive) => ({ type: 'connack', properties: { serverKeepAlive } })],
  ['Maximum QoS', 255, (maximumQoS) => ({ type: 'connack', properties: { maximumQoS } })],
  ['qos', 2, (qos) => ({ ...publish, packetId: 1, qos })],
  ['packetId of PUBLISH', 0xffff, (packetId) => ({ ...publish, qos: 1, packetId })],
  ...(['puback', 'pubrec', 'pubrel', 'pubcomp'] as const).map(
    (type) => [`packetId of ${type}`, 0xffff, (packetId: unknown) => ({ type, packetId })] as const,
  ),
  ['packetId of SUBSCRIBE', 0xffff, (packetId) => ({ ...subscribe, packetId })],
  ['packetId of SUBACK', 0xffff, (packetId) => ({ ...suback, packetId })],
  ['packetId of UNSUBSCRIBE', 0xffff, (packetId) => ({ ...unsubscribe, packetId })],
  ['packetId of UNSUBACK', 0xffff, (packetId) => ({ ...unsuback, packetId })],
  ['qos of a subscription', 2, (qos) => ({ ...subscribe, subscriptions: [{ ...one, qos }] })],
  ['retainHandling', 2, (retainHandling) => ({ ...subscribe, subscriptions: [{ ...one, retainHandling }] })],
  ['reasonCode of CONNACK', 255, (reasonCode) => ({ type: 'connack', reasonCode })],
  ['reasonCode of PUBACK', 255, (reasonCode) => ({ type: 'puback', packetId: 1, reasonCode })],
  ['reasonCode of DISCONNECT', 255, (reasonCode) => ({ type: 'disconnect', reasonCode })],
  ['reasonCode of SUBACK', 255, (code) => ({ ...suback, reasonCodes: [0, code] })],
]

const ofNumbers: readonly Unencodable[] = numbers.flatMap(([name, most, make]) =>
  noNumbers(most)
    // `null` is as if it were left out there.
    .filter((value) => value !== null || (name !== 'Keep Alive' && name !== 'Will QoS' && !/qos of|retainH/.test(name)))
    .map((value) => ({
      name: `${name} ${typeof value} ${JSON.stringify(value)}`,
      packet: make(value),
      error: RangeError,
    })),
)

const noBytes = [undefined, null, 'text', 5, [1, 2], {}, new ArrayBuffer(2), new Uint16Array(2)]

const ofBytes: readonly Unencodable[] = noBytes.flatMap((value) => {
  const found: Record<string, unknown> = {
    payload: { ...publish, payload: value },
    'payload of the Will': { ...connect, will: { ...will, payload: value } },
  }
  if (value !== undefined) {
    found['Password'] = { ...connect, password: value }
    found['Correlation Data'] = { ...publish, properties: { correlationData: value } }
    found['Authentication Data'] = {
      type: 'auth',
      reasonCode: 0x18,
      properties: { authenticationMethod: 'M', authenticationData: value },
    }
  }
  return Object.entries(found).map(([name, packet]) => ({
    name: `${name} that is no Uint8Array: ${Object.prototype.toString.call(value)}`,
    packet,
    error: TypeError,
  }))
})

const tooLong: readonly Unencodable[] = [
  { name: 'Password of 65,536 bytes', packet: { ...connect, password: new Uint8Array(65536) }, error: RangeError },
  {
    name: 'Correlation Data of 65,536 bytes',
    packet: { ...publish, properties: { correlationData: new Uint8Array(65536) } },
    error: RangeError,
  },
  {
    name: 'Will payload of 65,536 bytes',
    packet: { ...connect, will: { ...will, payload: new Uint8Array(65536) } },
    error: RangeError,
  },
  {
    name: 'payload above what a Remaining Length can tell',
    packet: { ...publish, payload: new Uint8Array(0xfffffff) },
    error: RangeError,
    versions: all,
  },
]

// biome-ignore format: a table
const rules: readonly Unencodable[] = [
  { name: 'a type that no packet has', packet: { type: 'toString' }, error: TypeError, versions: all },
  { name: 'no type', packet: {}, error: TypeError },
  { name: 'no packet', packet: undefined, error: TypeError },
  { name: 'a type by its number', packet: { type: 3, topic: 't', payload }, error: TypeError },
  { name: 'a Topic Name with #', packet: { ...publish, topic: 'a/#' }, error: TypeError, statement: 'MQTT-3.3.2-2', versions: all },
  { name: 'a Topic Name with +', packet: { ...publish, topic: '+' }, error: TypeError, statement: 'MQTT-3.3.2-2', versions: all },
  { name: 'a Topic Name with + behind é', packet: { ...publish, topic: 'é/+' }, error: TypeError, statement: 'MQTT-3.3.2-2', versions: all },
  { name: 'no Topic Name', packet: { type: 'publish', payload }, error: TypeError, versions: all },
  { name: 'an empty Topic Name without alias', packet: { ...publish, topic: '' }, error: TypeError, statement: '3.3.2.1', versions: all },
  { name: 'an empty Topic Name with an alias before MQTT 5.0', packet: { ...publish, topic: '', properties: { topicAlias: 1 } }, error: TypeError, statement: '3.3.2.1', versions: early },
  { name: 'DUP with QoS 0 [MQTT-4.3.1-1, 3.1.1 MQTT-4.3.1-1]', packet: { ...publish, dup: true }, error: TypeError, statement: 'MQTT-3.3.1-2', versions: all },
  { name: 'no Packet Identifier at QoS 1', packet: { ...publish, qos: 1 }, error: RangeError, versions: all },
  { name: 'Packet Identifier 0 at QoS 2', packet: { ...publish, qos: 2, packetId: 0 }, error: RangeError, versions: all },
  ...['puback', 'pubrec', 'pubrel', 'pubcomp'].flatMap((type) => [
    { name: `no Packet Identifier in ${type}`, packet: { type }, error: TypeError, statement: 'MQTT-2.2.1-3', versions: all },
    { name: `Packet Identifier 0 in ${type}`, packet: { type, packetId: 0 }, error: TypeError, statement: 'MQTT-2.2.1-3', versions: all },
  ]),
  ...[subscribe, suback, unsubscribe, unsuback].map((packet) => ({ name: `Packet Identifier 0 in ${packet.type}`, packet: { ...packet, packetId: 0 }, error: TypeError, statement: 'MQTT-2.2.1-3', versions: all })),
  { name: 'Topic Alias 0', packet: { ...publish, properties: { topicAlias: 0 } }, error: TypeError, statement: 'MQTT-3.3.2-8' },
  { name: 'a Response Topic with #', packet: { ...publish, properties: { responseTopic: '#' } }, error: TypeError, statement: 'MQTT-3.3.2-14' },
  { name: 'an empty Response Topic', packet: { ...publish, properties: { responseTopic: '' } }, error: TypeError, statement: 'MQTT-4.7.3-1' },
  { name: 'Subscription Identifier 0 in PUBLISH', packet: { ...publish, properties: { subscriptionIdentifier: [0] } }, error: TypeError, statement: '3.3.2.3' },
  { name: 'Subscription Identifier 0 in SUBSCRIBE', packet: { ...subscribe, properties: { subscriptionIdentifier: 0 } }, error: TypeError, statement: '3.8.2.1' },
  { name: 'two Subscription Identifiers in SUBSCRIBE', packet: { ...subscribe, properties: { subscriptionIdentifier: [1, 2] } }, error: RangeError },
  { name: 'one Subscription Identifier in PUBLISH, not in a list', packet: { ...publish, properties: { subscriptionIdentifier: 1 } }, error: TypeError },
  { name: 'Payload Format Indicator 2', packet: { ...publish, properties: { payloadFormatIndicator: 2 } }, error: TypeError, statement: '3.3.2.3' },
  { name: 'Maximum QoS 2', packet: { type: 'connack', properties: { maximumQoS: 2 } }, error: TypeError, statement: '3.2.2.3' },
  { name: 'a flag that is 2', packet: { type: 'connack', properties: { retainAvailable: 2 } }, error: TypeError, statement: '3.2.2.3' },
  { name: 'a flag that is text', packet: { type: 'connack', properties: { retainAvailable: 'yes' } }, error: RangeError },
  { name: 'a number that is a boolean', packet: { ...connect, properties: { receiveMaximum: true } }, error: RangeError },
  { name: 'Receive Maximum 0', packet: { ...connect, properties: { receiveMaximum: 0 } }, error: TypeError, statement: '3.1.2.11' },
  { name: 'Maximum Packet Size 0', packet: { ...connect, properties: { maximumPacketSize: 0 } }, error: TypeError, statement: '3.1.2.11' },
  { name: 'a property that is not known', packet: { ...publish, properties: { colour: 'red' } }, error: TypeError },
  { name: 'a property by the name of a method', packet: { ...publish, properties: { toString: () => '' } }, error: TypeError },
  { name: 'a property of CONNECT in PUBLISH', packet: { ...publish, properties: { receiveMaximum: 1 } }, error: TypeError, statement: '2.2.2.2' },
  { name: 'a property of PUBLISH in CONNECT', packet: { ...connect, properties: { topicAlias: 1 } }, error: TypeError, statement: '2.2.2.2' },
  { name: 'a property of the Will in CONNECT', packet: { ...connect, properties: { willDelayInterval: 1 } }, error: TypeError, statement: '2.2.2.2' },
  { name: 'a property of CONNECT in the Will', packet: { ...connect, will: { ...will, properties: { receiveMaximum: 1 } } }, error: TypeError, statement: '2.2.2.2' },
  { name: 'a Reason String in SUBSCRIBE', packet: { ...subscribe, properties: { reasonString: '' } }, error: TypeError, statement: '2.2.2.2' },
  { name: 'a Reason String in UNSUBSCRIBE', packet: { ...unsubscribe, properties: { reasonString: '' } }, error: TypeError, statement: '2.2.2.2' },
  { name: 'a User Property without value', packet: { ...publish, properties: { userProperty: [['name']] } }, error: TypeError },
  { name: 'a User Property that is no pair', packet: { ...publish, properties: { userProperty: [null] } }, error: TypeError },
  { name: 'User Properties as an object', packet: { ...publish, properties: { userProperty: { a: 'b' } } }, error: TypeError },
  { name: 'a Protocol Version that there is not', packet: { ...connect, protocolVersion: 6 }, error: TypeError, statement: 'MQTT-3.1.2-2', versions: all },
  { name: 'no Protocol Version', packet: { type: 'connect', clientId: 'a' }, error: RangeError, versions: all },
  { name: 'no Client Identifier', packet: { type: 'connect', protocolVersion: 5 }, error: TypeError },
  { name: 'no Client Identifier to keep a Session by', packet: { ...v4, clientId: '', cleanStart: false }, error: TypeError, statement: '3.1.1 MQTT-3.1.3-8' },
  { name: 'no Client Identifier to keep a Session of MQTT 3.1 by', packet: { ...v4, protocolVersion: 3, clientId: '', cleanStart: false }, error: TypeError, statement: '3.1.1 MQTT-3.1.3-8' },
  { name: 'a Password without User Name in MQTT 3.1.1', packet: { ...v4, password: payload }, error: TypeError, statement: '3.1.1 MQTT-3.1.2-22' },
  { name: 'a Password without User Name in MQTT 3.1', packet: { ...v4, protocolVersion: 3, password: payload }, error: TypeError, statement: '3.1.1 MQTT-3.1.2-22' },
  { name: 'a Will with an empty topic', packet: { ...connect, will: { ...will, topic: '' } }, error: TypeError, statement: 'MQTT-4.7.3-1' },
  { name: 'a Will with an empty topic in MQTT 3.1.1', packet: { ...v4, will: { ...will, topic: '' } }, error: TypeError, statement: 'MQTT-4.7.3-1' },
  { name: 'a Will with a wildcard', packet: { ...connect, will: { ...will, topic: 'a/+' } }, error: TypeError, statement: 'MQTT-4.7.0-1' },
  { name: 'a Will without topic', packet: { ...connect, will: { payload } }, error: TypeError },
  { name: 'a Will that is nothing', packet: { ...connect, will: null }, error: TypeError },
  { name: 'Authentication Data without Authentication Method', packet: { ...connect, properties: { authenticationData: payload } }, error: TypeError, statement: '3.1.2.11.10' },
  { name: 'Session Present with a refusal', packet: { type: 'connack', sessionPresent: true, reasonCode: 0x87 }, error: TypeError, statement: 'MQTT-3.2.2-6' },
  { name: 'Session Present with a refusal of MQTT 3.1.1', packet: { type: 'connack', sessionPresent: true, reasonCode: 5 }, error: TypeError, statement: 'MQTT-3.2.2-6', versions: [4] },
  { name: 'Session Present in MQTT 3.1, which has none', packet: { type: 'connack', sessionPresent: true }, error: TypeError, statement: 'MQTT-3.2.2-1', versions: [3] },
  { name: 'a Reason Code of MQTT 5.0 in CONNACK of another version', packet: { type: 'connack', reasonCode: 0x87 }, error: TypeError, statement: 'MQTT-3.2.2-8', versions: early },
  { name: 'a Reason Code of another packet in PUBACK', packet: { type: 'puback', packetId: 1, reasonCode: 0x92 }, error: TypeError, statement: 'MQTT-3.4.2-1' },
  { name: 'a Reason Code of another packet in PUBREC', packet: { type: 'pubrec', packetId: 1, reasonCode: 0x92 }, error: TypeError, statement: 'MQTT-3.5.2-1' },
  { name: 'a Reason Code of another packet in PUBREL', packet: { type: 'pubrel', packetId: 1, reasonCode: 0x80 }, error: TypeError, statement: 'MQTT-3.6.2-1' },
  { name: 'a Reason Code of another packet in PUBCOMP', packet: { type: 'pubcomp', packetId: 1, reasonCode: 0x80 }, error: TypeError, statement: 'MQTT-3.7.2-1' },
  { name: 'a Reason Code of another packet in SUBACK', packet: { ...suback, reasonCodes: [0, 0x11] }, error: TypeError, statement: 'MQTT-3.9.3-2' },
  { name: 'a Reason Code of MQTT 5.0 in SUBACK of another version', packet: { ...suback, reasonCodes: [0x87] }, error: TypeError, statement: 'MQTT-3.9.3-2', versions: early },
  { name: 'a Reason Code of another packet in UNSUBACK', packet: { ...unsuback, reasonCodes: [1] }, error: TypeError, statement: 'MQTT-3.11.3-2' },
  { name: 'a Reason Code of another packet in DISCONNECT', packet: { type: 'disconnect', reasonCode: 0x84 }, error: TypeError, statement: 'MQTT-3.14.2-1' },
  { name: 'a Reason Code of another packet in AUTH', packet: { type: 'auth', reasonCode: 0x87, properties: { authenticationMethod: 'M' } }, error: TypeError, statement: 'MQTT-3.15.2-1' },
  { name: 'no subscriptions', packet: { ...subscribe, subscriptions: [] }, error: TypeError, statement: 'MQTT-3.8.3-2', versions: all },
  { name: 'subscriptions left out', packet: { type: 'subscribe', packetId: 1 }, error: TypeError, versions: all },
  { name: 'a subscription that is nothing', packet: { ...subscribe, subscriptions: [null] }, error: TypeError, versions: all },
  { name: 'No Local on a Shared Subscription', packet: { ...subscribe, subscriptions: [{ topicFilter: '$share/g/a', qos: 0, noLocal: true }] }, error: TypeError, statement: 'MQTT-3.8.3-4' },
  ...[['a#', 'MQTT-4.7.1-1'], ['a/+b', 'MQTT-4.7.1-2'], ['', 'MQTT-4.7.3-1']].flatMap(([filter, statement]) => [
    { name: `the Topic Filter '${filter}' in SUBSCRIBE`, packet: { ...subscribe, subscriptions: [{ topicFilter: filter, qos: 0 }] }, error: TypeError, statement: statement!, versions: all },
    { name: `the Topic Filter '${filter}' in UNSUBSCRIBE`, packet: { ...unsubscribe, topicFilters: [filter] }, error: TypeError, statement: statement!, versions: all },
  ]),
  { name: 'a Shared Subscription without ShareName', packet: { ...subscribe, subscriptions: [{ topicFilter: '$share//a', qos: 0 }] }, error: TypeError, statement: 'MQTT-4.8.2-1' },
  { name: 'a Shared Subscription without Topic Filter', packet: { ...unsubscribe, topicFilters: ['$share/g'] }, error: TypeError, statement: 'MQTT-4.8.2-2' },
  { name: 'no Topic Filters', packet: { ...unsubscribe, topicFilters: [] }, error: TypeError, statement: 'MQTT-3.10.3-2', versions: all },
  { name: 'no Reason Codes in SUBACK', packet: { ...suback, reasonCodes: [] }, error: TypeError, statement: 'MQTT-3.8.4-6', versions: all },
  { name: 'no Reason Codes in UNSUBACK', packet: { ...unsuback, reasonCodes: [] }, error: TypeError, statement: 'MQTT-3.11.3-2' },
  { name: 'AUTH before MQTT 5.0', packet: { type: 'auth' }, error: TypeError, statement: '3.1.1 MQTT-2.2.2-2', versions: early },
  { name: 'AUTH without Authentication Method', packet: { type: 'auth', reasonCode: 0x18 }, error: TypeError, statement: '3.15.2.2.2' },
]

export const unencodable: readonly Unencodable[] = [...rules, ...ofStrings, ...ofNumbers, ...ofBytes, ...tooLong]
