/** The command that writes password files, with the options of mosquitto_passwd. */

import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type HashFormat, type HashOptions, hashPassword } from './password.js'
import { isUserName, PasswordFile, withUser } from './password-file.js'
import { scramFormats, scramVerifier } from './scram-verifier.js'
import { replaceFile } from './secret-file.js'

const usage = `Usage: tidewire-passwd [-c] [-H FORMAT] [-I N] FILE USER
       tidewire-passwd [-c] [-H FORMAT] [-I N] -b FILE USER PASSWORD
       tidewire-passwd -D FILE USER
       tidewire-passwd -U FILE

Writes password files of Tidewire and of mosquitto. The password is asked for, or is the first line of the standard input.

  -c, --create      a new file, in place of one that there is
  -b, --batch       the password is an argument, which everyone on this machine can see in the list of processes
  -D, --delete      takes the user out
  -U, --upgrade     hashes the passwords of a file with lines user:password
  -H FORMAT         scrypt (default), sha512-pbkdf2, sha512 or argon2id; or scram-sha-256 or scram-sha-512, in a file of
                    their own
  -I N              rounds of sha512-pbkdf2 (default 210000) or of scram (default 4096)
  --compat          what mosquitto 2.0 and later can read: sha512-pbkdf2
  -h, --help        show this
`

const formats: ReadonlyMap<string, HashFormat> = new Map([
  ['scrypt', 'scrypt'],
  ['sha512-pbkdf2', 'pbkdf2-sha512'],
  ['sha512', 'sha512'],
  ['argon2id', 'argon2id'],
])

class UsageError extends Error {}

/** Does what it is told; returns what to print. Rejects with what to tell people. */
export async function passwd(args: string[], ask: (question: string) => Promise<string>): Promise<string> {
  try {
    return await run(args, ask)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (!(error instanceof UsageError) && code?.startsWith('ERR_PARSE_ARGS') !== true) throw error
    throw new Error(`${(error as Error).message}\nSee --help.`)
  }
}

async function run(args: string[], ask: (question: string) => Promise<string>): Promise<string> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      create: { type: 'boolean', short: 'c', default: false },
      batch: { type: 'boolean', short: 'b', default: false },
      delete: { type: 'boolean', short: 'D', default: false },
      upgrade: { type: 'boolean', short: 'U', default: false },
      format: { type: 'string', short: 'H' },
      iterations: { type: 'string', short: 'I' },
      compat: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return usage
  const { create, batch, upgrade } = values
  if ([create, values.delete, upgrade].filter(Boolean).length > 1) throw new UsageError('only one of -c, -D and -U')
  const expected = upgrade ? 1 : batch ? 3 : 2
  if (positionals.length !== expected || (batch && (values.delete || upgrade))) {
    throw new UsageError(`expected ${['', 'FILE', 'FILE USER', 'FILE USER PASSWORD'][expected]}`)
  }
  const hash = hasher(values.format ?? (values.compat ? 'sha512-pbkdf2' : 'scrypt'), values.iterations)
  const [file = '', userName = '', argument] = positionals
  if (upgrade) return upgradeFile(file, hash)
  if (!isUserName(userName))
    throw new UsageError('a user name has no colon, no control character and no # at its begin')
  const text = create ? '' : await readFile(file, 'utf8')
  if (values.delete) {
    const rest = withUser(text, userName, undefined)
    if (rest === text) throw new Error(`there is no such user in ${file}`)
    await replaceFile(file, rest)
    return ''
  }
  const password = argument ?? (await ask('Password'))
  if (password === '') throw new Error('the password is empty')
  await replaceFile(file, withUser(text, userName, await hash(password)))
  return ''
}

/** How passwords are hashed. */
function hasher(name: string, rounds: string | undefined): (password: string) => Promise<string> {
  if (rounds !== undefined && !/^\d{1,8}$/.test(rounds)) throw new UsageError('-I needs a whole number')
  const options: HashOptions = rounds === undefined ? {} : { iterations: Number(rounds) }
  const mechanism = scramFormats.get(name)
  if (mechanism !== undefined) return (password) => scramVerifier(password, { mechanism, ...options })
  const format = formats.get(name)
  if (format === undefined) throw new UsageError(`-H ${name}: there is no such format`)
  return (password) => hashPassword(password, { format, ...options })
}

async function upgradeFile(file: string, hash: (password: string) => Promise<string>): Promise<string> {
  const lines = (await readFile(file, 'utf8')).split(/\r?\n/)
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const colon = line.indexOf(':')
    const [userName, password] = [line.slice(0, Math.max(0, colon)), line.slice(colon + 1)]
    if (!isUserName(userName) || password === '') throw new Error(`${file}, line ${index + 1}: expected user:password`)
    // A second time would make a password of the hash, which nobody knows.
    if (isHashed(password)) throw new Error(`${file}, line ${index + 1}: it is hashed already`)
    lines[index] = `${userName}:${await hash(password)}`
  }
  await replaceFile(file, lines.join('\n'))
  return ''
}

function isHashed(text: string): boolean {
  try {
    return new PasswordFile(`x:${text}`).size === 1
  } catch {
    return false
  }
}
