/** Files for SCRAM: a line `user:verifier` for each user and mechanism. */

import type { ScramUsers } from './scram-server.js'
import { parseVerifier, type ScramMechanism } from './scram-verifier.js'

export class ScramFile implements ScramUsers {
  readonly #verifiers: ReadonlyMap<string, string>

  /** Throws TypeError, with the number of the line, for what is no such line, and if there is none. */
  constructor(text: string, { file = 'SCRAM file' }: { readonly file?: string } = {}) {
    const verifiers = new Map<string, string>()
    for (const [index, raw] of text.split('\n').entries()) {
      const line = raw.trim()
      if (line === '' || line.startsWith('#')) continue
      const fail = (why: string): never => {
        throw new TypeError(`${file}, line ${index + 1}: ${why}`)
      }
      const colon = line.indexOf(':')
      const verifier = line.slice(colon + 1).trim()
      const mechanism =
        parseVerifier(verifier)?.mechanism ?? fail('expected user:SCRAM-SHA-256$... as tidewire-passwd writes it')
      const userName = line.slice(0, Math.max(0, colon)).trim()
      if (userName === '') fail('expected the name of a user')
      const key = `${mechanism} ${userName}`
      if (verifiers.has(key)) fail('the user has come before')
      verifiers.set(key, verifier)
    }
    if (verifiers.size === 0) throw new TypeError(`${file}: there is no user in it`)
    this.#verifiers = verifiers
  }

  verifierOf(userName: string, mechanism: ScramMechanism): string | undefined {
    return this.#verifiers.get(`${mechanism} ${userName}`)
  }
}
