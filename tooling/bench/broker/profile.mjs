/** Where the time of a process went, from the CPU profile that Node has written. */

import { readFileSync } from 'node:fs'

/**
 * @typedef {object} Profile
 * @property {readonly { id: number, callFrame: { functionName: string, url: string, lineNumber: number } }[]} nodes
 * @property {readonly number[]} samples
 * @property {readonly number[]} timeDeltas
 */

/** The functions that took most themselves, a line for each. @param {string} path @param {number} lines */
export function hottest(path, lines) {
  /** @type {Profile} */
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(path, 'utf8'))
  /** @type {Map<number, string>} */
  const names = new Map()
  for (const { id, callFrame } of nodes) {
    const { functionName, url, lineNumber } = callFrame
    const place = url === '' ? '' : ` ${url.split('/').slice(-2).join('/')}:${lineNumber + 1}`
    names.set(id, `${functionName || '(anonymous)'}${place}`)
  }
  /** @type {Map<string, number>} */
  const times = new Map()
  for (const [i, sample] of samples.entries()) {
    const name = names.get(sample) ?? ''
    if (name !== '(idle)') times.set(name, (times.get(name) ?? 0) + (timeDeltas[i] ?? 0))
  }
  const total = [...times.values()].reduce((sum, time) => sum + time, 0)
  const sorted = [...times].sort(([, a], [, b]) => b - a).slice(0, lines)
  return sorted.map(([name, time]) => `${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}`).join('\n')
}
