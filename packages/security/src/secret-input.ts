/** A secret from who runs a command: typed unseen at a terminal, or the first line of the standard input. */

import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'

/** Rejects when there is no line. At a terminal it is asked for twice. */
export async function readSecret(question: string): Promise<string> {
  const { stdin } = process
  if (!stdin.isTTY) return readLine('')
  const first = await readLine(`${question}: `)
  if ((await readLine('Again: ')) !== first) throw new Error('the two are not the same')
  return first
}

async function readLine(prompt: string): Promise<string> {
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() })
  process.stderr.write(prompt)
  const lines = createInterface({ input: process.stdin, output: unseen, terminal: process.stdin.isTTY })
  try {
    for await (const line of lines) return line
  } finally {
    lines.close()
    if (prompt !== '') process.stderr.write('\n')
  }
  throw new Error('there was nothing to read')
}
