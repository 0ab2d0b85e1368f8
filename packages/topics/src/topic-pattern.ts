/** Levels of Topic Names by names of an application's own. */

import { matches, topicFilterFault } from './topic-filter.js'

type CaptureOf<Level extends string> = Level extends `:${infer Name}` ? Name : never

type CapturesOf<Pattern extends string> = Pattern extends `${infer Level}/${infer Rest}`
  ? CaptureOf<Level> | CapturesOf<Rest>
  : CaptureOf<Pattern>

/** What the levels `:name` of a pattern stand for. */
export type Captures<Pattern extends string> = string extends Pattern
  ? Readonly<Record<string, string | undefined>>
  : { readonly [Name in CapturesOf<Pattern>]: string }

export interface TopicPattern<Pattern extends string> {
  /** The Topic Filter to subscribe to. */
  readonly filter: string
  /** Returns what stands in the named levels of a valid Topic Name, or undefined for a name that does not match. */
  match(name: string): Captures<Pattern> | undefined
}

/**
 * Makes a Topic Filter of which each level `:name` is a `+` with a name, such as `site/:site/line/:line`. Of equal names
 * the last counts. Throws TypeError for what is then no Topic Filter; it does not take those of Shared Subscriptions.
 */
export function topicPattern<const Pattern extends string>(pattern: Pattern): TopicPattern<Pattern> {
  const levels = pattern.split('/')
  const filter = levels.map((level) => (level[0] === ':' ? '+' : level)).join('/')
  const fault = topicFilterFault(filter)
  if (fault !== undefined) throw new TypeError(fault.message)
  return {
    filter,
    match(name) {
      const found = name.split('/')
      const captures = levels.flatMap((level, i) => (level[0] === ':' ? [[level.slice(1), found[i]]] : []))
      return matches(filter, name) ? (Object.fromEntries(captures) as Captures<Pattern>) : undefined
    },
  }
}
