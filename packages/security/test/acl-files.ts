/** acl_files of all kinds, and clients and topics that meet their rules often. */

import fc from 'fast-check'
import type { TestClient } from './fixture.js'

const level = fc.constantFrom('a', 'b', 'c', '', 'ann', 'é')
const filterLevel = fc.oneof({ weight: 4, arbitrary: level }, { weight: 1, arbitrary: fc.constant('+') })
const patternLevel = fc.oneof(filterLevel, fc.constantFrom('%c', '%u', 'x%c', '%u%c'))

function filtersOf(one: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const levels = fc.array(one, { minLength: 1, maxLength: 4 })
  return fc
    .tuple(levels, fc.constantFrom('', '', '/#'), fc.constantFrom('', '', '', '', '$SYS/', '$x/'))
    .map(([parts, end, begin]) => begin + parts.join('/') + end)
    .filter((filter) => filter !== '' && filter !== '/#') // which in mosquitto is a line without topic
}

const access = fc.constantFrom('', 'read ', 'write ', 'readwrite ', 'deny ')
const topicLine = fc.tuple(access, filtersOf(filterLevel)).map(([kind, filter]) => `topic ${kind}${filter}`)
const patternLine = fc.tuple(access, filtersOf(patternLevel)).map(([kind, filter]) => `pattern ${kind}${filter}`)
const userLine = fc.constantFrom('user ann', 'user b', 'user a b')
const anyLine = fc.oneof(
  { weight: 4, arbitrary: topicLine },
  { weight: 2, arbitrary: userLine },
  { weight: 2, arbitrary: patternLine },
  { weight: 1, arbitrary: fc.constantFrom('', '# comment') },
)

/** Lines of files with at least a rule. */
export const aclFiles: fc.Arbitrary<string[]> = fc
  .tuple(fc.array(anyLine, { maxLength: 12 }), topicLine)
  .map(([lines, last]) => [...lines, last])

export const names: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('ann', 'b', 'a', 'c', 'a b') },
  { weight: 1, arbitrary: fc.constantFrom('a/b', '+', 'a#', '$SYS', 'é', '%u') },
)

export const clients: fc.Arbitrary<TestClient> = fc.record({
  clientId: names,
  userName: fc.option(names, { nil: undefined }),
})

export const topics: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(fc.oneof(level, fc.constantFrom('xa', 'annann')), { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', '', '', '', '', '$SYS/', '$x/', '$SYS/broker/connection/'),
  )
  .map(([parts, begin]) => begin + parts.join('/') + (begin.endsWith('connection/') ? '/state' : ''))
  .filter((topic) => topic !== '')
