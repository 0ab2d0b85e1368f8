/** Starts the command `tidewire-passwd`. */

import { passwd } from './passwd.js'
import { readSecret } from './secret-input.js'

passwd(process.argv.slice(2), readSecret)
  .then((text) => process.stdout.write(text))
  .catch((error: Error) => {
    console.error(error.message)
    process.exitCode = 1
  })
