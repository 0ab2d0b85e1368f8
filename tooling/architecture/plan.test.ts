import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { plan } from './plan.js'

const packages = fileURLToPath(new URL('../../packages/', import.meta.url))

/** What a file imports, types included. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8').replaceAll(/\/\*.*?\*\/|^\s*\/\/.*$/gms, '')
  // `import x from`, `export x from`, `import 'x'`, import() and require().
  const found = text.matchAll(/(?:\bfrom|^import|\bimport\(|\brequire\()\s*(['"])(.+?)\1/gm)
  return [...found].map((match) => match[2]!)
}

it('imports are seen however they are written', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'plan-')), 'x.ts')
  onTestFinished(() => rmSync(dirname(file), { recursive: true }))
  const lines = [
    `import 'a'`,
    `import "b"`,
    `import type {\n  X,\n} from 'c'`,
    `export * from "d"`,
    `const e = await import('e')`,
  ]
  writeFileSync(file, [...lines, `const f = require('f')`].join('\n'))
  expect(importsOf(file)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
})

it('every package is in the plan', () => {
  expect(readdirSync(packages).sort()).toEqual(Object.keys(plan).sort())
})

describe.each(Object.entries(plan))('%s', (name, { uses, node, pure = [], files }) => {
  const source = join(packages, name, 'src')

  it('has the files of the plan', () => {
    const found = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
    expect(found.sort()).toEqual(files.map((file) => `${file}.ts`).sort())
  })

  it.each(files)('%s.ts imports only what stands above it', (file) => {
    const above = files.slice(0, files.indexOf(file))
    const mayUseNode = typeof node === 'string' ? file.startsWith(node) : node && !pure.includes(file)
    for (const imported of importsOf(join(source, `${file}.ts`))) {
      if (imported.startsWith('.')) {
        const other = normalize(join(dirname(file), imported)).replace(/\.js$/, '')
        expect(above).toContain(other)
        if (pure.includes(file)) expect(pure).toContain(other)
      } else if (imported.startsWith('@tidewire/')) {
        expect(uses).toContain(imported.split('/')[1])
      } else if (imported.startsWith('node:')) {
        expect(mayUseNode, `${file}.ts imports ${imported}`).toBe(true)
      } else {
        const manifest = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8'))
        expect(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })).toContain(imported)
      }
    }
  })

  it('says in its package.json which packages it uses', () => {
    const { dependencies = {} } = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8'))
    const used = new Set(files.flatMap((file) => importsOf(join(source, `${file}.ts`))))
    const named = [...used].map((imported) => imported.split('/').slice(0, 2).join('/'))
    const sisters = [...new Set(named)].filter((imported) => imported.startsWith('@tidewire/'))
    expect(
      Object.keys(dependencies)
        .filter((each) => each.startsWith('@tidewire/'))
        .sort(),
    ).toEqual(sisters.sort())
  })
})

it('a package uses only packages that stand above it', () => {
  const names = Object.keys(plan)
  for (const [name, { uses }] of Object.entries(plan)) {
    for (const used of uses) expect(names.indexOf(used)).toBeLessThan(names.indexOf(name))
  }
  const { broker } = plan
  expect(broker?.uses).not.toContain('client')
})
