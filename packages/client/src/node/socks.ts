/** Through a SOCKS 5 proxy (RFC 1928, RFC 1929), in Node, Bun and Deno. */

import { readUntil } from './read-until.js'
import { addressOf, type Dial, direct } from './socket.js'

const failures = [
  'general failure',
  'not allowed',
  'network unreachable',
  'host unreachable',
  'connection refused',
  'TTL expired',
  'command not supported',
  'address type not supported',
]

/** Goes through the proxy of a URL such as `socks5://user:password@proxy:1080`. The proxy looks names up. */
export function socks(proxy: string | URL): Dial {
  const { host, port } = addressOf(proxy, 1080)
  const { username, password, protocol } = new URL(proxy)
  if (protocol !== 'socks5:' && protocol !== 'socks5h:') {
    throw new TypeError(`the scheme of a proxy must be socks5: ${protocol}`)
  }
  const user = Buffer.from(decodeURIComponent(username))
  const secret = Buffer.from(decodeURIComponent(password))
  return async (targetHost, targetPort, signal) => {
    const socket = await direct(host, port, signal)
    const ask = async (question: Uint8Array, length: (bytes: Buffer) => number): Promise<Buffer> => {
      socket.write(question)
      return readUntil(socket, signal, length)
    }
    try {
      const method = user.length > 0 ? 2 : 0
      const [, chosen] = await ask(Buffer.from([5, 1, method]), () => 2)
      if (chosen !== method) throw new Error('the proxy wants another kind of authentication')
      if (method === 2) {
        const [, status] = await ask(
          Buffer.concat([Buffer.from([1, user.length]), user, Buffer.from([secret.length]), secret]),
          () => 2,
        )
        if (status !== 0) throw new Error('the proxy does not accept user name and password')
      }
      const name = Buffer.from(targetHost)
      const request = [Buffer.from([5, 1, 0, 3, name.length]), name, Buffer.from([targetPort >> 8, targetPort & 0xff])]
      // Behind the address type: an IPv4 address, a name with its length, or an IPv6 address; then the port.
      const [, reply = 1] = await ask(Buffer.concat(request), ([, , , type, length = 0]) =>
        type === undefined ? 0 : 6 + (type === 1 ? 4 : type === 3 ? 1 + length : 16),
      )
      if (reply !== 0) {
        throw new Error(`the proxy does not connect to ${targetHost}:${targetPort}: ${failures[reply - 1] ?? reply}`)
      }
      return socket
    } catch (error) {
      socket.destroy()
      throw error
    }
  }
}
