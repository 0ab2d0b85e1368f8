import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeContract } from '@tidewire/broker/store-contract'
import { openLog } from '@tidewire/store-log'
import { describe, it } from 'vitest'

describe.each([
  ['fsync', { segmentSize: 1024 * 1024 }],
  ['os, in small segments', { durability: 'os', segmentSize: 64 * 1024 }],
] as const)('the log, %s', (_, options) => {
  const cases = storeContract(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tidewire-'))
    return {
      open: () => openLog(directory, { ...options }),
      dispose: () => rm(directory, { recursive: true }),
    }
  })
  it.each(cases)('$name', ({ run }) => run())
})
