/** Enhanced authentication (section 4.12): what a method such as SCRAM is to the broker. */

import type { Client, Grant } from './hooks.js'

/** Begins an exchange with a client; called for each CONNECT that names the method, and when a client renews it. */
export type AuthenticationMethod = (client: Client) => AuthenticationExchange

export interface AuthenticationExchange {
  /** Takes the Authentication Data of the client's packet and says how to go on. A throw or rejection refuses. */
  next(data: Uint8Array | undefined): AuthenticationStep | Promise<AuthenticationStep>
}

/** What an exchange comes to next, with Authentication Data for the client. */
export type AuthenticationStep =
  | { readonly state: 'continue'; readonly data?: Uint8Array }
  | ({ readonly state: 'success'; readonly data?: Uint8Array } & Grant)
  | { readonly state: 'failure'; readonly reasonCode?: number; readonly reasonString?: string }
