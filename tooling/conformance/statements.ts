/** The numbered statements of the standard, told in our own words. */

import { readFileSync } from 'node:fs'
import type { ProtocolVersion } from '@tidewire/codec'
import { statementId } from './suite.js'

export interface Statement {
  /** With `3.1.1` in front where it is of that version. */
  readonly id: string
  readonly version: ProtocolVersion
  /** Whom it binds. */
  readonly who: 'client' | 'server' | 'both'
  readonly words: string
}

/** Where a statement that no test here judges is looked after, or why it cannot be. */
export interface Elsewhere {
  readonly id: string
  /** A test as `file: name`; its name holds the rest of the text after the colon. */
  readonly test: string | undefined
  readonly reason: string | undefined
}

/** The folder of this package, also where the bundle runs. */
export const root: URL = new URL(import.meta.url.includes('/dist/') ? '..' : '.', import.meta.url)

function rows(name: string): string[][] {
  const text = readFileSync(new URL(`statements/${name}.tsv`, root), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
}

const files: readonly [name: string, version: ProtocolVersion][] = [
  ['5.0', 5],
  ['5.0-errors', 5],
  ['3.1.1', 4],
  ['3.1', 3],
]

/** Those of each list, under its name. */
export function loadStatements(): ReadonlyMap<string, readonly Statement[]> {
  return new Map(
    files.map(([name, version]) => [
      name,
      rows(name).map(([id = '', who, words = '']) => {
        return { id: statementId(version, id), version, who: who as Statement['who'], words }
      }),
    ]),
  )
}

/** A row of the threats that the broker must stand. */
export interface Threat {
  readonly id: string
  readonly words: string
  /** Why no test here is named by it; empty where one is. */
  readonly elsewhere: string
}

export function loadThreats(): readonly Threat[] {
  return rows('threats').map(([id = '', words = '', elsewhere = '']) => ({ id, words, elsewhere }))
}

/** The names of the tests in `threats`, which need brokers of their own. */
export function threatTests(): readonly string[] {
  return ['protocol', 'limits', 'routing'].flatMap((file) => {
    const text = readFileSync(new URL(`threats/${file}.test.ts`, root), 'utf8')
    return [...text.matchAll(/threat\(\s*'([^']+)'/g)].map(([, name = '']) => name)
  })
}

export function loadElsewhere(): readonly Elsewhere[] {
  return rows('elsewhere').map(([id = '', kind, text = '']) => ({
    id,
    test: kind === 'test' ? text : undefined,
    reason: kind === 'test' ? undefined : text,
  }))
}
