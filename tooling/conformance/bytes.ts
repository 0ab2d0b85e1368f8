/** Packets written by hand, for what an encoder refuses to write. */

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

export function number(value: number, width: 1 | 2 | 4): Buffer {
  const bytes = Buffer.alloc(width)
  bytes.writeUIntBE(value, 0, width)
  return bytes
}

export function varint(value: number): Buffer {
  const bytes: number[] = []
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0))
    value >>>= 7
  } while (value > 0)
  return Buffer.from(bytes)
}

/** A string or Binary Data with its length. */
export function field(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content as string)
  return Buffer.concat([number(bytes.length, 2), bytes])
}

export type Part = Uint8Array | number

/** Numbers are single bytes. */
export function join(...parts: readonly Part[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'number' ? number(part, 1) : part)))
}

/** Properties with their length in front; none before MQTT 5.0. */
export function properties(version: number, ...parts: readonly Part[]): Buffer {
  if (version < 5) return Buffer.alloc(0)
  const content = join(...parts)
  return Buffer.concat([varint(content.length), content])
}

/** A packet with its fixed header. */
export function packet(first: number, ...parts: readonly Part[]): Buffer {
  const body = join(...parts)
  return Buffer.concat([number(first, 1), varint(body.length), body])
}

interface Connect {
  readonly version?: number
  readonly first?: number
  readonly name?: string
  readonly level?: number
  readonly flags?: number
  readonly properties?: Uint8Array
  /** What comes behind the properties. */
  readonly payload?: Uint8Array
}

/** A CONNECT with Clean Start and the Client Identifier `x`, except for what is given. */
export function connect(given: Connect): Buffer {
  const { version = 5, first = 0x10, flags = 0x02, payload = field('x') } = given
  const name = given.name ?? (version === 3 ? 'MQIsdp' : 'MQTT')
  const { level = version } = given
  const ofPacket = properties(version, given.properties ?? Buffer.alloc(0))
  return packet(first, field(name), level, flags, number(60, 2), ofPacket, payload)
}
