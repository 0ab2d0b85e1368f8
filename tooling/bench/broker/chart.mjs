/** The results of a run as bars: how many messages a second of CPU is good for. */

import { cellOf, median, short } from './results.mjs'

const colours = ['#0b7285', '#adb5bd', '#c4a484', '#9c8ade', '#8fb996', '#d98880']
const left = 290
const widest = 400
const bar = 11
const gap = 10
const top = 44

/** @param {string} text */
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** @param {number} x @param {number} y @param {string} text */
const label = (x, y, text, anchor = 'start') =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped(text)}</text>`

/** @param {number} x @param {number} y @param {number} width @param {number} colour */
const block = (x, y, width, colour) =>
  `<rect x="${x}" y="${y}" width="${width.toFixed(1)}" height="${bar - 2}" fill="${colours[colour % colours.length]}"/>`

/** An SVG document. In each case the cheapest broker has the longest bar. @param {import('./results.mjs').Report} report */
export function chart(report) {
  const { contestants, cases } = report
  const parts = contestants.flatMap(({ name }, i) => [
    block(left + 130 * i, 27, 9, i),
    label(left + 130 * i + 14, 36, name),
  ])
  let y = top
  for (const what of cases.filter(({ figures }) => figures.some(({ key }) => key === 'cpu'))) {
    const costs = contestants.map(({ name }) => median(cellOf(report, what.id, name), 'cpu'))
    const best = Math.min(...costs.filter((cost) => cost > 0))
    const first = y
    for (const [i, cost] of costs.entries()) {
      if (!(cost > 0)) continue
      const width = (widest * best) / cost
      parts.push(block(left, y, width, i), label(left + width + 5, y + bar - 3, short(cost)))
      y += bar
    }
    if (y === first) continue
    parts.push(label(left - 8, (first + y) / 2 + 4, what.name, 'end'))
    y += gap
  }
  // The grey can be read on white and on black.
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + widest + 60}" height="${y}" font-family="system-ui, sans-serif" font-size="11" fill="#868e96">
<title>What a message costs the broker</title>
${label(8, 14, 'Messages for a second of CPU; the figures are microseconds for one')}
${parts.join('\n')}
</svg>
`
}
