import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AclFile, type Action, acl } from '@tidewire/security'
import { matches, topicFilterFault } from '@tidewire/topics'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aclFiles, clients, names, topics } from './acl-files.js'
import { clientOf, recorder, type TestClient, temporaryFolder } from './fixture.js'

const text = `# lines before the first user are for who has no name
topic read news/#

user ann
topic write plant/line
topic readwrite own/#
topic deny own/secret
topic $SYS/#

pattern write devices/%c/up
pattern read users/%u/#
pattern deny users/%u/private
`

const rules = new AclFile(text, { file: 'acl' })
const explain = (client: TestClient, action: Action, topic: string) => rules.deciderFor(client).explain(action, topic)

describe('an acl_file', () => {
  it.each<[string | undefined, Action, string, boolean, number | undefined]>([
    [undefined, 'receive', 'news/today', true, 2],
    ['ann', 'receive', 'news/today', false, undefined],
    ['ann', 'publish', 'plant/line', true, 5],
    ['ann', 'receive', 'plant/line', false, undefined],
    ['ann', 'receive', 'own/x', true, 6],
    ['ann', 'publish', 'own/secret', false, 7],
    ['bob', 'publish', 'devices/c/up', true, 10],
    ['bob', 'publish', 'devices/d/up', false, undefined],
    ['bob', 'receive', 'users/bob/x', true, 11],
    ['bob', 'receive', 'users/bob/private', false, 12],
    [undefined, 'receive', 'users/undefined/x', false, undefined],
    ['ann', 'receive', '$SYS/broker/uptime', true, 8],
    ['ann', 'publish', '$SYS/broker/uptime', false, undefined],
    ['ann', 'publish', '$SYS/broker/connection/x/state', true, 8],
    ['ann', 'publish', '$share/g/x', false, undefined],
    ['bob', 'subscribe', '#', true, undefined],
  ])('%s may %s %s: %s, because of line %s', (userName, action, topic, allowed, line) => {
    expect(explain(clientOf(userName), action, topic)).toMatchObject(
      line === undefined ? { allowed } : { allowed, file: 'acl', line },
    )
  })

  it('tells the rule in the words of the file', () => {
    const { reason, rule } = explain(clientOf('ann'), 'publish', 'own/secret')
    expect([reason, rule]).toEqual(['acl, line 7: topic deny own/secret', 'topic deny own/secret'])
  })

  it.each(['+', '#', 'a/#', 'a+'])('S-09 a client called %s gets nothing by patterns', (name) => {
    for (const client of [clientOf(name), clientOf('bob', name)]) {
      expect(explain(client, 'publish', `devices/${client.clientId}/up`).allowed).toBe(false)
      expect(explain(client, 'receive', 'users/ann/x').allowed).toBe(false)
    }
  })

  it('S-09 a strict one does not let names with / take the place of %c and %u', () => {
    const strict = new AclFile('pattern read users/%u/#', { strict: true })
    expect(rules.deciderFor(clientOf('a/b')).explain('receive', 'users/a/b/x').allowed).toBe(true) // as mosquitto
    expect(strict.deciderFor(clientOf('a/b')).explain('receive', 'users/a/b/x').allowed).toBe(false)
  })

  it('S-10 a strict one grants a Topic Filter only if the client may receive all that it matches', () => {
    const strict = new AclFile('user ann\ntopic read a/+/c\ntopic read b/#\ntopic deny b/x', { strict: true })
    const may = (filter: string) => strict.deciderFor(clientOf('ann')).explain('subscribe', filter).allowed
    expect(['a/1/c', 'a/+/c', 'b/y/#'].map(may)).toEqual([true, true, true])
    expect(['a/#', 'a/+/+', '#', 'b/#', 'b/+', 'c', '$SYS/#'].map(may)).toEqual([
      false,
      false,
      false,
      false,
      false,
      false,
      false,
    ])
  })

  it('S-01 users may be called like members of every object', () => {
    const file = new AclFile('user __proto__\ntopic a')
    expect(file.deciderFor(clientOf('__proto__')).explain('publish', 'a').allowed).toBe(true)
    for (const name of Object.getOwnPropertyNames(Object.prototype)) {
      expect(file.deciderFor(clientOf(name)).explain('publish', 'a').allowed).toBe(name === '__proto__')
    }
  })

  it.each([
    ['', 'no rule'],
    ['# nothing\nuser ann', 'no rule'],
    ['topic', 'line 1: the topic is missing'],
    ['topic all a', 'line 1: expected read'],
    ['\ntopic read a#', 'line 2: "a#" is no Topic Filter'],
    ['topic read a/#/b', 'no Topic Filter'],
    ['topic read $share/g/a', 'Shared Subscription'],
    ['topics a', 'line 1: expected user'],
    ['topic\tread a', 'line 1: expected user'],
    [' # a comment begins the line', 'line 1: expected user'],
    ['user', 'the name of the user is missing'],
    ['user  \ntopic a', 'the name of the user is missing'],
    ['topic a\0b', 'character 0'],
  ])('S-31 refuses %j', (broken, why) => {
    expect(() => new AclFile(broken)).toThrow(why)
  })

  it('decides as the rules say one by one, whatever they are', () => {
    fc.assert(
      fc.property(
        aclFiles,
        fc.array(clients, { minLength: 1, maxLength: 3 }),
        fc.array(topics, { maxLength: 8 }),
        (lines, who, what) => {
          const file = new AclFile(lines.join('\n'))
          for (const client of who) {
            const decider = file.deciderFor(client)
            for (const topic of what) {
              for (const action of ['publish', 'receive'] as const) {
                expect(decider.explain(action, topic).allowed, `${action} ${topic}`).toBe(
                  naive(lines, client, action, topic),
                )
              }
            }
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('S-31 no text grants more than its lines say, and what is none is refused with a TypeError', () => {
    const word = fc.constantFrom(
      'user ',
      'topic ',
      'pattern ',
      'read ',
      'write ',
      'deny ',
      'a',
      '/',
      '+',
      '#',
      '%c',
      '%u',
      '\n',
      '\r',
      '\t',
      ' ',
      '\0',
      '$',
      'é',
    )
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 30 }).map((words) => words.join('')),
        (some) => {
          try {
            new AclFile(some)
          } catch (error) {
            expect(error).toBeInstanceOf(TypeError)
            return
          }
          expect(some).toMatch(/(topic|pattern) +[^ ]/)
        },
      ),
      { numRuns: 1000 },
    )
  })
})

/** As simple as it can be said. */
function naive(lines: readonly string[], { clientId, userName }: TestClient, action: Action, topic: string): boolean {
  if (topic.startsWith('$share')) return false
  const isSys = topic.startsWith('$SYS') && !/^\$SYS\/broker\/connection\/[^/]*\/state$/.test(topic)
  if (isSys && action === 'publish') return false
  let user: string | undefined
  const verdict = { topic: 'none', pattern: 'none' }
  for (const line of lines) {
    const [word, ...rest] = line.split(' ')
    if (word === 'user') user = rest.join(' ')
    if (word !== 'topic' && word !== 'pattern') continue
    const [kind, filter] = rest.length === 1 ? ['readwrite', rest[0]!] : (rest as [string, string])
    if (word === 'topic' && user !== userName) continue
    if (word === 'pattern' && filter.includes('%u') && userName === undefined) continue
    const filled =
      word === 'topic' ? filter : filter.replaceAll(/%c|%u/g, (name) => (name === '%c' ? clientId : userName!))
    if (topicFilterFault(filled) !== undefined || !matches(filled, topic)) continue
    if (kind === 'deny') verdict[word] = 'deny'
    else if (verdict[word] === 'none' && (kind === 'readwrite' || kind === (action === 'publish' ? 'write' : 'read'))) {
      verdict[word] = 'allow'
    }
  }
  if (verdict.topic !== 'none') return verdict.topic === 'allow'
  if (/[+#]/.test(clientId + (userName ?? ''))) return false
  return verdict.pattern === 'allow'
}

describe('access by an acl_file', () => {
  it('S-02 changes for clients at once when the file does, with an epoch that says so', async () => {
    const file = join(temporaryFolder(), 'acl')
    writeFileSync(file, 'user ann\ntopic a\n')
    const access = await acl({ file })
    const ann = clientOf('ann')
    expect(access.decide(ann, 'receive', 'a')).toBe(true)
    let told = 0
    access.onChange(() => told++)
    writeFileSync(file, 'user ann\ntopic b\n')
    expect(await access.reload()).toBe(true)
    expect([told, access.epoch]).toEqual([1, 1])
    expect(access.decide(ann, 'receive', 'a')).toBe(false)
    expect(access.explain(ann, 'receive', 'b')).toMatchObject({ allowed: true, file, line: 2 })
  })

  it.each(['', 'topic all a\n', undefined])(
    'S-31 stays as it was, says so and counts it when the file is then %j',
    async (broken) => {
      const file = join(temporaryFolder(), 'acl')
      writeFileSync(file, 'topic a\n')
      const log = recorder()
      const access = await acl({ file, log })
      if (broken === undefined) rmSync(file)
      else writeFileSync(file, broken)
      expect(await access.reload()).toBe(false)
      expect([access.failures, access.epoch]).toEqual([1, 0])
      expect(log.lines.join()).toContain(file)
      expect(access.decide(clientOf(undefined), 'publish', 'a')).toBe(true)
    },
  )

  it.each([undefined, '', 'user ann\n'])('S-31 does not begin with a file like %j', async (text) => {
    const file = join(temporaryFolder(), 'acl')
    if (text !== undefined) writeFileSync(file, text)
    await expect(acl({ file })).rejects.toThrow(file)
  })

  it('remembers only so many topics of a client, and decides all of them', async () => {
    const file = join(temporaryFolder(), 'acl')
    writeFileSync(file, 'topic a/+\n')
    const access = await acl({ file })
    const client = clientOf(undefined)
    for (let i = 0; i < 2000; i++) {
      expect(access.decide(client, 'publish', `a/${i % 700}`)).toBe(true)
      expect(access.decide(client, 'receive', `b/${i % 700}`)).toBe(false)
    }
  })
})

it('names for tests are of all kinds', () => {
  expect(fc.sample(names, { numRuns: 200, seed: 1 }).some((name) => /[+#]/.test(name))).toBe(true)
})
