/**
 * Who may connect to a broker, and what clients may do: passwords, access rules, limits, and how they are put together.
 *
 * @packageDocumentation
 */

export type { Access, Rulebook } from './access.js'
export { type AclFileOptions, acl } from './acl.js'
export { AclFile, type AclOptions } from './acl-file.js'
export type { Action, Authenticator, Client, Grant, Log, Refusal, Verdict } from './client.js'
export { allOf, anonymous, anyOf } from './compose.js'
export {
  type Admission,
  type Guard,
  type GuardOptions,
  guard,
  type Method,
  type MethodExchange,
  type MethodStep,
} from './guard.js'
export { type HttpAuthenticator, type HttpOptions, http } from './http.js'
export { connectionRate, failedLogins, flapping, type Limit, type LimitKey, type LimitOptions } from './limits.js'
export { type HashFormat, type HashOptions, hashPassword, verifyPassword } from './password.js'
export { PasswordFile } from './password-file.js'
export { type Passwords, type PasswordsOptions, passwords } from './passwords.js'
export type { Decider, Permissions } from './permissions.js'
export type { ReloadOptions } from './reloading.js'
export type { Explanation } from './rules.js'
export { scramUsers } from './scram-users.js'
