import { describe, expect } from 'vitest'
import { listNames } from '../../../src/queries/sums/names.js'
import { fill, insert, type Row, test } from '../support.js'

const times = (count: number, row: Row): Row[] => Array.from({ length: count }, () => row)

const names = (database: Parameters<typeof listNames>[0], options: Parameters<typeof listNames>[1]) =>
  listNames(database, options).names.map(({ name, requests }) => `${name} ${requests}`)

test('names that begin with a prefix in any ASCII case, those with most requests first', ({ database }) => {
  fill(database, [
    ...times(2, { model: 'gpt-4o', timestamp: '2026-11-20T10:00:00.000Z' }),
    ...times(3, { model: 'gpt-5' }),
    ...times(2, { model: 'GPT-4o' }),
    ...times(9, { model: 'claude' }),
    { model: 'g%t' },
    { model: 'Ünï' },
  ])
  // Spellings of a model are one, under the one with most requests.
  expect(names(database, { prefix: 'gpt' })).toEqual(['GPT-4o 4', 'gpt-5 3'])
  expect(names(database, { prefix: 'GpT-4O' })).toEqual(['GPT-4o 4'])
  expect(names(database, { prefix: 'g%' })).toEqual(['g%t 1'])
  expect(names(database, { prefix: 'Ünï' })).toEqual(['Ünï 1'])
  expect(names(database, { prefix: 'pt' })).toEqual([])
  expect(names(database, {})).toEqual(['claude 9', 'GPT-4o 4', 'gpt-5 3', 'g%t 1', 'Ünï 1'])
  expect(listNames(database, { limit: 2 })).toMatchObject({
    dimension: 'model',
    names: [{ name: 'claude' }, { name: 'GPT-4o' }],
    has_more: true,
  })
  expect(listNames(database, { limit: 5 }).has_more).toBe(false)
})

test('of spellings with equally many requests, the first in byte order names them, whatever their length', ({
  database,
}) => {
  const [long, Long] = ['m', 'M'].map((first) => first + 'x'.repeat(300)) as [string, string]
  insert(database, { model: 'b' }, { model: 'B' }, { model: long }, { model: Long })
  expect(names(database, {})).toEqual(['B 2', `${Long} 2`])
})

describe('dimensions', () => {
  test('providers, policies and labels, those that no roll-up is kept by too; what has none has no name', ({
    database,
  }) => {
    insert(
      database,
      { provider: 'east', policy: 'cheap', labels: '{"tier":"local","team":"red"}' },
      { provider: 'East', policy: 'Cheap', labels: '{"tier":"local","team":"blue"}' },
      { provider: 'east', policy: 'cheap', labels: '{"team":"red"}' },
      {},
    )
    expect(names(database, { dimension: 'provider' })).toEqual(['east 3'])
    // Other spellings are other policies, and other labels.
    expect(names(database, { dimension: 'policy', prefix: 'c' })).toEqual(['cheap 2', 'Cheap 1'])
    expect(names(database, { dimension: 'label:tier' })).toEqual(['local 2'])
    expect(names(database, { dimension: 'label:team', prefix: 'R' })).toEqual(['red 2'])
    expect(names(database, { dimension: 'label:none' })).toEqual([])
  })

  test('others are refused', ({ database }) => {
    for (const dimension of ['', 'labels', 'label:', 'model ']) {
      expect(() => listNames(database, { dimension })).toThrow(
        `Invalid dimension '${dimension}'. Supported: model, provider, policy, journal, label:<name>`,
      )
    }
  })
})
