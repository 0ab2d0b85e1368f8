/** Packets as the npm package `mqtt-packet` has them. */

import type { Packet, Properties, ProtocolVersion, UserProperty } from '@tidewire/codec'
import mqttPacket from 'mqtt-packet'

/** A packet of ours as one of `mqtt-packet`, with all fields that its parser tells of such a packet. */
export function peerPacket(packet: Packet, version: ProtocolVersion): mqttPacket.Packet {
  return { cmd: packet.type, ...fieldsOf(packet, version) } as mqttPacket.Packet
}

function fieldsOf(packet: Packet, version: ProtocolVersion): object {
  const isNew = version === 5
  switch (packet.type) {
    case 'connect': {
      const { protocolVersion, clientId, cleanStart: clean, keepAlive: keepalive, will, userName, password } = packet
      return {
        protocolId: protocolVersion === 3 ? 'MQIsdp' : 'MQTT',
        ...{ protocolVersion, clientId, clean, keepalive },
        ...(will && {
          will: {
            ...{ topic: will.topic, qos: will.qos, retain: will.retain, payload: Buffer.from(will.payload) },
            ...propertiesOf(will.properties),
          },
        }),
        ...(userName !== undefined && { username: userName }),
        ...(password && { password: Buffer.from(password) }),
        ...propertiesOf(packet.properties),
      }
    }
    case 'connack': {
      const { sessionPresent, reasonCode, properties } = packet
      return { sessionPresent, [isNew ? 'reasonCode' : 'returnCode']: reasonCode, ...propertiesOf(properties) }
    }
    case 'publish': {
      const { topic, payload, qos, retain, dup, packetId, properties } = packet
      const id = qos > 0 && { messageId: packetId }
      return { topic, payload: Buffer.from(payload), qos, retain, dup, ...id, ...propertiesOf(properties) }
    }
    case 'subscribe': {
      const subscriptions = packet.subscriptions.map((each) => {
        const { topicFilter: topic, qos, noLocal: nl, retainAsPublished: rap, retainHandling: rh } = each
        return isNew ? { topic, qos, nl, rap, rh } : { topic, qos }
      })
      return { messageId: packet.packetId, subscriptions, ...propertiesOf(packet.properties) }
    }
    case 'unsubscribe':
      return {
        messageId: packet.packetId,
        unsubscriptions: packet.topicFilters,
        ...propertiesOf(packet.properties),
      }
    case 'suback':
    case 'unsuback': {
      const granted = (isNew || packet.type === 'suback') && { granted: packet.reasonCodes }
      return { messageId: packet.packetId, ...granted, ...propertiesOf(packet.properties) }
    }
    case 'pingreq':
    case 'pingresp':
      return {}
    default: {
      const id = 'packetId' in packet && { messageId: packet.packetId }
      return { ...id, ...(isNew && { reasonCode: packet.reasonCode }), ...propertiesOf(packet.properties) }
    }
  }
}

function propertiesOf(given: Properties): { properties?: object } {
  const { userProperty, payloadFormatIndicator, subscriptionIdentifierAvailable, ...others } = given
  const properties: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(others)) {
    properties[name] = value instanceof Uint8Array ? Buffer.from(value) : oneOrMore(value)
  }
  if (payloadFormatIndicator !== undefined) properties['payloadFormatIndicator'] = payloadFormatIndicator === 1
  if (subscriptionIdentifierAvailable !== undefined) {
    properties['subscriptionIdentifiersAvailable'] = subscriptionIdentifierAvailable
  }
  if (userProperty !== undefined) properties['userProperties'] = grouped(userProperty)
  return Object.keys(properties).length > 0 ? { properties } : {}
}

/** An object by name. */
function grouped(pairs: readonly UserProperty[]): object {
  const values = new Map<string, string[]>()
  for (const [name, value] of pairs) values.set(name, [...(values.get(name) ?? []), value])
  return Object.fromEntries([...values].map(([name, list]) => [name, oneOrMore(list)]))
}

/** It has a list only of what comes more than once. */
function oneOrMore(value: unknown): unknown {
  return Array.isArray(value) && value.length === 1 ? value[0] : value
}

/** What its parser finds in a stream of bytes: packets, with fields that only some have left out where they say nothing. */
export function parsed(bytes: Uint8Array, protocolVersion: ProtocolVersion): object[] {
  const parser = mqttPacket.parser({ protocolVersion })
  const packets: object[] = []
  parser.on('packet', (packet) => {
    const { length, retain, qos, dup, topic, payload, ...others } = packet as unknown as Record<string, unknown>
    packets.push(packet.cmd === 'publish' ? { ...others, retain, qos, dup, topic, payload } : others)
  })
  parser.on('error', (error) => {
    throw error
  })
  parser.parse(Buffer.from(bytes))
  return packets
}

export const { generate } = mqttPacket
