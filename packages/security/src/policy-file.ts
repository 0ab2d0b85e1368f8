/** Tidewire's own policy file: roles of rules, and who has which roles. */

import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import type { Rulebook } from './access.js'
import type { Action, Client, Grant } from './client.js'
import type { Decider } from './permissions.js'
import {
  bitOf,
  checkFilter,
  type Explanation,
  explained,
  publishing,
  type Rule,
  RuleList,
  receiving,
  retaining,
  subscribing,
} from './rules.js'

// Text of a file; parsing takes about a second for so much.
const largest = 1024 * 1024
// Combinations of roles that clients have. When there are more, all are made anew.
const mostCombinations = 1024

const actions: ReadonlyMap<string, number> = new Map([
  ['publish', publishing],
  ['subscribe', subscribing | receiving],
  ['retain', retaining],
])

type RoleNames = readonly string[]

/** The rules of a policy file. What no rule allows is denied. */
export class PolicyFile implements Rulebook {
  readonly checksRetain: boolean = true
  readonly #roles: ReadonlyMap<string, readonly Rule[]>
  readonly #users: ReadonlyMap<string, RoleNames>
  readonly #groups: ReadonlyMap<string, { readonly roles: RoleNames; readonly users: ReadonlySet<string> }>
  readonly #everyone: RoleNames
  readonly #anonymous: RoleNames
  readonly #isStrict: boolean
  readonly #lists: Map<string, RuleList> = new Map()

