import { MemoryStore } from '@tidewire/broker/store'
import { storeContract } from '@tidewire/broker/store-contract'
import { describe, it } from 'vitest'

describe('the store in memory', () => {
  const cases = storeContract(async () => {
    const store = new MemoryStore()
    const open = async () => {
      await store.load({ message() {}, record() {} })
      return store
    }
    return { open, isExclusive: false, dispose: async () => {} }
  })
  it.each(cases)('$name', ({ run }) => run())
})
