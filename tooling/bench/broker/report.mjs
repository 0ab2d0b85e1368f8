/** The results of a run as tables in Markdown. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chart } from './chart.mjs'
import { cellOf, median, short } from './results.mjs'

/** @typedef {import('./results.mjs').Report} Report */

/** @param {readonly string[]} columns @param {readonly (readonly string[])[]} rows */
function markdown(columns, rows) {
  const lines = [columns, ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  return lines.toSpliced(1, 0, `|-${'|-:'.repeat(columns.length - 1)}|`).join('\n')
}

/** @param {Report} report */
function figures(report) {
  const { cases, contestants } = report
  const rows = cases.flatMap((what) =>
    what.figures.map(({ name, key, unit }) => {
      const label = [what.name, name].filter(Boolean).join(', ')
      const [ours = Number.NaN, ...theirs] = contestants.map((each) => median(cellOf(report, what.id, each.name), key))
      const cells = theirs.map((value) => {
        if (Number.isNaN(value)) return ''
        return unit.startsWith('%') || Number.isNaN(ours) ? short(value) : `${short(value)} (${short(value / ours)}x)`
      })
      return [unit === 'us' ? label : `${label}: ${unit}`, Number.isNaN(ours) ? '' : short(ours), ...cells]
    }),
  )
  return markdown(['', ...contestants.map(({ name }) => name)], rows)
}

/** @param {Report} report */
function resident(report) {
  const { cases, contestants } = report
  const rows = cases.map((what) => [
    what.name,
    ...contestants.map(({ name }) => {
      const value = median(cellOf(report, what.id, name), 'rss') / 1024
      return Number.isNaN(value) ? '' : short(value)
    }),
  ])
  return markdown(['MiB', ...contestants.map(({ name }) => name)], rows)
}

const faults = { lost: 'lost', duplicates: 'twice', disordered: 'out of order', strange: 'that nobody sent' }
const keys = /** @type {(keyof typeof faults)[]} */ (Object.keys(faults))

/** What went wrong with messages, and what was not measured. @param {Report} report */
function remarks({ cells, cases }) {
  const nameOf = (/** @type {string} */ id) => cases.find((what) => what.id === id)?.name
  const lines = cells.flatMap(({ case: id, contestant, results, problems }) => {
    const wrong = results.flatMap((result) => {
      const counts = keys.filter((key) => result[key] !== 0).map((key) => `${result[key]} ${faults[key]}`)
      return counts.length === 0 ? [] : [[...counts, ...(result.said ? [`it said: ${result.said}`] : [])].join(', ')]
    })
    return [...wrong, ...new Set(problems)].map((text) => `- ${contestant}, ${nameOf(id)}: ${text}`)
  })
  const good = cells.every(({ results }) => results.every((result) => keys.every((key) => result[key] === 0)))
  return [...(good ? ['No message was lost, came twice or out of order.\n'] : []), ...lines].join('\n')
}

/** @param {Report} report */
export function text(report) {
  const { contestants, cells } = report
  const rounds = Math.max(...cells.map(({ results }) => results.length))
  const versions = contestants.map(({ name, version }) => `${name} ${version}`).join('; ')
  return `Microseconds of the broker's CPU for a received message of 64 B, where nothing else is said; in parentheses how many
times those of Tidewire a peer takes. Median of ${rounds}, ${report.date}, ${report.machine}. ${versions}.
Load: ${report.generator}.

${figures(report)}

${remarks(report)}

Resident memory of the broker at the end:

${resident(report)}
`
}

/** Writes `broker.json`, `broker.md` and `broker.svg` into a folder. @param {Report} report @param {string} folder */
export function save(report, folder) {
  writeFileSync(join(folder, 'broker.json'), `${JSON.stringify(report, undefined, 2)}\n`)
  writeFileSync(join(folder, 'broker.md'), text(report))
  writeFileSync(join(folder, 'broker.svg'), chart(report))
}
