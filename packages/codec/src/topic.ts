/** What a codec can see of Topic Names and Topic Filters (sections 4.7 and 4.8); `@tidewire/topics` does the matching. */

import type { ProtocolVersion } from './packet-type.js'

const sharePrefix = '$share/'

/** Whether a Topic Name holds `+` or `#`, which it may not [MQTT-4.7.0-1]. */
export function hasWildcard(topic: string): boolean {
  return topic.includes('+') || topic.includes('#')
}

/** Whether a Topic Filter is that of a Shared Subscription, which MQTT 5.0 brought (section 4.8.2). */
export function isShared(filter: string, version: ProtocolVersion): boolean {
  return version === 5 && filter.startsWith(sharePrefix)
}

/** Tells what is wrong with a Topic Filter and the statement that says so, or returns undefined. */
export function topicFilterFault(filter: string, version: ProtocolVersion): readonly [string, string] | undefined {
  if (filter === '') return ['the Topic Filter is empty', 'MQTT-4.7.3-1']
  let levelsFrom = 0
  if (isShared(filter, version)) {
    const nameEnd = filter.indexOf('/', sharePrefix.length)
    const name = filter.slice(sharePrefix.length, nameEnd < 0 ? filter.length : nameEnd)
    if (name === '') return ['the ShareName is empty', 'MQTT-4.8.2-1']
    if (hasWildcard(name)) return ['the ShareName holds a wildcard', 'MQTT-4.8.2-2']
    if (nameEnd < 0 || nameEnd + 1 === filter.length) return ['no Topic Filter follows the ShareName', 'MQTT-4.8.2-2']
    levelsFrom = nameEnd + 1
  }
  for (let i = filter.indexOf('#', levelsFrom); i >= 0; i = filter.indexOf('#', i + 1)) {
    if (i !== filter.length - 1 || !startsLevel(filter, i, levelsFrom)) {
      return ['# is not the whole of the last level', 'MQTT-4.7.1-1']
    }
  }
  for (let i = filter.indexOf('+', levelsFrom); i >= 0; i = filter.indexOf('+', i + 1)) {
    if (!startsLevel(filter, i, levelsFrom) || (i + 1 < filter.length && filter[i + 1] !== '/')) {
      return ['+ is not the whole of its level', 'MQTT-4.7.1-2']
    }
  }
  return undefined
}

function startsLevel(filter: string, at: number, from: number): boolean {
  return at === from || filter[at - 1] === '/'
}
