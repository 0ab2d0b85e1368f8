/** The results of a run, and the figures in the middle of them. */

/** @typedef {import('./run.mjs').Measured} Measured */
/** @typedef {import('./cases.mjs').Case} Case */

/**
 * @typedef {object} Report
 * @property {string} date
 * @property {string} machine
 * @property {string} generator
 * @property {number} seconds That were measured for each figure, where nothing ends earlier.
 * @property {readonly { name: string, version: string }[]} contestants
 * @property {readonly Case[]} cases
 * @property {Cell[]} cells
 */

/**
 * @typedef {object} Cell A contestant in a case.
 * @property {string} case
 * @property {string} contestant
 * @property {Measured[]} results Of each round.
 * @property {string[]} problems Why there are fewer results than rounds.
 */

/** @param {Report} report @param {string} what @param {string} contestant */
export function cellOf({ cells }, what, contestant) {
  const found = cells.find((cell) => cell.case === what && cell.contestant === contestant)
  if (found === undefined) throw new Error(`no cell for ${contestant} in ${what}`)
  return found
}

/** The median of a figure over the rounds, or NaN. @param {Cell} cell @param {string} key */
export function median({ results }, key) {
  const values = results.map((result) => Number(result[/** @type {keyof Measured} */ (key)])).sort((a, b) => a - b)
  const half = values.length >> 1
  const upper = values[half] ?? Number.NaN
  return values.length % 2 === 1 ? upper : (upper + (values[half - 1] ?? Number.NaN)) / 2
}

/** @param {number} value */
export function short(value) {
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)
}
