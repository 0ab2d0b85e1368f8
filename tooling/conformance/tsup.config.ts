/** Bundles the command from the sources, so that Node can run it without a build of the packages. */

import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['main.ts'],
  format: 'esm',
  target: 'node20',
  platform: 'node',
  clean: true,
  removeNodeProtocol: false,
  // With what the broker depends on, which is CommonJS in part.
  noExternal: [/./],
  banner: {
    js: "import { createRequire as createRequireHere } from 'node:module'; const require = createRequireHere(import.meta.url)",
  },
  esbuildOptions(options) {
    options.conditions = ['@tidewire/source']
  },
})
