import { type Captures, topicPattern } from '@tidewire/topics'
import { describe, expect, expectTypeOf, it } from 'vitest'

describe('a pattern of topics', () => {
  const pattern = topicPattern('site/:site/line/:line')

  it('is a Topic Filter with + for each name', () => {
    expect(pattern.filter).toBe('site/+/line/+')
    expect(topicPattern(':a/+/b:c/#').filter).toBe('+/+/b:c/#')
  })

  it('captures levels by name, whatever they hold', () => {
    expect(pattern.match('site/Dover/line/7')).toEqual({ site: 'Dover', line: '7' })
    expect(pattern.match('site//line/__proto__')).toEqual({ site: '', line: '__proto__' })
    expect(topicPattern('a/:b/#').match('a/x/y/z')).toEqual({ b: 'x' })
    expect(topicPattern('a/b').match('a/b')).toEqual({})
  })

  it('captures nothing from what does not match', () => {
    expect(pattern.match('site/Dover/line')).toBeUndefined()
    expect(topicPattern(':a').match('$SYS')).toBeUndefined() // [MQTT-4.7.2-1]
  })

  it('keeps a name of the prototype of objects for a name', () => {
    const found = topicPattern(':__proto__/:constructor').match('a/b')!
    expect(Object.entries(found)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ])
    expect(Object.getPrototypeOf(found)).toBe(Object.prototype)
  })

  it('knows the names from the literal', () => {
    expectTypeOf(pattern.match('a')).toEqualTypeOf<{ readonly site: string; readonly line: string } | undefined>()
    expectTypeOf<keyof Captures<'a/+/#'>>().toEqualTypeOf<never>()
    expectTypeOf<Captures<string>>().toEqualTypeOf<Readonly<Record<string, string | undefined>>>()
    // @ts-expect-error: there is no such name
    pattern.match('a')?.other
  })

  it('knows the names of many levels, and of one of several patterns', () => {
    type Ten = ':a/b/b/b/b/b/b/b/b/b'
    type Hundred = `${Ten}/${Ten}/${Ten}/${Ten}/${Ten}/${Ten}/${Ten}/${Ten}/${Ten}/:z`
    expectTypeOf<keyof Captures<Hundred>>().toEqualTypeOf<'a' | 'z'>()
    expectTypeOf<Captures<'x/:a' | 'y/:b'>>().toEqualTypeOf<{ readonly a: string } | { readonly b: string }>()
  })

  it.each([
    '',
    'a/#/:b',
    'a+/:b',
    '$share/g/:x',
    '$share/:g/x',
    ':',
    'a/:',
    ':/a',
    'a/:x+',
    'site/:site#',
    ':x\n#',
    'a/:x#/b',
  ])('may not be %j, which the error says', (text) => {
    expect(() => topicPattern(text)).toThrow(TypeError)
    expect(() => topicPattern(text)).toThrow(`${text}: `)
  })
})
