/** Every string that a client sends, as a packet in which the string may be wrong. */

import type { ProtocolVersion } from '@tidewire/codec'
import { connect, field, number, type Part, packet, properties } from '../bytes.js'

type Content = Uint8Array | string

interface StringField {
  readonly name: string
  /** Whether it is of CONNECT, and so comes before the connection is accepted. */
  readonly ofConnect?: boolean
  readonly versions?: readonly ProtocolVersion[]
  write(version: ProtocolVersion, content: Content, topic: string): Uint8Array
}

const id = number(7, 2)
const user = (content: Content, other = 'x'): Part[] => [38, field(content), field(other)]
const value = (content: Content): Part[] => [38, field('x'), field(content)]

/** A CONNECT with a Will. */
function withWill(version: number, topic: Content, ...ofWill: Part[]): Uint8Array {
  const payload = [field('x'), properties(version, ...ofWill), field(topic), field('payload')]
  return connect({ version, flags: 0x06, payload: Buffer.concat(payload) })
}

const withProperty = (...parts: Part[]): Uint8Array =>
  connect({ properties: Buffer.concat(parts.map((part) => (typeof part === 'number' ? number(part, 1) : part))) })

const publish = (version: number, topic: Content, ...parts: Part[]): Uint8Array =>
  packet(0x30, field(topic), properties(version, ...parts), field('payload'))

const five: readonly ProtocolVersion[] = [5]

export const stringFields: readonly StringField[] = [
  {
    name: 'the Client Identifier',
    ofConnect: true,
    write: (version, content) => connect({ version, payload: field(content) }),
  },
  { name: 'the Will Topic', ofConnect: true, write: (version, content) => withWill(version, content) },
  {
    name: 'the User Name',
    ofConnect: true,
    write: (version, content) =>
      connect({ version, flags: 0x82, payload: Buffer.concat([field('x'), field(content)]) }),
  },
  {
    name: 'the Authentication Method',
    ofConnect: true,
    versions: five,
    write: (_, content) => withProperty(21, field(content)),
  },
  {
    name: 'the name of a User Property of CONNECT',
    ofConnect: true,
    versions: five,
    write: (_, content) => withProperty(...user(content)),
  },
  {
    name: 'the value of a User Property of CONNECT',
    ofConnect: true,
    versions: five,
    write: (_, content) => withProperty(...value(content)),
  },
  {
    name: 'the Content Type of the Will',
    ofConnect: true,
    versions: five,
    write: (version, content, topic) => withWill(version, topic, 3, field(content)),
  },
  {
    name: 'the Response Topic of the Will',
    ofConnect: true,
    versions: five,
    write: (version, content, topic) => withWill(version, topic, 8, field(content)),
  },
  {
    name: 'a User Property of the Will',
    ofConnect: true,
    versions: five,
    write: (version, content, topic) => withWill(version, topic, ...user(content)),
  },
  { name: 'the Topic Name', write: (version, content) => publish(version, content) },
  {
    name: 'the Content Type',
    versions: five,
    write: (version, content, topic) => publish(version, topic, 3, field(content)),
  },
  {
    name: 'the Response Topic',
    versions: five,
    write: (version, content, topic) => publish(version, topic, 8, field(content)),
  },
  {
    name: 'the name of a User Property of PUBLISH',
    versions: five,
    write: (version, content, topic) => publish(version, topic, ...user(content)),
  },
  {
    name: 'the value of a User Property of PUBLISH',
    versions: five,
    write: (version, content, topic) => publish(version, topic, ...value(content)),
  },
  {
    name: 'a Topic Filter of SUBSCRIBE',
    write: (version, content) => packet(0x82, id, properties(version), field(content), 0),
  },
  {
    name: 'a User Property of SUBSCRIBE',
    versions: five,
    write: (version, content, topic) => packet(0x82, id, properties(version, ...user(content)), field(topic), 0),
  },
  {
    name: 'a Topic Filter of UNSUBSCRIBE',
    write: (version, content) => packet(0xa2, id, properties(version), field(content)),
  },
  {
    name: 'a User Property of UNSUBSCRIBE',
    versions: five,
    write: (version, content, topic) => packet(0xa2, id, properties(version, ...user(content)), field(topic)),
  },
  {
    name: 'the Reason String of PUBREL',
    versions: five,
    write: (version, content) => packet(0x62, id, 0, properties(version, 31, field(content))),
  },
  {
    name: 'the Reason String of DISCONNECT',
    versions: five,
    write: (version, content) => packet(0xe0, 0, properties(version, 31, field(content))),
  },
  {
    name: 'a User Property of DISCONNECT',
    versions: five,
    write: (version, content) => packet(0xe0, 0, properties(version, ...user(content))),
  },
]
