/** What a client may have beside its core: a bundle that does without is smaller. */

import { reasonName } from '@tidewire/codec'
import { OutgoingAliases } from '@tidewire/session'
import { type AuthenticatedClient, Authenticator } from './authenticator.js'
import { type Authentication, type ConnectOptions, checkOptions } from './options.js'

export interface Parts {
  /** Finds mistakes in options. */
  check?(options: ConnectOptions): void
  /** What a Reason Code is called in messages. */
  reasonName?(reasonCode: number): string
  /** Gives Topic Aliases to what is published. */
  aliases?(maximum: number): OutgoingAliases
  /** Does what the option `authentication` wants. */
  authenticator?(client: AuthenticatedClient, authentication: Authentication): Authenticator
}

// Aliases take memory here, too.
const mostAliases = 256

/** All that there is. */
export const allParts: Parts = {
  check: checkOptions,
  reasonName,
  aliases: (maximum) => new OutgoingAliases(Math.min(maximum, mostAliases)),
  authenticator: (client, authentication) => new Authenticator(client, authentication),
}
