/** Topic Names (section 4.7): what a message is published to. */

/** What is wrong with a Topic Name or a Topic Filter. */
export interface TopicFault {
  readonly message: string
  /** The statement of MQTT 5.0 that is broken, or undefined for a limit of the caller. */
  readonly statement: string | undefined
}

/** The most levels that a name or filter may have unless the caller says otherwise. */
export const defaultMaxLevels = 128

/** Tells why a string is not a Topic Name, or returns undefined. */
export function topicNameFault(name: string, maxLevels: number = defaultMaxLevels): TopicFault | undefined {
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i)
    if (unit === 0x23 || unit === 0x2b) return fault('a Topic Name may not hold a wildcard', 'MQTT-4.7.0-1')
  }
  return textFault(name, maxLevels)
}

/** What names and filters have in common (section 4.7.3). */
export function textFault(text: string, maxLevels: number): TopicFault | undefined {
  if (text === '') return fault('it is empty', 'MQTT-4.7.3-1')
  let bytes = text.length
  let levels = 1
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0x2f) levels++
    else if (unit === 0) return fault('it holds U+0000', 'MQTT-4.7.3-2')
    else if (unit >= 0x800)
      bytes += unit >= 0xd800 && unit < 0xe000 ? 1 : 2 // a surrogate pair takes four bytes
    else if (unit >= 0x80) bytes++
  }
  if (bytes > 0xffff) return fault('it takes more than 65,535 bytes', 'MQTT-4.7.3-3')
  if (!isWellFormed(text)) return fault('it holds a lone surrogate', 'MQTT-1.5.4-1')
  if (levels > maxLevels) return fault(`it has more than ${maxLevels} levels`, undefined)
  return undefined
}

export function fault(message: string, statement: string | undefined): TopicFault {
  return { message, statement }
}

function isWellFormed(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0xd800 || unit > 0xdfff) continue
    const low = text.charCodeAt(i + 1)
    if (unit > 0xdbff || !(low >= 0xdc00 && low <= 0xdfff)) return false
    i++
  }
  return true
}
