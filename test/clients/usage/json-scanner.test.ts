import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { JsonScanner } from '../../../src/clients/usage/json-scanner.js'
import { type Scanned, type Wanted, wantedNode } from '../../../src/clients/usage/wanted-members.js'
import { runs } from '../../support/runs.js'

function scan(wanted: Wanted, text: string, cuts: number[] = []): { documents: Scanned[]; isEnded: boolean } {
  const bytes = Buffer.from(text)
  const documents: Scanned[] = []
  const scanner = new JsonScanner(wantedNode(wanted), (document) => documents.push(document))
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    scanner.push(bytes, from, cut)
    from = cut
  }
  return { documents, isEnded: scanner.isEnded }
}

const WANTED = { a: true, b: { c: true, d: [{ e: true }] }, 'ü"\n': true } as const

describe('a scanner of JSON', () => {
  const names = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'ü"\n', 'other', '', '__proto__')
  const scalars = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom('\\', '\\"', '"\\\\', '}]{[', 'x'.repeat(100), '\\'.repeat(70), '"'.repeat(70)),
  )
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      scalars,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(names, tie('value'), { maxKeys: 6, noNullPrototype: true }),
    ),
  }))
  const objects = fc.dictionary(names, value, { maxKeys: 8, noNullPrototype: true })

  /** What JSON.parse finds, reduced to what is wanted. */
  function reduced(found: unknown, wanted: Wanted): unknown {
    if (typeof found !== 'object' || found === null) return typeof found === 'number' ? found + 0 : found
    if (wanted === true) return undefined
    if (Array.isArray(wanted)) {
      if (!Array.isArray(found)) return undefined
      return found.map((element) => reduced(element, wanted[0])).filter((element) => element !== undefined)
    }
    if (Array.isArray(found)) return undefined
    const members = Object.entries(wanted)
      .filter(([name]) => Object.hasOwn(found, name))
      .map(([name, member]) => [name, reduced((found as Record<string, unknown>)[name], member)] as const)
    return Object.fromEntries(members.filter(([, member]) => member !== undefined))
  }

  test.each([undefined, 2])(
    'finds what JSON.parse finds, wherever the bytes are cut (indent %s)',
    (indent) => {
      fc.assert(
        fc.property(objects, fc.array(fc.nat(2000), { maxLength: 30 }), (given, cuts) => {
          const text = JSON.stringify(given, null, indent)
          const length = Buffer.byteLength(text)
          const sorted = cuts.map((cut) => Math.min(cut, length)).sort((one, other) => one - other)
          const expected = { documents: [reduced(JSON.parse(text), WANTED)], isEnded: true }
          expect(scan(WANTED, text, sorted)).toEqual(expected)
          expect(scan(WANTED, text, [...Array(length).keys()])).toEqual(expected)
        }),
        runs(100),
      )
    },
  )

  test('finds names and texts that are written with escapes', () => {
    const text = '{"\\u0061":"\\ud83e\\udd89\\n\\"","\\u00fc\\"\\n":1,"b":{"\\u0063":true}}'
    const documents = [{ a: '🦉\n"', 'ü"\n': 1, b: { c: true } }]
    expect(scan(WANTED, text)).toEqual({ documents, isEnded: true })
    expect(scan(WANTED, text, [...Array(text.length).keys()])).toEqual({ documents, isEnded: true })
  })

  test('takes the last of two members of the same name, as JSON.parse does', () => {
    expect(scan(WANTED, '{"a":1,"b":{"c":1},"b":{"d":[]},"a":2}').documents).toEqual([{ a: 2, b: { d: [] } }])
  })

  test('tells each element of an array as a document of its own, and nothing of one that has no end', () => {
    const told = scan(WANTED, '\uFEFF [ {"a":1}, 5, [{"a":9}], {"a":2} , {"a":3')
    expect(told).toEqual({ documents: [{ a: 1 }, 5, { a: 2 }], isEnded: false })
  })

  test('cuts a text after 4 KiB, between two escapes', () => {
    for (let shift = 0; shift < 8; shift++) {
      const text = `${'x'.repeat(shift)}${'\\u00fc\\n'.repeat(2000)}`
      const [told] = scan({ a: true }, `{"a":"${text}"}`).documents as [{ a: string }]
      expect(JSON.parse(`"${text}"`).startsWith(told.a)).toBe(true)
      expect(told.a.length).toBeGreaterThan(1000)
      expect(told.a.length).toBeLessThan(4096)
    }
  })

  test('keeps 64 elements of an array', () => {
    const text = JSON.stringify({ b: { d: Array.from({ length: 100_000 }, (_, e) => ({ e })) } })
    const [told] = scan(WANTED, text).documents as [{ b: { d: { e: number }[] } }]
    expect(told.b.d.map(({ e }) => e)).toEqual([...Array(64).keys()])
  })

  test('keeps its place in a value of a million open arrays, and in a wanted one', () => {
    const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000)
    expect(scan(WANTED, `{"x":${deep},"b":{"d":${deep}},"a":1}`).documents).toEqual([{ b: { d: [] }, a: 1 }])
  })

  test.each(['{"a" 1}', '{a:1}', '{"a":1]', '}', ']', '{"a":1,}', '{"a":,}', '"', '{"a":"x'])(
    'tells nothing of %s',
    (text) => {
      expect(scan(WANTED, text)).toEqual({ documents: [], isEnded: false })
    },
  )
})
