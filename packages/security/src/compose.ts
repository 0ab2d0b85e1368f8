/** Ways to let clients in, put together. */

import {
  type Authenticator,
  type Client,
  type Grant,
  isRefusal,
  notAuthorized,
  type Refusal,
  type Verdict,
} from './client.js'

/** Lets in whom one of them lets in, asked in their order. What a later one says does not count then. */
export function anyOf(...parts: readonly Authenticator[]): Authenticator {
  return {
    async authenticate(client: Client, password: Uint8Array | undefined): Promise<Verdict> {
      let refusal: Refusal | undefined
      for (const part of parts) {
        const verdict = await part.authenticate(client, password)
        if (verdict !== undefined && !isRefusal(verdict)) return verdict
        refusal ??= verdict
      }
      return refusal
    },
  }
}

/** Lets in whom all of them let in, such as those with a certificate and a password. They must agree on the name. */
export function allOf(...parts: readonly Authenticator[]): Authenticator {
  return {
    async authenticate(client: Client, password: Uint8Array | undefined): Promise<Verdict> {
      let all: Grant | undefined
      for (const part of parts) {
        const verdict = await part.authenticate(client, password)
        if (verdict === undefined || isRefusal(verdict)) return verdict
        const other = all?.userName
        if (other !== undefined && verdict.userName !== undefined && verdict.userName !== other) return notAuthorized
        all = merged(all, verdict)
      }
      return all
    },
  }
}

function merged(one: Grant = {}, other: Grant): Grant {
  const expiresAt = Math.min(one.expiresAt ?? Number.POSITIVE_INFINITY, other.expiresAt ?? Number.POSITIVE_INFINITY)
  return {
    ...one,
    ...other,
    roles: [...(one.roles ?? []), ...(other.roles ?? [])],
    groups: [...(one.groups ?? []), ...(other.groups ?? [])],
    ...(expiresAt !== Number.POSITIVE_INFINITY && { expiresAt }),
  }
}

/** Lets in clients that give neither a user name nor a password. */
export function anonymous(grant: Pick<Grant, 'roles' | 'groups'> = {}): Authenticator {
  return {
    authenticate: ({ userName }, password) => (userName === undefined && password === undefined ? grant : undefined),
  }
}
