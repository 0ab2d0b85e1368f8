/** Random packets that the standard allows, for property tests. */

import type { Packet, Properties, ProtocolVersion, Publish } from '@tidewire/codec'
import fc from 'fast-check'

/** A UTF-8 Encoded String that passes unrelaxed decoding. */
const text = (maxLength = 20): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'abcXYZ019 -_$/é漢😀\ufeff'), maxLength })
const topicName = text().filter((topic) => topic !== '')
const level = fc.constantFrom('a', 'b', '', '+', 'é')
const topicFilter = fc
  .tuple(fc.array(level, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, multi]) => [...levels, ...(multi ? ['#'] : [])].join('/'))
  .filter((filter) => filter !== '')
const bytes = (maxLength = 30): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength })
const uint16 = fc.integer({ min: 0, max: 0xffff })
const uint32 = fc.integer({ min: 0, max: 0xffffffff })
const positive = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })
const packetId = positive(0xffff)
const qos = fc.constantFrom(0, 1, 2)
const flag = fc.boolean()
const bit = fc.constantFrom(0, 1)
const userProperty = fc.array(fc.tuple(text(), text()), { minLength: 1, maxLength: 3 })

// Every property with the values it may have.
const values = {
  payloadFormatIndicator: bit,
  messageExpiryInterval: uint32,
  contentType: text(),
  subscriptionIdentifier: fc.array(positive(0xfffffff), { minLength: 1, maxLength: 3 }),
  responseTopic: topicName,
  correlationData: bytes(),
  sessionExpiryInterval: uint32,
  assignedClientIdentifier: text(),
  serverKeepAlive: uint16,
  authenticationMethod: text(),
  authenticationData: bytes(),
  requestProblemInformation: flag,
  willDelayInterval: uint32,
  requestResponseInformation: flag,
  responseInformation: text(),
  serverReference: text(),
  reasonString: text(),
  receiveMaximum: positive(0xffff),
  topicAliasMaximum: uint16,
  topicAlias: positive(0xffff),
  maximumQoS: bit,
  retainAvailable: flag,
  userProperty,
  maximumPacketSize: positive(0xffffffff),
  wildcardSubscriptionAvailable: flag,
  subscriptionIdentifierAvailable: flag,
  sharedSubscriptionAvailable: flag,
}

function properties(version: ProtocolVersion, ...names: (keyof typeof values)[]): fc.Arbitrary<Properties> {
  if (version < 5) return fc.constant({})
  const chosen = Object.fromEntries(names.map((name) => [name, values[name]]))
  return fc.record(chosen, { requiredKeys: [] }) as fc.Arbitrary<Properties>
}

function reasonCode(version: ProtocolVersion, ...codes: number[]): fc.Arbitrary<number> {
  return version === 5 ? fc.constantFrom(0, ...codes) : fc.constant(0)
}

/** Any packet of a version. */
export function anyPacket(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const reason = properties(version, 'reasonString', 'userProperty')
  const ack = (type: string, ...codes: number[]): fc.Arbitrary<object> =>
    fc.record({ type: fc.constant(type), packetId, reasonCode: reasonCode(version, ...codes), properties: reason })
  const common: fc.Arbitrary<object>[] = [
    connect(version),
    anyPublish(version),
    fc
      .record({
        type: fc.constant('connack'),
        sessionPresent: version === 3 ? fc.constant(false) : flag,
        reasonCode: version === 5 ? reasonCode(5, 0x80, 0x8a, 0x9f) : fc.constantFrom(0, 1, 5),
        properties: properties(
          version,
          'sessionExpiryInterval',
          'receiveMaximum',
          'maximumQoS',
          'retainAvailable',
          'maximumPacketSize',
          'assignedClientIdentifier',
          'topicAliasMaximum',
          'reasonString',
          'userProperty',
          'wildcardSubscriptionAvailable',
          'subscriptionIdentifierAvailable',
          'sharedSubscriptionAvailable',
          'serverKeepAlive',
          'responseInformation',
          'serverReference',
          'authenticationMethod',
          'authenticationData',
        ),
      })
      .map((packet) => ({ ...packet, sessionPresent: packet.sessionPresent && packet.reasonCode === 0 })),
    ack('puback', 0x10, 0x80, 0x99),
    ack('pubrec', 0x10, 0x80, 0x99),
    ack('pubrel', 0x92),
    ack('pubcomp', 0x92),
    subscribe(version),
    fc.record({
      type: fc.constant('suback'),
      packetId,
      reasonCodes: fc.array(fc.constantFrom(0, 1, 2, 0x80, ...(version === 5 ? [0x87, 0xa2] : [])), { minLength: 1 }),
      properties: reason,
    }),
    fc.record({
      type: fc.constant('unsubscribe'),
      packetId,
      topicFilters: fc.array(topicFilter, { minLength: 1, maxLength: 4 }),
      properties: properties(version, 'userProperty'),
    }),
    fc.record({
      type: fc.constant('unsuback'),
      packetId,
      reasonCodes: version < 5 ? fc.constant([]) : fc.array(fc.constantFrom(0, 0x11, 0x87), { minLength: 1 }),
      properties: reason,
    }),
    fc.constant({ type: 'pingreq' }),
    fc.constant({ type: 'pingresp' }),
    fc.record({
      type: fc.constant('disconnect'),
      reasonCode: reasonCode(version, 0x04, 0x81, 0x9d),
      properties: properties(version, 'sessionExpiryInterval', 'reasonString', 'userProperty', 'serverReference'),
    }),
  ]
  return fc.oneof(...common, ...(version === 5 ? [auth()] : [])) as fc.Arbitrary<Packet>
}

