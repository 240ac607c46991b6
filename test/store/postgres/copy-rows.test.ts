import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CopyRows, type CopyValue } from '../../../src/store/postgres/connection/copy-rows.js'

test('any rows are written as COPY reads them', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: fc.constantFrom('\\', '\t', '\n', '\r', '\0', 'a', 'é', '🙂') }),
  )
  const number = fc.oneof(fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.nat())
  const row = fc.array(fc.oneof(text, number, fc.boolean(), fc.constant(null)), { minLength: 1 })
  fc.assert(
    fc.property(fc.array(row), (all) => {
      const rows = new CopyRows()
      for (const values of all) rows.add(values)
      expect(rows.take().toString()).toBe(all.map(expectedLine).join(''))
      expect(rows.isEmpty).toBe(true)
    }),
  )
})

test('rows that are longer than the room that there is at first are whole', () => {
  const rows = new CopyRows()
  const long = 'ü'.repeat(100_000)
  rows.add([long, 1]).add(['x'.repeat(200_000), null])
  expect(rows.take().toString()).toBe(`${long}\t1\n${'x'.repeat(200_000)}\t\\N\n`)
})

function expectedLine(values: readonly CopyValue[]): string {
  return `${values.map(expectedText).join('\t')}\n`
}

function expectedText(value: CopyValue): string {
  if (value === null) return '\\N'
  if (typeof value === 'boolean') return value ? 't' : 'f'
  if (typeof value === 'number') return String(value)
  const escapes: Record<string, string> = {
    '\\': '\\\\',
    '\t': '\\t',
    '\n': '\\n',
    '\r': '\\r',
    '\0': '\ufffd',
  }
  return [...value].map((character) => escapes[character] ?? character).join('')
}
