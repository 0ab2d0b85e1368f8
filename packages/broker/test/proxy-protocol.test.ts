import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ProxyHeader, readProxyHeader } from '../src/listeners/proxy-protocol.js'
import { proxyHeader } from './dial.js'

const line = (text: string): Buffer => Buffer.from(text, 'latin1')
const v4 = '01020304 7f000001 d431 075b'
const v6 = '20010db8000000000000000000000001 20010db8000000000000000000000002 d431 075b'
const mapped = '00000000000000000000ffff01020304 20010db8000000000000000000000002 d431 075b'
const extra = Buffer.from('0300041234567804000100', 'hex')

const headers: readonly [string, Buffer, ProxyHeader['client']][] = [
  ['TCP4', line('PROXY TCP4 1.2.3.4 127.0.0.1 54321 1883\r\n'), { address: '1.2.3.4', port: 54321 }],
  ['TCP6', line('PROXY TCP6 2001:DB8:0::1 ::2 0 65535\r\n'), { address: '2001:db8::1', port: 0 }],
  ['TCP6 with IPv4 in it', line('PROXY TCP6 ::ffff:1.2.3.4 ::2 1 2\r\n'), { address: '1.2.3.4', port: 1 }],
  ['UNKNOWN', line('PROXY UNKNOWN\r\n'), 'unknown'],
  ['UNKNOWN and what is to be ignored', line('PROXY UNKNOWN ffff:f...f:ffff 1 2\r\n'), 'unknown'],
  ['2, IPv4', proxyHeader(0x21, 0x11, v4), { address: '1.2.3.4', port: 54321 }],
  ['2, IPv6', proxyHeader(0x21, 0x21, v6), { address: '2001:db8::1', port: 54321 }],
  ['2, IPv6 with IPv4 in it', proxyHeader(0x21, 0x21, mapped), { address: '1.2.3.4', port: 54321 }],
  ['2, with additions', proxyHeader(0x21, 0x11, v4, extra), { address: '1.2.3.4', port: 54321 }],
  ['2, a Unix socket', proxyHeader(0x21, 0x31, '00'.repeat(216)), 'unknown'],
  ['2, unspecified', proxyHeader(0x21, 0x00, '', extra), 'unknown'],
  ['2, LOCAL', proxyHeader(0x20, 0x00, ''), 'itself'],
  ['2, LOCAL with addresses', proxyHeader(0x20, 0x11, v4), 'itself'],
]

describe('a PROXY header', () => {
  it.each(headers)('is read: %s', (_, bytes, client) => {
    const rest = Buffer.from([0x10, 0x0c])
    expect(readProxyHeader(Buffer.concat([bytes, rest]))).toEqual({ length: bytes.length, client })
    for (let length = 0; length < bytes.length; length++) {
      expect(readProxyHeader(bytes.subarray(0, length))).toBeUndefined()
    }
  })

  it.each([
    ['none', line('\x10\x0c\0\x04MQTT')],
    ['none from the second byte on', line('PQ')],
    ['lower case', line('proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n')],
    ['an unknown protocol', line('PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n')],
    ['the name of a property of objects', line('PROXY constructor 1.2.3.4 1.2.3.4 1 1\r\n')],
    ['no protocol', line('PROXY \r\n')],
    ['two blanks', line('PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n')],
    ['a field too many', line('PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n')],
    ['a field too few', line('PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n')],
    ['an address of the other family', line('PROXY TCP4 ::1 ::1 1 1\r\n')],
    ['an address with zeros in front', line('PROXY TCP4 01.2.3.4 1.2.3.4 1 1\r\n')],
    ['an address with a zone', line('PROXY TCP6 fe80::1%lo ::1 1 1\r\n')],
    ['a port too large', line('PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n')],
    ['a port with zeros in front', line('PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n')],
    ['a line too long', line(`PROXY UNKNOWN ${'x'.repeat(93)}`)],
    ['a line too long by one', line(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`)],
    ['another version', proxyHeader(0x11, 0x11, v4)],
    ['an unknown command', proxyHeader(0x22, 0x11, v4)],
    ['a datagram', proxyHeader(0x21, 0x12, v4)],
    ['addresses too short', proxyHeader(0x21, 0x21, v4)],
    ['additions without end', proxyHeader(0x21, 0x11, v4, Buffer.alloc(5000)).subarray(0, 16)],
  ])('is refused as soon as it is wrong: %s', (_, bytes) => {
    expect(() => readProxyHeader(bytes)).toThrow('PROXY header')
  })

  it('of the greatest length is read', () => {
    const longest = line(`PROXY UNKNOWN ${'x'.repeat(91)}\r\n`)
    expect(longest.length).toBe(107)
    expect(readProxyHeader(longest)).toEqual({ length: 107, client: 'unknown' })
  })

  it('is never longer than what has come, whatever comes', () => {
    const starts = fc.constantFrom(...headers.map(([, bytes]) => bytes))
    fc.assert(
      fc.property(starts, fc.nat(40), fc.uint8Array({ maxLength: 60 }), (start, kept, rest) => {
        const bytes = Buffer.concat([start.subarray(0, kept), rest])
        try {
          expect(readProxyHeader(bytes)?.length ?? 0).toBeLessThanOrEqual(bytes.length)
        } catch (error) {
          expect((error as Error).message).toContain('PROXY header')
        }
      }),
      { numRuns: 500 },
    )
  })
})