function connect(version: ProtocolVersion): fc.Arbitrary<object> {
  const will = fc.record({
    topic: topicName,
    payload: bytes(),
    qos,
    retain: flag,
    properties: properties(
      version,
      'willDelayInterval',
      'payloadFormatIndicator',
      'messageExpiryInterval',
      'contentType',
      'responseTopic',
      'correlationData',
      'userProperty',
    ),
  })
  return fc
    .record({
      type: fc.constant('connect'),
      protocolVersion: fc.constant(version),
      clientId: text().filter((id) => version > 3 || id !== ''),
      cleanStart: flag,
      keepAlive: uint16,
      will: fc.option(will, { nil: undefined }),
      userName: fc.option(text(), { nil: undefined }),
      password: fc.option(bytes(), { nil: undefined }),
      properties: properties(
        version,
        'sessionExpiryInterval',
        'receiveMaximum',
        'maximumPacketSize',
        'topicAliasMaximum',
        'requestResponseInformation',
        'requestProblemInformation',
        'userProperty',
        'authenticationMethod',
        'authenticationData',
      ),
    })
    .filter(
      ({ properties: { authenticationData: data, authenticationMethod: method } }) => !data || method !== undefined,
    )
    .filter(({ userName, password }) => version === 5 || userName !== undefined || password === undefined)
    .filter(({ clientId, cleanStart }) => version === 5 || clientId !== '' || cleanStart)
}

/** A PUBLISH of a version. */
export function anyPublish(version: ProtocolVersion): fc.Arbitrary<Publish> {
  const optional = properties(
    version,
    'payloadFormatIndicator',
    'messageExpiryInterval',
    'topicAlias',
    'responseTopic',
    'correlationData',
    'userProperty',
    'contentType',
    'subscriptionIdentifier',
  )
  return fc
    .record({ topic: topicName, payload: bytes(300), retain: flag, dup: flag, qos, packetId, properties: optional })
    .map(({ qos, dup, packetId, ...rest }) => ({
      type: 'publish',
      ...rest,
      qos,
      dup: dup && qos > 0,
      packetId: qos > 0 ? packetId : undefined,
    })) as fc.Arbitrary<Publish>
}

function subscribe(version: ProtocolVersion): fc.Arbitrary<object> {
  const options =
    version === 5
      ? { topicFilter, qos, noLocal: flag, retainAsPublished: flag, retainHandling: fc.constantFrom(0, 1, 2) }
      : { topicFilter, qos }
  return fc.record({
    type: fc.constant('subscribe'),
    packetId,
    subscriptions: fc.array(fc.record(options), { minLength: 1, maxLength: 4 }),
    properties: fc
      .tuple(properties(version, 'userProperty'), fc.option(positive(0xfffffff), { nil: undefined }))
      .map(([rest, subscriptionIdentifier]) =>
        version < 5 || subscriptionIdentifier === undefined ? rest : { ...rest, subscriptionIdentifier },
      ),
  })
}

function auth(): fc.Arbitrary<object> {
  return fc.record({
    type: fc.constant('auth'),
    reasonCode: fc.constantFrom(0, 0x18, 0x19),
    properties: fc
      .tuple(text(), properties(5, 'authenticationData', 'reasonString', 'userProperty'))
      .map(([authenticationMethod, rest]) => ({ authenticationMethod, ...rest })),
  })
}

/** What a packet holds, as plain data: a PUBLISH received reads its fields when asked. */
export function plain(packet: Packet): object {
  if (packet.type !== 'publish') return packet
  const { type, topic, payload, qos, retain, dup, packetId, properties } = packet
  return { type, topic, payload, qos, retain, dup, packetId, properties }
}
