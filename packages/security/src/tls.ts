/**
 * TLS for MQTT: contexts, client certificates, pre-shared keys.
 *
 * @packageDocumentation
 */

export { certificateIdentity, certificates, type IdentityKind } from './certificate-identity.js'
export type { Authenticator, Client, Grant, Log, Refusal, Verdict } from './client.js'
export type { Pem } from './pem.js'
export { PskFile, preSharedKeys } from './psk-file.js'
export type { ReloadOptions } from './reloading.js'
export { type ClientTlsOptions, clientTls, explainTlsError } from './tls-client.js'
export { type KeyPair, type ServerTls, type ServerTlsOptions, serverTls } from './tls-server.js'
export { pskIdentity, type TlsSettings } from './tls-settings.js'
