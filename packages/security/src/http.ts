/** Clients that another service knows, asked over HTTP. */

import {
  type Authenticator,
  badCredentials,
  busy,
  type Client,
  type Grant,
  type Log,
  silent,
  unavailable,
  type Verdict,
} from './client.js'
import { Turns } from './turns.js'
import { VerdictCache } from './verdict-cache.js'

export interface HttpOptions {
  /** `https:`, or `http:` on this machine. */
  readonly url: string
  /** Such as a key that the service wants. */
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds for an answer to come. Default 3,000. */
  readonly timeout?: number
  /** Seconds for which an answer is remembered. Default 10; 0 for never. */
  readonly remember?: number
  /** Requests under way. Default 64; as many as 16 times that wait. */
  readonly maxRequests?: number
  /** Passwords over a network without TLS. Default false. */
  readonly insecure?: boolean
  readonly log?: Log
}

// Bytes of an answer.
const longest = 64 * 1024

/**
 * Asks a service with `POST` and JSON: `clientId`, `userName`, `password` (or `passwordBase64` when it is not UTF-8),
 * `remoteAddress`, `listener`. A 200 says `{"result": "allow"}`, `"deny"` or `"ignore"`, which leaves it to others; with
 * `allow` it may say `roles`, `groups`, and `expiresIn` in seconds. A 401 or 403 denies. Anything else, and nothing in
 * time, refuses (0x88).
 */
export function http(options: HttpOptions): HttpAuthenticator {
  return new HttpAuthenticator(options)
}

export class HttpAuthenticator implements Authenticator {
  readonly #url: URL
  readonly #options: HttpOptions
  readonly #log: Log
  readonly #turns: Turns
  readonly #remembered: VerdictCache<{ readonly verdict: Verdict }>
  /** How often the service did not answer as it should. */
  failures = 0

  /** Throws TypeError for a URL that is none, or that passwords may not go to. */
  constructor(options: HttpOptions) {
    const { url, remember = 10, maxRequests = 64, insecure = false, log = silent } = options
    this.#url = new URL(url)
    const { protocol, hostname } = this.#url
    const isLocal = hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
    const isSafe = protocol === 'https:' || (protocol === 'http:' && (isLocal || insecure))
    if (!isSafe) throw new TypeError('passwords go over https: only, unless the service is on this machine')
    this.#options = options
    this.#log = log
    this.#turns = new Turns(maxRequests, 16 * maxRequests)
    this.#remembered = new VerdictCache(remember * 1000, 4096, () => performance.now())
  }

  async authenticate(client: Client, password: Uint8Array | undefined): Promise<Verdict> {
    const { clientId, userName, remoteAddress, listener } = client
    const also = JSON.stringify([clientId, userName === undefined, password === undefined, remoteAddress, listener])
    const key = this.#remembered.key(userName ?? '', password ?? new Uint8Array(0), also)
    const known = this.#remembered.get(key)
    if (known !== undefined) return known.verdict
    const answer = await this.#turns.take(() =>
      this.#ask(client, password).catch((error: Error) => this.#failed(error)),
    )
    if (answer === undefined) return busy
    const { verdict, lasts } = answer
    if (lasts > 0) this.#remembered.set(key, { verdict }, Math.min(lasts, (this.#options.remember ?? 10) * 1000))
    return verdict
  }

  #failed(error: Error): Answer {
    this.failures++
    const { cause } = error as { cause?: { code?: string; message?: string } }
    this.#log.error(
      `${this.#url.origin} does not answer as it should: ${cause?.code ?? cause?.message ?? error.message}`,
    )
    return { verdict: unavailable, lasts: 0 }
  }

  async #ask(
    { clientId, userName, remoteAddress, listener }: Client,
    password: Uint8Array | undefined,
  ): Promise<Answer> {
    const { headers, timeout = 3000 } = this.#options
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { ...headers, 'Content-Type': 'application/json' },
      body: JSON.stringify({ clientId, userName, ...passwordField(password), remoteAddress, listener }),
      redirect: 'error', // the password is for this service alone
      signal: AbortSignal.timeout(timeout),
    })
    const { status } = response
    const lasts = Number.POSITIVE_INFINITY
    if (status !== 200) {
      await response.body?.cancel()
      if (status === 401 || status === 403) return { verdict: badCredentials, lasts }
      throw new Error(`HTTP status ${status}`)
    }
    const answer: unknown = JSON.parse(await textOf(response))
    const { result, roles, groups, expiresIn } = (answer ?? {}) as Record<string, unknown>
    if (result === 'deny') return { verdict: badCredentials, lasts }
    if (result === 'ignore') return { verdict: undefined, lasts }
    if (result !== 'allow') throw new Error('the result is neither allow, deny nor ignore')
    const until = expiresIn === undefined ? undefined : secondsOf(expiresIn)
    const grant: Grant = {
      ...(userName !== undefined && { userName }),
      roles: names('roles', roles),
      groups: names('groups', groups),
      ...(until !== undefined && { expiresAt: Date.now() + until }),
    }
    return { verdict: grant, lasts: until ?? lasts }
  }
}

interface Answer {
  readonly verdict: Verdict
  /** Milliseconds. */
  readonly lasts: number
}

function passwordField(password: Uint8Array | undefined): object {
  if (password === undefined) return {}
  try {
    return { password: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(password) }
  } catch {
    return { passwordBase64: Buffer.from(password).toString('base64') }
  }
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > longest) throw new Error(`the answer is longer than ${longest} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function names(what: string, value: unknown = []): string[] {
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value
  throw new Error(`${what} must be a list of names`)
}

function secondsOf(value: unknown): number {
  if (typeof value === 'number' && value > 0) return value * 1000
  throw new Error('expiresIn must be a number of seconds above 0')
}
