/**
 * Measures peers and Tidewire in one run: a fresh process for each figure, one contestant after the other in every
 * round, so that a slow moment of the machine strikes all of them; CPU time, not wall time; the median of the rounds.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { argv, cpuUsage, execPath } from 'node:process'

/**
 * @typedef {object} Cell
 * @property {string} name What is done, in a row of the table.
 * @property {Readonly<Record<string, () => Work>>} contestants By the name of the column; each prepares its work.
 */

/**
 * Does a workload once and returns how many operations that were.
 * @callback Work
 * @returns {number}
 */

/** Whether a process can be kept on one core. */
export const canPin = spawnSync('taskset', ['-c', '1', 'true']).status === 0

const warmUp = 300
const least = 700

/**
 * Runs all cells, or in a child process the one that it is asked for, and prints a Markdown table: nanoseconds of CPU
 * for an operation, and how many times those of Tidewire a peer takes.
 * @param {readonly Cell[]} cells
 * @param {readonly string[]} columns Tidewire first.
 */
export function compare(cells, columns) {
  const [, file = '', index, column] = argv
  if (column !== undefined) {
    console.log(measure(cells[Number(index)]?.contestants[column]?.() ?? (() => 0)))
    return
  }
  const rounds = Number(index ?? 5)
  /** @type {Map<string, number[]>} */
  const figures = new Map()
  for (let round = 0; round < rounds; round++) {
    for (const [cell, { contestants }] of cells.entries()) {
      for (const name of columns) {
        if (contestants[name] === undefined) continue
        const key = `${cell} ${name}`
        figures.set(key, [...(figures.get(key) ?? []), run(file, cell, name)])
      }
    }
  }
  console.log(`| | ${columns.join(' | ')} |\n|-${'|-:'.repeat(columns.length)}|`)
  for (const [cell, { name }] of cells.entries()) {
    const [ours = Number.NaN, ...others] = columns.map((column) => median(figures.get(`${cell} ${column}`) ?? []))
    const ratios = others.map((ns) => (Number.isNaN(ns) ? '' : `${ns.toFixed(0)} (${(ns / ours).toFixed(1)}x)`))
    console.log(`| ${[name, ours.toFixed(0), ...ratios].join(' | ')} |`)
  }
}

/** @param {readonly number[]} values */
export function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

/** One figure, from a process of its own on the second core, where that can be chosen. @type {(file: string, cell: number, name: string) => number} */
function run(file, cell, name) {
  const command = canPin ? ['taskset', '-c', '1', execPath] : [execPath]
  const [program = '', ...before] = command
  return Number(execFileSync(program, [...before, file, String(cell), name]))
}

/** Nanoseconds of CPU for an operation, those of the garbage collector included. @param {Work} work */
function measure(work) {
  for (const start = spent(); spent() - start < warmUp; ) work()
  let operations = 0
  const start = spent()
  while (spent() - start < least) operations += work()
  return ((spent() - start) * 1e6) / operations
}

/** Milliseconds of CPU that the process has used. */
function spent() {
  const { user, system } = cpuUsage()
  return (user + system) / 1000
}
