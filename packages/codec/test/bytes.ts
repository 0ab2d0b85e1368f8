/** Bytes as the tables of these tests write them: hexadecimal, ASCII in quotes, `>` before the byte that is meant. */

/** The bytes of such a text; blanks only help to read. */
export function fromHex(hex: string): Uint8Array {
  const bytes: number[] = []
  for (const [part, ascii] of tokens(hex)) {
    if (ascii !== undefined) bytes.push(...[...ascii].map((letter) => letter.charCodeAt(0)))
    else if (part !== '>') bytes.push(Number.parseInt(part, 16))
  }
  return Uint8Array.from(bytes)
}

function tokens(hex: string): IterableIterator<RegExpExecArray> {
  const rest = hex.replaceAll(/'([ -~]*?)'|[\da-f]{2}|[> ]/g, '')
  if (rest !== '') throw new Error(`${rest} is not hexadecimal`)
  return hex.matchAll(/'([ -~]*?)'|[\da-f]{2}|>/g)
}

/** Where the byte behind `>` lies. */
export function marked(hex: string): number {
  const at = hex.indexOf('>')
  if (at < 0) throw new Error(`nothing is marked in ${hex}`)
  return fromHex(hex.slice(0, at)).length
}

export function toHex(bytes: Iterable<number>): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The text behind its length in two bytes: a UTF-8 Encoded String or Binary Data. */
export function counted(hex: string): string {
  const { length } = fromHex(hex)
  return `${toHex([length >> 8, length & 0xff])} ${hex}`
}

/** The text behind its length as a Variable Byte Integer, here below 16,384: properties, or the body of a packet. */
export function measured(hex: string): string {
  const { length } = fromHex(hex)
  return `${toHex(length < 128 ? [length] : [(length & 0x7f) | 0x80, length >> 7])} ${hex}`
}

/** Several byte arrays as one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
