/** The servers that a client may connect to. */

import type { Transport } from './transport.js'

/** A server, and how to reach it. */
export interface Server {
  readonly transport: Transport
  readonly userName?: string | undefined
  readonly password?: string | undefined
  /** The server that a Server Reference names; undefined when it is not to be followed. */
  refer?(reference: string): Server | undefined
}

/** Where to connect to: a URL, or a transport. */
export type Target = string | URL | Transport

/** The transport for a URL. Throws TypeError for a scheme that it does not know. */
export type TransportOf = (url: URL) => Transport

/** Throws TypeError for what is no URL. */
export function serverOf(target: Target, transportOf: TransportOf): Server {
  if (typeof target === 'function') return { transport: target }
  let url: URL
  try {
    url = new URL(target)
  } catch {
    throw new TypeError(`not a URL such as mqtt://localhost:1883: ${target}`)
  }
  const { username, password } = url
  const bare = new URL(url)
  bare.username = ''
  bare.password = ''
  return {
    transport: transportOf(bare),
    userName: username === '' ? undefined : decodeURIComponent(username),
    password: password === '' ? undefined : decodeURIComponent(password),
    refer(reference) {
      // The first of a list (section 4.11). It may not lead from TLS to plain text, or to another kind of program.
      const [name = ''] = reference.split(' ')
      const next = name.includes('://') ? name : `${url.protocol}//${name}${url.pathname}${url.search}`
      if (!URL.canParse(next) || new URL(next).protocol !== url.protocol) return undefined
      const server = serverOf(next, transportOf)
      return { ...server, userName: this.userName, password: this.password }
    },
  }
}
