/** Runs tests against a broker, many at once. */

import type { BrokerUnderTest } from './broker-under-test.js'
import { Failure } from './client.js'
import { Inapplicable, type Test, Trial } from './suite.js'

/**
 * `passed`: does what the statement says and what Tidewire promises; `promise`: what the statement says, and not what
 * Tidewire promises; `inapplicable`: does not offer what the statement is about.
 */
export interface Result {
  readonly state: 'passed' | 'promise' | 'failed' | 'inapplicable'
  /** Why, unless it passed. */
  readonly reason: string
}

async function runTest(test: Test, broker: BrokerUnderTest): Promise<Result> {
  const trial = new Trial(broker, test.version)
  try {
    await test.run(trial)
    const reason = [...new Set(trial.broken)].join('; ')
    return { state: reason === '' ? 'passed' : 'promise', reason }
  } catch (error) {
    if (error instanceof Inapplicable) return { state: 'inapplicable', reason: error.message }
    if (!(error instanceof Failure)) throw new Error(`${test.title}: ${error}`, { cause: error })
    return { state: 'failed', reason: [error.message, ...new Set(trial.broken)].join('; ') }
  } finally {
    await trial.end()
  }
}

/** Starts tests in their order, so many at once, and returns their results as they will be. */
export function runAll(
  tests: readonly Test[],
  broker: BrokerUnderTest,
  atOnce = 48,
): ReadonlyMap<Test, Promise<Result>> {
  const waiting: (() => void)[] = []
  const results = new Map<Test, Promise<Result>>()
  let free = atOnce
  for (const test of tests) {
    const turn = new Promise<void>((resolve) => waiting.push(resolve))
    const result = turn.then(() => runTest(test, broker))
    const done = (): void => {
      free++
      next()
    }
    result.then(done, done)
    results.set(test, result)
  }
  const next = (): void => {
    while (free > 0 && waiting.length > 0) {
      free--
      waiting.shift()?.()
    }
  }
  next()
  return results
}
