import { encode, type Packet, type Properties, type ProtocolVersion, type Will } from '@tidewire/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyPacket } from '../../packages/codec/test/arbitraries.js'
import { fullPackets } from './full-packets.js'
import { has } from './program.js'
import { dissect } from './tshark.js'

// Table 2-4.
const identifiers: Readonly<Record<keyof Properties, number>> = {
  payloadFormatIndicator: 0x01,
  messageExpiryInterval: 0x02,
  contentType: 0x03,
  responseTopic: 0x08,
  correlationData: 0x09,
  subscriptionIdentifier: 0x0b,
  sessionExpiryInterval: 0x11,
  assignedClientIdentifier: 0x12,
  serverKeepAlive: 0x13,
  authenticationMethod: 0x15,
  authenticationData: 0x16,
  requestProblemInformation: 0x17,
  willDelayInterval: 0x18,
  requestResponseInformation: 0x19,
  responseInformation: 0x1a,
  serverReference: 0x1c,
  reasonString: 0x1f,
  receiveMaximum: 0x21,
  topicAliasMaximum: 0x22,
  topicAlias: 0x23,
  maximumQoS: 0x24,
  retainAvailable: 0x25,
  userProperty: 0x26,
  maximumPacketSize: 0x27,
  wildcardSubscriptionAvailable: 0x28,
  subscriptionIdentifierAvailable: 0x29,
  sharedSubscriptionAvailable: 0x2a,
}

const types = [
  ...['connect', 'connack', 'publish', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'subscribe', 'suback', 'unsubscribe'],
  ...['unsuback', 'pingreq', 'pingresp', 'disconnect', 'auth'],
]

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const bit = (flag: boolean | undefined) => (flag === true ? 1 : 0)

/** The properties of a packet, then those of its Will. */
function propertiesOf(packet: Packet, will: Will | undefined): Properties[] {
  return 'properties' in packet ? [packet.properties, will?.properties ?? {}] : []
}

/** The fields in which tshark tells what a packet holds, in its names. */
function fieldsOf(packet: Packet, version: ProtocolVersion): Record<string, readonly (string | number | undefined)[]> {
  const will = packet.type === 'connect' ? packet.will : undefined
  const properties = propertiesOf(packet, will)
  const pairs = properties.flatMap(({ userProperty = [] }) => userProperty)
  const common = {
    'mqtt.msgtype': [types.indexOf(packet.type) + 1],
    'mqtt.msgid': 'packetId' in packet ? [packet.packetId] : [],
    'mqtt.property_id': properties
      .flatMap((each) => Object.entries(each))
      .flatMap(([name, value]) => (Array.isArray(value) ? value.map(() => name) : [name]))
      .map((name) => `0x${identifiers[name as keyof Properties].toString(16).padStart(2, '0')}`),
    'mqtt.prop_key': pairs.map(([key]) => key),
    'mqtt.prop_value': pairs.map(([, value]) => value),
  }
  switch (packet.type) {
    case 'connect':
      return {
        ...common,
        'mqtt.ver': [version],
        'mqtt.clientid': [packet.clientId],
        'mqtt.conflag.cleansess': [bit(packet.cleanStart)],
        'mqtt.kalive': [packet.keepAlive],
        'mqtt.willtopic': [will?.topic],
        'mqtt.willmsg': [will && hex(will.payload)],
        'mqtt.conflag.qos': [will?.qos ?? 0],
        'mqtt.conflag.retain': [bit(will?.retain)],
        'mqtt.username': [packet.userName],
      }
    case 'connack':
      return {
        ...common,
        'mqtt.conack.flags.sp': version === 3 ? [] : [bit(packet.sessionPresent)],
        [version === 5 ? 'mqtt.connack.reason_code' : 'mqtt.conack.val']: [packet.reasonCode],
      }
    case 'publish':
      return {
        ...common,
        'mqtt.topic': [packet.topic],
        'mqtt.qos': [packet.qos],
        'mqtt.retain': [bit(packet.retain)],
        'mqtt.dupflag': [bit(packet.dup)],
        'mqtt.msg': [hex(packet.payload)],
      }
    case 'subscribe': {
      const { subscriptions } = packet
      const isNew = version === 5
      return {
        ...common,
        'mqtt.topic': subscriptions.map(({ topicFilter }) => topicFilter),
        [isNew ? 'mqtt.subscription_options_qos' : 'mqtt.sub.qos']: subscriptions.map(({ qos }) => qos),
        'mqtt.subscription_options_nl': isNew ? subscriptions.map(({ noLocal }) => bit(noLocal)) : [],
        'mqtt.subscription_options_rap': isNew ? subscriptions.map((each) => bit(each.retainAsPublished)) : [],
        'mqtt.subscription_options_retain': isNew ? subscriptions.map((each) => each.retainHandling) : [],
      }
    }
    case 'suback':
      return { ...common, [version === 5 ? 'mqtt.suback.reason_code' : 'mqtt.suback.qos']: packet.reasonCodes }
    case 'unsubscribe':
      return { ...common, 'mqtt.topic': packet.topicFilters }
    case 'unsuback':
      return { ...common, 'mqtt.unsuback.reason_code': packet.reasonCodes }
    case 'pingreq':
    case 'pingresp':
      return common
    default: {
      // One that is left out is not told.
      const isThere = encode(packet, version).length > ('packetId' in packet ? 4 : 2)
      return { ...common, [`mqtt.${packet.type}.reason_code`]: isThere ? [packet.reasonCode] : [] }
    }
  }
}

/**
 * What tshark 4.0 complains of without a reason: it takes Binary Data for text, which ends with a zero, and has no place
 * for what follows it.
 */
function mayComplainOf(packet: Packet): string | undefined {
  const { will, password } = packet.type === 'connect' ? packet : { will: undefined, password: undefined }
  const data = propertiesOf(packet, will).flatMap((each) => [each.correlationData, each.authenticationData])
  return [password, ...data].some((bytes) => bytes?.includes(0)) ? 'Trailing stray characters' : undefined
}

describe.skipIf(!has('tshark', '--version'))('tshark', () => {
  it.each([3, 4, 5] as const)('reads packets of protocol version %i as they are, without complaint', (version) => {
    const random = fc.sample(anyPacket(version), { numRuns: 500, seed: version })
    // Each CONNECT begins a stream: the first one that of all other packets.
    const connects = random.filter(({ type }) => type === 'connect')
    const others = random.filter(({ type }) => type !== 'connect')
    const streams = [[...fullPackets(version), ...others], ...connects.map((packet) => [packet])]
    const packets = streams.flat()
    const fields = new Set(packets.flatMap((packet) => Object.keys(fieldsOf(packet, version))))
    const told = dissect(
      streams.map((stream) => stream.map((packet) => encode(packet, version))),
      ['_ws.expert.message', '_ws.malformed', ...fields],
    )
    expect(told.length).toBe(packets.length)
    for (const [i, packet] of packets.entries()) {
      const message = mayComplainOf(packet)
      const complaints = told[i]!.get('_ws.expert.message')!
        .split('|')
        .filter((each) => each !== '' && each !== message)
      const expected = { '_ws.malformed': [], ...fieldsOf(packet, version) }
      const found = Object.keys(expected).map((field) => [field, told[i]!.get(field)])
      const wanted = Object.entries(expected).map(([field, values]) => [field, values.join('|')])
      expect({ complaints, ...Object.fromEntries(found) }, JSON.stringify(packet)).toEqual({
        complaints: [],
        ...Object.fromEntries(wanted),
      })
    }
  })
})
