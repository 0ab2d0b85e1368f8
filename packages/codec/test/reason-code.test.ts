import { decode, encode, ReasonCode, reasonName } from '@tidewire/codec'
import { describe, expect, it } from 'vitest'

describe('the name of a Reason Code', () => {
  it.each(Object.entries(ReasonCode))('%s', (name, code) => {
    const first = Object.keys(ReasonCode).find((each) => ReasonCode[each as keyof typeof ReasonCode] === code)
    expect(reasonName(code)).toBe(first)
    if (code > 0) expect(reasonName(code)).toBe(name)
  })

  it.each([
    [0x03, '0x03'],
    [0xff, '0xff'],
  ])('that there is not, of %i, is its number', (code, name) => {
    expect(reasonName(code)).toBe(name)
  })
})

it('a Client Identifier of MQTT 3.1 has 23 characters, however many units they take', () => {
  const connect = { type: 'connect', protocolVersion: 3 } as const
  const longest = '😀'.repeat(23)
  expect(decode(encode({ ...connect, clientId: longest }))).toMatchObject({ clientId: longest })
  expect(() => decode(encode({ ...connect, clientId: `${longest}a` }))).toThrow('Client Identifier')
})

it('a Topic Name of 65,536 bytes is too long also where there is room for it', () => {
  const payload = new Uint8Array(100_000) // so that the target is large
  expect(() => encode({ type: 'publish', topic: 'a'.repeat(65_536), payload })).toThrow(RangeError)
  expect(encode({ type: 'publish', topic: 'a'.repeat(65_535), payload }).length).toBe(165_542)
})
