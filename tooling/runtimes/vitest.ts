/** What tests import of `vitest`, where there is none: its own runner and matchers, without the rest. */

import { chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect'

export * from '@vitest/runner'

chai.use(JestExtend).use(JestChaiExpect).use(JestAsymmetricMatchers)

export const { expect } = chai
