/** Topic Filters (section 4.7), those of Shared Subscriptions (section 4.8.2), and which names they match. */

import { defaultMaxLevels, fault, type TopicFault, textFault } from './topic-name.js'

/** The parts of `$share/{ShareName}/{filter}`. */
export interface SharedFilter {
  readonly shareName: string
  readonly filter: string
}

/** Tells why a string is not a Topic Filter, or returns undefined. Takes the filters of Shared Subscriptions too. */
export function topicFilterFault(filter: string, maxLevels: number = defaultMaxLevels): TopicFault | undefined {
  const isShared = filter.startsWith('$share/')
  if (isShared && parseShared(filter) === undefined) {
    if (filter.split('/', 2)[1] === '') return fault('the ShareName is empty', 'MQTT-4.8.2-1')
    return fault('no ShareName, or no filter', 'MQTT-4.8.2-2')
  }
  if (/[^/]#|#./s.test(filter)) return fault('# is not the last level', 'MQTT-4.7.1-1')
  if (/[^/]\+|\+[^/]/.test(filter)) return fault('+ is not a level', 'MQTT-4.7.1-2')
  return textFault(filter, isShared ? maxLevels + 2 : maxLevels) // two levels are none of the filter
}

/**
 * Takes the filter of a Shared Subscription apart; undefined when it is not one, or has no ShareName or filter. The filter
 * in it is not checked: that is for `topicFilterFault`.
 */
export function parseShared(filter: string): SharedFilter | undefined {
  const parts = /^\$share\/(?<shareName>[^/+#]+)\/(?<filter>.+)/s.exec(filter)?.groups
  return parts as SharedFilter | undefined
}

/** Whether a valid Topic Filter, not that of a Shared Subscription, matches a valid Topic Name. */
export function matches(filter: string, name: string): boolean {
  return intersects(filter, name) // a name is a filter that matches nothing else
}

/** Whether any Topic Name is matched by both of two valid Topic Filters, not those of Shared Subscriptions. */
export function intersects(one: string, other: string): boolean {
  // A wildcard in the first level does not match a name that begins with $ [MQTT-4.7.2-1].
  if (isWild(one) ? other[0] === '$' : one[0] === '$' && isWild(other)) return false
  for (let i = 0, j = 0; ; i++, j++) {
    if (one[i] === '#' || other[j] === '#') return true
    if (one[i] === '+' || other[j] === '+') {
      i = levelEnd(one, i)
      j = levelEnd(other, j)
    } else {
      while (i < one.length && one[i] !== '/' && one[i] === other[j]) {
        i++
        j++
      }
    }
    // Both stand at the end of a level here, or the level differs.
    if (i === one.length || j === other.length) {
      const rest = one.slice(i) + other.slice(j)
      // `a/#` also matches its parent `a` (section 4.7.1.2); but that of `/#` is empty, and no name [MQTT-4.7.3-1].
      return rest === '' || (rest === '/#' && i > 0 && j > 0)
    }
    if (one[i] !== '/' || other[j] !== '/') return false
  }
}

function isWild(filter: string): boolean {
  return filter[0] === '+' || filter[0] === '#'
}

function levelEnd(text: string, index: number): number {
  const end = text.indexOf('/', index)
  return end < 0 ? text.length : end
}

/** Whether a Topic Filter matches all names that another one matches. Takes valid filters, not shared ones. */
export function covers(filter: string, other: string): boolean {
  if (other.endsWith('#') && !filter.endsWith('#')) return false
  // Of what the other matches, what is shortest and has levels of its own for wildcards.
  const shortest = other.length < 3 ? other.replace('#', '\0') : other.replace('/#', '')
  return matches(filter, shortest.replaceAll('+', '\0'))
}
