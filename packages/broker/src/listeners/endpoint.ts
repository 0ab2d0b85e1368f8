/** Where a listener listens and what is spoken there: the URL, taken apart. */

export interface Endpoint {
  readonly scheme: string
  /** Empty for a Unix socket. */
  readonly host: string
  readonly port: number
  /** The file of a Unix socket, or the path of WebSocket requests; empty for any. */
  readonly path: string
  readonly tls: boolean
  readonly webSocket: boolean
  readonly unix: boolean
}

const kinds: ReadonlyMap<string, { tls: boolean; webSocket: boolean; unix: boolean; port: number }> = new Map([
  ['mqtt', { tls: false, webSocket: false, unix: false, port: 1883 }],
  ['mqtts', { tls: true, webSocket: false, unix: false, port: 8883 }],
  ['ws', { tls: false, webSocket: true, unix: false, port: 80 }],
  ['wss', { tls: true, webSocket: true, unix: false, port: 443 }],
  ['unix', { tls: false, webSocket: false, unix: true, port: 0 }],
])

// What the system has room for, the final zero not counted; longer paths it cuts off.
const maxPath = process.platform === 'linux' ? 107 : 103

/** Throws TypeError for what is no URL of a listener. */
export function parseEndpoint(text: string): Endpoint {
  const url = parse(text)
  const scheme = url.protocol.slice(0, -1)
  const kind = kinds.get(scheme)
  if (kind === undefined) throw new TypeError(`the scheme must be one of ${[...kinds.keys()].join(', ')}: ${text}`)
  const host = url.hostname.replace(/^\[|\]$/g, '') // IPv6
  const port = url.port === '' ? kind.port : Number(url.port)
  const rest = url.username + url.password + url.search + url.hash
  const path = kind.unix ? decode(url.pathname) : url.pathname.replace(/^\/$/, '')
  const right = kind.unix ? isFile(path) && url.host === '' : host !== '' && (kind.webSocket || path === '')
  if (rest !== '' || !right) throw new TypeError(`not the URL of a listener: ${text}`)
  return { ...kind, scheme, host, port, path }
}

function parse(text: string): URL {
  try {
    return new URL(text)
  } catch {
    throw new TypeError(`not a URL such as mqtt://127.0.0.1:1883: ${text}`)
  }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return ''
  }
}

function isFile(path: string): boolean {
  return /^\/[^\0]*[^/\0]$/.test(path) && Buffer.byteLength(path) <= maxPath
}
