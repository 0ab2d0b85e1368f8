/** The contract of stores, held by IndexedDB: run in browsers by `tooling/runtimes`. */

import { indexedDbStore } from '@tidewire/client/browser'
import { storeContract } from './store-contract.js'

storeContract('IndexedDB', () => indexedDbStore())
