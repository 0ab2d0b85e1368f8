/**
 * Access by Tidewire's own policy file.
 *
 * @packageDocumentation
 */

import { Access } from './access.js'
import { PolicyFile } from './policy-file.js'
import { Reloading, type ReloadOptions, readText } from './reloading.js'

export type { Access, Rulebook } from './access.js'
export type { Action, Client, Grant, Log } from './client.js'
export type { Decider, Permissions } from './permissions.js'
export { PolicyFile } from './policy-file.js'
export type { ReloadOptions } from './reloading.js'
export type { Explanation } from './rules.js'

export interface PolicyOptions extends ReloadOptions {
  /** The path of a policy file, YAML or JSON. */
  readonly file: string
}

/** Opens a policy file. Rejects when it is missing, empty or broken; a later one that is broken is not taken. */
export async function policy(options: PolicyOptions): Promise<Access<PolicyFile>> {
  const { file } = options
  const load = async (): Promise<PolicyFile> => new PolicyFile(await readText('policy', file), { file })
  return new Access(await Reloading.open(`policy ${file}`, [file], load, options))
}
