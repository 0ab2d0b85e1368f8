/** Levels of Topic Names by names of an application's own. */

import { matches, topicFilterFault } from './topic-filter.js'

// With what was found so far, in which case the compiler does not stop at a depth of 50.
type CapturesOf<Pattern extends string, Found = never> = Pattern extends `${infer Level}/${infer Rest}`
  ? CapturesOf<Rest, Found | CaptureOf<Level>>
  : Found | CaptureOf<Pattern>

type CaptureOf<Level extends string> = Level extends `:${infer Name}` ? Name : never

/** What the levels `:name` of a pattern stand for. Of a union of patterns, what one of them has. */
export type Captures<Pattern extends string> = string extends Pattern
  ? Readonly<Record<string, string | undefined>>
  : Pattern extends unknown
    ? { readonly [Name in CapturesOf<Pattern>]: string }
    : never

export interface TopicPattern<Pattern extends string> {
  /** The Topic Filter to subscribe to. */
  readonly filter: string
  /** Returns what stands in the named levels of a valid Topic Name, or undefined for a name that does not match. */
  match(name: string): Captures<Pattern> | undefined
}

/**
 * Makes a Topic Filter of which each level `:name` is a `+` with a name, such as `site/:site/line/:line`. Of equal names
 * the last counts. Throws TypeError for what is then no Topic Filter, for that of a Shared Subscription, and for a name that is
 * empty or holds a wildcard.
 */
export function topicPattern<const Pattern extends string>(pattern: Pattern): TopicPattern<Pattern> {
  const levels = pattern.split('/')
  const filter = levels.map((level) => level.replace(/^:[^+#]+$/s, '+')).join('/')
  const fault = /^\$share\/|(^|\/):/.test(filter) ? 'not a pattern' : topicFilterFault(filter)?.message
  if (fault !== undefined) throw new TypeError(`${pattern}: ${fault}`)
  return {
    filter,
    match(name) {
      const found = name.split('/')
      const captures = levels.flatMap((level, i) => (level[0] === ':' ? [[level.slice(1), found[i]]] : []))
      return matches(filter, name) ? (Object.fromEntries(captures) as Captures<Pattern>) : undefined
    },
  }
}
