/** Access by mosquitto's `acl_file`. */

import { Access } from './access.js'
import { AclFile } from './acl-file.js'
import { Reloading, type ReloadOptions, readText } from './reloading.js'

export interface AclFileOptions extends ReloadOptions {
  /** The path of a file as mosquitto's `acl_file`. */
  readonly file: string
  /** See `AclOptions`. Default false, as mosquitto. */
  readonly strict?: boolean
}

/** Opens an `acl_file`. Rejects when it is missing, empty or broken; a later one that is broken is not taken. */
export async function acl(options: AclFileOptions): Promise<Access<AclFile>> {
  const { file, strict = false } = options
  const load = async (): Promise<AclFile> => new AclFile(await readText('acl_file', file), { file, strict })
  return new Access(await Reloading.open(`acl_file ${file}`, [file], load, options))
}
