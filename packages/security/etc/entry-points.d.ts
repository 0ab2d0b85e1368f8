/** All entry points of the package, for the API report. */
export * as certificates from '../dist/certificates.js'
export * as index from '../dist/index.js'
export * as jwt from '../dist/jwt.js'
export * as policy from '../dist/policy.js'
export * as scram from '../dist/scram.js'
export * as sealed from '../dist/sealed.js'
export * as tls from '../dist/tls.js'
