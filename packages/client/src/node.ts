/**
 * Transports for Node, Bun and Deno.
 *
 * @packageDocumentation
 */

export { httpProxy } from './transports/http-proxy.js'
export type { Dial } from './transports/socket.js'
export { socks } from './transports/socks.js'
export { type TcpOptions, tcp } from './transports/tcp.js'
export { type TlsOptions, tls } from './transports/tls.js'
export { unix } from './transports/unix.js'
