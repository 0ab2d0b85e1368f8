/** The users of a file for SCRAM. */

import { checkSecrecy, Reloading, type ReloadOptions, readText } from './reloading.js'
import { ScramFile } from './scram-file.js'
import type { ScramUsers } from './scram-server.js'

/** Opens a file that `tidewire-passwd -H scram-sha-256` has written. Rejects when it is missing, empty or broken. */
export async function scramUsers(options: ReloadOptions & { readonly file: string }): Promise<
  ScramUsers & {
    /** Reads the file again; settles with whether it is in force. */
    reload(): Promise<boolean>
    close(): void
  }
> {
  const { file, log } = options
  const load = async (): Promise<ScramFile> => {
    const users = new ScramFile(await readText('SCRAM file', file), { file })
    await checkSecrecy('SCRAM file', file, log)
    return users
  }
  const users = await Reloading.open(`SCRAM file ${file}`, [file], load, options)
  return {
    verifierOf: (userName, mechanism) => users.value.verifierOf(userName, mechanism),
    reload: () => users.reload(),
    close: () => users.close(),
  }
}
