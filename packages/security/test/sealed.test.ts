import { createSeal, type SealOptions } from '@tidewire/security/sealed'
import fc from 'fast-check'
import { exportJWK, generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { ReplayWindow } from '../src/replay-window.js'
import { bytes } from './fixture.js'

const text = (data: Uint8Array): string => new TextDecoder().decode(data)
const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
const keys = { k1: key(1) }
const both = (options: Partial<SealOptions> = {}) =>
  Promise.all([createSeal({ keys, ...options }), createSeal({ keys, ...options })])

describe('a sealed payload', () => {
  it('is opened by who has the key, and has nothing of the clear text', async () => {
    const [sender, receiver] = await both()
    const sealed = await sender.seal('plant/1', 'high tide')
    expect(text(sealed)).not.toContain(Buffer.from('high tide').toString('base64url'))
    expect(text(sealed)).not.toContain('plant')
    expect(text(await receiver.open('plant/1', sealed))).toBe('high tide')
  })

  it('is standard JSON Web Encryption, with the topic as its associated data', async () => {
    const { flattenedDecrypt } = await import('jose')
    const [sender] = await both()
    const jwe = JSON.parse(text(await sender.seal('plant/ü', 'tide')))
    const aad = Buffer.from('plant/ü').toString('base64url')
    const { plaintext, protectedHeader } = await flattenedDecrypt({ ...jwe, aad }, keys.k1)
    expect([text(plaintext), protectedHeader]).toEqual([
      'tide',
      expect.objectContaining({ alg: 'dir', enc: 'A256GCM', kid: 'k1' }),
    ])
  })

  it('is forged when anything of it, or the topic, is another', async () => {
    const [sender] = await both()
    const sealed = await sender.seal('a', 'tide')
    const receiver = await createSeal({ keys })
    await expect(receiver.open('b', sealed)).rejects.toMatchObject({ code: 'ERR_SEAL_FORGED' })
    const jwe = JSON.parse(text(sealed)) as Record<string, string>
    for (const name of ['iv', 'ciphertext', 'tag']) {
      const flipped = { ...jwe, [name]: (jwe[name]![0] === 'A' ? 'B' : 'A') + jwe[name]!.slice(1) }
      await expect(receiver.open('a', bytes(JSON.stringify(flipped))), name).rejects.toMatchObject({
        code: 'ERR_SEAL_FORGED',
      })
    }
    const header = JSON.parse(Buffer.from(jwe['protected']!, 'base64url').toString())
    const other = Buffer.from(JSON.stringify({ ...header, seq: 99 })).toString('base64url')
    await expect(receiver.open('a', bytes(JSON.stringify({ ...jwe, protected: other })))).rejects.toMatchObject({
      code: 'ERR_SEAL_FORGED',
    })
    const stranger = await createSeal({ keys: { k1: key(9) } })
    await expect(stranger.open('a', sealed)).rejects.toMatchObject({ code: 'ERR_SEAL_FORGED' })
    expect(text(await receiver.open('a', sealed))).toBe('tide') // what was refused has not taken its place
  })

  it('may come once, in any order within the window, unless it is retained', async () => {
    const [sender, receiver] = await both({ window: 4 })
    const sealed: Uint8Array[] = []
    for (let i = 0; i < 8; i++) sealed.push(await sender.seal('a', String(i)))
    const open = (i: number, retained = false) =>
      receiver.open('a', sealed[i]!, { retained }).then(text, (error) => error.code)
    expect([await open(1), await open(0), await open(3), await open(3), await open(0)]).toEqual([
      '1',
      '0',
      '3',
      'ERR_SEAL_REPLAYED',
      'ERR_SEAL_REPLAYED',
    ])
    expect([await open(7), await open(3), await open(2), await open(4)]).toEqual([
      '7',
      'ERR_SEAL_REPLAYED',
      'ERR_SEAL_REPLAYED',
      '4',
    ])
    expect([await open(7, true), await open(7, true)]).toEqual(['7', '7'])
  })

  it('is too old after its time, or when it comes from the future', async () => {
    let time = 1_000_000_000
    const sender = await createSeal({ keys, now: () => time })
    const sealed = await sender.seal('a', 'tide')
    const openAt = async (later: number) => {
      time += later
      const receiver = await createSeal({ keys, now: () => time, maxAge: 60 })
      const result = await receiver.open('a', sealed).then(text, (error) => error.code)
      time -= later
      return result
    }
    expect([await openAt(60_000), await openAt(62_000), await openAt(-299_000), await openAt(-302_000)]).toEqual([
      'tide',
      'ERR_SEAL_OLD',
      'tide',
      'ERR_SEAL_OLD',
    ])
  })

  it('keeps being opened while keys change', async () => {
    const before = await createSeal({ keys })
    const receiver = await createSeal({ keys: { k2: key(2), k1: key(1) } })
    const after = await createSeal({ keys: { k1: key(1), k2: key(2) }, sealWith: 'k2' })
    expect(text(await receiver.open('a', await before.seal('a', 'old')))).toBe('old')
    const sealed = await after.seal('a', 'new')
    expect(text(await receiver.open('a', sealed))).toBe('new')
    await expect(before.open('a', sealed)).rejects.toMatchObject({ code: 'ERR_SEAL_KEY' })
  })

  it.each(['P-256', 'X25519', 'RSA'])(
    'is opened by those for whose public keys (%s) it was sealed, and by no other',
    async (kind) => {
      const make = async () => {
        const options = { extractable: true, ...(kind !== 'RSA' && { crv: kind }) }
        const { publicKey, privateKey } = await generateKeyPair(
          kind === 'RSA' ? 'RSA-OAEP-256' : 'ECDH-ES+A256KW',
          options,
        )
        return { publicKey, privateKey: await exportJWK(privateKey) }
      }
      const [ann, bob, eve] = await Promise.all([make(), make(), make()])
      const sender = await createSeal({ recipients: { ann: ann.publicKey, bob: await exportJWK(bob.publicKey) } })
      const sealed = await sender.seal('a', 'for two')
      for (const [name, { privateKey }] of [
        ['ann', ann],
        ['bob', bob],
      ] as const) {
        const receiver = await createSeal({ privateKeys: { [name]: privateKey } })
        expect(text(await receiver.open('a', sealed))).toBe('for two')
        await expect(receiver.open('a', sealed)).rejects.toMatchObject({ code: 'ERR_SEAL_REPLAYED' })
        await expect(receiver.open('b', sealed)).rejects.toMatchObject({ code: 'ERR_SEAL_FORGED' })
      }
      const stranger = await createSeal({ privateKeys: { eve: eve.privateKey } })
      await expect(stranger.open('a', sealed)).rejects.toMatchObject({ code: 'ERR_SEAL_KEY' })
      const impostor = await createSeal({ privateKeys: { ann: eve.privateKey } })
      await expect(impostor.open('a', sealed)).rejects.toMatchObject({ code: 'ERR_SEAL_FORGED' })
    },
  )

  it('is bounded', async () => {
    const [sender] = await both()
    const small = await createSeal({ keys, maxSize: 10 })
    expect(text(await small.open('a', await sender.seal('a', 'x'.repeat(10))))).toHaveLength(10)
    await expect(small.open('a', await sender.seal('a', 'x'.repeat(11)))).rejects.toMatchObject({
      code: 'ERR_SEAL_FORMAT',
    })
    await expect(small.open('a', new Uint8Array(20_000))).rejects.toMatchObject({ code: 'ERR_SEAL_FORMAT' })
  })

  it('S-31 anything else is refused with a code', async () => {
    const [sender] = await both()
    const jwe = JSON.parse(text(await sender.seal('a', 'tide')))
    const receiver = await createSeal({ keys })
    const value = fc.oneof(
      fc.string(),
      fc.constant({}),
      fc.constant([]),
      fc.integer(),
      fc.constant(null),
      fc.constant([{ header: { kid: 'k1', alg: 'dir' } }]),
    )
    const changed = fc
      .record(
        {
          protected: value,
          recipients: value,
          header: value,
          unprotected: value,
          iv: value,
          tag: value,
          ciphertext: value,
          zip: value,
        },
        { requiredKeys: [] },
      )
      .filter((some) => Object.keys(some).some((name) => name !== 'header' && name !== 'unprotected' && name !== 'zip'))
      .map((some) => bytes(JSON.stringify({ ...jwe, ...some })))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array(), fc.json().map(bytes), changed), async (some) => {
        await expect(receiver.open('a', some)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_SEAL_/) })
      }),
      { numRuns: 300 },
    )
  })

  it('has keys that fit, and none of them in an error', async () => {
    await expect(createSeal({ keys: { k1: new Uint8Array(16) } })).rejects.toThrow('32 bytes')
    await expect(createSeal({ keys, sealWith: '__proto__' })).rejects.toThrow('no shared key')
    await expect(createSeal({ keys, window: 0 })).rejects.toThrow(RangeError)
    await expect(createSeal({ recipients: { x: { kty: 'oct', k: 'c2VjcmV0' } } })).rejects.toThrow('belongs into keys')
    await expect(createSeal({ recipients: { x: { kty: 'EC', d: 'c2VjcmV0' } } })).rejects.toThrow(
      expect.not.stringContaining('c2VjcmV0'),
    )
    await expect((await createSeal({})).seal('a', 'x')).rejects.toThrow('no key to seal with')
  })
})

it('a replay window takes each number once, as a set does for those that are not too far back', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 60 }), (numbers) => {
      const window = new ReplayWindow(8, 2)
      const taken = new Set<number>()
      for (const number of numbers) {
        const isNew = !taken.has(number) && number > Math.max(-1, ...taken) - 8
        expect(window.take('a', number)).toBe(isNew)
        if (isNew) taken.add(number)
      }
    }),
    { numRuns: 300 },
  )
  const window = new ReplayWindow(8, 2)
  for (const sender of ['a', 'b', 'c']) window.take(sender, 1)
  expect([window.take('c', 1), window.take('a', 1)]).toEqual([false, true]) // the third has pushed out the first
})
