import fc from 'fast-check'

// Few different levels, so that names and filters often meet; those of the prototype of objects among them.
const level = fc.constantFrom('a', 'b', 'ab', '', '$s', 'é', '__proto__', 'constructor')

export const topicName: fc.Arbitrary<string> = fc
  .array(level, { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join('/'))
  .filter((name) => name !== '')

export const topicFilter: fc.Arbitrary<string> = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 5 }), fc.boolean())
  .map(([levels, multi]) => [...levels, ...(multi ? ['#'] : [])].join('/'))
  .filter((filter) => filter !== '')
