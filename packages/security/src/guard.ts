/** The hooks of a broker, of parts that know clients, parts that know rules, and limits. */

import type { Access } from './access.js'
import {
  type Action,
  type Authenticator,
  badCredentials,
  type Client,
  type Grant,
  isRefusal,
  type Log,
  notAuthorized,
  type Refusal,
  silent,
  type Verdict,
} from './client.js'
import { Expiries } from './expiries.js'
import type { Limit } from './limits.js'

/** Enhanced authentication, such as `scram` makes it. */
export type Method = (client: Client) => MethodExchange

export interface MethodExchange {
  next(data: Uint8Array | undefined): MethodStep | Promise<MethodStep>
}

export type MethodStep =
  | { readonly state: 'continue'; readonly data?: Uint8Array }
  | { readonly state: 'success'; readonly data?: Uint8Array; readonly userName?: string }
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
  readonly log?: Log
}

/** Hooks to be spread into the options of a broker. */
export interface Guard {
  authenticate(client: Client, password: Uint8Array | undefined): Promise<true | Refusal>
  /** Its answers may be remembered until the epoch changes, which it does with the rules and with the end of a grant. */
  readonly authorize: {
    readonly epoch: number
    authorize(client: Client, action: Action, topic: string): boolean
  }
  onPublish?(client: Client, publication: { readonly topic: string; readonly retain: boolean }): true | Refusal
  onDisconnect(client: Client): void
  readonly authenticationMethods: Readonly<Record<string, Method>>
}

/**
 * Puts parts together: `createBroker({ ...guard({ authenticate: users, authorize: rules, limits: [failedLogins()] }) })`.
 * Without a part that lets a client in, nobody is. When a grant ends, its client may do nothing more.
 */
export function guard(options: GuardOptions): Guard {
  const { authenticate, authorize, limits = [], methods = {}, log = silent } = options
  const ends: WeakMap<Client, number> = new WeakMap()
  let ended = 0
  const expiries = new Expiries(() => ended++)

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
  const accept = (client: Client, grant: Grant): true | Refusal => {
    // The session belongs to the name that the client says: another one would be somebody else's.
    if (grant.userName !== undefined && grant.userName !== client.userName) {
      log.warn(`${JSON.stringify(client.clientId)} is refused: it does not say as user name who it has proved to be`)
      return notAuthorized
    }
    if (grant.expiresAt !== undefined) ends.set(client, expiries.add(grant.expiresAt))
    authorize?.accept(client, grant)
    return true
  }
  const isOver = (client: Client): boolean => {
    const end = ends.get(client)
    return end !== undefined && Date.now() >= end
  }

  return {
    async authenticate(client, password) {
      const refusal = enter(client)
      if (refusal !== undefined) return refusal
      const verdict: Verdict = await authenticate?.authenticate(client, password)
      const isIn = verdict !== undefined && !isRefusal(verdict)
      const answer = isIn ? accept(client, verdict) : (verdict ?? noCredentials(client))
      // That the broker is busy says nothing about the client.
      if (answer === true || answer.reasonCode === 0x86 || answer.reasonCode === 0x87) decided(client, answer === true)
      return answer
    },
    authorize: {
      get epoch() {
        return ended + (authorize?.epoch ?? 0)
      },
      authorize(client, action, topic) {
        if (isOver(client)) return false
        if (authorize !== undefined) return authorize.decide(client, action, topic)
        return action !== 'publish' || !topic.startsWith('$')
      },
    },
    ...(authorize?.checksRetain === true && {
      onPublish: (client: Client, { topic, retain }: { readonly topic: string; readonly retain: boolean }) =>
        retain && !authorize.decide(client, 'retain', topic) ? notAuthorized : true,
    }),
    onDisconnect(client) {
      for (const limit of limits) limit.gone?.(client)
    },
    authenticationMethods: Object.fromEntries(
      Object.entries(methods).map(([name, method]) => [name, watched(method, enter, decided)]),
    ),
  }
}

function noCredentials({ userName }: Client): Refusal {
  return userName === undefined ? notAuthorized : badCredentials
}

/** A method that heeds limits, and tells them how it ended. */
function watched(
  method: Method,
  enter: (client: Client) => Refusal | undefined,
  decided: (client: Client, isIn: boolean) => void,
): Method {
  return (client) => {
    const refusal = enter(client)
    if (refusal !== undefined) return { next: () => ({ state: 'failure', ...refusal }) }
    const exchange = method(client)
    return {
      async next(data) {
        const step = await exchange.next(data)
        if (step.state !== 'continue') decided(client, step.state === 'success')
        return step
      },
    }
  }
}
