/** Through an HTTP proxy with CONNECT (RFC 9110, section 9.3.6), in Node, Bun and Deno. */

import { readUntil } from './read-until.js'
import { addressOf, type Dial, direct } from './socket.js'

// Bytes of the proxy's answer.
const mostBytes = 16 * 1024

/** Goes through the proxy of a URL such as `http://user:password@proxy:3128`. */
export function httpProxy(proxy: string | URL): Dial {
  const { host, port } = addressOf(proxy, 80)
  const { username, password, protocol } = new URL(proxy)
  if (protocol !== 'http:') throw new TypeError(`the scheme of a proxy must be http: ${protocol}`)
  const user = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  const authorization = username === '' ? '' : `Proxy-Authorization: Basic ${user}\r\n`
  return async (targetHost, targetPort, signal) => {
    const socket = await direct(host, port, signal)
    const target = `${targetHost.includes(':') ? `[${targetHost}]` : targetHost}:${targetPort}`
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${authorization}\r\n`)
    const answer = await readUntil(socket, signal, (bytes) => {
      const end = bytes.indexOf('\r\n\r\n')
      if (end < 0 && bytes.length > mostBytes) throw new Error('the answer of the proxy is too long')
      return end < 0 ? 0 : end + 4
    })
    const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(answer.toString('latin1')) ?? []
    if (status?.startsWith('2') === true) return socket
    socket.destroy()
    throw new Error(`the proxy does not connect to ${target}: ${answer.toString('latin1').split('\r\n', 1)[0]}`)
  }
}
