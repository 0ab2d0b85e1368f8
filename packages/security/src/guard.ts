/** The hooks of a broker, of parts that know clients, parts that know rules, and limits. */

import type { Access } from './access.js'
import {
  type Action,
  type Authenticator,
  badCredentials,
  type Client,
  type Grant,
  isRefusal,
  notAuthorized,
  type Refusal,
  type Verdict,
} from './client.js'
import type { Limit } from './limits.js'

/** Enhanced authentication, such as `scram` makes it. */
export type Method = (client: Client) => MethodExchange

export interface MethodExchange {
  next(data: Uint8Array | undefined): MethodStep | Promise<MethodStep>
}

export type MethodStep =
  | { readonly state: 'continue'; readonly data?: Uint8Array }
  | ({ readonly state: 'success'; readonly data?: Uint8Array } & Grant)
  | { readonly state: 'failure'; readonly reasonCode?: number; readonly reasonString?: string }

export interface GuardOptions {
  /** Who clients are. Default: nobody is let in without enhanced authentication. */
  readonly authenticate?: Authenticator
  /** What they may do. Default: everything but publish to topics that begin with `$`. */
  readonly authorize?: Access
  /** Who is kept out for a while. Default: nobody; behind a NAT or a proxy, an address is that of many. */
  readonly limits?: readonly Limit[]
  /** Methods of enhanced authentication by name. */
  readonly methods?: Readonly<Record<string, Method>>
}

/** Hooks to be spread into the options of a broker. */
export interface Guard {
  authenticate(client: Client, password: Uint8Array | undefined): Promise<true | Refusal | Admission>
  /** Its answers may be remembered until the epoch changes, which it does with the rules and with a renewed grant. */
  readonly authorize: {
    readonly epoch: number
    readonly checksRetain: boolean
    authorize(client: Client, action: Action | 'retain', topic: string): boolean
  }
  onDisconnect(client: Client): void
  readonly authenticationMethods: Readonly<Record<string, Method>>
}

/** What a broker is told of a grant: it knows the client by this name from now on, and sends it away at this time. */
export type Admission = Pick<Grant, 'userName' | 'expiresAt'>

/**
 * Puts parts together: `createBroker({ ...guard({ authenticate: users, authorize: rules, limits: [failedLogins()] }) })`.
 * Without a part that lets a client in, nobody is.
 */
export function guard(options: GuardOptions): Guard {
  const { authenticate, authorize, limits = [], methods = {} } = options
  const granted: WeakSet<Client> = new WeakSet()
  let renewed = 0

  const enter = (client: Client): Refusal | undefined => {
    for (const limit of limits) {
      const refusal = limit.enter(client)
      if (refusal !== undefined) return refusal
    }
    return undefined
  }
  const decided = (client: Client, isIn: boolean): void => {
    for (const limit of limits) limit.decided?.(client, isIn)
  }
  /** Undefined when the client may have what it is granted. */
  const accept = (client: Client, grant: Grant): Refusal | undefined => {
    const { userName = client.userName } = grant
    if (userName !== client.userName) {
      for (const limit of limits) {
        const refusal = limit.known?.({ ...client, userName })
        if (refusal !== undefined) return refusal
      }
    }
    if (granted.has(client)) renewed++ // what was decided by the roles of before is remembered
    granted.add(client)
    authorize?.accept(client, grant)
    return undefined
  }
  const watched =
    (method: Method): Method =>
    (client) => {
      const refusal = enter(client)
      if (refusal !== undefined) return { next: () => ({ state: 'failure', ...refusal }) }
      const exchange = method(client)
      return {
        async next(data) {
          const step = await exchange.next(data)
          if (step.state === 'continue') return step
          decided(client, step.state === 'success')
          const no = step.state === 'success' ? accept(client, step) : undefined
          return no === undefined ? step : { state: 'failure', ...no }
        },
      }
    }

  return {
    async authenticate(client, password) {
      const refusal = enter(client)
      if (refusal !== undefined) return refusal
      const verdict: Verdict = await authenticate?.authenticate(client, password)
      if (verdict === undefined || isRefusal(verdict)) {
        const answer = verdict ?? noCredentials(client)
        // That the broker is busy says nothing about the client.
        if (answer.reasonCode === 0x86 || answer.reasonCode === 0x87) decided(client, false)
        return answer
      }
      decided(client, true)
      return accept(client, verdict) ?? admissionOf(verdict)
    },
    authorize: {
      get epoch() {
        return renewed + (authorize?.epoch ?? 0)
      },
      get checksRetain() {
        return authorize?.checksRetain === true
      },
      authorize(client, action, topic) {
        if (authorize !== undefined) return authorize.decide(client, action, topic)
        return action !== 'publish' || !topic.startsWith('$')
      },
    },
    onDisconnect(client) {
      for (const limit of limits) limit.gone?.(client)
    },
    authenticationMethods: Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, watched(method)])),
  }
}

function admissionOf({ userName, expiresAt }: Grant): true | Admission {
  if (userName === undefined && expiresAt === undefined) return true
  return { ...(userName !== undefined && { userName }), ...(expiresAt !== undefined && { expiresAt }) }
}

function noCredentials({ userName }: Client): Refusal {
  return userName === undefined ? notAuthorized : badCredentials
}
