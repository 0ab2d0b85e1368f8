/** IP addresses of peers, and lists of those that are trusted. */

import { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from 'node:net'

/** The one way to write an address: shortest, without a zone, IPv4 also where it came as IPv6; undefined for what is none. */
export function canonicalAddress(text = ''): string | undefined {
  const [address = ''] = text.split('%')
  if (isIPv4(address)) return address
  if (!isIPv6(address)) return undefined
  const short = new SocketAddress({ address, family: 'ipv6' }).address
  return /^::ffff:([\d.]+)$/.exec(short)?.[1] ?? short
}

/** Whether it is the machine itself. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

/** What is counted as one: an IPv4 address, or the IPv6 network of 64 bits that one customer is given. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = [], tail = []] = address.split('::').map((part) => part.split(':'))
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0')
  const groups = address.includes('::') ? [...head, ...zeros, ...tail] : head
  return groups
    .map((group) => group || '0')
    .slice(0, 4)
    .join(':')
}

/** Addresses and networks that are trusted. */
export class AddressList {
  readonly #list: BlockList = new BlockList()

  /** Throws TypeError for what is neither an address nor a network such as 10.0.0.0/8. */
  constructor(option: string, entries: readonly string[]) {
    if (!Array.isArray(entries)) throw new TypeError(`${option} must be an array of addresses and networks`)
    for (const entry of entries) {
      const [address, prefix, rest] = String(entry).split('/')
      const family = isIP(address!)
      const most = family === 4 ? 32 : 128
      const bits = prefix === undefined ? most : Number(prefix)
      if (family === 0 || rest !== undefined || !/^\d+$/.test(prefix ?? '0') || bits > most) {
        throw new TypeError(`${option} takes addresses and networks such as 10.0.0.0/8, not ${JSON.stringify(entry)}`)
      }
      this.#list.addSubnet(address!, bits, family === 4 ? 'ipv4' : 'ipv6')
    }
  }

  has(address: string | undefined): boolean {
    return address !== undefined && this.#list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  }

  /** The client's address in X-Forwarded-For, to which each trusted proxy adds its own peer: the last not trusted one. */
  forwarded(header: string): string | undefined {
    const hops = header.split(',').map((hop) => canonicalAddress(hop.trim()))
    return hops.reverse().find((hop) => !this.has(hop))
  }
}
