/**
 * Certificates for development.
 *
 * @packageDocumentation
 */

export {
  DevelopmentCa,
  type DevelopmentCaOptions,
  type IssuedCertificate,
  type IssueOptions,
} from './development-ca.js'
