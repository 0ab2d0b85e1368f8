/** Starts the command `tidewire-certificates`. */

import { certificatesCommand } from './certificates-command.js'

certificatesCommand(process.argv.slice(2))
  .then((text) => process.stdout.write(text))
  .catch((error: Error) => {
    console.error(error.message)
    process.exitCode = 1
  })
