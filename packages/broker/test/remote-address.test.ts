import { describe, expect, it } from 'vitest'
import { Admission } from '../src/listeners/admission.js'
import { AddressList, canonicalAddress, isLoopback, networkOf } from '../src/listeners/remote-address.js'
import { defaultLimits } from '../src/options.js'

describe('an address', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:0A00:0001', '10.0.0.1'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['1.2.3.4:5', undefined],
    ['localhost', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('is written in one way: %s', (text, address) => {
    expect(canonicalAddress(text)).toBe(address)
  })

  it.each([
    ['127.1.2.3', true],
    ['::1', true],
    ['128.0.0.1', false],
    ['::2', false],
  ])('is loopback or not: %s', (address, is) => {
    expect(isLoopback(address)).toBe(is)
  })

  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['2001:db8:1:2::', '2001:db8:1:2'],
    ['::6', '0:0:0:0'],
    ['1:2:3:4:5:6:7::', '1:2:3:4'],
    ['::2:3:4:5:6:7:8', '0:2:3:4'],
  ])('belongs to a network that is counted: %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })
})

describe('a list of addresses', () => {
  const list = new AddressList('x', ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '::1'])

  it.each([
    ['10.255.0.1', true],
    ['11.0.0.1', false],
    ['192.0.2.1', true],
    ['192.0.2.2', false],
    ['2001:db8::5', true],
    ['2001:db9::5', false],
    ['::1', true],
    [undefined, false],
  ])('has or has not: %s', (address, has) => {
    expect(list.has(address)).toBe(has)
  })

  it.each([['10.0.0.0/33'], ['10.0.0/8'], ['::/129'], ['::1/'], ['::1/-1'], ['1.2.3.4/8/8'], ['localhost'], [''], [1]])(
    'refuses %j',
    (entry) => {
      expect(() => new AddressList('trusted', [entry as string])).toThrow(TypeError)
      expect(() => new AddressList('trusted', entry as never)).toThrow('trusted')
    },
  )

  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7, 10.1.1.1', '203.0.113.7'],
    ['1.1.1.1, 203.0.113.7, 10.1.1.1, 10.1.1.2', '203.0.113.7'],
    ['what ever,  2001:DB9::1 ', '2001:db9::1'],
    ['203.0.113.7, nonsense', undefined],
    ['203.0.113.7, ', undefined],
    ['10.1.1.1', undefined],
    ['', undefined],
  ])('finds the client in X-Forwarded-For: %s', (header, address) => {
    expect(list.forwarded(header)).toBe(address)
  })
})

it('addresses that are gone are forgotten (S-29)', () => {
  const admission = new Admission()
  let now = 0
  for (let i = 0; i < 20_000; i++) {
    now += 1
    const address = `2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}`
    expect(admission.enter(address, defaultLimits, now)).toBeUndefined()
    admission.leave(address)
  }
  expect(admission.remembered).toBeLessThan(5_000)
})
