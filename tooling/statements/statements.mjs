/** Statements of the standard against the names of tests. */

/**
 * @typedef {{ readonly id: string, readonly tests: number, readonly reason: string | undefined }} Statement
 * @typedef {{ readonly statements: readonly Statement[], readonly faults: readonly string[] }} Report
 */

/**
 * The ids of a table of statements: the first column of the lines behind its head. Where it is not that of MQTT 5.0 the
 * version comes first, as in test names, because each version counts anew.
 *
 * @param {string} fileName such as `mqtt-3.1.1-statements.tsv`
 * @param {string} text
 * @returns {string[]}
 */
export function idsOfTable(fileName, text) {
  const [, version = '5.0'] = /mqtt-([\d.]+)-/.exec(fileName) ?? []
  const prefix = version === '5.0' ? '' : `${version} `
  const [, ...lines] = text.split('\n').filter((line) => line !== '')
  return lines.map((line) => prefix + line.split('\t')[0])
}

/**
 * The ids that a test name carries.
 *
 * @param {string} name
 * @returns {string[]}
 */
export function idsOfName(name) {
  return name.match(/(?:3\.1\.1 )?(?:MQTT-[\d.]+-\d+|PE-[\d.]+-\d+)/g) ?? []
}

/**
 * Holds what should be against what is.
 *
 * @param {readonly string[]} ids all statements
 * @param {readonly string[]} names all tests
 * @param {Readonly<Record<string, readonly string[]>>} reasons the statements that no test can show, by the reason
 * @returns {Report}
 */
export function reportOf(ids, names, reasons) {
  /** @type {Map<string, number>} */
  const tests = new Map()
  for (const name of names) for (const id of new Set(idsOfName(name))) tests.set(id, (tests.get(id) ?? 0) + 1)
  const given = Object.entries(reasons).flatMap(([reason, list]) =>
    list.map((id) => /** @type {const} */ ([id, reason])),
  )
  const reasonOf = new Map(given)
  const known = new Set(ids)
  const statements = ids.map((id) => ({ id, tests: tests.get(id) ?? 0, reason: reasonOf.get(id) }))
  const faults = [
    ...[...tests.keys()].filter((id) => !known.has(id)).map((id) => `${id} is named by a test and does not exist`),
    ...given.filter(([id]) => !known.has(id)).map(([id]) => `${id} has a reason and does not exist`),
    ...given
      .filter(([id], at) => given.findIndex(([other]) => other === id) < at)
      .map(([id]) => `${id} has two reasons`),
    ...statements.flatMap(({ id, tests: count, reason }) => {
      if (count > 0 && reason !== undefined) return [`${id} is tested and needs no reason`]
      return count === 0 && reason === undefined ? [`${id} is neither tested nor explained`] : []
    }),
  ]
  return { statements, faults }
}
