import { covers, intersects, matches, parseShared, topicFilterFault, topicNameFault } from '@tidewire/topics'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { topicFilter, topicName } from './arbitraries.js'
import { naiveMatch } from './naive.js'

describe('a Topic Name', () => {
  it.each(['a', '/', '//', ' ', '$SYS/x', 'a/b/c', 'é/漢', 'a'.repeat(65535)])('may be %j', (name) => {
    expect(topicNameFault(name)).toBeUndefined()
  })

  it.each([
    ['', 'MQTT-4.7.3-1'],
    ['a/+', 'MQTT-4.7.0-1'],
    ['a#', 'MQTT-4.7.0-1'],
    ['a\0', 'MQTT-4.7.3-2'],
    ['a'.repeat(65536), 'MQTT-4.7.3-3'],
    ['漢'.repeat(21846), 'MQTT-4.7.3-3'],
    ['\ud800', 'MQTT-1.5.4-1'],
    ['a\udc00', 'MQTT-1.5.4-1'],
    ['🌊'.repeat(16384), 'MQTT-4.7.3-3'],
    ['a/'.repeat(128), undefined],
  ])('may not be %j', (name, statement) => {
    expect(topicNameFault(name)).toMatchObject({ statement })
  })

  it('may have as many levels as its bytes allow when the caller allows them', () => {
    expect(topicNameFault('/'.repeat(65535), 65536)).toBeUndefined()
  })
})

describe('a Topic Filter', () => {
  it.each([
    '#',
    '+',
    '/#',
    '+/+',
    'a/+/#',
    '+//+',
    '$share/g/a/#',
    '$share/g//',
    '$SYS/#',
    '$share',
    '$shared/x',
    'a/'.repeat(127),
  ])('may be %j', (filter) => {
    expect(topicFilterFault(filter)).toBeUndefined()
  })

  it.each([
    ['', 'MQTT-4.7.3-1'],
    ['a#', 'MQTT-4.7.1-1'],
    ['#/a', 'MQTT-4.7.1-1'],
    ['a/#/', 'MQTT-4.7.1-1'],
    ['a+', 'MQTT-4.7.1-2'],
    ['+a/b', 'MQTT-4.7.1-2'],
    ['a\0', 'MQTT-4.7.3-2'],
    ['$share//a', 'MQTT-4.8.2-1'],
    ['$share/g', 'MQTT-4.8.2-2'],
    ['$share/g/', 'MQTT-4.8.2-2'],
    ['$share/+/a', 'MQTT-4.8.2-2'],
    ['$share/g/a#', 'MQTT-4.7.1-1'],
    ['$share/', 'MQTT-4.8.2-1'],
    ['$share/g/a/+b', 'MQTT-4.7.1-2'],
    ['$share/\0/a', 'MQTT-4.7.3-2'],
    ['a/\n#', 'MQTT-4.7.1-1'],
    ['#\n', 'MQTT-4.7.1-1'],
    ['a/'.repeat(128), undefined],
    ['a/'.repeat(129), undefined],
    [`$share/g/${'a'.repeat(65530)}`, 'MQTT-4.7.3-3'],
    [`$share/g/${'a/'.repeat(128)}`, undefined],
  ])('may not be %j', (filter, statement) => {
    expect(topicFilterFault(filter)).toMatchObject({ statement })
  })

  it('of a Shared Subscription may have as many levels behind the ShareName as others have', () => {
    expect(topicFilterFault(`$share/g/${'a/'.repeat(127)}`)).toBeUndefined()
  })

  it('of a Shared Subscription comes apart', () => {
    expect(parseShared('$share/group/a/#')).toEqual({ shareName: 'group', filter: 'a/#' })
    expect(parseShared('a/$share/b')).toBeUndefined()
    expect(parseShared('$share/group')).toBeUndefined()
    expect(parseShared('$share/g/a\nb/')).toEqual({ shareName: 'g', filter: 'a\nb/' })
  })
})

describe('matching', () => {
  it.each([
    ['sport/tennis/#', 'sport/tennis', true], // section 4.7.1.2
    ['sport/tennis/#', 'sport/tennis/player1/ranking', true],
    ['sport/+', 'sport', false], // section 4.7.1.3
    ['sport/+', 'sport/', true],
    ['+/+', '/finance', true],
    ['+', '/finance', false],
    ['#', '$SYS/monitor', false], // [MQTT-4.7.2-1]
    ['+/monitor', '$SYS/monitor', false],
    ['$SYS/#', '$SYS/monitor', true],
    ['$SYS/monitor/+', '$SYS/monitor/Clients', true],
    ['ACCOUNTS', 'Accounts', false], // [MQTT-4.7.3-4]
  ])('of %j with %j is as the standard says: %j', (filter, name, expected) => {
    expect(matches(filter, name)).toBe(expected)
  })

  it('agrees with the plain rule', () => {
    fc.assert(
      fc.property(topicFilter, topicName, (filter, name) => {
        expect(matches(filter, name)).toBe(naiveMatch(filter, name))
      }),
      { numRuns: 5000 },
    )
  })
})

describe('two filters', () => {
  // All names of few levels, with one level that no filter has.
  const levels = ['a', 'b', '', '$s', 'z']
  const names = [levels]
  for (let depth = 1; depth < 4; depth++)
    names.push(names.at(-1)!.flatMap((name) => levels.map((each) => `${name}/${each}`)))
  const all = names.flat().filter((name) => name !== '')
  const filter = fc
    .tuple(fc.array(fc.constantFrom('a', 'b', '', '$s', '+'), { maxLength: 3 }), fc.boolean())
    .map(([each, multi]) => [...each, ...(multi ? ['#'] : [])].join('/'))
    .filter((each) => each !== '')

  it('cover one another, or have names in common, when the names say so', () => {
    fc.assert(
      fc.property(filter, filter, (one, other) => {
        const ofOther = all.filter((name) => naiveMatch(other, name))
        expect(covers(one, other)).toBe(ofOther.every((name) => naiveMatch(one, name)))
        expect(intersects(one, other)).toBe(ofOther.some((name) => naiveMatch(one, name)))
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['a/#', 'a', true, true],
    ['a/+', 'a/#', false, true],
    ['+/#', '#', true, true],
    ['#', '$SYS/#', false, false], // [MQTT-4.7.2-1]
    ['/+/#', '/#', true, true],
    ['+', '/#', false, false],
    ['a/b/c', 'a/+/c', false, true],
    ['/'.repeat(65535), '#', false, true],
    ['#', '/'.repeat(65535), true, true],
  ])('%j and %j: covers is %j, intersects %j', (one, other, isCovered, isCommon) => {
    expect([covers(one, other), intersects(one, other)]).toEqual([isCovered, isCommon])
  })
})
