/** What tests of several parts share. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export interface TestClient {
  readonly clientId: string
  readonly userName: string | undefined
  readonly remoteAddress?: string
}

export const clientOf = (userName: string | undefined, clientId = 'c'): TestClient => ({ clientId, userName })

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'security-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

export function isMissing(program: string): boolean {
  return spawnSync(program, ['--help']).error !== undefined
}

/** A log of which a test sees every line. */
export function recorder(): {
  lines: string[]
  info(line: string): void
  warn(line: string): void
  error(line: string): void
} {
  const lines: string[] = []
  const write = (line: string): void => void lines.push(line)
  return { lines, info: write, warn: write, error: write }
}
