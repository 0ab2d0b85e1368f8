/** Runs test files within a runtime, and reports them to the program that started it. */

import { startTests, type Task, type VitestRunner } from '@vitest/runner'

/** What became of a test, or of a file or group that could not be run. */
export interface Outcome {
  /** The file and the names, as `vitest list` joins them. */
  readonly name: string
  readonly state: string
  readonly errors: readonly string[]
}

/** Begins the line that has the report. */
export const mark = 'outcomes of tests: '

/** Runs the files, of which each is imported by its name, and prints the outcomes as one line. */
export async function report(files: Record<string, () => Promise<unknown>>): Promise<void> {
  const tests = await startTests(Object.keys(files), {
    config: {
      root: '',
      name: undefined,
      setupFiles: [],
      passWithNoTests: false,
      testNamePattern: undefined,
      allowOnly: false,
      sequence: { seed: 0, hooks: 'stack', setupFiles: 'list' },
      chaiConfig: undefined,
      maxConcurrency: 5,
      testTimeout: 20_000,
      hookTimeout: 20_000,
      retry: 0,
      includeTaskLocation: false,
      tags: [],
      tagsFilter: undefined,
      strictTags: false,
    },
    importFile: (file) => files[file]!(),
  } satisfies VitestRunner)
  console.log(mark + JSON.stringify(tests.flatMap((file) => outcomesOf(file, file.filepath))))
}

function outcomesOf(task: Task, name: string): Outcome[] {
  const errors = (task.result?.errors ?? []).map(({ message }) => message)
  if (task.type === 'test') return [{ name, state: task.result?.state ?? task.mode, errors }]
  const within = task.tasks.flatMap((child) => outcomesOf(child, `${name} > ${child.name}`))
  return errors.length > 0 ? [{ name, state: 'fail', errors }, ...within] : within
}
