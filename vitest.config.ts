import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Tests run the sources, not the builds: no build is needed before `vitest`.
const conditions = ['@tidewire/source']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'tooling/**/*.test.ts'],
    testTimeout: 20_000,
    // Of two cores one is left idle otherwise: many tests wait for programs.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
