/** mosquitto's `acl_file`, read and decided as mosquitto does it. */

import { matches } from '@tidewire/topics'
import type { Rulebook } from './access.js'
import type { Action, Client } from './client.js'
import type { Decider } from './permissions.js'
import { bitOf, checkFilter, type Explanation, explained, publishing, type Rule, RuleList, receiving } from './rules.js'

const access: ReadonlyMap<string, Pick<Rule, 'allows' | 'about'>> = new Map([
  ['read', { allows: true, about: receiving }],
  ['write', { allows: true, about: publishing }],
  ['readwrite', { allows: true, about: receiving | publishing }],
  ['deny', { allows: false, about: receiving | publishing }],
])

export interface AclOptions {
  /** What errors and explanations call the file. Default `acl_file`. */
  readonly file?: string
  /**
   * Stricter than mosquitto: a client is told at SUBSCRIBE when it may not receive all that its Topic Filter matches,
   * and names with `/` cannot take the place of `%c` and `%u`. Default false.
   */
  readonly strict?: boolean
}

/** The rules of an `acl_file`. */
export class AclFile implements Rulebook {
  readonly checksRetain: boolean = false
  readonly #users: ReadonlyMap<string | undefined, RuleList>
  readonly #patterns: RuleList
  readonly #isStrict: boolean

  /**
   * Takes the text of a file. Throws TypeError, with the number of the line, for what mosquitto takes for an error, and
   * if there is no rule in it.
   */
  constructor(text: string, options: AclOptions = {}) {
    const { file = 'acl_file', strict = false } = options
    this.#isStrict = strict
    const users = new Map<string | undefined, Rule[]>()
    const patterns: Rule[] = []
    let user: string | undefined
    for (const [index, raw] of text.split('\n').entries()) {
      const line = index + 1
      const statement = raw.replace(/[ \t\v\f\r]+$/, '')
      if (statement === '' || statement.startsWith('#')) continue
      const fail = (why: string): never => {
        throw new TypeError(`${file}, line ${line}: ${why}`)
      }
      const [, word, rest = ''] = /^ *([^ ]+)(?: +(.*))?$/s.exec(statement) ?? []
      if (statement.includes('\0')) fail('there is a character 0')
      if (word === 'user') user = rest === '' ? fail('the name of the user is missing') : trimmed(rest)
      else if (word === 'topic' || word === 'pattern') {
        const rule = ruleOf(word, rest, { file, line }, fail)
        const rules = word === 'pattern' ? patterns : (users.get(user) ?? [])
        if (rules.push(rule) === 1 && rules !== patterns) users.set(user, rules)
      } else fail('expected user, topic or pattern')
    }
    if (users.size === 0 && patterns.length === 0) throw new TypeError(`${file}: there is no rule in it`)
    this.#users = new Map([...users].map(([name, rules]) => [name, new RuleList(deniesFirst(rules), fill)]))
    this.#patterns = new RuleList(deniesFirst(patterns), fill)
  }

  deciderFor(client: Client): Decider {
    const own = this.#users.get(client.userName)
    const patterns = this.#patterns
    const filled = patterns.filledFor(client)
    const unfit = this.#isStrict ? /[+#/]/ : /[+#]/
    const isUnfit =
      patterns.rules.length > 0 && [client.userName, client.clientId].some((name) => unfit.test(name ?? ''))
    const decide = (action: Action | 'retain', topic: string): Explanation => {
      const closed = aboutDollar(action, topic)
      if (closed !== undefined) return closed
      if (action === 'subscribe' && !this.#isStrict) return granted
      const how = action === 'subscribe' ? 'firstOfFilter' : 'first'
      const about = action === 'subscribe' ? receiving : bitOf[action === 'retain' ? 'publish' : action]
      const first = own?.[how](about, topic, [])
      if (first !== undefined) return explained(first)
      return isUnfit ? unfitName : explained(patterns[how](about, topic, filled))
    }
    return { explain: decide }
  }
}

const granted: Explanation = { allowed: true, reason: 'mosquitto grants every subscription, and looks at each message' }
const unfitName: Explanation = { allowed: false, reason: 'a name with a wildcard is not fit for patterns' }
const isClosed: Explanation = {
  allowed: false,
  reason: 'the topic begins with $, and is not of those that clients use',
}

/** What no rule can allow. */
function aboutDollar(action: Action | 'retain', topic: string): Explanation | undefined {
  if (action === 'subscribe' || !topic.startsWith('$')) return undefined
  if (topic.startsWith('$share')) return isClosed
  const isWrittenSys = action !== 'receive' && topic.startsWith('$SYS')
  return isWrittenSys && !matches('$SYS/broker/connection/+/state', topic) ? isClosed : undefined
}

function ruleOf(word: string, rest: string, where: Pick<Rule, 'file' | 'line'>, fail: (why: string) => never): Rule {
  const [, first = '', second] = /^([^ ]+)(?: +(.*))?$/s.exec(rest) ?? []
  const kind = second === undefined ? access.get('readwrite') : access.get(first)
  if (first === '') fail('the topic is missing')
  if (kind === undefined) return fail('expected read, write, readwrite or deny before the topic')
  const filter = second === undefined ? first : trimmed(second)
  try {
    checkFilter(filter)
  } catch (error) {
    fail((error as Error).message)
  }
  return { ...kind, filter, hasNames: word === 'pattern' && /%[cu]/.test(filter), text: `${word} ${rest}`, ...where }
}

/** What denies stands before what allows, the last first, as mosquitto has it. */
function deniesFirst(rules: readonly Rule[]): Rule[] {
  return [...rules.filter(({ allows }) => !allows).reverse(), ...rules.filter(({ allows }) => allows)]
}

/** A rule with `%u` says nothing about a client without a name. */
function fill(filter: string, { clientId, userName }: Client): string | undefined {
  if (userName === undefined && filter.includes('%u')) return undefined
  return filter.replaceAll(/%[cu]/g, (which) => (which === '%c' ? clientId : userName!))
}

/** Without what C takes for blanks: other spaces of Unicode stay. */
function trimmed(text: string): string {
  return text.replace(/^[ \t\v\f\r]+/, '')
}
