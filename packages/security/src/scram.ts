/**
 * SCRAM (RFC 5802, RFC 7677) as enhanced authentication of MQTT 5.0, for both ends and for browsers too.
 *
 * @packageDocumentation
 */

export { type ScramClientOptions, type ScramExchange, scramClient } from './scram-client.js'
export { ScramFile } from './scram-file.js'
export {
  type ScramServerExchange,
  type ScramServerOptions,
  type ScramStep,
  type ScramUsers,
  scram,
} from './scram-server.js'
export { type ScramMechanism, type ScramVerifierOptions, scramVerifier } from './scram-verifier.js'
