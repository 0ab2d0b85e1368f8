/** Bytes of a bundle for browsers, minified and compressed with gzip: by esbuild, and by Rollup. */

import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, transform } from 'esbuild'
import { rollup } from 'rollup'

/** @param {string} text */
const zipped = (text) => gzipSync(text, { level: 9 }).length

/** @param {string} code */
async function withEsbuild(code) {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
    logLevel: 'silent',
  })
  return zipped(outputFiles[0]?.text ?? '')
}

/** @param {string} code */
async function withRollup(code) {
  const bundle = await rollup({
    input: 'entry',
    plugins: [
      {
        name: 'resolve',
        resolveId: (id) =>
          id === 'entry' ? id : id.startsWith('@tidewire/') ? fileURLToPath(import.meta.resolve(id)) : null,
        load: (id) => (id === 'entry' ? code : null),
      },
    ],
  })
  const { output } = await bundle.generate({ format: 'es' })
  const { code: minified } = await transform(output.map((each) => ('code' in each ? each.code : '')).join(''), {
    minify: true,
    format: 'esm',
    target: 'es2022',
  })
  return zipped(minified)
}

const slim = `export * from '@tidewire/client/slim'`
const whole = `export { connect } from '@tidewire/client/browser'`

export async function bundles() {
  const theirs = await withEsbuild(`export { default } from 'mqtt'`)
  return [
    { name: 'bundle for browsers, the core: gzip, esbuild', ours: await withEsbuild(slim), theirs },
    { name: 'the same with Rollup', ours: await withRollup(slim), theirs },
    { name: 'bundle for browsers, `connect` with all parts', ours: await withEsbuild(whole), theirs },
  ]
}
