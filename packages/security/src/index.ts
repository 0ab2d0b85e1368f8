/**
 * Security helpers that a broker and a client share.
 *
 * @packageDocumentation
 */

export { hashPassword, verifyPassword } from './password.js'
export { PasswordFile } from './password-file.js'
