/** Bundles the soak from the sources, so that Node can run it without a build of the packages. */

import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { main: 'soak/main.ts', broker: 'soak/broker.ts', attacker: 'soak/attacker.ts' },
  format: 'esm',
  target: 'node20',
  platform: 'node',
  clean: true,
  removeNodeProtocol: false,
  // With what the broker depends on, which is CommonJS in part.
  noExternal: [/^(?!mqtt$)/],
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url)",
  },
  esbuildOptions(options) {
    options.conditions = ['@tidewire/source']
  },
})
