import { type DecodeOptions, Decoder, decode, encode, MqttError, type ProtocolVersion } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'
import { plain } from './arbitraries.js'
import { vectors } from './vectors/index.js'
import { bytesOf, type Vector } from './vectors/vector.js'

/** A packet as data that is compared fast: long bytes as their length and a sum. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array && value.length > 100) {
    return `${value.length} bytes, ${value.reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 0)}`
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(comparable)
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, comparable(part)]))
}

/** Every cut of a short packet; of a long one those near its ends, and some between. */
function cutsOf({ length }: Uint8Array): number[] {
  if (length <= 400) return Array.from({ length }, (_, index) => index)
  const ends = Array.from({ length: 20 }, (_, index) => [index, length - 1 - index])
  return [...ends.flat(), ...Array.from({ length: 16 }, (_, index) => Math.floor((length * index) / 16))]
}

/** Reads all of a packet; bytes may only be refused with an MqttError. */
function touch(bytes: Uint8Array, options: DecodeOptions): void {
  try {
    const packet = decode(bytes, options)
    if (packet?.type !== 'publish') return
    for (const field of ['topic', 'properties', 'payload', 'packetId', 'qos', 'retain', 'dup'] as const) {
      try {
        packet[field]
      } catch (error) {
        refusal(error)
      }
    }
  } catch (error) {
    refusal(error)
  }
}

function refusal(error: unknown): void {
  if (!(error instanceof MqttError)) throw error
}

const versions: readonly ProtocolVersion[] = [3, 4, 5]

// An error takes 10 us, most of it for its stack.
;(Error as { stackTraceLimit?: number }).stackTraceLimit = 0

// Node takes every value; the runtimes that run the same tests beside it take some of them.
const { process, Deno } = globalThis as { process?: { versions: Record<string, string> }; Deno?: unknown }
const isNode = process !== undefined && process.versions['bun'] === undefined && Deno === undefined
const step = isNode ? 1 : 17

for (const [type, table] of Object.entries<readonly Vector[]>(vectors)) {
  for (const vector of table) {
    describe(`${type} ${vector.name}`, () => {
      const bytes = bytesOf(vector)
      const { packet, decodeOnly } = vector

      it.each(vector.versions)('is decoded in version %i', (protocolVersion) => {
        for (const lazy of [false, true]) {
          const decoded = decode(bytes, { protocolVersion, lazy })
          expect(comparable(plain(decoded!))).toEqual(comparable(packet))
        }
      })

      it.each(decodeOnly ? [] : vector.versions)('is encoded in version %i', (version) => {
        const encoded = encode(packet, version)
        expect(encoded.length).toBe(bytes.length)
        expect(encoded.findIndex((byte, index) => byte !== bytes[index])).toBe(-1)
      })

      it('asks for more wherever it is cut off', () => {
        for (const protocolVersion of vector.versions) {
          for (const length of cutsOf(bytes)) {
            const part = bytes.subarray(0, length)
            if (decode(part, { protocolVersion }) !== undefined) throw new Error(`${length} bytes are enough`)
            const decoder = new Decoder({ protocolVersion })
            if ([...decoder.push(part)].length > 0) throw new Error(`${length} bytes of a stream are enough`)
          }
        }
      })

      const all = packet.type === 'connect' ? vector.versions : versions
      if (bytes.length > 200) return
      it('decodes or throws MqttError after any change of one byte', () => {
        const changed = bytes.slice()
        for (let at = 0; at < bytes.length; at++) {
          for (let value = 0; value < 256; value += step) {
            if (value === bytes[at]) continue
            changed[at] = value
            for (const protocolVersion of all) {
              touch(changed, { protocolVersion })
              if (packet.type === 'publish') touch(changed, { protocolVersion, lazy: true })
            }
          }
          changed[at] = bytes[at]!
        }
      })
    })
  }
}