  /**
   * Takes the text of a file, YAML 1.2 or JSON. Throws TypeError, with the number of the line, for what is not a policy,
   * names something that it does not know, or has no rule in it.
   */
  constructor(text: string, { file = 'policy' }: { readonly file?: string } = {}) {
    const root = new Reader(text, file).root()
    const known = ['$schema', 'roles', 'users', 'groups', 'everyone', 'anonymous', 'subscriptions']
    const fields = root.fields(known)
    this.#roles = new Map(fields.get('roles')?.named((role) => role.list((rule) => rule.rules()).flat()))
    if ([...this.#roles.values()].every(({ length }) => length === 0))
      throw new TypeError(`${file}: there is no rule in it`)
    const roleNames = (value: Value | undefined): RoleNames => value?.oneOrList((each) => each.oneOf(this.#roles)) ?? []
    this.#users = new Map(fields.get('users')?.named(roleNames))
    this.#groups = new Map(
      fields.get('groups')?.named((group) => {
        const own = group.fields(['roles', 'users'])
        return {
          roles: roleNames(own.get('roles')),
          users: new Set(own.get('users')?.oneOrList((each) => each.text())),
        }
      }),
    )
    this.#everyone = roleNames(fields.get('everyone'))
    this.#anonymous = roleNames(fields.get('anonymous'))
    const subscriptions = fields.get('subscriptions')
    this.#isStrict =
      subscriptions?.oneOf(
        new Map([
          ['strict', 1],
          ['filtered', 2],
        ]),
      ) !== 'filtered'
  }

  deciderFor(client: Client, grant: Grant | undefined): Decider {
    const userName = grant?.userName ?? client.userName
    const list = this.#listOf(this.#rolesOf(userName, grant))
    const names = { ...client, userName }
    const filled = list.filledFor(names)
    const isUnfit = list.hasNames && (!isLevel(client.clientId) || (userName !== undefined && !isLevel(userName)))
    const explain = (action: Action | 'retain', topic: string): Explanation => {
      if (isUnfit) return unfitName
      if (action !== 'subscribe') return explained(list.first(bitOf[action], topic, filled))
      const how = this.#isStrict ? 'firstOfFilter' : 'firstInFilter'
      return explained(list[how](subscribing, topic, filled))
    }
    return { explain }
  }

  /** Roles in the order in which their rules count: those of the user, of its groups, and of all. */
  #rolesOf(userName: string | undefined, { roles = [], groups = [] }: Grant = {}): readonly string[] {
    const found = new Set(userName === undefined ? this.#anonymous : this.#users.get(userName))
    for (const role of roles) if (this.#roles.has(role)) found.add(role)
    for (const [name, group] of this.#groups) {
      const isIn = groups.includes(name) || (userName !== undefined && group.users.has(userName))
      if (isIn) for (const role of group.roles) found.add(role)
    }
    for (const role of this.#everyone) found.add(role)
    return [...found]
  }

  #listOf(roles: readonly string[]): RuleList {
    const key = JSON.stringify(roles)
    const before = this.#lists.get(key)
    if (before !== undefined) return before
    if (this.#lists.size >= mostCombinations) this.#lists.clear()
    const rules = roles.flatMap((role) => this.#roles.get(role)!)
    const list = new RuleList(rules, fill)
    this.#lists.set(key, list)
    return list
  }
}

const unfitName: Explanation = { allowed: false, reason: 'a name that is no level of a topic has no rights of its own' }

/** Whether a name can stand for a level, and for nothing but itself. */
function isLevel(name: string): boolean {
  return name !== '' && !/^\$|[/+#\0]/.test(name)
}

/** A rule with `%u` says nothing about a client without a name. */
function fill(filter: string, { clientId, userName }: Client): string | undefined {
  const levels = filter.split('/')
  if (userName === undefined && levels.includes('%u')) return undefined
  return levels.map((level) => (level === '%c' ? clientId : level === '%u' ? userName! : level)).join('/')
}

/** The text of a file, and where in it values stand. */
class Reader {
  readonly #lines: LineCounter = new LineCounter()
  readonly #text: string
  readonly file: string

  constructor(text: string, file: string) {
    this.#text = text
    this.file = file
  }

  root(): Value {
    if (this.#text.length > largest) throw new TypeError(`${this.file}: it is larger than ${largest} characters`)
    const document = this.#parse()
    const [error] = document.errors
    if (error !== undefined) return this.fail(error.pos[0], error.message.split('\n', 1)[0]!)
    return new Value(document.contents, this)
  }

  #parse(): ReturnType<typeof parseDocument> {
    try {
      return parseDocument(this.#text, {
        lineCounter: this.#lines,
        stringKeys: true,
        prettyErrors: false,
        logLevel: 'silent',
      })
    } catch (error) {
      // What nests too deeply for the parser ends in RangeError.
      throw new TypeError(`${this.file}: ${(error as Error).message}`)
    }
  }

  line(offset: number): number {
    return this.#lines.linePos(offset).line || 1
  }

  fail(offset: number, why: string): never {
    throw new TypeError(`${this.file}, line ${this.line(offset)}: ${why}`)
  }
}

/** A value in the file, to be read as what it must be. */
class Value {
  readonly #node: unknown
  readonly #reader: Reader

  constructor(node: unknown, reader: Reader) {
    this.#node = node
    this.#reader = reader
  }

  get #offset(): number {
    return (this.#node as Node | null)?.range?.[0] ?? 0
  }

  #fail(why: string): never {
    return this.#reader.fail(this.#offset, why)
  }

  #of(node: unknown): Value {
    return new Value(node, this.#reader)
  }

  /** Names with their values, in their order. */
  named<T>(read: (value: Value) => T): [string, T][] {
    if (!isMap(this.#node)) return this.#fail('expected names with a colon')
    return this.#node.items.map(({ key, value }) => [this.#of(key).text(), read(this.#of(value))])
  }

  /** The same, of which the names are known. */
  fields(known: readonly string[]): Map<string, Value> {
    const fields = new Map(this.named((value) => value))
    const unknown = [...fields].find(([name]) => !known.includes(name))
    if (unknown !== undefined) unknown[1].#fail(`there is nothing called ${JSON.stringify(unknown[0])} here`)
    return fields
  }

  list<T>(read: (value: Value) => T): T[] {
    return isSeq(this.#node) ? this.#node.items.map((item) => read(this.#of(item))) : this.#fail('expected a list')
  }

  oneOrList<T>(read: (value: Value) => T): T[] {
    return isSeq(this.#node) ? this.list(read) : [read(this)]
  }

  text(): string {
    const value = isScalar(this.#node) ? this.#node.value : undefined
    return typeof value === 'string' && value !== '' ? value : this.#fail('expected text')
  }

  oneOf(known: ReadonlyMap<string, unknown>): string {
    const text = this.text()
    return known.has(text)
      ? text
      : this.#fail(`expected one of ${[...known.keys()].join(', ')}, not ${JSON.stringify(text)}`)
  }

  /** What stands at a place of a list of rules: one for each of its topics. */
  rules(): Rule[] {
    const fields = this.fields(['allow', 'deny', 'topics'])
    const [allow, deny, topics] = ['allow', 'deny', 'topics'].map((name) => fields.get(name))
    if ((allow === undefined) === (deny === undefined)) this.#fail('a rule has either allow or deny')
    if (topics === undefined) return this.#fail('a rule has topics')
    const words = (allow ?? deny)!.oneOrList((each) => each.oneOf(actions))
    const about = words.reduce((bits, word) => bits | actions.get(word)!, 0)
    const verb = allow === undefined ? 'deny' : 'allow'
    return topics.oneOrList((topic) => ({
      allows: allow !== undefined,
      about,
      ...topic.#filter(),
      text: `${verb} ${words.join(', ')} ${topic.text()}`,
      file: this.#reader.file,
      line: this.#reader.line(topic.#offset),
    }))
  }

  #filter(): Pick<Rule, 'filter' | 'hasNames'> {
    const filter = this.text()
    try {
      checkFilter(filter)
    } catch (error) {
      this.#fail((error as Error).message)
    }
    const levels = filter.split('/').filter((level) => /%[cu]/.test(level))
    if (levels.some((level) => level.length > 2)) this.#fail('%c and %u stand for a whole level')
    return { filter, hasNames: levels.length > 0 }
  }
}
