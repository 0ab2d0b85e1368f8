/** Programs of others, run by a test and ended with it. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Whether a program can be run here; a test that needs it is skipped by name where it cannot. */
export function has(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).error === undefined
}

/** Whether Debian's Python has Paho. */
export const hasPaho: boolean = spawnSync('/usr/bin/python3', ['-c', 'import paho.mqtt.client']).status === 0

export interface ProgramOptions {
  /** Takes what ends the program. Default: the test that runs. */
  readonly onEnd?: (end: () => Promise<void>) => void
  /** What it reads, or `lines` for those of `write`. Default: nothing. */
  readonly input?: Uint8Array | 'lines'
}

/** A program that runs: its output, line by line. */
export class Program {
  readonly #process: ChildProcess
  readonly #lines: string[] = []
  readonly #errors: string[] = []
  #wake: () => void = () => {}
  #status: number | null | undefined
  #isFrozen = false

  constructor(command: string, args: readonly string[], { onEnd = onTestFinished, input }: ProgramOptions = {}) {
    const child = spawn(command, args, { stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] })
    this.#process = child
    child.stdin?.on('error', () => {}) // it has ended, and its status tells why
    if (input instanceof Uint8Array) child.stdin?.end(input)
    this.#collect('stdout', this.#lines)
    this.#collect('stderr', this.#errors)
    child.on('close', (status) => {
      this.#status = status
      this.#wake()
    })
    onEnd(() => this.stop())
  }

  /** A line for it to read. */
  write(line: string): void {
    this.#process.stdin?.write(`${line}\n`)
  }

  #collect(from: 'stdout' | 'stderr', into: string[]): void {
    let rest = ''
    this.#process[from]!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      into.push(...lines)
      this.#wake()
    })
  }

  /** The next line that matches, of those not returned before; throws when the program ends without it. */
  async line(pattern: RegExp, from: 'stdout' | 'stderr' = 'stdout'): Promise<string> {
    const lines = from === 'stdout' ? this.#lines : this.#errors
    for (;;) {
      while (lines.length > 0) {
        const line = lines.shift()!
        if (pattern.test(line)) return line
      }
      if (this.#status !== undefined) throw new Error(`ended with ${this.#status}: ${this.#errors.join('\n')}`)
      await this.#change()
    }
  }

  /** Waits for the end; throws unless the status is 0. */
  async done(): Promise<void> {
    while (this.#status === undefined) await this.#change()
    if (this.#status !== 0) throw new Error(`ended with ${this.#status}: ${this.#errors.join('\n')}`)
  }

  async stop(): Promise<void> {
    if (this.#status !== undefined) return
    this.#process.kill(this.#isFrozen ? 'SIGKILL' : 'SIGTERM')
    if (this.#process.exitCode === null) await once(this.#process, 'close')
  }

  /** Lets it do nothing more, not even read. */
  freeze(): void {
    this.#isFrozen = true
    this.#process.kill('SIGSTOP')
  }

  thaw(): void {
    this.#isFrozen = false
    this.#process.kill('SIGCONT')
  }

  /** Ends it without a chance to say goodbye. */
  kill(): void {
    this.#process.kill('SIGKILL')
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

/** A port that nobody has. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Starts Debian's mosquitto, which ends with the test. Returns where it listens. */
export async function startMosquitto(): Promise<{ mqtt: string; ws: string }> {
  const [port, webSocketPort] = [await freePort(), await freePort()]
  const folder = mkdtempSync(join(tmpdir(), 'mosquitto-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const configuration = join(folder, 'mosquitto.conf')
  writeFileSync(
    configuration,
    `allow_anonymous true\nlistener ${port} 127.0.0.1\nlistener ${webSocketPort} 127.0.0.1\nprotocol websockets\n`,
  )
  const mosquitto = new Program('mosquitto', ['-c', configuration])
  await mosquitto.line(/running/, 'stderr')
  return { mqtt: `mqtt://127.0.0.1:${port}`, ws: `ws://127.0.0.1:${webSocketPort}` }
}
