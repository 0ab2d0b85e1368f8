/** One packet of each type with all that it may carry. */

import type { Packet, Properties, ProtocolVersion } from '@tidewire/codec'

const bytes = Uint8Array.of(0, 1, 0xff)
const userProperty = [
  ['a', 'b'],
  ['c', '漢'],
  ['a', 'd'],
] as const

const message = {
  payloadFormatIndicator: 1,
  messageExpiryInterval: 0xffffffff,
  contentType: 'text/plain',
  responseTopic: 'answers/1',
  correlationData: bytes,
  userProperty,
} as const

const reason = { reasonString: 'because', userProperty } as const

/** In order of their types; the properties are those of MQTT 5.0, and with them their packet. */
export function fullPackets(version: ProtocolVersion): Packet[] {
  const isNew = version === 5
  const only = <P extends Properties>(properties: P): P | object => (isNew ? properties : {})
  const code = (reasonCode: number) => (isNew ? reasonCode : 0)
  const options = isNew ? ({ noLocal: true, retainAsPublished: true, retainHandling: 2 } as const) : {}
  const packets: Packet[] = [
    {
      type: 'connect',
      protocolVersion: version,
      clientId: 'client',
      cleanStart: true,
      keepAlive: 60,
      will: {
        topic: 'will/é',
        payload: bytes,
        qos: 2,
        retain: true,
        properties: only({ willDelayInterval: 5, ...message }),
      },
      userName: 'user',
      password: bytes,
      properties: only({
        sessionExpiryInterval: 0xffffffff,
        receiveMaximum: 0xffff,
        maximumPacketSize: 0xffffffff,
        topicAliasMaximum: 10,
        requestResponseInformation: true,
        requestProblemInformation: false,
        userProperty,
        authenticationMethod: 'SCRAM-SHA-1',
        authenticationData: bytes,
      }),
    },
    {
      type: 'connack',
      sessionPresent: version > 3,
      reasonCode: 0,
      properties: only({
        sessionExpiryInterval: 1,
        receiveMaximum: 20,
        maximumQoS: 1,
        retainAvailable: true,
        maximumPacketSize: 1000,
        assignedClientIdentifier: 'assigned',
        topicAliasMaximum: 10,
        ...reason,
        wildcardSubscriptionAvailable: true,
        subscriptionIdentifierAvailable: false,
        sharedSubscriptionAvailable: true,
        serverKeepAlive: 30,
        responseInformation: 'responses/',
        serverReference: 'other:1883',
        authenticationMethod: 'SCRAM-SHA-1',
        authenticationData: bytes,
      }),
    },
    {
      type: 'publish',
      topic: 'a/漢',
      payload: bytes,
      qos: 1,
      retain: true,
      dup: true,
      packetId: 0xffff,
      properties: only({ topicAlias: 1, subscriptionIdentifier: [1, 128, 0xfffffff], ...message }),
    },
    { type: 'puback', packetId: 1, reasonCode: code(0x99), properties: only(reason) },
    { type: 'pubrec', packetId: 2, reasonCode: code(0x10), properties: only(reason) },
    { type: 'pubrel', packetId: 3, reasonCode: code(0x92), properties: only(reason) },
    { type: 'pubcomp', packetId: 4, reasonCode: code(0x92), properties: only(reason) },
    {
      type: 'subscribe',
      packetId: 5,
      subscriptions: [
        { topicFilter: 'a/+/#', qos: 2, ...options },
        { topicFilter: '$share/g/b', qos: 1, ...options, ...(isNew && { noLocal: false }) },
      ],
      properties: only({ subscriptionIdentifier: 0xfffffff, userProperty }),
    },
    {
      type: 'suback',
      packetId: 5,
      reasonCodes: [0, 1, 2, 0x80, ...(isNew ? [0xa2] : [])],
      properties: only(reason),
    },
    { type: 'unsubscribe', packetId: 6, topicFilters: ['a/+/#', '$share/g/b'], properties: only({ userProperty }) },
    { type: 'unsuback', packetId: 6, reasonCodes: isNew ? [0, 0x11, 0x87] : [], properties: only(reason) },
    { type: 'pingreq' },
    { type: 'pingresp' },
    {
      type: 'disconnect',
      reasonCode: code(0x9d),
      properties: only({ sessionExpiryInterval: 7, ...reason, serverReference: 'other:1883' }),
    },
  ]
  if (isNew) {
    const properties = { authenticationMethod: 'SCRAM-SHA-1', authenticationData: bytes, ...reason }
    packets.push({ type: 'auth', reasonCode: 0x18, properties })
  }
  return packets
}
