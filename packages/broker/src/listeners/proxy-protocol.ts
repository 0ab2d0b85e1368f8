/** The header of the PROXY protocol, versions 1 and 2, in which a proxy says for whom it connects. */

import { isIPv4, isIPv6 } from 'node:net'
import { canonicalAddress } from './remote-address.js'

export interface ProxyHeader {
  /** Bytes of the header. */
  readonly length: number
  /** Whom it connects for; itself, to see whether the broker is there; or the proxy does not say. */
  readonly client: { readonly address: string; readonly port: number } | 'itself' | 'unknown'
}

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const keyword = Buffer.from('PROXY ', 'latin1')
// The longest line of version 1, its end included.
const maxLine = 107
// Version 2 can be told to go on for 64 KiB; what proxies add about TLS needs a few hundred bytes.
const maxLength = 4 * 1024

/** Reads the header with which bytes begin. Returns undefined if it is not complete, throws if it cannot become one. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  if (mayBegin(bytes, signature)) return bytes.length < 16 ? undefined : readBinary(bytes)
  if (mayBegin(bytes, keyword)) return readLine(bytes)
  throw new Error('no PROXY header')
}

function mayBegin(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.subarray(0, length).equals(start.subarray(0, length))
}

function readLine(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, maxLine).indexOf('\r\n')
  if (end < 0 && bytes.length < maxLine) return undefined
  const [, protocol = '', ...fields] = bytes.toString('latin1', 0, Math.max(end, 0)).split(' ')
  const length = end + 2
  if (end > 0 && protocol === 'UNKNOWN') return { length, client: 'unknown' }
  const isAddress = protocols.get(protocol)
  const [source = '', destination = '', ...ports] = fields
  const right = isAddress?.(source) && isAddress(destination) && ports.length === 2 && ports.every(isPort)
  if (!right) throw new Error('a malformed PROXY header')
  return { length, client: { address: canonicalAddress(source)!, port: Number(ports[0]) } }
}

const isIPv6Strict = (text: string): boolean => isIPv6(text) && !text.includes('%')
const protocols: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['TCP4', isIPv4],
  ['TCP6', isIPv6Strict],
])
const isPort = (text: string): boolean => /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65535

// Version and command.
const local = 0x20
const proxy = 0x21
// Address family and transport protocol, with the bytes of their addresses.
const unspecified = 0x00
const tcp4 = 0x11
const tcp6 = 0x21
const unixStream = 0x31
const sizes: ReadonlyMap<number, number> = new Map([
  [unspecified, 0],
  [tcp4, 12],
  [tcp6, 36],
  [unixStream, 216],
])

function readBinary(bytes: Buffer): ProxyHeader | undefined {
  const command = bytes[12]!
  const family = bytes[13]!
  const size = bytes.readUInt16BE(14)
  const length = 16 + size
  if (command !== local && command !== proxy) throw new Error('a PROXY header of an unknown version or command')
  if (length > maxLength) throw new Error('a PROXY header that is too long')
  const least = command === local ? 0 : sizes.get(family)
  if (least === undefined || size < least) throw new Error('a malformed PROXY header')
  if (bytes.length < length) return undefined
  if (command === local) return { length, client: 'itself' }
  if (family === tcp4) {
    return { length, client: { address: bytes.subarray(16, 20).join('.'), port: bytes.readUInt16BE(24) } }
  }
  if (family !== tcp6) return { length, client: 'unknown' }
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(16 + 2 * index).toString(16))
  return { length, client: { address: canonicalAddress(groups.join(':'))!, port: bytes.readUInt16BE(48) } }
}
