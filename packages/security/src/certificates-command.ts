/** The command that makes certificates for development. */

import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DevelopmentCa, type IssuedCertificate } from './development-ca.js'
import { createFile } from './secret-file.js'

const usage = `Usage: tidewire-certificates [options]

Makes a private CA and certificates for development, in PEM. What is there stays; with a CA in the folder, it signs more.

  -o, --out FOLDER    where the files are written (default .)
  --server HOST       a host name or IP address of the server; may come again (default localhost, 127.0.0.1 and ::1)
  --client NAME       a certificate for a client; may come again
  --revoke NAME       writes ca.crl, in which the clients of these names are revoked; may come again
  --days N            how long certificates are valid (default 397)
  --force             writes over certificates that are there, but not over the CA
  -h, --help          show this

The packages @peculiar/x509 and reflect-metadata must be installed.
`

/** Does what it is told; returns what to print. Rejects with what to tell people. */
export async function certificatesCommand(args: string[]): Promise<string> {
  const { values } = parseArgs({
    args,
    options: {
      out: { type: 'string', short: 'o', default: '.' },
      server: { type: 'string', multiple: true },
      client: { type: 'string', multiple: true, default: [] },
      revoke: { type: 'string', multiple: true, default: [] },
      days: { type: 'string', default: '397' },
      force: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return usage
  const { out, force, client: clients, revoke } = values
  const days = Number(values.days)
  if (!/^\d{1,4}$/.test(values.days) || days < 1) throw new Error('--days needs a whole number from 1 to 9999')
  for (const name of [...clients, ...revoke]) {
    if (!/^[\w.@-]+$/.test(name)) throw new Error(`${JSON.stringify(name)} cannot be the name of a file`)
  }
  await mkdir(out, { recursive: true })
  const written: string[] = []
  const write = async (name: string, text: string, mode: number, over: boolean): Promise<void> => {
    const path = join(out, name)
    if (over) await rm(path, { force: true })
    await createFile(path, text, mode)
    written.push(path)
  }
  const writePair = async (name: string, { cert, key }: IssuedCertificate, over: boolean): Promise<void> => {
    await write(`${name}.key`, key, 0o600, over)
    await write(`${name}.crt`, cert, 0o644, over)
  }
  const [before, isNew] = await existing(out)
  const ca = before === undefined ? await DevelopmentCa.create() : await DevelopmentCa.open(before)
  if (isNew) await writePair('ca', ca.pem, false)
  const hosts = values.server ?? ['localhost', '127.0.0.1', '::1']
  if (isNew || values.server !== undefined) await writePair('server', await ca.server(hosts, { days }), force)
  for (const name of clients) await writePair(name, await ca.client(name, { days }), force)
  if (revoke.length > 0) {
    const revoked = await Promise.all(revoke.map((name) => readFile(join(out, `${name}.crt`), 'utf8')))
    await write('ca.crl', await ca.revoke(revoked), 0o644, true)
  }
  return written.map((path) => `${path}\n`).join('')
}

/** The CA of the folder; both files are there, or none. */
async function existing(folder: string): Promise<[ca: IssuedCertificate | undefined, isNew: boolean]> {
  const readOrNot = (name: string): Promise<string | undefined> =>
    readFile(join(folder, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
  const [cert, key] = [await readOrNot('ca.crt'), await readOrNot('ca.key')]
  if (cert === undefined && key === undefined) return [undefined, true]
  if (cert === undefined || key === undefined)
    throw new Error(`of the CA in ${folder}, the ${cert === undefined ? 'certificate' : 'key'} is missing`)
  return [{ cert, key }, false]
}
