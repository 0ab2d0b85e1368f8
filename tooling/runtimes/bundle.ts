/** The tests of a package as one script, for any runtime. */

import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export const root: string = fileURLToPath(new URL('../..', import.meta.url))

/** The test files of a package, from the root of the repository. */
function testFiles(name: string): string[] {
  const folder = `packages/${name}/test`
  const files = readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
  return files.filter((file) => file.endsWith('.test.ts')).map((file) => `${folder}/${file}`)
}

/**
 * An ES module that runs the tests of a package, made of its sources, and prints their outcomes. Throws when a test needs
 * what not every runtime has, such as `node:fs`.
 */
export async function bundleTests(name: string): Promise<string> {
  const report = JSON.stringify(fileURLToPath(new URL('report.ts', import.meta.url)))
  const files = testFiles(name).map((file) => `${JSON.stringify(file)}: () => import(${JSON.stringify(root + file)})`)
  const { outputFiles } = await build({
    stdin: {
      contents: `import { report } from ${report}\nawait report({ ${files.join(', ')} })`,
      resolveDir: root,
    },
    alias: { vitest: fileURLToPath(new URL('vitest.ts', import.meta.url)) },
    conditions: ['@tidewire/source'],
    platform: 'neutral',
    mainFields: ['module', 'main'],
    format: 'esm',
    target: 'es2022',
    bundle: true,
    write: false,
    logLevel: 'silent',
  })
  return outputFiles[0]!.text
}
