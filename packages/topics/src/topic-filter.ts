/** Topic Filters (section 4.7), those of Shared Subscriptions (section 4.8.2), and whether one matches a name. */

import { defaultMaxLevels, fault, type TopicFault, textFault } from './topic-name.js'

/** The parts of `$share/{ShareName}/{filter}`. */
export interface SharedFilter {
  readonly shareName: string
  readonly filter: string
}

const sharePrefix = '$share/'

/** Tells why a string is not a Topic Filter, or returns undefined. Takes the filters of Shared Subscriptions too. */
export function topicFilterFault(filter: string, maxLevels: number = defaultMaxLevels): TopicFault | undefined {
  if (filter.startsWith(sharePrefix)) {
    const shared = parseShared(filter)
    if (shared === undefined) return shareFault(filter)
    return topicFilterFault(shared.filter, maxLevels)
  }
  return textFault(filter, maxLevels) ?? wildcardFault(filter)
}

function wildcardFault(filter: string): TopicFault | undefined {
  const last = filter.length - 1
  for (let i = 0; i <= last; i++) {
    const unit = filter.charCodeAt(i)
    if (unit !== 0x23 && unit !== 0x2b) continue
    const startsLevel = i === 0 || filter[i - 1] === '/'
    const endsLevel = i === last || filter[i + 1] === '/'
    if (unit === 0x23 && (!startsLevel || i !== last)) {
      return fault('# must be the whole of the last level', 'MQTT-4.7.1-1')
    }
    if (unit === 0x2b && !(startsLevel && endsLevel)) return fault('+ must be the whole of its level', 'MQTT-4.7.1-2')
  }
  return undefined
}

function shareFault(filter: string): TopicFault {
  const name = filter.slice(sharePrefix.length).split('/', 1)[0]
  if (name === '') return fault('the ShareName is empty', 'MQTT-4.8.2-1')
  return fault('a ShareName without wildcards, a / and a Topic Filter must follow $share/', 'MQTT-4.8.2-2')
}

/** Takes the filter of a Shared Subscription apart; undefined when it is not one, or not well formed. */
export function parseShared(filter: string): SharedFilter | undefined {
  if (!filter.startsWith(sharePrefix)) return undefined
  const end = filter.indexOf('/', sharePrefix.length)
  const shareName = filter.slice(sharePrefix.length, end < 0 ? filter.length : end)
  if (end < 0 || end + 1 === filter.length || shareName === '') return undefined
  if (shareName.includes('+') || shareName.includes('#')) return undefined
  return { shareName, filter: filter.slice(end + 1) }
}

/** Whether a valid Topic Filter, not that of a Shared Subscription, matches a valid Topic Name. */
export function matches(filter: string, name: string): boolean {
  // A wildcard in the first level does not match a name that begins with $ [MQTT-4.7.2-1].
  if (name.charCodeAt(0) === 0x24 && (filter.charCodeAt(0) === 0x2b || filter.charCodeAt(0) === 0x23)) return false
  let f = 0
  let n = 0
  for (;;) {
    const unit = filter.charCodeAt(f)
    if (unit === 0x23) return true
    if (unit === 0x2b) {
      f++
      while (n < name.length && name.charCodeAt(n) !== 0x2f) n++
    } else {
      while (f < filter.length && filter.charCodeAt(f) !== 0x2f && filter.charCodeAt(f) === name.charCodeAt(n)) {
        f++
        n++
      }
    }
    // Both stand at the end of a level here, or the level differs.
    const filterEnds = f === filter.length
    const nameEnds = n === name.length
    if (filterEnds || nameEnds) {
      // `a/#` also matches its parent `a` (section 4.7.1.2).
      return filterEnds ? nameEnds : filter.length === f + 2 && filter.startsWith('/#', f)
    }
    if (filter.charCodeAt(f) !== 0x2f || name.charCodeAt(n) !== 0x2f) return false
    f++
    n++
  }
}
