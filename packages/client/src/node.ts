/**
 * Transports and a store for Node, Bun and Deno.
 *
 * @packageDocumentation
 */

export { fileStore } from './node/file-store.js'
export { httpProxy } from './node/http-proxy.js'
export type { Dial } from './node/socket.js'
export { socks } from './node/socks.js'
export { type TcpOptions, tcp } from './node/tcp.js'
export { type TlsOptions, tls } from './node/tls.js'
export { unix } from './node/unix.js'
