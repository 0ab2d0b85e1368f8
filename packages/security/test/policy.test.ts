import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Action, type Client, PolicyFile, policy } from '@tidewire/security/policy'
import { covers, matches } from '@tidewire/topics'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { clientOf, temporaryFolder } from './fixture.js'

const text = `# who may do what
roles:
  device:
    - { allow: [publish, retain], topics: devices/%c/state }
    - allow: publish
      topics: [devices/%c/up, devices/%c/log]
    - { allow: subscribe, topics: 'devices/%c/down/#' }
  operator:
    - { deny: [publish, subscribe], topics: plant/safety/# }
    - { allow: [publish, subscribe], topics: plant/# }
  own: [{ allow: [publish, subscribe], topics: 'users/%u/#' }]
  guest: [{ allow: subscribe, topics: news/+ }]
users:
  ann: operator
  bob: [device]
groups:
  floor: { users: [carl], roles: operator }
everyone: own
anonymous: guest
`

const rules = new PolicyFile(text, { file: 'policy.yaml' })
const explain = (client: Client, action: Action | 'retain', topic: string) =>
  rules.deciderFor(client, undefined).explain(action, topic)

describe('a policy file', () => {
  it.each<[string | undefined, Action | 'retain', string, number | undefined]>([
    ['bob', 'publish', 'devices/c/state', 4],
    ['bob', 'retain', 'devices/c/state', 4],
    ['bob', 'publish', 'devices/c/up', 6],
    ['bob', 'retain', 'devices/c/up', undefined],
    ['bob', 'publish', 'devices/d/up', undefined],
    ['bob', 'receive', 'devices/c/down/x', 7],
    ['bob', 'subscribe', 'devices/c/down/+', 7],
    ['bob', 'subscribe', 'devices/+/down', undefined],
    ['ann', 'publish', 'plant/line/1', 10],
    ['carl', 'publish', 'plant/line/1', 10],
    ['carl', 'publish', 'users/carl/x', 11],
    ['carl', 'publish', 'users/ann/x', undefined],
    [undefined, 'receive', 'news/today', 12],
    [undefined, 'publish', 'news/today', undefined],
    [undefined, 'receive', 'users/undefined/x', undefined],
    ['ann', 'receive', '$SYS/broker/uptime', undefined],
  ])('%s may %s %s because of line %s', (userName, action, topic, line) => {
    expect(explain(clientOf(userName), action, topic)).toMatchObject(
      line === undefined ? { allowed: false } : { allowed: true, file: 'policy.yaml', line },
    )
  })

  it('S-10 a Topic Filter with something in common with what is denied is denied, and says by which rule', () => {
    for (const filter of ['plant/#', 'plant/safety/x', 'plant/+/x', '#']) {
      expect(explain(clientOf('ann'), 'subscribe', filter).allowed, filter).toBe(false)
    }
    expect(explain(clientOf('ann'), 'subscribe', 'plant/#')).toMatchObject({
      line: 9,
      rule: 'deny publish, subscribe plant/safety/#',
    })
    expect(explain(clientOf('ann'), 'subscribe', 'plant/line/#').allowed).toBe(true)
  })

  it('S-10 with filtered subscriptions a Topic Filter is granted if something of it may be received', () => {
    const filtered = new PolicyFile(`${text}subscriptions: filtered\n`).deciderFor(clientOf('ann'), undefined)
    const may = (filter: string) => filtered.explain('subscribe', filter).allowed
    expect(['plant/#', '#', 'plant/+/x'].map(may)).toEqual([true, true, true])
    expect(['plant/safety/#', 'plant/safety/x', 'other/#', '$SYS/#'].map(may)).toEqual([false, false, false, false])
    expect(filtered.explain('receive', 'plant/safety/x').allowed).toBe(false)
  })

  it.each(['+', '#', 'a/b', 'a/#', '', '$SYS', 'a\0'])(
    'S-09 a client called %j has no rights where names count',
    (name) => {
      for (const client of [clientOf('bob', name), clientOf(name)]) {
        for (const topic of [`users/${client.userName}/x`, `devices/${client.clientId}/up`]) {
          expect(explain(client, 'publish', topic).allowed).toBe(false)
        }
      }
    },
  )

  it('takes roles and groups that a client brings, such as those of a token; those that are not known count for nothing', () => {
    const with_ = (grant: object) => rules.deciderFor(clientOf('zoe'), grant).explain('publish', 'plant/x').allowed
    expect(with_({ roles: ['operator'] })).toBe(true)
    expect(with_({ groups: ['floor'] })).toBe(true)
    expect(with_({ roles: ['root', '__proto__'], groups: ['constructor'] })).toBe(false)
    expect(with_({ userName: 'ann' })).toBe(true)
  })

  it('S-01 users, roles and groups may be called like members of every object', () => {
    const file = new PolicyFile('roles: { __proto__: [{ allow: publish, topics: a }] }\nusers: { toString: __proto__ }')
    expect(file.deciderFor(clientOf('toString'), undefined).explain('publish', 'a').allowed).toBe(true)
    for (const name of ['__proto__', 'constructor', 'valueOf']) {
      expect(file.deciderFor(clientOf(name), undefined).explain('publish', 'a').allowed).toBe(false)
    }
  })

  it.each([
    ['', 'expected names'],
    ['# nothing', 'expected names'],
    ['roles: {}', 'no rule'],
    ['roles: { a: [] }', 'no rule'],
    ['roles:\n  a:\n    - { allow: publish }', 'line 3: a rule has topics'],
    ['roles: { a: [{ topics: x }] }', 'either allow or deny'],
    ['roles: { a: [{ allow: publish, deny: publish, topics: x }] }', 'either allow or deny'],
    ['roles: { a: [{ allow: receive, topics: x }] }', 'one of publish, subscribe, retain, not "receive"'],
    ['roles: { a: [{ allow: publish, topic: x, topics: x }] }', 'nothing called "topic"'],
    ['roles:\n  a:\n    - allow: publish\n      topics:\n        - x\n        - y#', 'line 6: "y#" is no Topic Filter'],
    ['roles: { a: [{ allow: publish, topics: $share/g/x }] }', 'Shared Subscription'],
    ['roles: { a: [{ allow: publish, topics: x%c }] }', 'a whole level'],
    ['roles: { a: [{ allow: publish, topics: x }] }\nusers: { ann: b }', 'line 2: expected one of a, not "b"'],
    ['roles: { a: [{ allow: publish, topics: x }] }\nrules: {}', 'line 2: there is nothing called "rules" here'],
    ['roles: { a: [{ allow: publish, topics: x }] }\nusers: { ann: a, ann: a }', 'line 2: Map keys must be unique'],
    ['roles: { a: [{ allow: publish, topics: x }] }\nsubscriptions: all', 'line 2: expected one of strict, filtered'],
    ['roles: { a: &r [{ allow: publish, topics: x }], b: *r }', 'expected a list'],
    ['roles: [', 'line'],
    [`${'['.repeat(50_000)}`, 'policy'],
    [`#${'x'.repeat(1_100_000)}`, 'larger than'],
  ])('S-31 S-36 refuses %.60j', (broken, why) => {
    expect(() => new PolicyFile(broken)).toThrow(why)
    expect(() => new PolicyFile(broken)).toThrow(TypeError)
  })

  const role = fc.constantFrom('a', 'b', 'constructor')
  const mostly = <T>(good: fc.Arbitrary<T>, bad: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 30, arbitrary: good }, { weight: 1, arbitrary: bad })
  const topic = mostly(fc.constantFrom('x', 'x/+', 'y/#', '%c/z'), fc.constantFrom('x%u', '', 'a/#/b'))
  const action = mostly(fc.constantFrom('publish', 'subscribe', 'retain'), fc.constant('receive'))
  const some = <T>(one: fc.Arbitrary<T>) => fc.oneof(one, fc.array(one, { maxLength: 3 }))
  const verb = mostly<string[]>(
    fc.constantFrom(['allow'], ['deny']),
    fc.constantFrom([], ['allow', 'deny'], ['allow', 'x']),
  )
  const rule = fc.tuple(verb, some(action), fc.option(some(topic), { freq: 20 })).map(([verbs, words, topics]) => ({
    ...Object.fromEntries(verbs.map((each) => [each, words])),
    ...(topics !== null && { topics }),
  }))
  const rest = fc.record(
    {
      users: fc.dictionary(role, some(role), { maxKeys: 2 }),
      groups: fc.dictionary(role, fc.record({ roles: some(role), users: some(role) }, { requiredKeys: [] }), {
        maxKeys: 2,
      }),
      everyone: some(role),
      subscriptions: mostly(fc.constantFrom('strict', 'filtered'), fc.constant('none')),
    },
    { requiredKeys: [] },
  )
  const rulesOfRole = fc.array(rule, { maxLength: 2 })
  const roles = fc.record({ a: rulesOfRole, b: rulesOfRole, constructor: rulesOfRole })
  const anything = fc.tuple(roles, rest).map(([some, others]) => ({ roles: some, ...others }))

  it('is what the JSON Schema says, which does not know which names there are', () => {
    const isValid = new Ajv2020().compile(
      JSON.parse(readFileSync(new URL('../policy.schema.json', import.meta.url), 'utf8')),
    )
    expect(isValid(parse(text))).toBe(true)
    let taken = 0
    fc.assert(
      fc.property(anything, (value) => {
        try {
          new PolicyFile(JSON.stringify(value))
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError)
          const isAboutMore = /expected one of (?!publish|strict)|no rule|no Topic Filter|whole level/.test(
            (error as Error).message,
          )
          expect(isValid(value) === false || isAboutMore, (error as Error).message).toBe(true)
          return
        }
        taken++
        expect(isValid(value), JSON.stringify(isValid.errors)).toBe(true)
      }),
      { numRuns: 1000, seed: 5 },
    )
    expect(taken).toBeGreaterThan(20)
  })

  it('S-31 text that is no policy is refused with a TypeError, whatever it is', () => {
    const piece = fc.constantFrom(
      'roles',
      ':',
      ' ',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      'allow',
      'publish',
      'topics',
      'a',
      '#',
      '&x',
      '*x',
      '!!js',
      '?',
      '|',
      '"',
      "'",
      '%c',
      '<<',
    )
    const source = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
    )
    fc.assert(
      fc.property(source, (some) => {
        expect(() => new PolicyFile(some)).toThrow(TypeError)
      }),
      { numRuns: 1000 },
    )
  })

  it('S-09 a Topic Filter that is granted matches no Topic Name that is denied', () => {
    const level = fc.constantFrom('a', 'b', '+', '%c')
    const filter = fc
      .tuple(fc.array(level, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '/#'))
      .map(([levels, end]) => levels.join('/') + end)
    const rule = fc.record({ verb: fc.constantFrom('allow', 'deny'), topics: filter })
    const name = fc
      .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 })
      .map((levels) => levels.join('/'))
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 1, maxLength: 6 }),
        filter,
        fc.array(name, { minLength: 10, maxLength: 30 }),
        (list, asked, names) => {
          const roles = { r: list.map(({ verb, topics }) => ({ [verb]: 'subscribe', topics })) }
          const decider = new PolicyFile(JSON.stringify({ roles, everyone: 'r' })).deciderFor(clientOf('u'), undefined)
          const filled = asked.replaceAll('%c', 'c')
          const { allowed } = decider.explain('subscribe', filled)
          for (const each of names) {
            if (allowed && matches(filled, each)) expect(decider.explain('receive', each).allowed, each).toBe(true)
          }
          const first = list[0]!
          if (covers(first.topics.replaceAll('%c', 'c'), filled)) expect(allowed).toBe(first.verb === 'allow')
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('is opened from a file, in YAML or JSON, and changes with it', async () => {
    const file = join(temporaryFolder(), 'policy.json')
    const roles = { r: [{ allow: 'publish', topics: 'a' }] }
    writeFileSync(file, JSON.stringify({ roles, everyone: 'r' }))
    const access = await policy({ file })
    expect(access.decide(clientOf('ann'), 'publish', 'a')).toBe(true)
    writeFileSync(file, JSON.stringify({ roles, users: { ann: 'r', zoe: 'r' } }))
    expect(await access.reload()).toBe(true)
    expect(access.decide(clientOf(undefined), 'publish', 'a')).toBe(false)
    const zoe = clientOf(undefined)
    access.accept(zoe, { userName: 'zoe' })
    expect(access.decide(zoe, 'publish', 'a')).toBe(true)
    await expect(policy({ file: `${file}.not` })).rejects.toThrow('does not exist')
  })
})
